# SPDX-License-Identifier: BSD-3-Clause
"""What the training benchmarks share: where the data is, and a run in a process of its own with its time and memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np


def data_folder(name: str) -> Path:
    """The data set ``name`` in $MLCALC_DATA, by default ../shared/data beside the repository."""
    here = Path(__file__).resolve().parent.parent
    candidates = [os.environ.get("MLCALC_DATA"), here.parent / "shared/data", here.parent.parent / "shared/data"]
    for root in candidates:
        if root and (Path(root) / name).is_dir():
            return Path(root) / name
    raise SystemExit(f"the data set {name} is not here; set MLCALC_DATA to the folder that holds it")


def _child(pipe, function, arguments):
    start = time.perf_counter()
    try:
        result = function(*arguments)
        error = None
    except Exception as failure:
        result, error = None, failure
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    pipe.send((result, error, {
        "wall_s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime + children.ru_utime + children.ru_stime,
        "peak_gb": max(usage.ru_maxrss, children.ru_maxrss) * 1024 / 1e9,
    }))  # fmt: skip
    pipe.close()


def measured(function, *arguments, threads: int = 1):
    """(function(*arguments), {wall_s, cpu_s, peak_gb}) in a fresh process with ``threads`` BLAS threads."""
    saved = {k: os.environ.get(k) for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(saved, str(threads)))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    for key, value in saved.items():
        os.environ.pop(key) if value is None else os.environ.update({key: value})
    try:
        result, error, cost = ours.recv()
    except EOFError:
        raise SystemExit("the run was killed; there was probably not enough memory") from None
    process.join()
    if error is not None:
        raise error
    return result, cost


def machine() -> str:
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"


def _lines(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def mean_absolute(errors) -> float:
    return float(np.mean(np.abs(np.concatenate([np.ravel(e) for e in errors]))))


def save(name: str, results: dict, folder="benchmarks/results"):
    """Keeps the numbers of the last run of each kind as JSON; other kinds stay as they were."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / f"{name}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    stamp = machine()
    for key, value in results.items():
        kept[key] = {**kept.get(key, {}), **value, "measured": stamp}
    path.write_text(json.dumps(kept, indent=1, default=float) + "\n")
    print(f"wrote {path}")
