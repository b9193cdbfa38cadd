# SPDX-License-Identifier: BSD-3-Clause
"""All benchmarks, one after the other, on an idle machine; what each prints goes to benchmarks/results/NAME.txt.

    python benchmarks/all.py                      hours: those that train models, too
    python benchmarks/all.py --fast               half an hour: cost only
    python benchmarks/all.py --only linear lammps

The head of every file names the command, the processor, the instruction set and the date.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from training import machine

HERE = Path(__file__).parent
#: arguments, and whether models are trained, which takes long
RUNS = {
    "features": ([], False),
    "linear": ([], False),
    "kernel": (["--gap"], False),
    "gap": ([], False),
    "calculator": ([], False),
    "tensors": ([], False),
    "far_field": (["--tables", "mesh", "direct"], False),
    "lammps": ([], False),
    "lammps_mesh": ([], False),
    "training_scale": ([], True),
    "body_orders": ([], True),
    "accuracy_cost": ([], True),
    "learning_curves": ([], True),
    "watch": ([], True),
    "mlearn": ([], True),
    "rmd17": ([], True),
    "dimers": ([], True),
    "batio3": ([], True),
    "batio3_tensors": ([], True),
    "outside": ([], True),
}


def run(name: str) -> bool:
    """Runs one; says how long it took. Its output replaces that of the last run only if it ends well."""
    from mlcalc._engine import instruction_set

    arguments, start = RUNS[name][0], time.monotonic()
    command = ["python", f"benchmarks/{name}.py", *arguments]
    done = subprocess.run(
        [sys.executable, *command[1:]], cwd=HERE.parent, env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    minutes = (time.monotonic() - start) / 60
    print(f"{' '.join(command)}: {'done' if done.returncode == 0 else 'failed'} in {minutes:.1f} min", flush=True)
    if done.returncode == 0:
        head = f"OMP_NUM_THREADS=1 {' '.join(command)}\n{machine()}, {instruction_set()}\n\n"
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{name}.txt").write_text(head + done.stdout)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="without those that train models")
    parser.add_argument("--only", nargs="+", choices=list(RUNS))
    args = parser.parse_args()
    names = args.only or [name for name, (_, trains) in RUNS.items() if not (args.fast and trains)]
    failed = [name for name in names if not run(name)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
