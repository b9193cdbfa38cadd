# SPDX-License-Identifier: BSD-3-Clause
"""Labeled configurations of molten salt, made with LAMMPS or, where it is not installed, with ASE."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.lammpsdata import write_lammps_data
from ase.md.langevin import Langevin

from ..running.md import BAR, thermal_momenta
from .lammps_runs import ELEMENTS, read_dump, read_thermo, run_lammps
from .salt import FumiTosi, induced_dipole, lammps_commands, rock_salt

HOT = 3000.0  # K, where rock salt melts within a picosecond
SEED = 4928459


@dataclass(frozen=True)
class Melt:
    """One trajectory that is sampled: edge of the cubic cell of 64 ions in Angstrom and temperature in K."""

    edge: float
    temperature: float

    @property
    def name(self) -> str:
        return f"melt-{self.edge:.1f}A-{self.temperature:.0f}K"


# around the density of the melt at ambient pressure, 12.7 Angstrom
MELTS = (Melt(12.1, 1300.0), Melt(12.7, 1300.0), Melt(13.4, 1600.0), Melt(14.6, 1600.0))


@dataclass(frozen=True)
class Sampling:
    """Frames of each melt, steps between them and steps of melting before the first."""

    n_frames: int = 16
    every: int = 40
    melting: int = 1200

    @property
    def steps(self) -> int:
        return self.melting + self.every * (self.n_frames - 1)


INPUT = """# molten NaCl with the Fumi-Tosi potential: melt, cool, sample
units metal
atom_style charge
read_data {structure}
mass 1 22.98977
mass 2 35.453
{potential}
neighbor 1.0 bin
timestep 0.001
velocity all create {hot} {seed} mom yes
thermo 100
thermo_modify flush yes
fix melt all nvt temp {hot} {temperature} 0.1
run {melting}
unfix melt
reset_timestep 0
fix nvt all nvt temp {temperature} {temperature} 0.1
compute virial all pressure NULL virial
thermo {every}
thermo_style custom step pe c_virial[1] c_virial[2] c_virial[3] c_virial[4] c_virial[5] c_virial[6] temp
thermo_modify format float %.16g norm no flush yes
dump frames all custom {every} {dump} id type x y z fx fy fz
dump_modify frames sort id format float %.16g
run {steps}
"""


def make_data(folder: Path, sampling: Sampling, with_lammps: bool, progress=None) -> list[Atoms]:
    """Frames of all melts with energy, forces and stress; inputs, logs and dumps stay in ``folder``.

    ``info["split"]`` is test for the last fifth of each trajectory, validation for what is before it, else train.
    ``progress(n)`` is called with the number of steps done since the last call."""
    folder.mkdir(parents=True, exist_ok=True)
    if not with_lammps:
        return [frame for melt in MELTS for frame in _split(melt_with_ase(melt, sampling, progress))]
    steps = dict.fromkeys(MELTS, 0)
    stop = threading.Event()

    def started(melt):
        """Where one run fails, the others end and none begins."""
        if stop.is_set():
            raise RuntimeError(f"{melt.name} was not begun, because another run failed")
        try:
            return one(melt)
        except BaseException:
            stop.set()
            raise

    def one(melt):
        def tell(step):
            done = step if step >= steps[melt] else sampling.melting + step  # LAMMPS counts anew when it samples
            if progress:
                progress(max(0, done - steps[melt]))
            steps[melt] = max(done, steps[melt])

        frames = melt_with_lammps(folder, melt, sampling, tell, stop)
        tell(sampling.steps)
        return _split(frames)

    with ThreadPoolExecutor(2) as pool:
        try:
            return [frame for frames in pool.map(started, MELTS) for frame in frames]
        except BaseException:  # Ctrl-C: a run that begins at that moment does not hear of it
            stop.set()
            raise


def _split(frames: list[Atoms]) -> list[Atoms]:
    """Parts of one trajectory in a row, because frames next to each other are alike."""
    for k, atoms in enumerate(frames):
        place = k / len(frames)
        atoms.info["split"] = "train" if place < 0.65 else "validation" if place < 0.8 else "test"
    return frames


def _labeled(atoms: Atoms, energy: float, forces: np.ndarray, stress: np.ndarray, melt: Melt) -> Atoms:
    atoms = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
    atoms.info["config_type"] = melt.name
    atoms.info["induced"] = induced_dipole(atoms)
    return atoms


def melt_with_lammps(folder: Path, melt: Melt, sampling: Sampling, progress=None, stop=None) -> list[Atoms]:
    """Frames of one melt from ``born/coul/long`` and ``pppm``."""
    salt = rock_salt(2, melt.edge / 2)
    write_lammps_data(folder / f"{melt.name}.data", salt, specorder=list(ELEMENTS), atom_style="charge")
    script = INPUT.format(
        structure=f"{melt.name}.data",
        potential=lammps_commands(),
        hot=HOT,
        seed=SEED,
        temperature=melt.temperature,
        melting=sampling.melting,
        every=sampling.every,
        steps=sampling.every * (sampling.n_frames - 1),
        dump=f"{melt.name}.dump",
    )
    (folder / f"{melt.name}.in").write_text(script)
    run_lammps(folder, f"{melt.name}.in", progress=progress, stop=stop)
    thermo = read_thermo(folder / f"{melt.name}.log")
    frames = []
    rows = {int(step): k for k, step in enumerate(thermo["Step"])}
    for atoms in read_dump(folder / f"{melt.name}.dump"):
        k = rows[atoms.info["step"]]
        pressure = np.array([thermo[f"c_virial[{c}]"][k] for c in (1, 2, 3, 6, 5, 4)])  # LAMMPS: .. xy xz yz
        frames.append(_labeled(atoms, thermo["PotEng"][k], atoms.arrays["forces"], -pressure * BAR, melt))
    return frames


def melt_with_ase(melt: Melt, sampling: Sampling, progress=None) -> list[Atoms]:
    """The same without LAMMPS: Langevin dynamics with the Ewald sum of :class:`FumiTosi`, in steps of 4 fs."""
    salt = rock_salt(2, melt.edge / 2)
    salt.calc = FumiTosi(accuracy=1e-5)
    rng = np.random.default_rng(SEED)
    salt.set_momenta(thermal_momenta(salt, HOT, rng))
    dynamics = Langevin(salt, 4 * units.fs, temperature_K=HOT, friction=0.02 / units.fs, fixcm=False, rng=rng)
    dynamics.run(sampling.melting // 4)
    dynamics.set_temperature(temperature_K=melt.temperature)
    if progress:
        progress(sampling.melting)
    frames = []
    for k in range(sampling.n_frames):
        dynamics.run(max(1, sampling.every // 4))
        frame = salt.copy()
        frame.calc = FumiTosi()
        frames.append(_labeled(frame, frame.get_potential_energy(), frame.get_forces(), frame.get_stress(), melt))
        if progress and k > 0:
            progress(sampling.every)
    return frames
