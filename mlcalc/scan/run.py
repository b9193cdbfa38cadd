# SPDX-License-Identifier: BSD-3-Clause
"""Runs a scan: one training after the other, those with the same rows together, and none twice."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from ..files import locked, write_json
from ..model import Model
from ..train.data import Dataset, load_dataset, sha256_of
from ..train.frames import as_bytes
from ..train.option_checks import DataError, OptionError
from ..train.progress import Progress
from ..train.run import fit
from .combinations import Combination, combinations
from .report import describe, write_scan
from .speed import cost_of


@dataclass
class ScanResult:
    """What a scan leaves: what is in scan.json, the table as text, and the folder with everything."""

    report: dict
    text: str
    folder: Path


def scan(options, frames=None, *, progress: bool = True) -> ScanResult:
    """Trains every combination of the values of ``options.scan`` (a mapping or the path of a YAML file), or those that
    are not there yet. ``frames`` as for `mlcalc.train.fit`.

    Errors are compared on the validation set; those of the test set are shown and not used. Raises OptionError for an
    option that there is not, too many combinations, or data without a validation set."""
    bars = Progress(progress)
    _, made, folder = combinations(options)
    data, digest = _loaded(made, frames), _digest(made, frames)
    sentence = f"another scan is running in the folder {folder}; wait for it, or name another 'model'"
    lock = locked(folder, sentence)
    try:
        rows = [_row(c, frames, data, folder, digest, len(made), bars) for c in _ordered(made, folder)]
    finally:
        lock.close()
    rows.sort(key=lambda row: row["number"])
    good = [row for row in rows if not row.get("failed")]
    if not good:
        raise OptionError(f"scan: all {len(rows)} combinations failed; the first: {rows[0]['failed']}")
    report = describe(list(made[0].values), rows)
    return ScanResult(report, write_scan(folder, report), folder)


def _loaded(made: list[Combination], frames) -> Dataset:
    """The data of the first combination that has any, which must have a validation set."""
    error: Exception | None = None
    for c in made:
        if c.options is None:
            continue
        if not c.options.terms:
            raise OptionError("scan: there are no terms, and tensors are not compared by a scan")
        try:
            data = load_dataset(c.options.data, frames, c.options.seed, c.options.targets)
        except (DataError, OptionError) as found:
            error = error or found
            continue
        if not data.of("validation"):
            raise OptionError(
                "scan: models are compared by their errors on the validation set, and data.split leaves none"
            )
        return data
    assert error is not None
    raise error


def _digest(made: list[Combination], frames) -> str:
    """Hash of all files, or of the frames."""
    if frames is not None:
        return hashlib.sha256(as_bytes(list(frames))).hexdigest()
    paths = {f.path for c in made if c.options for f in c.options.data.files}
    paths |= {path for c in made if c.options for path in c.options.data.baseline}
    return hashlib.sha256(" ".join(sha256_of(p) for p in sorted(paths) if Path(p).is_file()).encode()).hexdigest()


def _ordered(made: list[Combination], folder: Path):
    """Those of one representation one after the other; when they are done their rows are removed."""
    groups: dict[str, list[Combination]] = {}
    for c in made:
        groups.setdefault(c.representation, []).append(c)
    for name, group in groups.items():
        yield from group
        shutil.rmtree(folder / f"rows-{name}", ignore_errors=True)


def _row(c: Combination, frames, data: Dataset, folder: Path, digest: str, total: int, bars: Progress) -> dict:
    """The result of a combination, from its file or by a training."""
    row: dict = {"number": c.number, "values": c.values}
    if c.options is None:
        return row | {"failed": c.failed}
    path = folder / f"{c.key(digest)}.json"
    if path.exists():
        return row | json.loads(path.read_text())
    bars.say(f"scan, {c.number} of {total}: {', '.join(f'{k} {v}' for k, v in c.values.items())}")
    try:
        result = _trained(c, frames, data, folder, path.stem)
    except Exception as error:  # the others go on
        bars.say(f"  failed: {error}")
        return row | {"failed": " ".join(str(error).split()) or type(error).__name__}
    write_json(path, result)
    return row | result


def _trained(c: Combination, frames, data: Dataset, folder: Path, name: str) -> dict:
    model, began = folder / f"{name}.mlcalc", time.time()
    changes = {"model": str(model), "report": str(folder / f"{name}-report"), "keep_checkpoint": True,
               "checkpoint": str(folder / f"rows-{c.representation}")}  # fmt: skip
    assert c.options is not None
    fitted = fit(c.options.model_copy(update=changes), frames, progress=False, figures=False)
    errors = {split: {kind: part["all"][kind] and part["all"][kind]["rmse"] for kind in ("energy", "forces", "stress")}
              for split, part in fitted.report["errors"].items()}  # fmt: skip
    members = Model.load(model).provenance["data"]["members"]
    held_out = {file: part.get("validation") for file, part in members.items()}
    return {
        "errors": errors, "model": model.name, "report": f"{name}-report", "seconds": time.time() - began,
        "validation": hashlib.sha256(json.dumps(held_out, sort_keys=True).encode()).hexdigest()[:12],
        "speed": cost_of(model, data.of("train")),
    }  # fmt: skip
