# SPDX-License-Identifier: BSD-3-Clause
"""Writes salt.mlcalc: Na+ and Cl- as smeared charges that repel at short range. A model that needs no training.

A linear regressor on the field V of the charge density q_Na rho_Na + q_Cl rho_Cl is electrostatics: a constant
potential phi has V_00 = sqrt(4 pi) phi int r^2 R_0(r) dr, so E_i = k_e / 2 q_i phi_i is a weight times V_i,00. ZBL is
the Pauli repulsion. The four members of the committee disagree about the charges by a few percent.
"""

import math
import sys

import numpy as np

from mlcalc.expansions import MultiWidth, PotentialExpansion
from mlcalc.model import Committee, Invariant, Linear, Model, Term, Zbl

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV Angstrom
CHARGES = np.array([1.0, -1.0])  # of Na and Cl


def salt_model(smearing=1.0, width=0.8, zbl=(2.0, 4.0), members=(0.97, 0.99, 1.01, 1.03)):
    """Model of ions with point charges smeared twice, by ``smearing`` and ``width`` (Angstrom)."""
    field = PotentialExpansion(
        name="V", n_max=1, l_max=0, smearing=smearing, basis=MultiWidth((width,)), center_atom_weight=0.0,
        mixing=(tuple(CHARGES),),
    )  # fmt: skip
    # int r^2 R_0 dr of R_0 = a exp(-r^2 / 2 width^2), normalized
    moment = math.sqrt(2 / (width**3 * math.gamma(1.5))) * width**3 * math.sqrt(math.pi / 2)
    weights = 0.5 * COULOMB * CHARGES / (math.sqrt(4 * math.pi) * moment)
    weights = np.array([scale * weights[:, None] for scale in members]) if members else weights[:, None]
    return Model(
        species=[11, 17],
        expansions=[field],
        terms=[Term("charges", [Invariant(1, "V")], Linear(weights))],
        zbl=Zbl(*zbl) if zbl else None,
        committee=Committee(len(members)) if members else None,
        boundaries=("periodic", "slab", "free"),
    )


if __name__ == "__main__":
    salt_model().save(sys.argv[1] if len(sys.argv) > 1 else "salt.mlcalc")
