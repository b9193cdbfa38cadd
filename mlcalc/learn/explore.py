# SPDX-License-Identifier: BSD-3-Clause
"""Runs with a model that end where it does not know enough: by ASE or by LAMMPS."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from ase.io.lammpsdata import write_lammps_data

from .. import lammps
from ..files import write_json
from ..model import Model
from ..running.calculator import LIMIT_OF_LARGEST, MLCalculator, UncertaintyError
from ..running.md import Run, Settings
from ..train.engine import Engine
from ..train.frames import stream_frames, write_frames
from ..train.option_checks import DataError
from .options import ExploreOptions

#: Å of vacuum around free structures in LAMMPS's box
VACUUM = 20.0


@dataclass
class Outcome:
    """How a run ended: steps of how many, whether it stayed inside the limit, and why it ended if not."""

    name: str
    temperature: float
    pressure: float | None
    steps: int
    wanted: int
    inside: bool
    reason: str = ""


def limit_of(model: Model, options: ExploreOptions) -> float:
    """The limit of the uncertainty of the force on an atom, eV/Å."""
    if options.limit != "auto":
        return float(options.limit)
    spread = model.provenance.get("force_uncertainty", {}).get("train")
    if not spread:
        raise DataError("explore.limit is auto, but the report of the model has no force uncertainties; give a number")
    return LIMIT_OF_LARGEST * float(spread["max"])


class Exploration:
    """All runs of one round, in ``folder``; each leaves NAME.json when it has ended, and is not run again then."""

    def __init__(self, path: Path, folder: Path, options: ExploreOptions, seed: int, threads: int = 1):
        self.path, self.folder, self.options, self.seed, self.threads = path, folder, options, seed, threads
        self.model = Model.load(path)
        self.limit = limit_of(self.model, options)
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, starts: list[Atoms], progress) -> list[Outcome]:
        """Every start structure at every temperature and pressure."""
        pressures: list[float | None] = [*self.options.pressures] or [None]
        jobs = list(itertools.product(enumerate(starts), self.options.temperatures, pressures))
        outcomes = []
        for k, ((number, atoms), temperature, pressure) in enumerate(progress(jobs, total=len(jobs), desc="runs")):
            name = f"{number:03d}-{temperature:g}K" + ("" if pressure is None else f"-{pressure:g}bar")
            if pressure is not None and not atoms.pbc.all():
                raise DataError(
                    "explore.pressures need structures that are periodic in three directions; leave them out"
                )
            stored = self.folder / f"{name}.json"
            if not stored.exists():
                run = self._lammps if self.options.engine == "lammps" else self._ase
                outcome = run(name, atoms.copy(), temperature, pressure, self.seed + k)
                write_json(stored, asdict(outcome))
            outcomes.append(Outcome(**json.loads(stored.read_text())))
        return outcomes

    def frames(self, outcomes: list[Outcome]):
        """(atoms, run, number) of what the runs went through, the structure at which they stopped included."""
        for outcome in outcomes:
            for suffix in (".xyz", ".dump", ".last.dump", ".stopped.xyz"):
                path = self.folder / (outcome.name + suffix)
                if path.exists() and path.stat().st_size:
                    for k, atoms in enumerate(stream_frames(path)):
                        yield atoms, outcome.name, k

    def _settings(self, temperature, pressure, seed) -> Settings:
        o = self.options
        return Settings("nvt" if pressure is None else "npt", temperature, pressure or 1.0, o.timestep, steps=o.steps,
                        every=o.every, seed=seed)  # fmt: skip

    def _ase(self, name, atoms, temperature, pressure, seed) -> Outcome:
        output = self.folder / name
        atoms.calc = MLCalculator(str(self.path), threads=self.threads, uncertainty=self.limit, on_uncertainty="raise")
        done, reason, run = 0, "", None
        try:
            run = Run(atoms, self._settings(temperature, pressure, seed), output,
                      restart=output.with_suffix(".checkpoint").exists())  # fmt: skip
            run.run()
            done = run.dynamics.nsteps
        except UncertaintyError as error:
            reason = str(error)
        except (ValueError, RuntimeError, FloatingPointError, np.linalg.LinAlgError) as error:
            reason = f"the run broke: {error}"
        if reason:
            done = run.dynamics.nsteps if run is not None else 0
            if np.isfinite(atoms.positions).all():
                bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
                write_frames(self.folder / f"{name}.stopped.xyz", bare)
        return Outcome(name, temperature, pressure, done, self.options.steps, not reason, reason)

    def _lammps(self, name, atoms, temperature, pressure, seed) -> Outcome:
        symbols = sorted({s for s in atoms.get_chemical_symbols()}, key=atomic_numbers.get)
        if not atoms.pbc.all():
            if atoms.pbc.any():
                raise DataError("explore.engine lammps takes structures that are periodic in all directions or in none")
            atoms.center(VACUUM)
        write_lammps_data(self.folder / f"{name}.data", atoms, specorder=symbols, atom_style="atomic", units="metal")
        script = self._script(name, symbols, atoms.pbc.all(), temperature, pressure, seed)
        (self.folder / f"{name}.in").write_text(script)
        done = lammps.run(f"{name}.in", self.options.ranks, self.folder, arguments=["-log", "none", "-nocite"])
        steps = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("MLCALC_STEP ")]
        reason = next((line for line in done.stdout.splitlines() if "has an uncertainty of" in line), "").strip()
        if done.returncode != 0 or not steps:
            errors = [line for line in done.stdout.splitlines() if "ERROR" in line]
            reason = f"the run broke: {errors[0] if errors else done.stdout.strip()[-300:]}"
            if "Unknown" in reason or "plugin" in reason:
                raise DataError(f"explore.engine lammps: {reason}; see mlcalc lammps check")
        reached = steps[0] if steps else 0
        if reached < self.options.steps and not reason:
            reason = "the run ended before its last step"
        return Outcome(name, temperature, pressure, reached, self.options.steps, not reason, reason)

    def _script(self, name, symbols, periodic, temperature, pressure, seed) -> str:
        o = self.options
        ensemble = f"nvt temp {temperature} {temperature} 0.1"
        if pressure is not None:
            ensemble = f"npt temp {temperature} {temperature} 0.1 iso {pressure} {pressure} 1.0"
        masses = "\n".join(f"mass {k} {atomic_masses[atomic_numbers[s]]}" for k, s in enumerate(symbols, 1))
        return f"""units metal
boundary {"p p p" if periodic else "f f f"}
atom_style atomic
read_data {name}.data
{masses}
pair_style mlcalc max_uncertainty {self.limit:.10g} stop
pair_coeff * * {self.path.resolve()} {" ".join(symbols)}
timestep {o.timestep * 1e-3}
velocity all create {temperature} {seed + 1} mom yes rot no
fix run all {ensemble}
dump frames all custom {o.every} {name}.dump id element xu yu zu
dump_modify frames element {" ".join(symbols)} sort id
run {o.steps}
print "MLCALC_STEP $(step)"
write_dump all custom {name}.last.dump id element xu yu zu modify element {" ".join(symbols)} sort id
"""


def uncertain(model: Model, frames) -> list[tuple[float, float]]:
    """(energy per atom, its calibrated standard deviation), eV, of each structure by the committee."""
    engine, out = Engine(model), []
    assert model.committee is not None
    for atoms in frames:
        made = engine.compute(atoms, members=True)
        members = made["member_energies"].sum(axis=0)
        spread = model.committee.scale * float(np.std(members, ddof=1)) / len(atoms)
        out.append((float(made["energies"].sum()) / len(atoms), spread))
    return out
