# SPDX-License-Identifier: BSD-3-Clause
"""Constant-temperature dynamics that stops where the model no longer knows what it does.

    mlcalc demo
    python examples/ase_dynamics.py mlcalc-demo/soap-lode.mlcalc mlcalc-demo/salt.xyz --heat-to 9000 --steps 3000

Needs a model with a committee. Writes trajectory.xyz, dynamics.png, and the structure that was too uncertain to
uncertain.xyz: it is the one to label and to add to the training set.
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
    parser.add_argument("--heat-to", type=float, help="K, reached at the last step; default: constant temperature")
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

    rows = []

    def report():
        energy, spread = atoms.get_potential_energy(), atoms.calc.results["energy_uncertainty"]
        worst = np.linalg.norm(atoms.calc.results["forces_uncertainty"], axis=1).max()
        print(
            f"{dynamics.nsteps:8d} {atoms.get_temperature():8.1f} K {energy:14.4f} +- {spread:.4f} eV  "
            f"worst force +- {worst:.4f} eV/Angstrom"
        )
        write("trajectory.xyz", atoms, append=dynamics.nsteps > 0)
        rows.append((dynamics.get_time() / units.fs / 1000, atoms.get_temperature(), worst))
        if args.heat_to:
            done = dynamics.nsteps / max(args.steps, 1)
            dynamics.set_temperature(temperature_K=args.temperature + done * (args.heat_to - args.temperature))

    dynamics.attach(report, interval=args.every)
    try:
        dynamics.run(args.steps)
    except UncertaintyError as error:
        print(f"stopped at step {dynamics.nsteps}: {error}")
        found = atoms.copy()
        found.arrays["forces_uncertainty"] = error.results["forces_uncertainty"]
        write("uncertain.xyz", found)
        worst = np.linalg.norm(error.results["forces_uncertainty"], axis=1).max()
        rows.append((dynamics.get_time() / units.fs / 1000, atoms.get_temperature(), worst))
    plot(rows, args.limit, "dynamics.png")


def plot(rows, limit, path):
    """Temperature and the largest uncertainty of a force along the run."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    time, temperature, worst = np.transpose(rows)
    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 4.2), sharex=True, layout="constrained")
    above.plot(time, temperature, color="tab:red")
    above.set(ylabel="temperature (K)")
    below.plot(time, 1e3 * worst, color="tab:blue", label="largest of all atoms")
    below.axhline(1e3 * limit, color="black", ls="--", label="limit: the run stops")
    below.set(xlabel="time (ps)", ylabel="force uncertainty\n(meV/Å)", ylim=(0, None))
    below.legend(frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
