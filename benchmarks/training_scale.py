# SPDX-License-Identifier: BSD-3-Clause
"""Training as the data grows: peak memory beside the budget and the size of the rows, time on one and two threads, and
what --dry-run said about both. Rattled Si labeled by a model of random weights; a kernel model is fitted.

python benchmarks/training_scale.py
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from training import machine, measured, save

BUDGET = "300 MB"
POINTS = 500


def frames(n: int):
    """Cells of 64 atoms with energies and forces."""
    from mlcalc import DensityExpansion, Invariant, Linear, Model, Term
    from mlcalc.calculator import MLCalculator

    rho = DensityExpansion(name="rho", n_max=6, l_max=4, cutoff=5.0)
    model = Model([14], [rho], [Term("soap", [Invariant(2, "rho", "rho")])])
    model.terms[0].regressor = Linear(np.random.default_rng(0).normal(size=(1, model.n_features("soap"))))
    calculator = MLCalculator(model)
    made = []
    for k in range(n):
        atoms = bulk("Si", cubic=True).repeat(2)
        atoms.rattle(0.15, seed=k)
        results = {name: calculator.get_property(name, atoms) for name in ("energy", "forces")}
        atoms.calc = SinglePointCalculator(atoms, **results)
        made.append(atoms)
    return made


def options(folder: str, threads: int) -> dict:
    return {
        "model": f"{folder}/si.mlcalc",
        "data": {"files": ["frames"], "split": {"validation": 0.1}},
        "expansions": [{"name": "rho", "type": "density", "n_max": 6, "l_max": 4, "cutoff": 5.0}],
        "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}],
                   "regressor": {"type": "kernel", "zeta": 2, "points": POINTS}}],
        "budget": {"threads": threads, "memory": BUDGET},
    }  # fmt: skip


def train(n, folder, threads):
    from mlcalc.train import fit

    report = fit(options(folder, threads), frames(n), progress=False, figures=False).report
    return {"training": report["seconds"], "force RMSE": report["errors"]["validation"]["all"]["forces"]["rmse"]}


def estimate(n, folder, threads):
    from mlcalc.train.estimate import dry_run

    found = dry_run(options(folder, threads), frames(n))
    return {"rows": sum(found["rows"].values()), "memory": found["memory"], "seconds": sum(found["seconds"].values())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 400, 1600])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    print(machine())
    _, idle = measured(frames, 1)
    print(f"kernel, {POINTS} points, budget {BUDGET}; {1e3 * idle['peak_gb']:.0f} MB without any training")
    print(f"{'structures':>10} {'rows':>9} {'as a matrix':>12} {'threads':>8} {'peak':>9}", end="")
    print(f" {'training':>10} {'estimated':>10}")
    results = {}
    for n in arguments.frames:
        for threads in arguments.threads:
            with tempfile.TemporaryDirectory() as folder:
                told, _ = measured(estimate, n, folder, threads)
                found, cost = measured(train, n, folder, threads)
            matrix = 8e-6 * told["rows"] * (POINTS + 1)
            print(f"{n:>10} {told['rows']:>9} {matrix:>9.0f} MB {threads:>8} {1e3 * cost['peak_gb']:>6.0f} MB "
                  f"{found['training']:>8.1f} s {told['seconds']:>8.1f} s", flush=True)  # fmt: skip
            results[f"{n} structures, {threads} threads"] = {**found, **cost, "estimate": told, "matrix_mb": matrix}
    save("training_scale", results)


if __name__ == "__main__":
    main()
