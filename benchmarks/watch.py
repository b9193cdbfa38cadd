# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to look, at every hundredth step, whether a run is still where its model was trained.

    OMP_NUM_THREADS=1 python benchmarks/watch.py [--models bodies]

Models of silicon as the tables of accuracy have them, trained here on the published set; 512 atoms. An evaluation with
energy, forces and virial, one that measures the extrapolation, too, and by how much a run is longer if every hundredth
evaluation does. One core, neighbor list given, medians of the processor time.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import body_orders
import mlearn
import numpy as np
from timing import rattled
from training import machine

from mlcalc._engine import EXTRAPOLATION_INTERVAL
from mlcalc.running.views import views

N_ATOMS = 512
BODIES = "K 32, (3,3,3,3)"


def train(kind: str, folder: str):
    """The model; its committee is left out."""
    from mlcalc.train import fit

    if kind == "bodies":
        options, frames = body_orders.options("Si", BODIES, folder, 2), body_orders.frames("Si")
    else:
        options, frames = mlearn.options("Si", kind, folder, 2), None
    return fit(options, frames, progress=False, figures=False).model


def median(potential, arguments, seconds: float, **request) -> float:
    """Processor time of an evaluation, s."""
    found, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < 5:
        start = time.process_time()
        potential.compute(*arguments, **request)
        found.append(time.process_time() - start)
    return float(np.median(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=["linear", "kernel", "bodies"],
                        default=["linear", "kernel", "bodies"])  # fmt: skip
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    print(machine())
    print(f"{'':10s}{'us/atom':>12s}{'with a look':>14s}{'of a run, %':>14s}")
    atoms = rattled("Si", N_ATOMS)
    for kind in args.models:
        with tempfile.TemporaryDirectory() as folder:
            potential = train(kind, folder).potential()
        arguments = views(potential, atoms)
        step = median(potential, arguments, args.seconds, extrapolation=False)
        look = median(potential, arguments, args.seconds, extrapolation=True)
        share = 100 * (look - step) / step / EXTRAPOLATION_INTERVAL
        scale = 1e6 / len(atoms)
        print(f"{kind:10s}{scale * step:12.2f}{scale * look:14.2f}{share:14.2f}", flush=True)


if __name__ == "__main__":
    main()
