# SPDX-License-Identifier: BSD-3-Clause
"""What a run will need, before it is started: rows, weights, memory, disk, time."""

from __future__ import annotations

import time

import numpy as np
from ase.data import chemical_symbols

from .baseline import make_targets, reference_energies
from .design import BLOCKS, SOLVING, block_bytes, fits_on_disk
from .engine import Engine
from .job import data_of
from .options import parse_options
from .plan import Plan, build_model, layout, zero_weights
from .progress import Progress
from .review.statistics import text_of
from .select import points_wanted


def dry_run(options, frames=None) -> dict:
    """Counts and estimates of a run, nothing written. Times are extrapolated from one structure of median size, with
    sparse points taken from its environments.

    Raises what the run itself would raise for its options and data."""
    options = parse_options(options)
    run = data_of(options, frames, Progress(False))
    references = reference_energies(options, run.data, run.species).values
    parts = {k: make_targets(run.data.of(k), run.species, references, None, 1) for k in ("train", "validation")}
    n_rows = {k: sum(t.n_rows for t in v) for k, v in parts.items()}
    environments = {z: sum(int(np.sum(t.structure.atoms.numbers == z)) for t in parts["train"]) for z in run.species}
    model = build_model(options, Plan(run.species))
    features, weights = {}, {}
    for term, built in zip(options.terms, model.terms, strict=True):
        sizes = [model.full_size(i) for i in built.invariants]
        features[term.name] = sum(
            n if i.select is None else min(n, i.select.n) for i, n in zip(term.invariants, sizes, strict=True)
        )
        if term.regressor.type == "linear":
            weights[term.name] = features[term.name] * len(run.species)
        else:
            weights[term.name] = sum(min(n, points_wanted(term.regressor, z)) for z, n in environments.items())
    n = sum(weights.values())
    total_rows = sum(n_rows.values())
    seconds, rate = _time_rows(options, run, model, parts["train"], n)
    stored = fits_on_disk(options, total_rows, n)
    working = 8 * (n + 1) ** 2 * SOLVING + BLOCKS * min(block_bytes(options, n), 8 * total_rows * n)
    flops = 2.0 * total_rows * n**2 + (30 + 12 * options.committee.members) * float(n) ** 3
    estimate = {
        "structures": {k: len(run.data.of(k)) for k in ("train", "validation", "test")},
        "species": [chemical_symbols[z] for z in run.species],
        "rows": n_rows,
        "features": features,
        "weights": weights,
        "disk": 8 * total_rows * (n + 1) if stored else 8 * (n + 1) ** 2,
        "rows_stored": stored,
        "memory": min(options.budget.memory, working),
        "seconds": {"rows": seconds / run.threads, "solution": flops / rate},
        "statistics": run.statistics,
        "notes": run.notes,
    }
    estimate["text"] = _text(estimate, run.threads)
    return estimate


def _time_rows(options, run, model, targets, n):
    """Seconds for all design rows on one thread, and the floating point operations per second of a matrix product."""
    order = sorted(targets, key=lambda t: len(t.structure.atoms))
    sample = order[len(order) // 2].structure.atoms
    plan = Plan(run.species)
    engine = Engine(model, options.engine.arguments())
    for k, term in enumerate(options.terms):
        plan.scales[term.name] = [1.0] * len(term.invariants)
        plan.selections[term.name] = [None] * len(term.invariants)
        if term.regressor.type == "kernel":
            x = engine.features(sample, k)
            plan.points[term.name] = {int(z): x[sample.numbers == z] for z in set(sample.numbers.tolist())}
    n_features = {t.name: model.n_features(t) for t in model.terms}
    skeleton = build_model(options, plan, weights=zero_weights(options, plan, n_features))
    used = layout(options, plan, n_features)[-1].stop
    engine = Engine(skeleton, options.engine.arguments())
    engine.design(sample, range(len(options.terms)))
    start = time.perf_counter()
    engine.design(sample, range(len(options.terms)))
    one = time.perf_counter() - start
    atoms = sum(len(t.structure.atoms) for t in targets)
    a = np.random.default_rng(0).normal(size=(400, 400))
    a @ a
    start = time.perf_counter()
    for _ in range(5):
        a @ a
    rate = 5 * 2 * 400**3 / (time.perf_counter() - start)
    return one * atoms / len(sample) * max(1.0, n / max(1, used)), rate


def _text(e: dict, threads: int) -> str:
    lines = [
        f"structures   train {e['structures']['train']}, validation {e['structures']['validation']}, "
        f"test {e['structures']['test']}; species {' '.join(e['species'])}",
        f"rows         train {e['rows']['train']}, validation {e['rows']['validation']}",
        "features     " + ", ".join(f"{k} {v}" for k, v in e["features"].items()),
        f"weights      {sum(e['weights'].values())} (" + ", ".join(f"{k} {v}" for k, v in e["weights"].items()) + ")",
        f"memory       about {e['memory'] / 1e9:.2f} GB",
        f"disk         about {e['disk'] / 1e9:.2f} GB" + ("" if e["rows_stored"] else " (rows not stored)"),
        f"time         rows about {e['seconds']['rows']:.0f} s on {threads} threads, solution about "
        f"{e['seconds']['solution']:.0f} s",
    ]
    return "\n".join([text_of(e["statistics"]), "", *e["notes"], *lines])
