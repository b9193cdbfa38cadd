# SPDX-License-Identifier: BSD-3-Clause
"""Labelled configurations of molten salt, made with LAMMPS or, where it is not installed, with ASE."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.lammpsdata import write_lammps_data
from ase.md.langevin import Langevin

from .. import lammps
from ..md import BAR, thermal_momenta
from .salt import FumiTosi, lammps_commands, rock_salt

HOT = 3000.0  # K, where rock salt melts within a picosecond


@dataclass(frozen=True)
class Melt:
    """One trajectory that is sampled: edge of the cubic cell of 64 ions in Angstrom and temperature in K."""

    edge: float
    temperature: float


MELTS = (Melt(12.2, 1300.0), Melt(12.7, 1300.0), Melt(13.4, 1600.0))

INPUT = """# molten NaCl with the Fumi-Tosi potential: melt, equilibrate, sample
units metal
atom_style charge
read_data {structure}
mass 1 22.98977
mass 2 35.453
{potential}
timestep 0.001
neighbor 1.0 bin
thermo_modify norm no
velocity all create {hot} {seed} mom yes
fix melt all nvt temp {hot} {temperature} 0.1
run {equilibration}
unfix melt
fix nvt all nvt temp {temperature} {temperature} 0.1
compute virial all pressure NULL virial
thermo {every}
thermo_style custom step pe c_virial[1] c_virial[2] c_virial[3] c_virial[4] c_virial[5] c_virial[6] temp
thermo_modify format float %.16g norm no
dump frames all custom {every} {dump} id type x y z fx fy fz
dump_modify frames sort id format float %.16g
run {steps}
"""


def run_lammps(folder: Path, script: str, ranks: int = 1) -> None:
    """Runs ``script``, a file in ``folder``; the log is ``<stem>.log`` there.

    Raises RuntimeError with LAMMPS's own message if it fails."""
    log = Path(script).with_suffix(".log").name
    done = lammps.run(script, ranks, folder, arguments=["-log", log, "-nocite"])
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line]
        raise RuntimeError(
            f"LAMMPS stopped on {folder / script}: {errors[0] if errors else done.stdout.strip()[-500:]}"
        )


def read_thermo(log: Path) -> dict[str, np.ndarray]:
    """The columns of the last run in a LAMMPS log."""
    lines = log.read_text().splitlines()
    start = max(i for i, line in enumerate(lines) if line.split()[:1] == ["Step"])
    rows = []
    for line in lines[start + 1 :]:
        if line.startswith("Loop time"):
            break
        try:
            rows.append([float(word) for word in line.split()])
        except ValueError:
            continue  # a warning between two lines of numbers
    return dict(zip(lines[start].split(), np.array(rows).T, strict=True))


def read_dump(path: Path, elements: tuple[str, ...] = ("Na", "Cl")) -> list[Atoms]:
    """Frames of a sorted orthogonal ``dump custom id type x y z fx fy fz``; forces are in ``arrays['forces']``."""
    frames, lines = [], path.read_text().splitlines()
    n_atoms = int(lines[3])
    for begin in range(0, len(lines), n_atoms + 9):
        box = np.array([line.split()[:2] for line in lines[begin + 5 : begin + 8]], dtype=float)
        rows = np.array([line.split() for line in lines[begin + 9 : begin + 9 + n_atoms]], dtype=float)
        symbols = [elements[int(t) - 1] for t in rows[:, 1]]
        atoms = Atoms(symbols, rows[:, 2:5] - box[:, 0], cell=box[:, 1] - box[:, 0], pbc=True)
        atoms.arrays["forces"] = rows[:, 5:8]
        frames.append(atoms)
    return frames


def _labelled(atoms: Atoms, energy: float, forces: np.ndarray, stress: np.ndarray, melt: Melt) -> Atoms:
    atoms = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
    atoms.info["config_type"] = f"melt_{melt.edge:.1f}A_{melt.temperature:.0f}K"
    return atoms


def melt_with_lammps(folder: Path, name: str, melt: Melt, n_frames: int, every: int, equilibration: int) -> list[Atoms]:
    """Frames of one melt with energy, forces and stress; the input, log and dump stay in ``folder``."""
    salt = rock_salt(2, melt.edge / 2)
    write_lammps_data(folder / f"{name}.data", salt, specorder=["Na", "Cl"], atom_style="charge")
    script = INPUT.format(
        structure=f"{name}.data",
        potential=lammps_commands(),
        hot=HOT,
        seed=4928459,
        temperature=melt.temperature,
        equilibration=equilibration,
        every=every,
        steps=every * (n_frames - 1),
        dump=f"{name}.dump",
    )
    (folder / f"{name}.in").write_text(script)
    run_lammps(folder, f"{name}.in")
    thermo = read_thermo(folder / f"{name}.log")
    frames = []
    for k, atoms in enumerate(read_dump(folder / f"{name}.dump")):
        pressure = np.array([thermo[f"c_virial[{c}]"][k] for c in (1, 2, 3, 6, 5, 4)])  # LAMMPS: .. xy xz yz
        frames.append(_labelled(atoms, thermo["PotEng"][k], atoms.arrays["forces"], -pressure * BAR, melt))
    return frames


def melt_with_ase(melt: Melt, n_frames: int, every: int, equilibration: int, progress=None) -> list[Atoms]:
    """The same frames without LAMMPS: Langevin dynamics with the Ewald sum of :class:`FumiTosi`."""
    salt = rock_salt(2, melt.edge / 2)
    salt.calc = FumiTosi(accuracy=1e-5)
    rng = np.random.default_rng(4928459)
    salt.set_momenta(thermal_momenta(salt, HOT, rng))
    dynamics = Langevin(salt, 2 * units.fs, temperature_K=HOT, friction=0.02 / units.fs, fixcm=False, rng=rng)
    dynamics.run(equilibration)
    dynamics.set_temperature(temperature_K=melt.temperature)
    dynamics.run(equilibration)
    frames = []
    for _ in range(n_frames):
        dynamics.run(every)
        frame = salt.copy()
        frame.calc = FumiTosi()
        frames.append(
            _labelled(frame, frame.get_potential_energy(), frame.get_forces(), frame.get_stress(voigt=True), melt)
        )
        if progress:
            progress()
    return frames
