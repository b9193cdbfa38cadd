# SPDX-License-Identifier: BSD-3-Clause
"""Cost of SOAP features alone, in microseconds per atom on one core, and what featomic and dscribe need.

    python benchmarks/features.py [--atoms 1000]

Rattled silicon and rock salt, cutoff 5 Angstrom, n_max 8, l_max 6. featomic and dscribe build their neighbor lists
themselves: ours is printed with and without, and the ratios are to what has it included. The smallest CPU time of
several repetitions, and the memory that the first one takes.
"""

import numpy as np
from timing import best, line, silicon_and_salt, views

from mlcalc.expansions import DensityExpansion
from mlcalc.features import Descriptor

RHO = DensityExpansion(cutoff=5.0, n_max=8, l_max=6)


def featomic(atoms):
    from featomic import SoapPowerSpectrum

    hypers = RHO.to_featomic()
    hypers["basis"]["spline_accuracy"] = 1e-8
    calculator = SoapPowerSpectrum(**hypers)
    return lambda: calculator.compute(atoms, use_native_system=True)


def dscribe(atoms):
    from dscribe.descriptors import SOAP

    symbols = sorted(set(atoms.get_chemical_symbols()))
    soap = SOAP(species=symbols, r_cut=RHO.cutoff, n_max=RHO.n_max, l_max=RHO.l_max, periodic=True, rbf="gto")
    return lambda: soap.create(atoms)


def main():
    for kind, atoms in silicon_and_salt(__doc__):
        descriptor = Descriptor(np.unique(atoms.numbers).tolist(), RHO)
        potential = descriptor.model.potential()
        arguments = views(atoms, RHO.cutoff)
        print(f"{kind}, {len(atoms)} atoms, {descriptor.n_features} features")
        ours = best(lambda: potential.features(*arguments))  # noqa: B023
        line("mlcalc, neighbor list given", ours, len(atoms))
        ours = best(lambda: descriptor(atoms))  # noqa: B023
        line("mlcalc, from ase.Atoms, neighbor list included", ours, len(atoms))
        for name, peer in (("featomic", featomic), ("dscribe", dscribe)):
            try:
                function = peer(atoms)
            except ImportError:
                print(f"  {name} is not installed")
                continue
            line(f"{name}, neighbor list included", best(function, least=2), len(atoms), ours)


if __name__ == "__main__":
    main()
