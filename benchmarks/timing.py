# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks of features and linear models share: systems, a peer, and a clock other processes do not move."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

import argparse
import importlib.metadata
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import ase.build
import ase.io
import numpy as np

from mlcalc import _engine
from mlcalc.lammps import command
from mlcalc.neighbors import full_neighbor_list


class Cost(NamedTuple):
    """Of one call: CPU seconds, and memory in MB beyond what the process held before the first call."""

    seconds: float
    megabytes: float


def silicon_and_salt(description):
    """Reads the command line and yields (kind, atoms) of the two systems."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=1000)
    n_atoms = parser.parse_args().atoms
    print(f"instruction set {_engine.instruction_set()}")
    for kind in ("Si", "NaCl"):
        yield kind, rattled(kind, n_atoms)


def rattled(kind, n_atoms=1000):
    """Silicon or rock salt, about n_atoms, displaced by 0.1 Angstrom."""
    unit = ase.build.bulk("Si", cubic=True) if kind == "Si" else ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms = unit.repeat(round((n_atoms / 8) ** (1 / 3)))
    atoms.rattle(0.1, seed=1)
    return atoms


def views(atoms, cutoff):
    """The arguments of the engine, neighbor list included."""
    numbers = np.unique(atoms.numbers)
    species = np.searchsorted(numbers, atoms.numbers).astype(np.int32)
    return species, atoms.positions, atoms.cell.array, atoms.pbc, *full_neighbor_list(atoms, cutoff)


def best(function, seconds=2.0, least=3):
    """The smallest CPU time of one call, all threads together, over `seconds` of repetitions; and its memory."""
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    function()
    megabytes = resident("VmHWM") - before
    times, start = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - start < seconds:
        before = time.process_time()
        function()
        times.append(time.process_time() - before)
    return Cost(min(times), megabytes)


def resident(what):
    """VmRSS or VmHWM (the peak) of this process in MB."""
    return int(Path("/proc/self/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


def line(name, cost, n_atoms, reference=None):
    """One line of the table: microseconds per atom, memory, and the ratio to ours."""
    ratio = "" if reference is None else f"{cost.seconds / reference.seconds:8.1f} x"
    print(f"  {name:52s}{1e6 * cost.seconds / n_atoms:10.2f} us/atom {cost.megabytes:7.0f} MB{ratio}")


def lammps_cost(atoms, commands, n_steps=20):
    """Cost per force evaluation of a LAMMPS pair style, neighbor lists excluded; None without LAMMPS. The memory is
    what LAMMPS says of itself."""
    try:
        lammps = importlib.metadata.distribution("lammps")
    except importlib.metadata.PackageNotFoundError:
        return None
    potentials = lammps.locate_file("lammps/share/lammps/potentials")
    with tempfile.TemporaryDirectory() as folder:
        ase.io.write(Path(folder) / "atoms.data", atoms, format="lammps-data", masses=True)
        script = f"""units metal
atom_style atomic
read_data atoms.data
{commands}
neigh_modify delay 0 every 1000
run 0
run {n_steps} pre no
"""
        (Path(folder) / "in.run").write_text(script)
        run = subprocess.run(
            [*command(), "-in", "in.run"], cwd=folder, capture_output=True, text=True, check=False,
            env={**os.environ, "LAMMPS_POTENTIALS": str(potentials)},
        )  # fmt: skip
    if run.returncode:
        print("  LAMMPS failed:", run.stdout.splitlines()[-1])
        return None
    pair = float(re.findall(r"^Pair\s+\|\s+(\S+)", run.stdout, re.MULTILINE)[-1])
    share = float(re.findall(r"^(\S+)% CPU use", run.stdout, re.MULTILINE)[-1]) / 100
    megabytes = float(re.findall(r"^Per MPI rank memory .*= (\S+) \|", run.stdout, re.MULTILINE)[-1])
    return Cost(pair * min(share, 1.0) / n_steps, megabytes)
