# SPDX-License-Identifier: BSD-3-Clause
"""Relative error of the forces through V on molten salt and water, against what was asked for, k-sum and mesh.

    OMP_NUM_THREADS=1 python benchmarks/validation/far_field_accuracy.py

The energy is a random linear form of the power spectrum of V in units of its spread, so that every coefficient counts.
The reference is the k-sum at 1e-9.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from systems import molten_salt, water

from mlcalc.expansions import Gto, MultiWidth, PotentialExpansion
from mlcalc.model import Invariant, Model, Term
from mlcalc.neighbors import full_neighbor_list

WIDTHS = MultiWidth((0.9, 1.4, 2.0))
EXPANSIONS = {
    "multi-width 3, p=1": PotentialExpansion(n_max=3, l_max=2, basis=WIDTHS),
    "multi-width 2, l=3": PotentialExpansion(n_max=2, l_max=3, basis=MultiWidth((1.0, 2.0))),
    "multi-width 1, smearing 1.4": PotentialExpansion(n_max=1, l_max=2, smearing=1.4, basis=MultiWidth((2.0,))),
    "multi-width 3, p=6": PotentialExpansion(n_max=3, l_max=2, exponent=6, basis=WIDTHS),
    "gto 4, p=1": PotentialExpansion(n_max=4, l_max=2, basis=Gto(4.0)),
    "gto 3, p=3, smearing 0.7": PotentialExpansion(n_max=3, l_max=1, exponent=3, smearing=0.7, basis=Gto(3.0)),
}


def gradients(model, atoms, p_adj=None, **options):
    """Gradient and strain derivative of sum p_adj . p, and p_adj: random in units of the spread of p."""
    potential = model.potential(**options)
    species = np.searchsorted(potential.species, atoms.numbers).astype(np.int32)
    arguments = (species, atoms.positions, atoms.cell.array, atoms.pbc, *full_neighbor_list(atoms, 0.0))
    if p_adj is None:
        p = potential.features(*arguments)
        p_adj = np.random.default_rng(0).normal(size=p.shape) / p.std(axis=0)
    return *potential.features_backward(*arguments, p_adj=p_adj), p_adj


def main():
    for liquid, atoms in (("salt, 216 ions", molten_salt(3)), ("water, 192 atoms", water(4))):
        for name, expansion in EXPANSIONS.items():
            term = Term("features", [Invariant(2, "V", "V")])
            model = Model(sorted(set(atoms.numbers.tolist())), [expansion], [term])
            exact, exact_strain, p_adj = gradients(model, atoms, lode="ksum", accuracy=1e-9)
            for accuracy in (1e-3, 1e-4, 1e-5, 1e-6):
                line = f"{liquid}, {name}, asked {accuracy:.0e}:"
                for lode in ("ksum", "mesh"):
                    gradient, strain, _ = gradients(model, atoms, p_adj, lode=lode, accuracy=accuracy)
                    error = np.linalg.norm(gradient - exact) / np.linalg.norm(exact)
                    strain_error = np.linalg.norm(strain - exact_strain) / np.linalg.norm(exact_strain)
                    verdict = " TOO LARGE" if error > accuracy else ""
                    line += f" {lode} forces {error:.1e} virial {strain_error:.1e}{verdict}"
                print(line, flush=True)


if __name__ == "__main__":
    main()
