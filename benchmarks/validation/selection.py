# SPDX-License-Identifier: BSD-3-Clause
"""What ``mlcalc select`` finds, and what it takes.

    OMP_NUM_THREADS=1 python benchmarks/validation/selection.py [--frames 100000] [--labels energy forces]

Silicon of Zuo et al. (mlearn): a linear model of a random tenth of the training set, and N of the others, chosen by
leverage and, from their mean features, by CUR and farthest point sampling of scikit-matter: the information (log det)
of the fit with their energies and forces. Then the time and memory in which 50 of a trajectory of ``--frames`` frames
of 64 atoms are chosen. Prints two tables; the data are those of benchmarks/mlearn.py.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ase.io
import numpy as np
from ase.build import bulk
from ase.io.trajectory import Trajectory
from skmatter.sample_selection import CUR, FPS

from mlcalc.learn.measures import measure_of
from mlcalc.learn.selection import select
from mlcalc.train import fit

DATA = Path(os.environ.get("MLCALC_DATA") or Path(__file__).parents[3] / "shared/data") / "mlearn"
NUMBERS = (5, 10, 20, 40)
#: lines of /proc/PID/status with the largest resident memory
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def options(folder: Path, n_max: int, l_max: int) -> dict:
    rho = {"name": "rho", "type": "density", "n_max": n_max, "l_max": l_max, "cutoff": 4.5}
    return {
        "model": str(folder / "si.mlcalc"), "data": {"files": ["frames"], "split": {"validation": 0.2}},
        "expansions": [rho], "budget": {"threads": 2},
        "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}],
    }  # fmt: skip


def compare(folder: Path, seed: int) -> list[str]:
    """Lines of the table of information."""
    frames = ase.io.read(DATA / "mlearn_Si_training.extxyz", ":")
    order = np.random.default_rng(seed).permutation(len(frames))
    first = [frames[k] for k in order[: len(frames) // 10]]
    model = fit(options(folder, 6, 4), first, progress=False, figures=False).model
    rest = [(frames[k], "Si", int(k)) for k in order[len(frames) // 10 :]]
    measure = measure_of(model)
    rows = [measure.candidate(*one).rows for one in rest]
    means = np.array([measure.engine.features(atoms, 0).mean(axis=0) for atoms, _, _ in rest])
    lines = [f"seed {seed}: {len(first)} structures known, {len(rest)} candidates, {model.information.size} weights"]
    for n in NUMBERS:
        ours = [c.candidate.index for c in select(model, rest, n, closest=0.0).chosen]
        place = {index: k for k, (_, _, index) in enumerate(rest)}
        chosen = {"leverage": [place[k] for k in ours]}
        for name, selector in (("CUR", CUR(n_to_select=n)), ("FPS", FPS(n_to_select=n, initialize=0))):
            chosen[name] = selector.fit(means).selected_idx_.tolist()
        chosen["random"] = np.random.default_rng(n).choice(len(rest), n, replace=False).tolist()
        gains = {name: information([rows[k] for k in part]) for name, part in chosen.items()}
        best = "" if gains["leverage"] >= max(gains.values()) else "  NOT THE BEST"
        lines.append(f"{n:>5}  " + "  ".join(f"{name} {gain:8.2f}" for name, gain in gains.items()) + best)
    return lines


def information(rows) -> float:
    """log det that the labels add to the fit, natural logarithm."""
    stacked = np.concatenate(rows).astype(float)
    return float(np.linalg.slogdet(np.eye(stacked.shape[1]) + stacked.T @ stacked)[1])


def trajectory(path: Path, n: int):
    """Silicon of 64 atoms that is heated: a random walk of the positions that is pulled back."""
    rng, base = np.random.default_rng(0), bulk("Si", cubic=True).repeat(2)
    moved = np.zeros((64, 3))
    with Trajectory(path, "w") as out:
        for k in range(n):
            width = 0.05 + 0.2 * k / n
            moved += -0.02 * moved + 0.2 * width * rng.normal(size=moved.shape)
            atoms = base.copy()
            atoms.positions += moved
            out.write(atoms)


def measured(folder: Path, n: int, labels) -> str:
    """Time and memory of the command."""
    fit(options(folder, 4, 3), ase.io.read(DATA / "mlearn_Si_training.extxyz", "::8"), progress=False, figures=False)
    trajectory(folder / "run.traj", n)
    size = (folder / "run.traj").stat().st_size
    command = [sys.executable, "-m", "mlcalc", "select", str(folder / "si.mlcalc"), str(folder / "run.traj"), "-n",
               "50", "--labels", *labels, "--threads", "2", "--quiet", "-o", str(folder / "chosen.xyz")]  # fmt: skip
    began, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        while process.poll() is None:
            try:
                found = PEAK.search(Path(f"/proc/{process.pid}/status").read_text())
            except OSError:
                found = None
            peak = max(peak, int(found[1])) if found else peak
            time.sleep(0.2)
        out = process.stdout.read()
    if process.returncode:
        raise SystemExit("the command failed")
    summary = next(line for line in out.splitlines() if " structures by " in line)
    return (
        f"{summary}: file {size / 1e6:.0f} MB, labels {' '.join(labels)}, {time.monotonic() - began:.0f} s, "
        f"{peak / 1e6:.2f} GB"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--labels", nargs="+", default=["energy", "forces"])
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("information added to the fit (log det) by N structures")
        for seed in range(args.seeds):
            print("\n".join(compare(folder, seed)), flush=True)
        if args.frames:
            print(measured(folder, args.frames, args.labels), flush=True)


if __name__ == "__main__":
    main()
