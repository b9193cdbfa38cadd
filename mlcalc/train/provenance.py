# SPDX-License-Identifier: BSD-3-Clause
"""Where a model comes from, for whoever opens its file later."""

from __future__ import annotations

import platform
import time
from importlib.metadata import PackageNotFoundError, version

from .data import Dataset, data_file_hashes, sha256_of
from .options import TrainOptions
from .splits import split_record


def provenance(options: TrainOptions, data: Dataset, frames_given: bool, report: dict, notes: list[str]) -> dict:
    """Data and their split, options, errors, versions. Only finite numbers: it becomes JSON."""
    chosen = report["regularization"]
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": {
            "digest": data.digest,
            "files": {} if frames_given else data_file_hashes(options.data),
            "baseline": {path: sha256_of(path) for path in options.data.baseline},
            "splits": data.describe(),
            "members": split_record(data.structures),
            "seed": options.seed,
        },
        "offsets": report["offsets"],
        "regularization": {"strength": chosen["lam"], "criterion": chosen["criterion"],
                           "term_weights": chosen["term_weights"]},
        "errors": report["errors"],
        "outside": report.get("outside", {}),
        "force_uncertainty": report.get("force_uncertainty", {}),
        "options": options.as_dict(),
        "versions": _versions(),
        "notes": notes,
    }  # fmt: skip


def _versions() -> dict:
    found = {"python": platform.python_version()}
    for package in ("mlcalc", "numpy", "scipy", "ase", "skmatter"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
