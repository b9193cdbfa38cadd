# SPDX-License-Identifier: BSD-3-Clause
"""Running LAMMPS input files and reading what they leave."""

import threading
from pathlib import Path

import numpy as np
from ase import Atoms

from .. import lammps

ELEMENTS = ("Na", "Cl")


def run_lammps(folder: Path, script: str, ranks: int = 1, progress=None, stop=None) -> None:
    """Runs ``script``, a file in ``folder``; the log is ``<stem>.log`` there.

    ``progress(step)`` is called about twice a second with the last step in the log; ``stop``, a threading.Event, ends
    the run. Raises RuntimeError with LAMMPS's own message if it fails."""
    log = folder / Path(script).with_suffix(".log").name
    log.unlink(missing_ok=True)
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(log, done, progress), daemon=True)
    if progress:
        watcher.start()
    try:
        result = lammps.run(script, ranks, folder, arguments=["-log", log.name, "-nocite", "-nonbuf"], stop=stop)
    finally:
        done.set()
    if progress:
        watcher.join()
    if result.returncode != 0:
        errors = [line for line in result.stdout.splitlines() if "ERROR" in line]
        reason = errors[0] if errors else result.stdout.strip()[-500:]
        raise RuntimeError(f"LAMMPS stopped on {folder / script}: {reason}")


def _watch(log: Path, done: threading.Event, progress) -> None:
    while not done.wait(0.5):
        if log.exists():
            words = [line.split() for line in log.read_text(errors="replace").splitlines()[-4:]]
            steps = [int(w[0]) for w in words if len(w) > 2 and w[0].isdigit()]
            if steps:
                progress(steps[-1])


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


def read_dump(path: Path, elements: tuple[str, ...] = ELEMENTS) -> list[Atoms]:
    """Frames of a sorted ``dump custom`` of an orthogonal box that begins with id type and three positions; columns
    fx fy fz become ``arrays['forces']``, vx vy vz ``arrays['velocities']``, in LAMMPS's units. ``elements`` are those
    of the types."""
    frames, lines = [], path.read_text().splitlines()
    n_atoms = int(lines[3])
    columns = lines[8].split()[2:]
    for begin in range(0, len(lines), n_atoms + 9):
        box = np.array([line.split()[:2] for line in lines[begin + 5 : begin + 8]], dtype=float)
        rows = np.array([line.split() for line in lines[begin + 9 : begin + 9 + n_atoms]], dtype=float)
        symbols = [elements[int(t) - 1] for t in rows[:, 1]]
        atoms = Atoms(symbols, rows[:, 2:5] - box[:, 0], cell=box[:, 1] - box[:, 0], pbc=True)
        atoms.info["step"] = int(lines[begin + 1])
        for name, first in (("forces", "fx"), ("velocities", "vx")):
            if first in columns:
                column = columns.index(first)
                atoms.arrays[name] = rows[:, column : column + 3].copy()
        frames.append(atoms)
    return frames


def loop_time(log: Path) -> tuple[float, int, int]:
    """Seconds, steps and atoms of the last run in a LAMMPS log."""
    words = [line.split() for line in log.read_text().splitlines() if line.startswith("Loop time")][-1]
    return float(words[3]), int(words[8]), int(words[11])
