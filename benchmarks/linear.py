# SPDX-License-Identifier: BSD-3-Clause
"""Cost of a linear nu = 2 model, energy + forces + virial, in microseconds per atom on one core, and what peers need.

    python benchmarks/linear.py [--atoms 1000]

Rattled silicon and rock salt, cutoff 5 Angstrom, n_max 8, l_max 6, neighbor list given. Peers: LAMMPS pair_style snap
with the silicon potential of its distribution (2Jmax 6) and tersoff; featomic with the same features, once with
the position and strain gradients that forces through stored Jacobians need. The smallest CPU time of several calls,
and the memory that the first one takes.
"""

import numpy as np
from timing import Cost, best, lammps_cost, line, rattled, silicon_and_salt, views

from mlcalc.expansions import DensityExpansion
from mlcalc.model import Invariant, Linear, Model, Term

RHO = DensityExpansion(cutoff=5.0, n_max=8, l_max=6)


def linear_model(atoms):
    species = np.unique(atoms.numbers).tolist()
    model = Model(species=species, expansions=[RHO], terms=[Term("soap", [Invariant(2, "rho", "rho")])])
    n = model.n_features("soap")
    model.terms[0].regressor = Linear(np.random.default_rng(0).normal(size=(len(species), n)) / n)
    return model


def featomic_cost(atoms, gradients):
    try:
        from featomic import SoapPowerSpectrum
    except ImportError:
        return None
    hypers = RHO.to_featomic()
    hypers["basis"]["spline_accuracy"] = 1e-8
    calculator = SoapPowerSpectrum(**hypers)
    return best(lambda: calculator.compute(atoms, gradients=gradients, use_native_system=True), least=2)


def main():
    for kind, atoms in silicon_and_salt(__doc__):
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
            peers.append(("LAMMPS snap, same quantities", lammps_cost(atoms, snap)))
            tersoff = "pair_style tersoff\npair_coeff * * Si.tersoff Si"
            peers.append(("LAMMPS tersoff, same quantities", lammps_cost(atoms, tersoff, 200)))
        peers.append(("featomic, features only", featomic_cost(atoms, None)))
        small = rattled(kind, 216)
        jacobians = featomic_cost(small, ["positions", "strain"])
        if jacobians is not None:
            scale = len(atoms) / len(small)
            peers.append(("featomic, with gradients (216 atoms, scaled)", Cost(*(scale * x for x in jacobians))))
        for name, cost in peers:
            if cost is not None:
                line(name, cost, len(atoms), ours)


if __name__ == "__main__":
    main()
