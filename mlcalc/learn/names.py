# SPDX-License-Identifier: BSD-3-Clause
"""Words of the options of choosing structures, without anything that takes time to import."""

#: ways to choose
METHODS = ("leverage", "committee", "farthest", "random")
#: kinds of labels
LABELS = ("energy", "forces", "virial")
#: of the sum of the covalent radii: atoms that are closer are an accident
CLOSEST = 0.6
