# SPDX-License-Identifier: BSD-3-Clause
"""The errors of a model on labeled structures."""

from __future__ import annotations

from pathlib import Path

from ..model import Model
from ..running.views import UnknownSpecies, species_index
from .data import load_dataset
from .data_options import DataOptions
from .engine import n_threads
from .errors import predict
from .option_checks import OptionError, build
from .progress import Progress
from .report import make_report, write_predictions, write_report


def evaluate(model, data, keys=None, *, report=None, predictions=None, threads=0, engine=None, progress=True) -> dict:
    """Errors of a model on labeled structures: writes the report folder and the predictions as extxyz.

    ``model`` path or Model; ``data`` paths or a list of ase.Atoms; ``keys`` names of labels as in ``data`` of the
    options. Returns what is in report.json. Raises OptionError and DataError as training does."""
    loaded = model if isinstance(model, Model) else Model.load(model)
    frames = None
    paths = [data] if isinstance(data, (str, Path)) else list(data)
    if paths and not isinstance(paths[0], (str, Path)):
        frames, paths = paths, []
    wanted = {"files": [str(p) for p in paths], **(keys or {}), "split": {"validation": 0.0}}
    dataset = load_dataset(build(DataOptions, wanted, "data"), frames)
    for s in dataset.structures:
        s.split = "test"
        try:
            species_index(loaded.species, s.atoms.numbers)
        except UnknownSpecies as error:
            unknown = ", ".join(error.symbols)
            raise OptionError(f"{s.source}, structure {s.index}: the model does not know {unknown}") from None
    bars = Progress(progress)
    results = predict(loaded, dataset.structures, n_threads(threads), engine, bars)
    folder = Path(report or (f"{Path(paths[0]).stem}-report" if paths else "eval-report"))
    scale = loaded.committee.scale if loaded.committee else None
    out = make_report(results, scale=scale, extra={"data": dataset.describe()}, notes=dataset.notes)
    write_report(folder, out, results, scale=scale)
    target = Path(predictions) if predictions else folder / "predictions.xyz"
    write_predictions(target, results, scale or 1.0)
    return out | {"folder": str(folder), "predictions": str(target)}
