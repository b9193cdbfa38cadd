# SPDX-License-Identifier: BSD-3-Clause
"""Error of the mesh over MPI domains in LAMMPS against the k-sum, on molten NaCl and water, beside what was asked for.

    python benchmarks/validation/lammps_mesh_accuracy.py [--ranks 2]

The energy is a random linear form of the power spectrum of V in units of its spread, so that every coefficient counts.
Forces and virial: norm of the error over the norm; energy: error in meV/atom. The reference is LAMMPS with the k-sum at
1e-9.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from far_field_accuracy import EXPANSIONS
from lammps_runs import Job, run
from systems import molten_salt, water

from mlcalc.expansions import MultiWidth, PotentialExpansion
from mlcalc.model import Invariant, Linear, Model, Term
from mlcalc.neighbors import full_neighbor_list

REQUESTS = (1e-3, 1e-4, 1e-5)
CASES = {
    "multi-width 1, smearing 1.2 (benchmark)": PotentialExpansion(
        name="V", n_max=1, l_max=2, smearing=1.2, basis=MultiWidth((1.2,))
    ),
    **EXPANSIONS,
}


def quadratic_form(expansion, atoms):
    """A model whose energy is sum_i w . p_i, w random in units of 1 / spread of p."""
    species = sorted(set(atoms.numbers.tolist()))
    model = Model(species, [expansion], [Term("form", [Invariant(2, "V", "V")])], [0.0] * len(species))
    potential = model.potential(lode="ksum", accuracy=1e-8)
    index = np.searchsorted(potential.species, atoms.numbers).astype(np.int32)
    neighbors = full_neighbor_list(atoms, 0.0)
    p = potential.features(index, atoms.positions, atoms.cell.array, atoms.pbc, *neighbors)
    weights = np.random.default_rng(0).normal(size=(len(species), p.shape[1])) / p.std(axis=0)
    model.terms[0].regressor = Linear(weights)
    return model


def relative(got, exact):
    return np.linalg.norm(got - exact) / np.linalg.norm(exact)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    print("| liquid, atoms | expansion | asked | mesh | forces | virial | energy, meV/atom |")
    print("|---|---|---|---|---|---|---|")
    n_above = 0
    for liquid, atoms in (("NaCl, 216", molten_salt(3)), ("water, 192", water(4))):
        names = [chemical_symbols[z] for z in sorted(set(atoms.numbers))]
        for name, expansion in CASES.items():
            with tempfile.TemporaryDirectory() as scratch:
                path = Path(scratch) / "form.mlcalc"
                quadratic_form(expansion, atoms).save(path)
                styles = ["lode ksum accuracy 1e-9"] + [f"lode mesh accuracy {request}" for request in REQUESTS]
                jobs = [Job(atoms, path, style, elements=names) for style in styles]
                (exact, *meshes), text = run(Path(scratch), jobs, options.ranks)
            shapes = re.findall(r"particle mesh (.+?), splines of order (\d+)", text)
            for request, got, (shape, order) in zip(REQUESTS, meshes, shapes, strict=True):
                force = relative(got["forces"], exact["forces"])
                energy = 1e3 * abs(got["energy"] - exact["energy"]) / len(atoms)
                above = force > request
                n_above += above
                print(
                    f"| {liquid} | {name} | {request:.0e} | {shape.replace(' x ', 'x')}, order {order} | {force:.1e}"
                    f"{' ABOVE' if above else ''} | {relative(got['virial'], exact['virial']):.1e} | {energy:.1e} |",
                    flush=True,
                )
    print(f"\n{n_above} of the force errors are above what was asked for")


if __name__ == "__main__":
    main()
