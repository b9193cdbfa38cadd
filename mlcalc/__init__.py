# SPDX-License-Identifier: BSD-3-Clause
"""Machine-learned potentials that see near (SOAP) and far (LODE), in ASE and in LAMMPS."""
