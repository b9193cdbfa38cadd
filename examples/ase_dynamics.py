# SPDX-License-Identifier: BSD-3-Clause
"""Constant-temperature dynamics that stops where the model no longer knows what it does.

    python examples/ase_dynamics.py model.mlcalc start.xyz --temperature 1200 --steps 1000 --limit 0.1

Needs a model with a committee. Writes trajectory.xyz, and the structure that was too uncertain to uncertain.xyz:
it is the one to label and to add to the training set.
"""

import argparse

import numpy as np
from ase import units
from ase.io import read, write
from ase.md.langevin import Langevin

from mlcalc import MLCalculator, UncertaintyError
from mlcalc.md import thermal_momenta


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("start")
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    parser.add_argument("--steps", type=int, default=1000, help="of 1 fs")
    parser.add_argument("--every", type=int, default=10, help="steps between two lines of output")
    parser.add_argument("--limit", type=float, default=0.1, help="largest uncertainty of a force allowed, eV/Angstrom")
    args = parser.parse_args()

    atoms = read(args.start)
    limits = {"forces_uncertainty": args.limit}
    atoms.calc = MLCalculator(args.model, uncertainty=limits, on_uncertainty="raise")
    rng = np.random.default_rng(0)
    atoms.set_momenta(thermal_momenta(atoms, args.temperature, rng))
    dynamics = Langevin(
        atoms, 1 * units.fs, temperature_K=args.temperature, friction=0.01 / units.fs, rng=rng, fixcm=False
    )

    def report():
        energy, spread = atoms.get_potential_energy(), atoms.calc.results["energy_uncertainty"]
        worst = np.linalg.norm(atoms.calc.results["forces_uncertainty"], axis=1).max()
        print(
            f"{dynamics.nsteps:8d} {atoms.get_temperature():8.1f} K {energy:14.4f} +- {spread:.4f} eV  "
            f"worst force +- {worst:.4f} eV/Angstrom"
        )
        write("trajectory.xyz", atoms, append=dynamics.nsteps > 0)

    dynamics.attach(report, interval=args.every)
    try:
        dynamics.run(args.steps)
    except UncertaintyError as error:
        print(f"stopped at step {dynamics.nsteps}: {error}")
        found = atoms.copy()
        found.arrays["forces_uncertainty"] = error.results["forces_uncertainty"]
        write("uncertain.xyz", found)


if __name__ == "__main__":
    main()
