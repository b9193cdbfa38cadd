# SPDX-License-Identifier: BSD-3-Clause
"""Species couplings u_Ja optimized on the validation error [Willatt, Musil, Ceriotti, PCCP 20, 29661 (2018)]."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from .checkpoint import Checkpoint
from .data import Dataset
from .engine import Engine
from .expansion_options import GivenMixing, OptimizedMixing
from .job import Job
from .options import TrainOptions
from .plan import Plan, build_model
from .select import species_coupling

#: structures that a trial is fitted to; couplings are few numbers and need no more
MAX_STRUCTURES = 200


def wanted(options: TrainOptions) -> list[int]:
    """Expansions whose coupling is to be optimized."""
    return [k for k, e in enumerate(options.expansions) if isinstance(e.mixing, OptimizedMixing)]


def with_couplings(options: TrainOptions, matrices: dict[int, np.ndarray]) -> TrainOptions:
    """A copy of the options in which these expansions have given couplings."""
    changed = options.model_copy(deep=True)
    for k, matrix in matrices.items():
        changed.expansions[k].mixing = GivenMixing(method="given", matrix=np.asarray(matrix).tolist())
    return changed


def resolved(job: Job, checkpoint: Checkpoint, score: Callable[[Job], float]) -> Job:
    """The job with the couplings that were found as if they had been given; ``score(job)`` is that of a trial fit.

    The checkpoint keeps them for a run that is started again."""
    indices = wanted(job.options)
    if not indices:
        return job
    settings = [job.options.as_dict(), job.data.digest]
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    stored = checkpoint.path(f"couplings-{key}.json")
    if checkpoint.kept:
        stored = next(iter(sorted(checkpoint.folder.glob("couplings-*.json"))), stored)
    if stored.exists():
        matrices = {int(k): np.array(m) for k, m in json.loads(stored.read_text()).items()}
    else:
        matrices = _optimize(job, _principal(job, indices), score)
        stored.write_text(json.dumps({k: m.tolist() for k, m in matrices.items()}))
    return job.changed(options=with_couplings(job.options, matrices))


def _principal(job: Job, indices) -> dict[int, np.ndarray]:
    """Where the search begins: the principal components."""
    engine = Engine(build_model(job.options, Plan(job.species)), job.options.engine.arguments())
    start = {}
    for k in indices:
        chosen = job.options.expansions[k]
        channels = chosen.mixing.channels
        start[k] = species_coupling(engine, job.train, chosen.name, channels, job.threads, job.progress)
    return start


def _optimize(job: Job, start: dict[int, np.ndarray], score) -> dict[int, np.ndarray]:
    """The best of the principal components ``start`` and of random couplings (there are local minima: the same weights
    with other signs), refined by Nelder-Mead.

    Rows are normalized: the length of a coupling vector only scales features."""
    shapes = {k: m.shape for k, m in start.items()}
    evaluations = max(job.options.expansions[k].mixing.evaluations for k in start)
    trial = job.changed(data=_few(job))

    def unpack(x):
        matrices, at = {}, 0
        for k, shape in shapes.items():
            matrix = x[at : at + shape[0] * shape[1]].reshape(shape)
            matrices[k] = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
            at += matrix.size
        return matrices

    def objective(x):
        value = np.log(score(trial.changed(options=with_couplings(job.options, unpack(x)))))
        job.progress.say(f"couplings {np.round(x, 3).tolist()}: score {np.exp(value):.4g}")
        return value

    x0 = np.concatenate([m.ravel() for m in start.values()])
    rng = np.random.default_rng([job.options.seed, 37])
    guesses = [x0, *rng.normal(size=(evaluations // 3, len(x0)))]
    guesses = [np.concatenate([m.ravel() for m in unpack(x).values()]) for x in guesses]
    x0 = min(guesses, key=objective)
    simplex = np.vstack([x0, x0 + 0.15 * np.eye(len(x0))])
    found = minimize(
        objective, x0, method="Nelder-Mead",
        options={"maxfev": max(1, evaluations - len(guesses)), "initial_simplex": simplex, "xatol": 1e-2,
                 "fatol": 1e-3},
    )  # fmt: skip
    return unpack(found.x)


def _few(job: Job) -> Dataset:
    """At most MAX_STRUCTURES structures of the training and of the validation set."""
    rng = np.random.default_rng([job.options.seed, 31])
    structures = []
    for split in ("train", "validation"):
        mine = job.data.of(split)
        if len(mine) > MAX_STRUCTURES:
            mine = [mine[i] for i in np.sort(rng.choice(len(mine), MAX_STRUCTURES, replace=False))]
        structures += mine
    return Dataset(structures)
