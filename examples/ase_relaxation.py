# SPDX-License-Identifier: BSD-3-Clause
"""Relaxation of atoms and cell, then the bulk modulus V d2E/dV2, with the committee's opinion of both.

python examples/ase_relaxation.py model.mlcalc start.xyz
"""

import argparse

import numpy as np
from ase import units
from ase.filters import FrechetCellFilter
from ase.io import read, write
from ase.optimize import BFGS

from mlcalc import MLCalculator


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("start")
    parser.add_argument("--fmax", type=float, default=1e-3, help="eV/Angstrom")
    args = parser.parse_args()

    atoms = read(args.start)
    calc = atoms.calc = MLCalculator(args.model)
    BFGS(FrechetCellFilter(atoms, hydrostatic_strain=True)).run(fmax=args.fmax, steps=200)
    write("relaxed.xyz", atoms)

    # the same k list or mesh serves all volumes, so that the energy has no steps
    volumes, energies = [], []
    for scale in np.linspace(0.985, 1.015, 9):
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array * scale, scale_atoms=True)
        volumes.append(strained.get_volume())
        if calc.n_members > 1:
            energies.append(calc.get_property("committee_energy", strained))
        else:
            energies.append([calc.get_potential_energy(strained)])
    volume = atoms.get_volume()
    fits = np.polyfit(np.array(volumes) - volume, energies, 3)  # one column per member
    moduli = volume * 2 * fits[1] / units.GPa
    print(f"volume {volume:.3f} Angstrom^3, energy {atoms.get_potential_energy():.5f} eV")
    print(f"bulk modulus {np.mean(moduli):.2f} GPa" + (f" +- {np.std(moduli, ddof=1):.2f}" if len(moduli) > 1 else ""))


if __name__ == "__main__":
    main()
