# SPDX-License-Identifier: BSD-3-Clause
"""A small runner of molecular dynamics with ASE, for ``mlcalc md``: trajectory, table, progress, exact restart."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import write
from ase.md.bussi import Bussi
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.verlet import VelocityVerlet

BAR = 1e5 * units.Pascal
COLUMNS = ("step", "time_ps", "potential_eV", "kinetic_eV", "total_eV", "temperature_K", "volume_A3", "pressure_bar")
SPREAD = ("force_uncertainty_eV_A", "uncertainty_eV")  # with a committee

PISTON = ("p_eps", "force_eps")  # what LangevinBAOAB remembers from one step to the next besides the atoms


def thermal_momenta(atoms: Atoms, temperature: float, rng: np.random.Generator) -> np.ndarray:
    """Momenta (n_atoms, 3) of the Maxwell-Boltzmann distribution at ``temperature`` in K, their sum removed."""
    masses = atoms.get_masses()[:, None]
    momenta = np.sqrt(masses * units.kB * temperature) * rng.standard_normal((len(atoms), 3))
    return momenta - masses * np.sum(momenta, axis=0) / np.sum(masses) if len(atoms) > 1 else momenta


@dataclass
class Settings:
    """What to run: temperature in K, pressure in bar, timestep and relaxation times in fs.

    ``nve`` is velocity Verlet, ``nvt`` stochastic velocity rescaling [Bussi, Donadio & Parrinello, JCP 126, 014101
    (2007)], ``npt`` Langevin dynamics with a Langevin piston that scales the cell [Quigley & Probert, JCP 120, 11432
    (2004)]. Raises ValueError for settings that cannot be run."""

    ensemble: str = "nvt"
    temperature: float = 300.0
    pressure: float = 1.0
    timestep: float = 1.0
    thermostat_time: float = 100.0
    barostat_time: float = 1000.0
    steps: int = 1000
    every: int = 10
    seed: int = 0

    def __post_init__(self):
        if self.ensemble not in ("nve", "nvt", "npt"):
            raise ValueError(f"ensemble must be nve, nvt or npt, got {self.ensemble}")
        for name in ("timestep", "thermostat_time", "barostat_time", "every"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if self.steps < 0:
            raise ValueError(f"steps must not be negative, got {self.steps}")
        if not np.isfinite(self.pressure):
            raise ValueError(f"pressure must be finite, got {self.pressure} bar")
        if not (self.temperature >= 0 and np.isfinite(self.temperature)):
            raise ValueError(f"temperature must be finite and not negative, got {self.temperature} K")
        if self.ensemble != "nve" and self.temperature == 0:
            raise ValueError("a thermostat needs a temperature above 0 K; use the nve ensemble")


class Run:
    """One trajectory: ``<output>.xyz``, ``<output>.csv`` and ``<output>.checkpoint``. With a committee the table
    has the largest uncertainties: of the force on an atom (norm over x, y, z) and of the energy of an atom.

    A run that was killed continues from its checkpoint as if nothing had happened: the state of the thermostat and of
    the random numbers is in it, and what was written after it is removed. Raises FileExistsError if there are files of
    an earlier run, and FileNotFoundError if a restart finds no checkpoint."""

    def __init__(self, atoms: Atoms, settings: Settings, output: str | Path, *, restart: bool = False):
        self.settings = settings
        self.output = Path(output)
        self.trajectory, self.table, self.checkpoint = (
            self.output.with_name(self.output.name + suffix) for suffix in (".xyz", ".csv", ".checkpoint")
        )
        if settings.ensemble == "npt" and not atoms.pbc.all():
            raise ValueError(f"constant pressure needs a cell that is periodic in three directions, got {atoms.pbc}")
        if not restart and self.checkpoint.exists():
            raise FileExistsError(f"{self.checkpoint} exists: continue with --restart, or choose another --output")
        self.atoms = atoms
        self.rng = np.random.default_rng(settings.seed)
        state = self._read_checkpoint() if restart else None
        if state is None:
            self._start()
        self.dynamics = self._make_dynamics()
        if state is not None:
            self._resume(state)

    def run(self, progress=None) -> None:
        """Runs the steps that are left; ``progress(n)`` is called with the number of steps done since the last call."""
        while True:
            if self.dynamics.nsteps % self.settings.every == 0 or self.dynamics.nsteps >= self.settings.steps:
                self._report()
            left = self.settings.steps - self.dynamics.nsteps
            if left <= 0:
                return
            n = min(left, self.settings.every - self.dynamics.nsteps % self.settings.every)
            self.dynamics.run(n)
            if progress:
                progress(n)

    def _start(self) -> None:
        self.atoms.get_potential_energy()  # a structure that cannot be computed leaves no files behind
        if "momenta" not in self.atoms.arrays:
            self.atoms.set_momenta(thermal_momenta(self.atoms, self.settings.temperature, self.rng))
        columns = COLUMNS + (SPREAD if self._has_committee() else ())
        self.table.write_text(",".join(columns) + "\n")
        self.trajectory.write_text("")
        self.reported = -1

    def _has_committee(self) -> bool:
        return "forces_uncertainty" in self.atoms.calc.implemented_properties

    def _make_dynamics(self):
        s, fs = self.settings, units.fs
        if s.ensemble == "nve":
            return VelocityVerlet(self.atoms, s.timestep * fs)
        if s.ensemble == "nvt":
            return Bussi(self.atoms, s.timestep * fs, s.temperature, s.thermostat_time * fs, rng=self.rng)
        return LangevinBAOAB(
            self.atoms,
            s.timestep * fs,
            temperature_K=s.temperature,
            externalstress=-s.pressure * BAR,
            hydrostatic=True,
            T_tau=s.thermostat_time * fs,
            P_tau=s.barostat_time * fs,
            P_mass=(s.barostat_time * fs / (4 * 1.66 * fs) * len(self.atoms) ** (1 / 6)) ** 2,
            rng=self.rng,
        )

    def _report(self) -> None:
        step = self.dynamics.nsteps
        if step <= self.reported:
            return
        atoms = self.atoms
        potential, kinetic = atoms.get_potential_energy(), atoms.get_kinetic_energy()
        volume = atoms.get_volume() if atoms.pbc.all() else np.nan
        pressure = -np.mean(atoms.get_stress(include_ideal_gas=True)[:3]) / BAR if atoms.pbc.all() else np.nan
        if not np.isfinite(potential + kinetic):
            raise FloatingPointError(
                f"the energy is not a number at step {step}: the last frames are in {self.trajectory}"
            )
        time = step * self.settings.timestep * 1e-3
        row: tuple = (step, time, potential, kinetic, potential + kinetic, atoms.get_temperature(), volume, pressure)
        if self._has_committee():
            of_energy = atoms.calc.get_property("energies_uncertainty", atoms)
            of_force = np.linalg.norm(atoms.calc.get_property("forces_uncertainty", atoms), axis=1)
            row += (np.max(of_force), np.max(of_energy))
        with open(self.table, "a") as file:
            file.write(",".join(f"{value:.10g}" for value in row) + "\n")
        atoms.info["step"] = step
        write(self.trajectory, atoms, format="extxyz", append=True)
        self.reported = step
        self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        state = {
            "settings": asdict(self.settings),
            "step": self.dynamics.nsteps,
            "numbers": self.atoms.numbers.tolist(),
            "positions": self.atoms.positions.tolist(),
            "momenta": self.atoms.get_momenta().tolist(),
            "cell": self.atoms.cell[:].tolist(),
            "piston": {name: float(getattr(self.dynamics, name, 0.0)) for name in PISTON},
            "random": self.rng.bit_generator.state,
            "sizes": [self.trajectory.stat().st_size, self.table.stat().st_size],
        }
        partial = self.checkpoint.with_name(self.checkpoint.name + ".partial")
        partial.write_text(json.dumps(state))
        os.replace(partial, self.checkpoint)  # a kill leaves the old checkpoint or the new one, never half of one

    def _read_checkpoint(self) -> dict:
        state = json.loads(self.checkpoint.read_text())
        if state["numbers"] != self.atoms.numbers.tolist():
            raise ValueError(f"{self.checkpoint} belongs to other atoms than the structure given")
        may_change = {"steps", "every"}
        for name, old in state["settings"].items():
            new = getattr(self.settings, name)
            if new != old and name not in may_change:
                raise ValueError(f"{self.checkpoint} was written with {name} {old}, got {new}; a restart keeps it")
        self.atoms.set_cell(state["cell"])
        self.atoms.positions = state["positions"]
        self.atoms.set_momenta(state["momenta"])
        return state

    def _resume(self, state: dict) -> None:
        for path, size in zip((self.trajectory, self.table), state["sizes"], strict=True):
            os.truncate(path, size)
        self.rng.bit_generator.state = state["random"]
        self.reported = self.dynamics.nsteps = state["step"]
        if self.settings.ensemble == "npt":
            for name in PISTON:
                setattr(self.dynamics, name, state["piston"][name])
