# SPDX-License-Identifier: BSD-3-Clause
"""The errors of a model on labelled structures."""

from __future__ import annotations

from pathlib import Path

from ase.data import chemical_symbols

from ..model import Model
from .data import load_dataset
from .data_options import DataOptions
from .engine import n_threads
from .errors import predict
from .option_checks import OptionError, build
from .progress import Progress
from .report import write_predictions, write_report


def evaluate(model, data, keys=None, *, report=None, predictions=None, threads=0, engine=None, progress=True) -> dict:
    """Errors of a model on labelled structures: writes the report folder and the predictions as extxyz.

    ``model`` path or Model; ``data`` paths or a list of ase.Atoms; ``keys`` names of labels as in ``data`` of the
    options. Returns what is in report.json. Raises OptionError and DataError as training does."""
    loaded = model if isinstance(model, Model) else Model.load(model)
    frames = None
    paths = [data] if isinstance(data, (str, Path)) else list(data)
    if paths and not isinstance(paths[0], (str, Path)):
        frames, paths = paths, []
    wanted = {"files": [str(p) for p in paths], **(keys or {}), "split": {"validation": 0.0}}
    dataset = load_dataset(build(DataOptions, wanted, "data"), frames)
    known = set(int(z) for z in loaded.species)
    for s in dataset.structures:
        s.split = "test"
        unknown = sorted(set(s.atoms.get_chemical_symbols()) - {chemical_symbols[z] for z in known})
        if unknown:
            raise OptionError(f"{s.source}, structure {s.index}: the model does not know {', '.join(unknown)}")
    bars = Progress(progress)
    results = predict(loaded, dataset.structures, n_threads(threads), engine, bars)
    folder = Path(report or (f"{Path(paths[0]).stem}-report" if paths else "eval-report"))
    scale = loaded.committee.scale if loaded.committee else None
    out = write_report(folder, results, scale=scale, extra={"data": dataset.describe()}, notes=dataset.notes)
    target = Path(predictions) if predictions else folder / "predictions.xyz"
    write_predictions(target, results, scale or 1.0)
    return out | {"folder": str(folder), "predictions": str(target)}
