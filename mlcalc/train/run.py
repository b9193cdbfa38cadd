# SPDX-License-Identifier: BSD-3-Clause
"""From options to a model file: the steps of a training run, in order."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from . import coupling
from .baseline import make_targets, reference_energies
from .checkpoint import Checkpoint
from .committee import fit_members
from .data import Dataset, load_dataset
from .design import PROPERTIES, Design, RowMaker, block_bytes, fits_on_disk
from .engine import Engine, n_threads
from .errors import calibrate, predict
from .option_checks import OptionError, check_keys
from .options import TrainOptions, parse_options
from .plan import Plan, build_model, layout, species_of, split_weights, zero_weights
from .progress import Progress
from .provenance import provenance
from .regularize import Choice, Problem, choose_strength, choose_term_weights
from .report import write_report
from .select import kernel_matrix, make_plan, species_coupling
from .solve import Factor, IllConditioned, Prior, PriorBlock, augmented_solve, kernel_cholesky, merge, normal_solve


@dataclass
class FitResult:
    """What a run leaves: the model, the report as in report.json, and where they are."""

    model: object
    report: dict
    model_path: Path
    report_path: Path


def fit(options, frames=None, *, progress: bool = True, figures: bool = True) -> FitResult:
    """Trains a model as the options (a mapping, TrainOptions or the path of a YAML file) say.

    ``frames`` (list of ase.Atoms) replaces the files of ``data.files``. Writes the model file and a report folder, with
    ``figures`` if wanted. A run that was killed and is started again with the same options and data continues from its
    checkpoint.

    Raises OptionError for options, DataError for data that cannot be used."""
    run = Run(parse_options(options), frames, Progress(progress))
    # threads of a matrix library wait for each other in busy loops: one, except where a matrix is worth more
    with threadpool_limits(1, user_api="blas"):
        return run.finish(figures)


class Run:
    """One training run. The steps are methods, each keeps its result in the checkpoint."""

    def __init__(self, options: TrainOptions, frames, progress: Progress):
        self.options = options
        self.progress = progress
        self.frames_given = frames is not None
        self.started = time.time()
        self.threads = n_threads(options.budget.threads)
        self.data: Dataset = load_dataset(options.data, frames, options.seed)
        for note in self.data.notes:
            progress.say(note)
        if "mixed" in self.data.boundaries and any(e["type"] == "potential" for e in options.expansions):
            raise OptionError("the far field is defined for fully periodic or free structures, not for slabs or wires")
        self.species = species_of(options, self.data.species)
        self.notes = list(self.data.notes)
        types = sorted({s.config_type for s in self.data.structures})
        check_keys(options.weights.config_types, types, "weights.config_types")

    def prepare(self):
        """Everything up to the first row: plan, columns, targets."""
        options = self.options
        self.checkpoint = Checkpoint(Path(options.checkpoint), options, self.data.digest)
        if self.checkpoint.resumed:
            self.progress.say(f"continuing the run of {options.checkpoint}")
        self.references = reference_energies(options, self.data, self.species)
        train = [s for s in self.data.of("train") if len(s.atoms)]
        self._optimize_couplings(train)
        self.plan = self._plan(train)
        self._describe_columns()
        split = {k: self.data.of(k) for k in ("train", "validation")}
        targets = {k: make_targets(v, self.species, self.references, options.data.zbl, self.threads)
                   for k, v in split.items()}  # fmt: skip
        self.targets = {k: [t for t in v if t.n_rows] for k, v in targets.items()}
        if not self.targets["train"]:
            raise OptionError("no training structure has any of the labels named in data")
        groups = sorted({s.offset_group for s in train if s.offset_group is not None and s.energy is not None})
        engine = Engine(self._skeleton(), options.engine)
        self.maker = RowMaker(options, engine, self.columns, groups)

    def _optimize_couplings(self, train):
        """Expansions whose coupling is to be optimised get the one that was found, as if it had been given."""
        indices = coupling.wanted(self.options)
        if not indices:
            return
        start = {}
        engine = Engine(build_model(self.options, Plan(self.species)), self.options.engine)
        for k in indices:
            entry = self.options.expansions[k]
            channels = int(entry["mixing"]["channels"])
            start[k] = species_coupling(engine, train, entry["name"], channels, self.threads, self.progress)
        self.options = coupling.optimized_options(self, start, self.checkpoint.path("couplings.json"))

    def score(self) -> float:
        """The score of the best regularisation, for choices that are made before the fit."""
        return self._choose(self.factors(self._method()))[1].score

    def _plan(self, train):
        path = self.checkpoint.path("plan.npz")
        if path.exists():
            return Plan.load(path, self.options)
        plan = make_plan(self.options, self.species, train, self.threads, self.progress)
        temporary = path.with_suffix(".tmp")
        plan.save(temporary)
        temporary.replace(path)
        return plan

    def _describe_columns(self):
        described = build_model(self.options, self.plan)
        self.n_features = {t.name: described.n_features(t) for t in described.terms}
        self.columns = layout(self.options, self.plan, self.n_features)
        blocks = []
        for c in self.columns:
            term = self.options.terms[c.term]
            factor = None
            if term.regressor.type == "kernel" and c.stop > c.start:
                factor = kernel_cholesky(kernel_matrix(self.plan.points[c.name][c.species], term.regressor))
            blocks.append(PriorBlock(c.start, c.stop, factor, term.weight))
        self.prior = Prior(blocks)

    def _skeleton(self):
        weights = zero_weights(self.options, self.plan, self.n_features)
        return build_model(self.options, self.plan, weights=weights, boundaries=self._boundaries())

    def _boundaries(self):
        return [b for b in self.data.boundaries if b != "mixed"] or ["periodic"]

    # factors

    def criterion(self) -> str:
        wanted = self.options.solver.criterion
        has_validation = bool(self.targets["validation"])
        if wanted == "auto":
            return "validation" if has_validation else "folds"
        if wanted == "validation" and not has_validation:
            raise OptionError("solver.criterion is validation, but the split leaves no validation structures")
        if wanted == "structures" and self.maker.offsets:
            raise OptionError("solver.criterion structures cannot be combined with data.energy_offset; use folds")
        return wanted

    def _method(self):
        wanted = self.options.solver.method
        if wanted != "auto":
            return wanted
        kernels = any(t.regressor.type == "kernel" for t in self.options.terms)
        # descriptors are nearly dependent: sums of squares pay only where the rows are the larger part of the work
        large = self.maker.n_columns > 2000
        return "normal" if large and not kernels and not self.maker.offsets else "qr"

    def _n_folds(self, criterion):
        members, n = self.options.committee.members, len(self.targets["train"])
        wanted = 1
        if criterion == "folds":
            wanted = self.options.solver.folds
        if members:
            wanted = max(wanted, 2 * members, 10)
        if wanted > n:
            raise OptionError(f"{n} training structures are too few for {wanted} folds; use fewer members or folds")
        return wanted

    def folds(self, n_folds) -> list[list]:
        """Training targets dealt at random to folds."""
        order = np.random.default_rng([self.options.seed, 104729]).permutation(len(self.targets["train"]))
        return [[self.targets["train"][i] for i in np.sort(order[k::n_folds])] for k in range(n_folds)]

    def factors(self, method: str) -> Problem:
        """Streams all rows once; what is left are the factors."""
        criterion = self.criterion()
        n_folds = self._n_folds(criterion)
        n = self.maker.n_columns
        n_rows = sum(t.n_rows for part in self.targets.values() for t in part)
        size = block_bytes(self.options, n)
        stored = fits_on_disk(self.options, n_rows, n)
        folder = self.checkpoint.folder if stored else None
        designs = [
            Design(f"fold{k:03d}of{n_folds}", part, self.maker, folder, size)
            for k, part in enumerate(self.folds(n_folds))
        ]
        folds = []
        for design in designs:
            name = f"{design.name}-{method}.npy"
            factor = self.checkpoint.load_array(name)
            if factor is None:
                total = Factor(n, method)
                for _, rows in design.stream(self.threads, self.progress):
                    for kind in PROPERTIES:
                        if kind in rows:
                            total.add(rows[kind])
                factor = total.augmented()
                self.checkpoint.save_array(name, factor)
                # mapped, not held: the factors of many folds would not fit the budget
                factor = self.checkpoint.load_array(name)
            folds.append(factor)
        problem = Problem(folds, {}, sum(d.n_rows for d in designs), n, len(self.maker.offsets))
        problem.structure_rows = lambda: (block for d in designs for block in d.by_structure(self.threads))
        if self.targets["validation"]:
            validation = Design("validation", self.targets["validation"], self.maker, folder, size)
            problem.validation = self._validation_factors(validation, n)
        return problem

    def _validation_factors(self, design, n):
        parts = {kind: Factor(n) for kind in PROPERTIES}
        for _, rows in design.stream(self.threads, self.progress):
            for kind, block in rows.items():
                parts[kind].add(block)
        return {kind: (f.augmented(), f.n_rows) for kind, f in parts.items() if f.n_rows}

    # solution

    def solve(self) -> tuple[np.ndarray, Choice]:
        """Weights of all columns (n_members, n_columns) and how the regularisation was chosen."""
        method = self._method()
        while True:
            problem = self.factors(method)
            try:
                with threadpool_limits(self.threads if self.maker.n_columns > 500 else 1, user_api="blas"):
                    return self._solve(problem, method)
            except IllConditioned as error:
                self.notes.append(f"normal equations were left for QR: {error}")
                self.progress.say(self.notes[-1])
                method = "qr"

    def _solve(self, problem: Problem, method: str) -> tuple[np.ndarray, Choice]:
        prior, choice = self._choose(problem)
        whitened = prior.whiten(self._final_rows(problem))
        if method == "normal":
            v = normal_solve(whitened, choice.lam)
        else:
            v = augmented_solve(whitened, choice.lam, problem.n_free)
        center = prior.unwhiten(v)
        if not np.isfinite(center).all():
            raise np.linalg.LinAlgError("the solution is not finite; raise solver.regularization")
        committee = self.options.committee
        if not committee.members:
            return center[None, :], choice
        return fit_members(problem, prior, choice.lam, center, committee, self.options.seed, self.progress), choice

    def _final_rows(self, problem):
        """Training rows, with ``refit`` together with those of the validation set."""
        if not (self.options.solver.refit and problem.validation):
            return problem.union()
        self.notes.append("The final fit includes the validation set (solver.refit): its errors are not held out.")
        return merge([problem.union(), *(a for a, _ in problem.validation.values())], problem.n_columns)

    def _choose(self, problem):
        solver = self.options.solver
        criterion = self.criterion()
        if criterion == "none":
            return self.prior, Choice(float(solver.regularization), "given", float("nan"))
        self.progress.say(f"choosing the regularisation by {criterion}")
        if solver.terms and len(self.options.terms) > 1:
            terms = [c.term for c in self.columns]
            return choose_term_weights(problem, self.prior, terms, criterion, solver.folds, self.progress.say)
        return self.prior, choose_strength(problem, self.prior, criterion, solver.folds)

    # model

    def finish(self, figures: bool = True) -> FitResult:
        self.prepare()
        weights, choice = self.solve()
        offsets = {g: float(weights[:, k].mean()) for g, k in self.maker.offsets.items()}
        members = self.options.committee.members
        committee = (members, 1.0) if members else None
        stored = split_weights(weights, self.options, self.plan, self.columns)
        arguments = {"weights": stored, "reference_energies": self.references, "boundaries": self._boundaries()}
        model = build_model(self.options, self.plan, committee=committee, **arguments)
        predictions = predict(model, self.data.structures, self.threads, self.options.engine, self.progress, offsets)
        extra = {"regularization": asdict(choice), "data": self.data.describe(), "offsets": offsets}
        scale = None
        if members:
            held_out = [p for p in predictions if p.structure.split == "validation"]
            extra["committee"] = calibrate(held_out, members, self.options.committee.calibrate)
            scale = extra["committee"]["scale"]
            if not held_out:
                self.notes.append("WARNING: no validation structures, the committee is not calibrated (scale 1)")
            committee = (members, scale)
        extra["seconds"] = time.time() - self.started
        report = write_report(
            self.options.report, predictions, scale=scale, extra=extra, notes=self.notes, figures=figures
        )
        origin = provenance(self.options, self.data, self.frames_given, report, self.notes)
        model = build_model(self.options, self.plan, committee=committee, provenance=origin, **arguments)
        model.save(self.options.model)
        if not self.options.keep_checkpoint:
            self.checkpoint.clear()
        return FitResult(model, report, Path(self.options.model), Path(self.options.report))
