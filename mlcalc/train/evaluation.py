# SPDX-License-Identifier: BSD-3-Clause
"""The errors of a model on labeled structures."""

from __future__ import annotations

from pathlib import Path

from ..model import Model
from ..running.views import UnknownSpecies, species_index
from .annotated import write_predictions
from .data import has_key, load_dataset, read_frames
from .data_options import DataOptions
from .engine import n_threads
from .errors import predict
from .option_checks import OptionError, build
from .progress import Progress
from .report import make_report, write_report
from .review.outliers import notes_of
from .review.statistics import statistics
from .target_options import TargetOptions
from .tensor_errors import LabeledTensors, predict_tensors, table_of


def evaluate(model, data, keys=None, *, targets=None, report=None, predictions=None, threads=0, engine=None,
             progress=True) -> dict:  # fmt: skip
    """Errors of a model on labeled structures: writes the report folder and the predictions as extxyz.

    ``model`` path or Model; ``data`` paths or a list of ase.Atoms; ``keys`` names of labels as in ``data`` of the
    options; ``targets`` {name of an output: key of its labels}, by default those that the model was trained on, where
    the data has any. Returns what is in report.json. Raises OptionError and DataError as training does."""
    loaded = model if isinstance(model, Model) else Model.load(model)
    frames = None
    paths = [data] if isinstance(data, (str, Path)) else list(data)
    if paths and not isinstance(paths[0], (str, Path)):
        frames, paths = paths, []
    keys = {"energy": "energy", "forces": "forces", **(keys or {})}
    if not loaded.has_energy:
        keys |= dict.fromkeys(("energy", "forces", "stress", "virial"))
    elif not (keys["energy"] or keys["forces"]):
        raise OptionError("neither energy nor forces is named, there is nothing to compare")
    wanted = {"files": [str(p) for p in paths], **keys, "split": {"validation": 0.0}}
    chosen = _targets(loaded, targets, frames if frames is not None else [a for p in paths for a in read_frames(p)])
    if not chosen and not loaded.has_energy:
        names = ", ".join(output.name for output in loaded.outputs)
        raise OptionError(f"the data has no labels of the outputs of the model ({names}); name them, as NAME=KEY")
    dataset = load_dataset(build(DataOptions, wanted, "data"), frames, targets=chosen)
    for s in dataset.structures:
        s.split = "test"
        try:
            species_index(loaded.species, s.atoms.numbers)
        except UnknownSpecies as error:
            unknown = ", ".join(error.symbols)
            raise OptionError(f"{s.source}, structure {s.index}: the model does not know {unknown}") from None
    bars = Progress(progress)
    results = predict(loaded, dataset.structures, n_threads(threads), engine, bars) if loaded.has_energy else []
    seen = statistics(dataset.structures)
    tensors, extra = None, {"data": dataset.describe(), "statistics": seen}
    if chosen:
        found = predict_tensors(loaded, dataset.structures, chosen, n_threads(threads), engine, bars)
        tensors = LabeledTensors(dataset.structures, found, chosen)
        extra["tensors"] = {t.name: {"unit": t.stored_unit, "errors": table_of(dataset.structures, found, t)}
                            for t in chosen}  # fmt: skip
    folder = Path(report or (f"{Path(paths[0]).stem}-report" if paths else "eval-report"))
    scale = loaded.committee.scale if loaded.committee else None
    notes = [*dataset.notes, *notes_of(seen["outliers"], seen["duplicates"])]
    out = make_report(results, scale=scale, extra=extra, notes=notes)
    write_report(folder, out, results, scale=scale, tensors=tensors, model=loaded if results else None,
                 threads=n_threads(threads), engine=engine)  # fmt: skip
    target = Path(predictions) if predictions else folder / "predictions.xyz"
    write_predictions(target, results, scale or 1.0, tensors=tensors)
    return out | {"folder": str(folder), "predictions": str(target)}


def _targets(model: Model, keys, frames) -> list[TargetOptions]:
    """The outputs that are compared, with the conventions of the training and the keys of the caller.

    Raises OptionError for an output that the model lacks or was not trained on."""
    trained = {t["name"]: t for t in model.provenance.get("options", {}).get("targets", [])}
    for name in keys or {}:
        if name not in [output.name for output in model.outputs]:
            known = ", ".join(output.name for output in model.outputs) or "none"
            raise OptionError(f"the model has no output '{name}'; it has {known}")
        if name not in trained:
            raise OptionError(f"the model does not say in which unit and convention '{name}' was trained")
    chosen = []
    for name, entry in trained.items():
        target = build(TargetOptions, {**entry, "key": (keys or {}).get(name, entry["key"])}, f"targets '{name}'")
        if target.derivative and not any(has_key(atoms, target.derivative.key) for atoms in frames):
            target.derivative = None
        if name in (keys or {}) or any(has_key(atoms, target.key) for atoms in frames):
            chosen.append(target)
    return chosen
