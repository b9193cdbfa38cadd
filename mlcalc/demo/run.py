# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc demo``: from nothing to molecular dynamics with a potential that sees near and far."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.io import write
from tqdm import tqdm

from .. import lammps
from . import dynamics, figures, models, polarization
from .data import MELTS, Sampling, make_data
from .salt import FumiTosi

NAMES = ("soap", "soap-lode")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    sampling: Sampling
    lengths: dynamics.Lengths
    members: int


FULL = Size(Sampling(), dynamics.Lengths(), 8)
# two ASE trajectories at the speed of Python instead of LAMMPS's
FULL_ASE = Size(Sampling(), dynamics.Lengths(repeat=2, melting=600, steps=2400), 8)
QUICK = Size(
    Sampling(n_frames=6, every=20, melting=200),
    dynamics.Lengths(repeat=2, melting=100, equilibration=40, steps=100, agree=10),
    4,
)


class Demo:
    """One run; everything it makes is in ``folder``. Raises FileExistsError if that has an earlier run."""

    def __init__(self, folder: Path, *, quick: bool = False, ranks: int = 2, with_lammps: bool = True):
        if ranks < 1:
            raise ValueError(f"ranks must be at least 1, got {ranks}")
        self.missing = None if with_lammps else "you asked for --no-lammps"
        if with_lammps:
            self.missing = why_no_lammps(ranks)
        self.with_lammps = self.missing is None
        self.size = QUICK if quick else FULL if self.with_lammps else FULL_ASE
        self.ranks = ranks
        self.folder = folder
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} is not empty: choose another folder with --output, or remove it")
        folder.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        self.results: dict = {"lammps": self.with_lammps}
        self.spectrum: tuple[np.ndarray, np.ndarray] | None = None

    def run(self) -> dict:
        """All steps in order; returns what is written to ``results.json``."""
        print(
            f"Molten NaCl: a potential from data, then dynamics in LAMMPS and ASE. Everything goes to {self.folder}/\n"
        )
        if not self.with_lammps:
            print(f"Without LAMMPS ({self.missing}): the reference is an Ewald sum in Python, dynamics are ASE's.\n")
        self.data()
        self.training()
        curves = self.lammps_dynamics() if self.with_lammps else self.ase_dynamics()
        self.compare(curves)
        self.results["seconds"] = round(time.monotonic() - self.started, 1)
        (self.folder / "results.json").write_text(json.dumps(self.results, indent=2) + "\n")
        print(self.next_steps())
        return self.results

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:4.0f} s] {text}", flush=True)

    def bar(self, steps: int, text: str):
        return Bar(steps, text)

    def data(self) -> None:
        source = "LAMMPS, born/coul/long + pppm" if self.with_lammps else "ASE, Ewald sum"
        self.say(f"Data: {len(MELTS)} melts of 64 ions with the Fumi-Tosi potential ({source})")
        with self.bar(self.size.sampling.steps * len(MELTS), "melting and sampling") as bar:
            frames = make_data(self.folder / "data", self.size.sampling, self.with_lammps, bar.add)
        write(self.folder / "salt.xyz", frames, format="extxyz")
        write(self.folder / "salt-test.xyz", [a for a in frames if a.info["split"] == "test"], format="extxyz")
        self.results["frames"] = len(frames)
        self.say(f"      {len(frames)} configurations with energy, forces and stress in salt.xyz\n")

    def training(self) -> None:
        reports = {}
        for name in NAMES:
            self.say(f"Training {models.TITLES[name]}, committee of {self.size.members} (mlcalc train {name}.yaml)")
            reports[name] = models.train(self.folder, name, "salt.xyz", self.size.members)
        self.results["errors"] = {name: report["errors"] for name, report in reports.items()}
        print("\n" + models.error_table(reports) + "\n", flush=True)

    def lammps_dynamics(self) -> dict:
        lengths, folder = self.size.lengths, self.folder
        n_atoms = 8 * lengths.repeat**3
        self.say(f"Dynamics in LAMMPS on {self.ranks} ranks: {n_atoms} ions at {dynamics.TEMPERATURE:.0f} K")
        with self.bar(2 * lengths.melting + lengths.steps, "reference") as bar:
            frames = {"reference": dynamics.reference_with_lammps(folder, lengths, self.ranks, bar.to)}
        speed = {}
        for name in NAMES:
            with self.bar(lengths.equilibration + lengths.steps, f"pair_style mlcalc, {models.TITLES[name]}") as bar:
                more = polarization.COMMANDS if name == "soap-lode" else ""
                frames[name] = dynamics.model_with_lammps(
                    folder, name, models.TITLES[name], lengths, self.ranks, bar.to, more
                )
            speed[name] = dynamics.microseconds_per_atom(folder / f"{name}.log")
            self.say(f"      {models.TITLES[name]}: {speed[name]:.1f} us per atom and step on {self.ranks} ranks")
        self.results["microseconds_per_atom_step"] = speed
        self.agreement()
        self.polarization(frames["soap-lode"])
        return frames

    def polarization(self, frames: list) -> None:
        steps, values = polarization.read_values(self.folder / "induced.txt")
        error = polarization.relative_error(steps, values, frames)
        self.results["induced_dipole_error"] = error
        self.spectrum = polarization.spectrum(values)
        self.say(f"Induced dipole along the run (compute mlcalc/tensor): {100 * error:.1f} % from the Ewald sum\n")

    def agreement(self) -> None:
        from ..running.calculator import MLCalculator

        calculator = MLCalculator(self.folder / "soap-lode.mlcalc")
        same = dynamics.compare_codes(self.folder, "soap-lode.mlcalc", self.size.lengths, self.ranks, calculator)
        self.results["lammps_minus_ase"] = same
        self.say("LAMMPS and ASE with the same model file differ by")
        relative = ", ".join(f"{what} {same[what]:.0e}" for what in ("energy", "forces", "virial"))
        print(f"         {relative} (relative)")
        print(
            f"         positions {same['positions']:.0e} A after {self.size.lengths.agree} steps at constant energy\n"
        )

    def ase_dynamics(self) -> dict:
        from ..running.calculator import MLCalculator

        lengths, frames = self.size.lengths, {}
        steps = lengths.melting + lengths.equilibration + lengths.steps
        self.say(f"Dynamics in ASE: {8 * lengths.repeat**3} ions at {dynamics.TEMPERATURE:.0f} K")
        calculators: dict = {"reference": FumiTosi(accuracy=1e-5)}
        calculators |= {name: MLCalculator(self.folder / f"{name}.mlcalc") for name in NAMES}
        for name, calculator in calculators.items():
            with self.bar(steps, models.TITLES.get(name, "reference")) as bar:
                frames[name] = dynamics.with_ase(calculator, lengths, bar.add)
            write(self.folder / f"{name}.xyz", frames[name], format="extxyz")
        return frames

    def compare(self, frames: dict) -> None:
        curves = {name: dynamics.radial_distribution(part) for name, part in frames.items()}
        np.savez(self.folder / "rdf.npz", **{f"{n} {k}": v for n, c in curves.items() for k, v in c.items()})
        reference = curves["reference"]
        away = {}
        for name in NAMES:
            difference = [np.abs(curves[name][p] - reference[p]).mean() for p in reference if p != "r"]
            away[name] = float(np.mean(difference))
        self.results["rdf_mean_deviation"] = away
        text = ", ".join(f"{models.TITLES[name]} {value:.3f}" for name, value in away.items())
        self.say(f"Radial distribution functions, mean deviation from the reference: {text}")
        figures.distributions(self.folder / "rdf.png", curves)
        predictions = {n: self.predictions(n) for n in NAMES}
        figures.parity(self.folder / "forces.png", predictions)
        figures.induced(self.folder / "induced.png", predictions, self.spectrum)
        self.say(
            "Figures: rdf.png, forces.png, induced.png; of the training soap-report/ and soap-lode-report/report.html\n"
        )

    def predictions(self, name: str) -> Path:
        """Predictions for the test set, as ``mlcalc eval`` writes them."""
        from ..train import evaluate

        path = self.folder / f"{name}-predictions.xyz"
        keys = {"energy": "energy", "forces": "forces", "stress": "stress"}
        report = self.folder / f"{name}-eval"
        evaluate(self.folder / f"{name}.mlcalc", self.folder / "salt-test.xyz", keys, report=report, predictions=path,
                 progress=False)  # fmt: skip
        return path

    def next_steps(self) -> str:
        lines = [
            f"Done in {self.results['seconds']:.0f} s. Everything is in {self.folder}/: data in salt.xyz, options in",
            "*.yaml, models in *.mlcalc, LAMMPS inputs in *.in, numbers in results.json. What to try next:",
            f"  cd {self.folder}",
            "  mlcalc info soap-lode.mlcalc",
            "  mlcalc check soap-lode.mlcalc salt.xyz",
            "  mlcalc md salt.xyz -m soap-lode.mlcalc --ensemble npt -T 1300 -n 2000",
        ]
        if self.with_lammps:
            lines.append(f"  mpirun -np {self.ranks} lmp -in soap-lode.in")
        else:
            lines.append("  pip install 'mlcalc[lammps]' and mlcalc demo again, for the part with LAMMPS")
        lines.append("  mlcalc train --template YOUR_DATA.xyz -o options.yaml && mlcalc train options.yaml")
        return "\n".join(lines)


class Bar:
    """A progress bar of steps that is told either how many more, or where it is."""

    def __init__(self, steps: int, text: str):
        self.bar = tqdm(total=steps, desc=f"         {text}", unit="step", file=sys.stderr, leave=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

    def add(self, n: int) -> None:
        self.bar.update(n)

    def to(self, step: int) -> None:
        self.bar.update(max(0, step - self.bar.n))


def why_no_lammps(ranks: int) -> str | None:
    """What is missing for the part with LAMMPS, as the end of a sentence, or None."""
    try:
        lammps.command(ranks)
    except RuntimeError as error:
        return str(error)
    if not (Path(lammps.plugin_path()) / "mlcalcplugin.so").exists():
        return "the plugin was not built with this installation"
    return None
