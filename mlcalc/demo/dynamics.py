# SPDX-License-Identifier: BSD-3-Clause
"""Molecular dynamics of molten salt, the reference and the models, in LAMMPS and in ASE, and how they compare."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io.lammpsdata import write_lammps_data
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet

from ..running.md import thermal_momenta
from .data import HOT, SEED
from .lammps_runs import ELEMENTS, loop_time, read_dump, read_thermo, run_lammps
from .salt import lammps_commands, rock_salt

TEMPERATURE = 1300.0
EDGE = 6.35  # per conventional cell of 8 ions, the density of the melt at this temperature and ambient pressure

MASSES = {"Na": 22.98977, "Cl": 35.453}
# LAMMPS's constants have fewer digits than ASE's: its picosecond in ASE's unit of time (from mvv2e of metal units)
LAMMPS_PICOSECOND = float(np.sqrt(1 / 1.0364269e-4))
LAMMPS_BAR = 1 / 1.6021765e6  # in eV/Angstrom^3, nktv2p of metal units

HEADER = """units metal
atom_style charge
read_data {start}
mass 1 22.98977
mass 2 35.453
{potential}
neighbor 1.0 bin
timestep 0.001
"""

MELT = """# reference: Fumi-Tosi potential. Melt and equilibrate, then sample.
{header}velocity all create {hot} {seed} mom yes
thermo 100
thermo_modify flush yes
fix melt all nvt temp {hot} {temperature} 0.1
run {melting}
unfix melt
fix nvt all nvt temp {temperature} {temperature} 0.1
run {melting}
write_data melted.data nocoeff
dump frames all custom {every} reference.dump id type x y z
dump_modify frames sort id
run {steps}
"""

SAMPLE = """# {title}, NVT, started from the melt of the reference
{header}fix nvt all nvt temp {temperature} {temperature} 0.1
thermo 100
thermo_modify flush yes
run {equilibration}
dump frames all custom {every} {name}.dump id type x y z
dump_modify frames sort id
{more}run {steps}
write_data {name}-end.data nocoeff
"""

AGREE = """# constant energy, for comparison with ASE step by step
{header}fix nve all nve
compute virial all pressure NULL virial
thermo 1
thermo_style custom step pe ke c_virial[1] c_virial[2] c_virial[3] c_virial[4] c_virial[5] c_virial[6]
thermo_modify format float %.16g norm no flush yes
dump frames all custom 1 agree.dump id type xu yu zu fx fy fz vx vy vz
dump_modify frames sort id format float %.16g
run {steps}
"""


@dataclass(frozen=True)
class Lengths:
    """Size of the system in conventional cells per edge, and numbers of steps."""

    repeat: int = 3
    melting: int = 1000
    equilibration: int = 500
    steps: int = 2500
    every: int = 20
    agree: int = 50


def potential_of(model: str) -> str:
    """The LAMMPS lines of a model file."""
    return f"pair_style mlcalc\npair_coeff * * {model} {' '.join(ELEMENTS)}\n"


def reference_with_lammps(folder: Path, lengths: Lengths, ranks: int, progress=None) -> list[Atoms]:
    """Frames of the reference melt; leaves ``melted.data``, from which the other runs start."""
    salt = rock_salt(lengths.repeat, EDGE)
    write_lammps_data(folder / "crystal.data", salt, specorder=list(ELEMENTS), atom_style="charge")
    script = MELT.format(
        header=HEADER.format(start="crystal.data", potential=lammps_commands()),
        hot=HOT,
        seed=SEED,
        temperature=TEMPERATURE,
        melting=lengths.melting,
        every=lengths.every,
        steps=lengths.steps,
    )
    (folder / "reference.in").write_text(script)
    run_lammps(folder, "reference.in", ranks, progress)
    return read_dump(folder / "reference.dump")


def model_with_lammps(
    folder: Path, name: str, title: str, lengths: Lengths, ranks: int, progress=None, more: str = ""
) -> list[Atoms]:
    """Frames of the melt as the model ``<name>.mlcalc`` in ``folder`` sees it; ``more`` are lines of the LAMMPS input
    before the run that is sampled."""
    script = SAMPLE.format(
        title=title,
        header=HEADER.format(start="melted.data", potential=potential_of(f"{name}.mlcalc")),
        temperature=TEMPERATURE,
        equilibration=lengths.equilibration,
        every=lengths.every,
        steps=lengths.steps,
        name=name,
        more=more,
    )
    (folder / f"{name}.in").write_text(script)
    run_lammps(folder, f"{name}.in", ranks, progress)
    return read_dump(folder / f"{name}.dump")


def microseconds_per_atom(log: Path) -> float:
    """Wall time per atom and step of the last run in a LAMMPS log."""
    seconds, steps, atoms = loop_time(log)
    return 1e6 * seconds / steps / atoms


def compare_codes(folder: Path, model: str, lengths: Lengths, ranks: int, calculator) -> dict:
    """LAMMPS and ASE from the same start with the same model: largest differences.

    ``energy``, ``forces`` and ``virial`` of the first frame, relative to the largest value of each, and
    ``positions`` in Angstrom after the last step of constant-energy dynamics."""
    header = HEADER.format(start="melted.data", potential=potential_of(model))
    (folder / "agree.in").write_text(AGREE.format(header=header, steps=lengths.agree))
    run_lammps(folder, "agree.in", ranks)
    thermo = read_thermo(folder / "agree.log")
    frames = read_dump(folder / "agree.dump")
    atoms = frames[0].copy()
    atoms.set_masses([MASSES[symbol] for symbol in atoms.symbols])
    atoms.set_velocities(frames[0].arrays["velocities"] / LAMMPS_PICOSECOND)
    atoms.calc = calculator
    pressure = np.array([thermo[f"c_virial[{c}]"][0] for c in (1, 2, 3, 6, 5, 4)])
    ours = -atoms.get_stress() / LAMMPS_BAR
    result = {
        "energy": abs(atoms.get_potential_energy() / thermo["PotEng"][0] - 1),
        "forces": relative(atoms.get_forces(), frames[0].arrays["forces"]),
        "virial": relative(ours, pressure),
    }
    VelocityVerlet(atoms, 1e-3 * LAMMPS_PICOSECOND).run(lengths.agree)
    result["positions"] = float(np.abs(atoms.positions - frames[-1].positions).max())
    return result


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def with_ase(calculator, lengths: Lengths, progress=None) -> list[Atoms]:
    """Frames of a melt by Langevin dynamics in ASE, from a crystal, in steps of 2 fs."""
    salt = rock_salt(lengths.repeat, EDGE)
    salt.calc = calculator
    rng = np.random.default_rng(SEED)
    salt.set_momenta(thermal_momenta(salt, HOT, rng))
    dynamics = Langevin(salt, 2 * units.fs, temperature_K=HOT, friction=0.01 / units.fs, fixcm=False, rng=rng)
    frames = []

    def run(n):
        for _ in range(n // lengths.every):
            dynamics.run(lengths.every // 2)
            if progress:
                progress(lengths.every)

    run(lengths.melting)
    dynamics.set_temperature(temperature_K=TEMPERATURE)
    run(lengths.equilibration)
    for _ in range(lengths.steps // lengths.every):
        run(lengths.every)
        frames.append(Atoms(salt.symbols, salt.positions, cell=salt.cell, pbc=True))
    return frames


def radial_distribution(frames: list[Atoms], r_max: float = 8.0, n_bins: int = 160) -> dict[str, np.ndarray]:
    """g(r) of each pair of elements, and "r", the bins in Angstrom. ``r_max`` is cut to half the cell."""
    length = min(frames[0].cell.lengths())
    edges = np.linspace(0, min(r_max, length / 2), n_bins + 1)
    shell = 4 / 3 * np.pi * np.diff(edges**3)
    symbols = np.array(frames[0].get_chemical_symbols())
    result = {"r": 0.5 * (edges[1:] + edges[:-1])}
    index = {e: np.flatnonzero(symbols == e) for e in ELEMENTS}
    for a, b in (("Na", "Na"), ("Na", "Cl"), ("Cl", "Cl")):
        counts = np.zeros(n_bins)
        for atoms in frames:
            d = atoms.positions[index[a]][:, None] - atoms.positions[index[b]]
            d -= atoms.cell.lengths() * np.rint(d / atoms.cell.lengths())
            counts += np.histogram(np.linalg.norm(d, axis=-1)[index[a][:, None] != index[b]], edges)[0]
        pairs = len(index[a]) * (len(index[b]) - (a == b))
        result[f"{a}-{b}"] = counts / len(frames) / pairs * frames[0].get_volume() / shell
    return result
