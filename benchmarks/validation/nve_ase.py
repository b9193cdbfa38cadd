# SPDX-License-Identifier: BSD-3-Clause
"""Energy conservation of SOAP + LODE in ASE: 64 ions of molten salt, 20 000 steps.

    OMP_NUM_THREADS=1 python benchmarks/validation/nve_ase.py [--lode ksum|mesh] [--timestep 0.5] [--steps 20000]

Trains a small linear model (rho x rho and rho x V) on frames of the Fumi-Tosi melt, equilibrates at 1300 K, runs
velocity Verlet and fits a line to the total energy. The slope has to be below 1e-6 eV/atom/ps, and what it adds up to
over the run below 1 % of the fluctuation of the kinetic energy. The error of the slope is that of block averages. Then
the forces along 2000 steps at 2000 K with a skin of 0 and of 1 Angstrom are compared: they have to agree to 1e-12 of
the largest force. Writes one entry into results/nve_ase.json beside this file.
"""

import argparse
import json
import platform
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from ase import units
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet

from mlcalc import MLCalculator
from mlcalc._engine import instruction_set
from mlcalc.demo.data import Melt, melt_with_lammps
from mlcalc.md import thermal_momenta
from mlcalc.train import fit

OPTIONS = {
    "seed": 1,
    "data": {"files": ["melts"], "stress": "stress", "split": {"validation": 0.1, "test": 0.2}},
    "expansions": [
        {"name": "rho", "type": "density", "n_max": 5, "l_max": 4, "cutoff": 5.0,
         "density": {"type": "gaussian", "width": 0.5}, "smoothing": {"type": "shifted_cosine", "width": 1.0}},
        {"name": "V", "type": "potential", "n_max": 2, "l_max": 2, "exponent": 1, "smearing": 1.2,
         "basis": {"type": "multi_width", "widths": [1.0, 2.0]}},
    ],
    "terms": [
        {"name": "soap", "invariants": [{"nu": 2, "a": "rho", "b": "rho"}], "regressor": {"type": "linear"}},
        {"name": "lode", "invariants": [{"nu": 2, "a": "rho", "b": "V"}], "regressor": {"type": "linear"}},
    ],
    "budget": {"threads": 1},
}  # fmt: skip


def trained_model(folder):
    """The bytes of a model of molten salt, an ion configuration, and the model's test errors."""
    frames = melt_with_lammps(folder, "melt", Melt(12.7, 1300.0), n_frames=40, every=100, equilibration=2000)
    frames += melt_with_lammps(folder, "hot", Melt(12.7, 2200.0), n_frames=30, every=100, equilibration=2000)
    path = folder / "salt.mlcalc"
    result = fit({**OPTIONS, "model": str(path)}, frames, progress=False, figures=False)
    errors = result.report["errors"]["test"]["all"]
    start = frames[39]
    start.calc = None
    return path.read_bytes(), start, {name: errors[name]["rmse"] for name in ("energy", "forces", "stress")}


def slope_with_error(times, values, n_blocks=10):
    """Least-squares slope, and its error from the scatter of block averages about the line."""
    line = np.polyfit(times, values, 1)
    rest = np.array([block.mean() for block in np.array_split(values - np.polyval(line, times), n_blocks)])
    centers = np.array([block.mean() for block in np.array_split(times, n_blocks)])
    error = np.sqrt((rest**2).sum() / (n_blocks - 2) / ((centers - centers.mean()) ** 2).sum())
    return line[0], error


def drift(atoms, timestep, n_steps):
    potential, kinetic = [], []
    dynamics = VelocityVerlet(atoms, timestep * units.fs)
    dynamics.attach(
        lambda: (potential.append(atoms.get_potential_energy()), kinetic.append(atoms.get_kinetic_energy())),
        interval=5,
    )
    start = time.process_time()
    dynamics.run(n_steps)
    cost = (time.process_time() - start) / n_steps / len(atoms)
    total = np.add(potential, kinetic)
    times = np.arange(len(total)) * 5 * timestep * 1e-3  # ps
    slope, error = slope_with_error(times, total)
    return {
        "drift_eV_per_atom_per_ps": slope / len(atoms),
        "drift_error": error / len(atoms),
        "drift_over_the_run_by_kinetic_fluctuation": abs(slope) * times[-1] / np.std(kinetic),
        "fluctuation_of_total_by_kinetic": np.std(total) / np.std(kinetic),
        "mean_temperature_K": np.mean(kinetic) * 2 / 3 / len(atoms) / units.kB,
        "us_per_atom_per_step": 1e6 * cost,
    }


def skins(model, atoms, n_steps, options):
    """The largest differences between skins of 0 and 1 Angstrom along hot dynamics."""
    one, zero = MLCalculator(model, skin=1.0, **options), MLCalculator(model, skin=0.0, **options)
    atoms.calc = one
    rng = np.random.default_rng(7)
    dynamics = Langevin(atoms, 1 * units.fs, temperature_K=2000, friction=0.02 / units.fs, rng=rng, fixcm=False)
    worst = np.zeros(2)

    def compare():
        zero.calculate(atoms)
        atoms.get_forces()
        scale = np.abs(one.results["forces"]).max()
        forces = np.abs(one.results["forces"] - zero.results["forces"]).max() / scale
        worst[:] = np.maximum(worst, [forces, abs(one.results["energy"] / zero.results["energy"] - 1)])

    dynamics.attach(compare, interval=1)
    dynamics.run(n_steps)
    return {
        "largest_relative_force_difference": worst[0],
        "largest_relative_energy_difference": worst[1],
        "lists_made": [zero.neighbors.n_builds, one.neighbors.n_builds],
        "steps": n_steps,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lode", default="auto")
    parser.add_argument("--accuracy", type=float, default=1e-5)
    parser.add_argument("--timestep", type=float, default=0.5, help="fs")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--skin-steps", type=int, default=2000)
    args = parser.parse_args()
    options = {"lode": args.lode, "accuracy": args.accuracy}
    with tempfile.TemporaryDirectory() as folder:
        model, atoms, errors = trained_model(Path(folder))
    print("test errors", errors)
    atoms.calc = MLCalculator(model, **options)
    rng = np.random.default_rng(3)
    atoms.set_momenta(thermal_momenta(atoms, 1300, rng))
    Langevin(atoms, 1 * units.fs, temperature_K=1300, friction=0.02 / units.fs, rng=rng, fixcm=False).run(1000)
    entry = {"date": str(date.today()), "machine": f"{platform.machine()} {instruction_set()}", **vars(args)}
    entry |= {"far_field": atoms.calc.summary(), "test_rmse": errors, **drift(atoms, args.timestep, args.steps)}
    if args.skin_steps:
        entry["skin_0_and_1"] = skins(model, atoms, args.skin_steps, options)
    print(json.dumps(entry, indent=1))
    path = Path(__file__).parent / "results" / "nve_ase.json"
    path.parent.mkdir(exist_ok=True)
    entries = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([*entries, entry], indent=1) + "\n")


if __name__ == "__main__":
    main()
