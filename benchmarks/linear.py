# SPDX-License-Identifier: BSD-3-Clause
"""Cost of a linear nu = 2 model, energy + forces + virial, in microseconds per atom on one core, and what peers need.

    python benchmarks/linear.py [--atoms 1000]

Rattled silicon and rock salt, cutoff 5 Angstrom, n_max 8, l_max 6, neighbor list given. Peers: LAMMPS pair_style snap
with the silicon potential of its distribution (2Jmax 6) and tersoff; featomic with the same features, once with
the position and strain gradients that forces through stored Jacobians need. The smallest CPU time of several calls.
"""

import argparse

import numpy as np
from timing import best, lammps_seconds, line, rattled, views

from mlcalc import _engine
from mlcalc.expansions import DensityExpansion
from mlcalc.model import Invariant, Linear, Model, Term

RHO = DensityExpansion(cutoff=5.0, n_max=8, l_max=6)


def linear_model(atoms):
    species = np.unique(atoms.numbers).tolist()
    model = Model(species=species, expansions=[RHO], terms=[Term("soap", [Invariant(2, "rho", "rho")])])
    n = model.n_features("soap")
    model.terms[0].regressor = Linear(np.random.default_rng(0).normal(size=(len(species), n)) / n)
    return model


def featomic_seconds(atoms, gradients):
    try:
        from featomic import SoapPowerSpectrum
    except ImportError:
        return None
    hypers = RHO.to_featomic()
    hypers["basis"]["spline_accuracy"] = 1e-8
    calculator = SoapPowerSpectrum(**hypers)
    return best(lambda: calculator.compute(atoms, gradients=gradients, use_native_system=True), least=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=1000)
    n_atoms = parser.parse_args().atoms
    print(f"instruction set {_engine.instruction_set()}")
    for kind in ("Si", "NaCl"):
        atoms = rattled(kind, n_atoms)
        model = linear_model(atoms)
        potential = model.potential()
        arguments = views(atoms, RHO.cutoff)
        print(f"{kind}, {len(atoms)} atoms, {len(arguments[-2]) / len(atoms):.1f} neighbors, "
              f"{model.n_features('soap')} features")  # fmt: skip
        ours = best(lambda: potential.compute(*arguments))  # noqa: B023
        line("mlcalc, energy + forces + virial", ours, len(atoms))
        line("mlcalc, energy", best(lambda: potential.compute(*arguments, forces=False)), len(atoms), ours)  # noqa: B023
        peers = []
        if kind == "Si":
            snap = "pair_style snap\npair_coeff * * Si_Zuo_JPCA2020.snapcoeff Si_Zuo_JPCA2020.snapparam Si"
            peers.append(("LAMMPS snap, same quantities", lammps_seconds(atoms, snap)))
            tersoff = "pair_style tersoff\npair_coeff * * Si.tersoff Si"
            peers.append(("LAMMPS tersoff, same quantities", lammps_seconds(atoms, tersoff, 200)))
        peers.append(("featomic, features only", featomic_seconds(atoms, None)))
        small = rattled(kind, 216)
        jacobians = featomic_seconds(small, ["positions", "strain"])
        if jacobians is not None:
            peers.append(("featomic, with gradients (216 atoms)", jacobians * len(atoms) / len(small)))
        for name, seconds in peers:
            if seconds is not None:
                line(name, seconds, len(atoms), ours)


if __name__ == "__main__":
    main()
