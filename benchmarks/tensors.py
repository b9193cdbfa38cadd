# SPDX-License-Identifier: BSD-3-Clause
"""Cost of a dipole and of Born charges beside energy, forces and virial, in microseconds per atom on one core.

    python benchmarks/tensors.py [--atoms 1000]

Linear models of the energy and the dipole, nu = 2, rattled silicon (n_max 8, l_max 6, cutoff 5 Angstrom) and salt
(n_max 6, l_max 4, cutoff 5), and salt with rho x V on a mesh (1e-4). The neighbor list is given. A dipole alone, both
together on a step that asks for it, Born charges alone.
"""

import functools

import numpy as np
from timing import best, silicon_and_salt, views

from mlcalc import (
    DensityExpansion,
    Equivariant,
    Invariant,
    Linear,
    Model,
    PotentialExpansion,
    TensorOutput,
    TensorPart,
    Term,
)


def model(kind, far):
    """Random weights for energy and dipole."""
    n_max, l_max = (8, 6) if kind == "Si" else (6, 4)
    expansions = [DensityExpansion(name="rho", cutoff=5.0, n_max=n_max, l_max=l_max)]
    pairs = [("rho", "rho")]
    if far:
        expansions.append(PotentialExpansion(name="V", n_max=2, l_max=2, smearing=1.0))
        pairs.append(("rho", "V"))
    species = [14] if kind == "Si" else [11, 17]
    term = Term("soap", [Invariant(2, *pair) for pair in pairs])
    vectors = [Equivariant(2, *pair, o3_lambda=1) for pair in pairs]
    made = Model(species, expansions, [term])
    rng = np.random.default_rng(0)
    term.regressor = Linear(rng.normal(size=(len(species), made.n_features(term))))
    weights = Linear(rng.normal(size=(len(species), sum(map(made.n_selected, vectors)))))
    made.outputs.append(TensorOutput("dipole", "vector", [TensorPart(vectors, weights)], "e*Angstrom"))
    return made


def main():
    """Prints the table."""
    asked = {
        "energy, forces, virial": {},
        "dipole": {"energies": False, "forces": False, "tensors": ["dipole"]},
        "both": {"tensors": ["dipole"]},
        "Born charges": {"energies": False, "forces": False, "tensor_derivatives": ["dipole"]},
    }
    print(f"{'us/atom':<28}{''.join(f'{name:>24}' for name in asked)}{'dipole':>10}{'Born':>8}   (relative)")
    for kind, atoms in silicon_and_salt(__doc__):
        for far in (False, True) if kind == "NaCl" else (False,):
            potential = model(kind, far).potential(lode="mesh", accuracy=1e-4) if far else model(kind, far).potential()
            given = views(atoms, potential.cutoff)
            costs = {}
            for name, options in asked.items():
                call = functools.partial(potential.compute, *given, **options)
                costs[name] = 1e6 * best(call).seconds / len(atoms)
            forces = costs["energy, forces, virial"]
            name = f"{kind}, {len(atoms)} atoms" + (", rho x V" if far else "")
            cells = "".join(f"{cost:>24.2f}" for cost in costs.values())
            print(
                f"{name:<28}{cells}{costs['dipole'] / forces:>10.2f}{costs['Born charges'] / forces:>8.2f}", flush=True
            )


if __name__ == "__main__":
    main()
