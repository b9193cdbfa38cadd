# SPDX-License-Identifier: BSD-3-Clause
"""The last step of a training run: the model with its calibration, its report and where it comes from, written."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..model import Information, combined
from .advice import lacking
from .annotated import write_predictions
from .checkpoint import Checkpoint
from .design import sigmas
from .errors import calibrate, predict
from .extrapolation import outermost_structure
from .job import Case, Job
from .learning_curve import HOW, Curve, errors_of_curve
from .mixed_channels import mixed_channels
from .options import TrainOptions
from .plan import build_model, split_weights
from .provenance import provenance
from .regularize import Choice
from .report import make_report, write_report
from .row_tasks import PredictionTask, predictions_of
from .select import make_plan
from .soundness import soundness
from .tensors import fit_tensors


@dataclass
class FitResult:
    """What a run leaves: the model, the report as in report.json, and where they are."""

    model: object
    report: dict
    model_path: Path
    report_path: Path


@dataclass
class Solution:
    """Weights of all columns (n_members, n_columns), how the regularization was chosen, what is known of the weights,
    and the fits of the learning curve."""

    weights: np.ndarray
    choice: Choice
    information: Information | None
    curve: Curve | None = None


def _predictions(job: Job, model, engine, offsets):
    structures = job.data.structures
    if job.team.size == 1:
        return predict(model, structures, job.threads, engine, job.progress, offsets)
    made = job.team.call(predictions_of, PredictionTask(model.to_bytes(), engine, job.threads, offsets), structures)
    return [dataclasses.replace(p, structure=s) for p, s in zip(made, structures, strict=True)]


def _expected(options: TrainOptions, predictions) -> dict[str, list[float]]:
    """The expected error of the energy per atom, of a force and of the stress of each structure."""
    of = [sigmas(options, p.structure) for p in predictions]
    return {
        "energy": [s["energy"] / max(1, p.n_atoms) for s, p in zip(of, predictions, strict=True)],
        "forces": [s["forces"] for s in of],
        "stress": [s["virial"] / (p.volume or np.inf) for s, p in zip(of, predictions, strict=True)],
    }


def _of_the_run(job: Job, started: float) -> dict:
    """Parts of every report."""
    return {"statistics": job.statistics, "model": Path(job.options.model).name, "options": job.options.as_dict(),
            "seconds": time.time() - started}  # fmt: skip


def _with_base(job: Job, model):
    """The sum with the models of data.baseline."""
    return model if job.base is None else combined(model, job.base, "")


def model_of_tensors(job: Job, checkpoint: Checkpoint, frames_given, started, figures) -> FitResult:
    """A model without an energy, with its report, written."""
    options = job.options
    layers = mixed_channels(job, None, checkpoint)  # none is optimized: that is for an energy
    plan = make_plan(options, job.species, job.train, job.threads, job.progress, layers)
    tensors = fit_tensors(job, plan, checkpoint)
    extra = {"regularization": {"lam": None, "criterion": None, "term_weights": []}, "data": job.data.describe(),
             "offsets": {}, "tensors": tensors.report, **_of_the_run(job, started)}  # fmt: skip
    report = make_report([], extra=extra, notes=job.notes)
    origin = provenance(options, job.data, frames_given, report, job.notes)
    committee = (options.committee.members, 1.0) if options.committee.members else None
    model = build_model(options, plan, boundaries=job.boundaries, committee=committee, provenance=origin)
    model = dataclasses.replace(model, outputs=tensors.outputs, has_energy=False)
    model.save(options.model)
    folder = Path(options.report)
    write_report(folder, report, [], figures=figures, tensors=tensors.of(job))
    write_predictions(folder / "predictions.xyz", [], tensors=tensors.of(job))
    return FitResult(model, report, Path(options.model), folder)


def _learning_curve(job: Job, case: Case, curve: Curve | None, arguments: dict) -> dict | None:
    """Errors of the fits of the learning curve, for the report."""
    if curve is None:
        return None

    def predicted(weights, structures):
        stored = split_weights(weights, job.options, case.plan, case.columns)
        model = build_model(job.options, case.plan, committee=(len(weights), 1.0), **arguments | {"weights": stored})
        engine = job.options.engine.arguments()
        return predict(_with_base(job, model), structures, job.threads, engine, job.progress)

    with job.unharmed("the learning curve"):
        held_out = [*job.data.of("validation"), *job.data.of("test")]
        points = errors_of_curve(curve, case.maker.offsets, held_out, predicted)
        return {"how": HOW.format(criterion=curve.criterion), "points": points}
    return None


def model_of(job: Job, case: Case, solution: Solution, tensors, frames_given, started, figures) -> FitResult:
    """The model with its calibration, its report and where it comes from, written."""
    weights, choice = solution.weights, solution.choice
    options, members = job.options, job.options.committee.members
    offsets = {g: float(weights[:, k].mean()) for g, k in case.maker.offsets.items()}
    committee = (members, 1.0) if members else None
    stored = split_weights(weights, options, case.plan, case.columns)
    arguments = {"weights": stored, "reference_energies": case.references.values, "boundaries": job.boundaries,
                 "zbl": case.zbl, "information": solution.information}  # fmt: skip
    model = _with_base(job, build_model(options, case.plan, committee=committee, **arguments))
    engine = options.engine.arguments()
    predictions = _predictions(job, model, engine, offsets)
    extra: dict = {"regularization": asdict(choice), "data": job.data.describe(), "offsets": offsets}
    scale = None
    if members:
        held_out = [p for p in predictions if p.structure.split == "validation"]
        extra["committee"] = calibrate(held_out, members, options.committee.calibrate)
        scale = extra["committee"]["scale"]
        if not held_out:
            job.note("WARNING: no validation structures, the committee is not calibrated (scale 1)")
        committee = (members, scale)
    extra["learning_curve"] = _learning_curve(job, case, solution.curve, arguments)
    extra["outside"], close_pairs = soundness(model, job.data)
    extra["lacking"] = lacking(job.train, job.species, job.shortest, case.references.estimated)
    if close_pairs.verdict != "pass":
        job.note(f"WARNING: {close_pairs.reason}; see outside.close and data.zbl")
    if tensors.outputs:
        extra["tensors"] = tensors.report
    extra |= _of_the_run(job, started)
    report = make_report(predictions, scale=scale, extra=extra, notes=job.notes, sigma=_expected(options, predictions))
    origin = provenance(options, job.data, frames_given, report, job.notes)
    model = build_model(options, case.plan, committee=committee, provenance=origin, **arguments)
    model = _with_base(job, dataclasses.replace(model, outputs=tensors.outputs))
    with job.unharmed("the extrapolation of the outermost structure"):
        known = outermost_structure(model, [s.atoms for s in job.data.structures], engine, job.threads)
        model = dataclasses.replace(model, outermost=known)
    model.save(options.model)
    folder = Path(options.report)
    of_tensors = tensors.of(job)
    write_report(folder, report, predictions, scale=scale, figures=figures, checks=[close_pairs], tensors=of_tensors,
                 model=model, threads=job.threads, engine=engine)  # fmt: skip
    write_predictions(folder / "predictions.xyz", predictions, scale or 1.0, tensors=of_tensors)
    return FitResult(model, report, Path(options.model), folder)
