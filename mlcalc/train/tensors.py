# SPDX-License-Identifier: BSD-3-Clause
"""The fit of tensors: each degree of each target is a regularized least-squares problem of its own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
from ase.data import atomic_numbers
from threadpoolctl import threadpool_limits

from ..model import Committee, Model, TensorOutput
from .checkpoint import Checkpoint
from .committee import Gauge, calibration_scale, fit_members
from .engine import ordered_map
from .job import Job
from .option_checks import OptionError
from .plan import Plan, build_model
from .regularize import Choice, Problem, choose_strength
from .solve import Factor, Prior, augmented_solve, block_of_paths
from .splits import dealt
from .target_options import TargetOptions
from .tensor_errors import LabeledTensors, TensorPrediction, members_and_errors, predict_tensors, table_of
from .tensor_rows import PartRows, fitted_baseline


@dataclass
class FittedTensors:
    """Outputs of the model, and what the report says about them."""

    outputs: list[TensorOutput]
    report: dict
    predictions: list[dict[str, TensorPrediction]]

    def of(self, job: Job) -> LabeledTensors | None:
        """Labels and predictions together, for figures and files; None without targets."""
        return LabeledTensors(job.data.structures, self.predictions, job.options.targets) if self.outputs else None


def fit_tensors(job: Job, plan: Plan, checkpoint: Checkpoint) -> FittedTensors:
    """All targets of the options. Raises OptionError for a target without training labels."""
    options, members = job.options, job.options.committee.members
    bare = build_model(options, plan)
    bare = replace(bare, terms=[], boundaries=tuple(job.boundaries))
    outputs: list[TensorOutput] = []
    report: dict = {}
    if not options.targets:
        return FittedTensors([], {}, [])
    for target in options.targets:
        job.progress.say(f"tensor {target.name}")
        output, choices = _fit_target(job, target, bare, checkpoint)
        outputs.append(output)
        report[target.name] = {"unit": target.stored_unit, "regularization": choices, "baseline": output.baseline}
    model = replace(bare, outputs=outputs, has_energy=False, committee=Committee(members) if members else None)
    engine = options.engine.arguments()
    predictions = predict_tensors(model, job.data.structures, options.targets, job.threads, engine, job.progress)
    for k, target in enumerate(options.targets):
        if members:
            outputs[k].committee_scale = _scale(job, target, predictions, members)
            report[target.name]["committee_scale"] = outputs[k].committee_scale
        report[target.name]["errors"] = table_of(job.data.structures, predictions, target)
    return FittedTensors(outputs, report, predictions)


def _scale(job, target, predictions, members) -> float:
    """Calibration of the spread by the validation set."""
    held_out = [k for k, s in enumerate(job.data.structures) if s.split == "validation"]
    errors, spread = members_and_errors(job.data.structures, predictions, target, held_out)
    if not len(errors):
        job.note(f"WARNING: no validation labels of '{target.name}', its committee is not calibrated (scale 1)")
        return 1.0
    return calibration_scale(errors, spread, members)


def _fit_target(job: Job, target: TargetOptions, bare: Model, checkpoint: Checkpoint):
    labeled = {split: [s for s in job.data.of(split) if _has_labels(s, target)] for split in ("train", "validation")}
    if not labeled["train"]:
        raise OptionError(f"targets: no training structure has labels of '{target.name}'")
    baseline = None
    if target.baseline == "fit":
        baseline = fitted_baseline(target, labeled["train"], bare.species)
    elif target.baseline:
        given = {atomic_numbers[symbol]: float(x) for symbol, x in target.baseline.items()}
        baseline = [given.get(int(z), 0.0) for z in bare.species]
    parts, choices = [], {}
    for o3_lambda in target.degrees:
        rows = PartRows(target, o3_lambda, bare, job.options.engine.arguments(), labeled["train"], job.threads,
                        job.options.seed)  # fmt: skip
        fit = _PartFit(job, rows, baseline, checkpoint)
        weights, choice = fit.solve(labeled)
        parts.append(rows.part(weights))
        choices[f"lambda {o3_lambda}"] = asdict(choice)
    origin = None if target.origin is None else "center_of_mass"
    return TensorOutput(target.name, target.type, parts, target.stored_unit, baseline, origin), choices


def _has_labels(s, target) -> bool:
    label = s.tensors[target.name]
    return len(s.atoms) > 0 and (label.value is not None or label.derivative is not None)


class _PartFit:
    """Weights of one degree of a target from streamed rows."""

    def __init__(self, job: Job, rows: PartRows, baseline, checkpoint: Checkpoint):
        self.job, self.rows, self.baseline, self.checkpoint = job, rows, baseline, checkpoint
        self.target = rows.target

    def solve(self, labeled) -> tuple[np.ndarray, Choice]:
        """Weights (n_members or 1, n_columns) and how the strength was chosen."""
        solver, committee = self.job.options.solver, self.job.options.committee
        criterion = self._criterion(labeled)
        problem = self._problem(labeled, self._n_folds(criterion, len(labeled["train"])))
        prior = self._prior(problem)
        with threadpool_limits(self.job.threads if self.rows.n_columns > 500 else 1, user_api="blas"):
            if criterion == "given":
                choice = Choice(float(self.target.regularization), "given", None)
            else:
                choice = choose_strength(problem, prior, criterion, solver.folds)
            if choice.at_the_end:
                self.job.note(f"'{self.target.name}', lambda {self.rows.o3_lambda}: the regularization "
                              f"{choice.lam:.2g} is at the end of the range that was tried "
                              f"({choice.at_the_end})")  # fmt: skip
            center = prior.unwhiten(augmented_solve(prior.whiten(problem.union()), choice.lam))
            if not committee.members:
                return center[None, :], choice
            gauge = Gauge(np.zeros((0, self.rows.n_columns)), 1.0)
            seed = self.job.options.seed
            return fit_members(problem, prior, choice.lam, center, committee, seed, self.job.progress, gauge), choice

    def _prior(self, problem: Problem) -> Prior:
        blocks, paths = self.rows.prior, self.rows.paths
        if paths is not None:
            squares = problem.squares()
            blocks = [block_of_paths(block, squares, paths) for block in blocks]
        return Prior(blocks)

    def _criterion(self, labeled) -> str:
        wanted = self.job.options.solver.criterion
        if self.target.regularization != "auto":
            return "given"
        if wanted == "validation" and not labeled["validation"]:
            raise OptionError(f"solver.criterion is validation, but no validation structure has '{self.target.name}'")
        if wanted in ("validation", "folds", "gcv"):
            return wanted
        # leaving out each structure, and a strength given for the energy, are of its rows alone
        if labeled["validation"]:
            return "validation"
        return "folds" if len(labeled["train"]) > 1 else "gcv"

    def _n_folds(self, criterion, n) -> int:
        members = self.job.options.committee.members
        wanted = self.job.options.solver.folds if criterion == "folds" else 1
        wanted = max(wanted, 2 * members, 10) if members else wanted
        if wanted > n and members:
            raise OptionError(
                f"{n} training structures with '{self.target.name}' are too few for {wanted} folds; use fewer "
                "committee.members, or more data"
            )
        return max(1, min(wanted, n))

    def _problem(self, labeled, n_folds) -> Problem:
        train, n = labeled["train"], self.rows.n_columns
        folds = dealt(train, n_folds, self.job.options.seed)
        factors = [self._factor(fold, f"fold{k}of{n_folds}") for k, fold in enumerate(folds)]
        problem = Problem([f["all"] for f in factors], {}, sum(int(f["n_rows"]) for f in factors), n)
        if labeled["validation"]:
            held_out = {kind: self._factor(labeled["validation"], f"validation-{kind}", kind)
                        for kind in ("value", "derivative")}  # fmt: skip
            problem.validation = {k: (f["all"], int(f["n_rows"])) for k, f in held_out.items() if f["n_rows"]}
        return problem

    def _factor(self, structures, name, kind=None) -> dict:
        """The factor of the scaled rows of these structures, from the checkpoint if it is there."""
        file = f"tensor-{self.target.name}-{self.rows.o3_lambda}-{name}-{self._key(structures)}.npy"
        stored = self.checkpoint.load_array(file)
        if stored is None:
            factor = Factor(self.rows.n_columns)
            bar = self.job.progress(total=len(structures), desc=f"{self.target.name}, {name}")
            for block in ordered_map(lambda s: self._scaled(s, kind), structures, self.job.threads):
                if len(block):
                    factor.add(block)
                bar.update(1)
            bar.close()
            head = np.zeros((1, self.rows.n_columns + 1))
            head[0, 0] = factor.n_rows
            stored = np.concatenate([head, factor.augmented()])
            self.checkpoint.save_array(file, stored)
        return {"n_rows": stored[0, 0], "all": np.asarray(stored[1:])}

    def _scaled(self, s, kind) -> np.ndarray:
        """[A y] / sigma of a structure."""
        blocks = []
        for k, labels in self.rows.labels(s, self.baseline).items():
            if kind in (None, k):
                rows = self.rows.values(s) if k == "value" else self.rows.derivatives(s)
                blocks.append(np.column_stack([rows, labels]) / self._sigma(s, k))
        return np.concatenate(blocks) if blocks else np.zeros((0, self.rows.n_columns + 1))

    def _sigma(self, s, kind) -> float:
        if kind == "derivative":
            return self.target.derivative.error
        return self.target.error * (1.0 if self.target.per == "atom" else np.sqrt(len(s.atoms)))

    def _key(self, structures) -> str:
        """Hash of what the scaled rows depend on."""
        h = hashlib.sha256(json.dumps(self.target.model_dump(mode="json"), sort_keys=True).encode())
        h.update(repr((self.baseline, self.checkpoint.key, self.rows.n_columns)).encode())
        for s in structures:
            h.update(s.digest.encode())
            for labels in self.rows.labels(s, self.baseline).values():
                h.update(np.ascontiguousarray(labels).tobytes())
        return h.hexdigest()[:16]
