# SPDX-License-Identifier: BSD-3-Clause
"""Species couplings u_Ja optimised on the validation error [Willatt, Musil, Ceriotti, PCCP 20, 29661 (2018)]."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from .data import Dataset
from .options import TrainOptions

#: structures that a trial is fitted to; couplings are few numbers and need no more
MAX_STRUCTURES = 200


def wanted(options: TrainOptions) -> list[int]:
    """Expansions whose coupling is to be optimised."""
    return [k for k, e in enumerate(options.expansions) if (e.get("mixing") or {}).get("method") == "optimize"]


def with_couplings(options: TrainOptions, matrices: dict[int, np.ndarray]) -> TrainOptions:
    """A copy of the options in which these expansions have given couplings."""
    changed = copy.deepcopy(options)
    for k, matrix in matrices.items():
        changed.expansions[k]["mixing"] = {"method": "given", "matrix": np.asarray(matrix).tolist()}
    return changed


def optimize(run, start: dict[int, np.ndarray], score) -> dict[int, np.ndarray]:
    """The best of the principal components ``start`` and of random couplings (there are local minima: the same weights
    with other signs), refined by Nelder-Mead; ``score(options)`` is the validation score of a fit.

    Rows are normalised: the length of a coupling vector only scales features."""
    shapes = {k: m.shape for k, m in start.items()}
    evaluations = max(int(run.options.expansions[k]["mixing"].get("evaluations", 40)) for k in start)

    def unpack(x):
        matrices, at = {}, 0
        for k, shape in shapes.items():
            matrix = x[at : at + shape[0] * shape[1]].reshape(shape)
            matrices[k] = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
            at += matrix.size
        return matrices

    def objective(x):
        value = np.log(score(with_couplings(run.options, unpack(x))))
        run.progress.say(f"couplings {np.round(x, 3).tolist()}: score {np.exp(value):.4g}")
        return value

    x0 = np.concatenate([m.ravel() for m in start.values()])
    rng = np.random.default_rng([run.options.seed, 37])
    guesses = [x0, *rng.normal(size=(evaluations // 3, len(x0)))]
    guesses = [np.concatenate([m.ravel() for m in unpack(x).values()]) for x in guesses]
    x0 = min(guesses, key=objective)
    simplex = np.vstack([x0, x0 + 0.15 * np.eye(len(x0))])
    found = minimize(
        objective, x0, method="Nelder-Mead",
        options={"maxfev": evaluations - len(guesses), "initial_simplex": simplex, "xatol": 1e-2, "fatol": 1e-3},
    )  # fmt: skip
    return unpack(found.x)


def trial_score(run, options: TrainOptions) -> float:
    """Validation (or cross-validation) score of a fit to at most MAX_STRUCTURES structures with these options."""
    trial = copy.copy(run)
    rng = np.random.default_rng([options.seed, 31])
    structures = []
    for split in ("train", "validation"):
        mine = run.data.of(split)
        if len(mine) > MAX_STRUCTURES:
            mine = [mine[i] for i in np.sort(rng.choice(len(mine), MAX_STRUCTURES, replace=False))]
        structures += mine
    trial.data = Dataset(structures)
    with tempfile.TemporaryDirectory() as folder:
        trial.options = copy.deepcopy(options)
        trial.options.checkpoint = str(Path(folder) / "trial")
        trial.options.committee.members = 0
        trial.progress = type(run.progress)(False)
        trial.prepare()
        return trial.score()


def optimized_options(run, start, stored: Path) -> TrainOptions:
    """The options with optimised couplings; ``stored`` keeps them for a run that is started again."""
    if stored.exists():
        matrices = {int(k): np.array(m) for k, m in json.loads(stored.read_text()).items()}
    else:
        matrices = optimize(run, start, lambda options: trial_score(run, options))
        stored.write_text(json.dumps({k: m.tolist() for k, m in matrices.items()}))
    return with_couplings(run.options, matrices)
