# SPDX-License-Identifier: BSD-3-Clause
"""The infrared spectrum of a water dimer from nothing: reference, training, dynamics in ASE and LAMMPS, picture.

    python examples/infrared.py

The reference is GFN2-xTB (pip install tblite): energies, forces and dipoles of some hundred structures. A model of the
energy and the dipole is trained on them. Its harmonic spectrum is compared with that of the reference; its dynamics
give the dipole at every step, whose velocity correlation is the spectrum at a temperature. Writes model.mlcalc,
infrared.csv and infrared.png into the folder; two minutes.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of so small molecules only wait for each other

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase.vibrations.infrared import Infrared
from scipy.signal import welch

from mlcalc import MLCalculator, lammps
from mlcalc.md import thermal_momenta
from mlcalc.train import fit

WAVE_NUMBER = 1e15 / 2.99792458e10  # 1/cm of a frequency of 1/fs


def reference():
    """A calculator of GFN2-xTB."""
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", verbosity=0)


def dimer(calc) -> Atoms:
    """Two water molecules at their minimum."""
    atoms = molecule("H2O")
    second = molecule("H2O")
    second.rotate(100, "x")
    second.positions += [0.0, 0.3, 2.8]
    atoms += second
    atoms.calc = calc
    BFGS(atoms, logfile=None).run(fmax=1e-3, steps=300)
    return atoms


def labeled(start, n_frames, temperature, rng):
    """Frames of dynamics with the reference, every 8 fs, with energy, forces and dipole."""
    atoms = start.copy()
    atoms.calc = start.calc
    atoms.set_momenta(thermal_momenta(atoms, temperature, rng))
    dynamics = Langevin(
        atoms, 0.5 * units.fs, temperature_K=temperature, friction=0.01 / units.fs, rng=rng, fixcm=False
    )
    frames = []
    for _ in range(n_frames):
        dynamics.run(16)
        frame = atoms.copy()
        results = {name: atoms.calc.results[name] for name in ("energy", "forces", "dipole")}
        frame.calc = SinglePointCalculator(frame, **results)
        frames.append(frame)
    return frames


def harmonic(atoms, folder):
    """Wave numbers (1/cm) and intensities of the vibrations about the minimum of the calculator of these atoms."""
    BFGS(atoms, logfile=None).run(fmax=1e-3, steps=300)
    infrared = Infrared(atoms, name=str(folder))
    infrared.run()
    wave_numbers = infrared.get_frequencies()
    real = (np.abs(wave_numbers.imag) < 1e-6) & (wave_numbers.real > 50)
    return wave_numbers.real[real], np.asarray(infrared.intensities)[real]


def train(frames, n_max, folder):
    """A model of the energy and the dipole."""
    expansion = {"name": "rho", "type": "density", "cutoff": 5.0, "n_max": n_max, "l_max": 5}
    term = {"name": "soap", "invariants": [{"nu": 1, "a": "rho"}, {"nu": 2, "a": "rho"}],
            "regressor": {"type": "linear"}}  # fmt: skip
    dipole = {"name": "dipole", "key": "dipole", "type": "vector", "unit": "e*Angstrom", "products": ["rho", "rho rho"],
              "error": 0.001}  # fmt: skip
    options = {"data": {"files": ["frames"], "split": {"validation": 0.1, "test": 0.1}}, "expansions": [expansion],
               "terms": [term], "targets": [dipole], "weights": {"energy": 0.0005, "forces": 0.01},
               "model": str(folder / "model.mlcalc")}  # fmt: skip
    result = fit(options, frames)
    print(result.report["text"].split("\n\nLargest errors")[0])
    return result.model_path


def dipoles_of_ase(start, model, steps, temperature, rng):
    """Dipole (steps, 3) in e Angstrom at every half femtosecond of NVE dynamics."""
    atoms = start.copy()
    atoms.calc = MLCalculator(model)
    atoms.set_momenta(thermal_momenta(atoms, temperature, rng))
    dynamics, dipoles = VelocityVerlet(atoms, 0.5 * units.fs), []
    dynamics.attach(lambda: dipoles.append(atoms.get_dipole_moment()))
    dynamics.run(steps)
    return np.array(dipoles)


def dipoles_of_lammps(start, model, steps, temperature, folder):
    """The same from LAMMPS, by compute mlcalc/tensor."""
    atoms = start.copy()
    atoms.set_cell(40 * np.eye(3))
    atoms.center()
    write(folder / "dimer.data", atoms, format="lammps-data", specorder=["H", "O"], masses=True)
    (folder / "in.infrared").write_text(f"""units metal
boundary f f f
read_data dimer.data
pair_style mlcalc
pair_coeff * * {Path(model).resolve()} H O
compute mu all mlcalc/tensor dipole
velocity all create {temperature} 7 mom yes rot yes
fix dynamics all nve
fix dipole all ave/time 1 1 1 c_mu[*] file dipole.txt
timestep 0.0005
thermo 1000
run {steps}
""")
    done = lammps.run("in.infrared", 1, folder)
    if done.returncode:
        raise RuntimeError(f"LAMMPS failed: {done.stdout[-500:]}")
    return np.loadtxt(folder / "dipole.txt")[:, 1:4]


def spectrum(dipoles, timestep=0.5):
    """Wave numbers (1/cm) and the Fourier transform of the correlation of d dipole / dt, as a periodogram: the infrared
    absorption but for a factor [McQuarrie, Statistical Mechanics, 1976]."""
    velocity = np.gradient(dipoles, timestep, axis=0)
    frequency, power = welch(velocity, 1 / timestep, nperseg=max(16, len(velocity) // 4), axis=0)
    return frequency * WAVE_NUMBER, power.sum(axis=1)


def draw(path, spectra, lines):
    """Spectra, each scaled to 1, above harmonic lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    for name, (x, y) in spectra.items():
        ax.plot(x, y / y[x > 100].max(), lw=1, label=name)
    for k, (name, (x, y)) in enumerate(lines.items()):
        ax.vlines(x + 6 * k, 0, -0.8 * y / y.max(), color=("black", "tab:red")[k], lw=1.2, label=name)
    ax.set(xlim=(0, 4500), ylim=(-0.9, 1.15), xlabel="wave number (1/cm)", ylabel="absorption (arbitrary)", yticks=[])
    ax.legend(frameon=False, fontsize=8, loc=(0.5, 0.05))
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="infrared", help="for what is written")
    parser.add_argument("--frames", type=int, default=600, help="structures that the model learns from")
    parser.add_argument("--n-max", type=int, default=8, help="radial functions of the density")
    parser.add_argument("--steps", type=int, default=20000, help="of 0.5 fs, with the model")
    parser.add_argument("--temperature", type=float, default=100.0, help="K, of these; learned at three times as much")
    args = parser.parse_args()
    folder, rng = Path(args.folder), np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)

    start = dimer(reference())
    lines = {"GFN2-xTB, harmonic": harmonic(start, folder / "reference")}
    model = train(labeled(start, args.frames, 3 * args.temperature, rng), args.n_max, folder)
    copy = start.copy()
    copy.calc = MLCalculator(model)
    lines["mlcalc, harmonic"] = harmonic(copy, folder / "model")
    spectra = {"mlcalc in ASE": spectrum(dipoles_of_ase(start, model, args.steps, args.temperature, rng))}
    try:
        dipoles = dipoles_of_lammps(start, model, args.steps, args.temperature, folder)
        spectra["mlcalc in LAMMPS"] = spectrum(dipoles)
    except RuntimeError as error:
        print(f"without LAMMPS: {error}")
    draw(folder / "infrared.png", spectra, lines)
    table = np.column_stack([np.column_stack(pair) for pair in spectra.values()])
    np.savetxt(folder / "infrared.csv", table, delimiter=",", header=", ".join(f"1/cm, {name}" for name in spectra))
    for name, (x, y) in lines.items():
        print(f"{name} (1/cm, intensity): {', '.join(f'{a:.0f} {b:.2f}' for a, b in zip(x, y, strict=True))}")
    print(f"{folder}/infrared.png")


if __name__ == "__main__":
    main()
