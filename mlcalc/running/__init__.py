# SPDX-License-Identifier: BSD-3-Clause
"""Running a model: neighbors, the ASE calculator and its ranks, molecular dynamics, features, far-field errors."""
