# SPDX-License-Identifier: BSD-3-Clause
"""From options to a model file, in five steps: data, plan, problem, weights, model."""

from __future__ import annotations

import copy
import dataclasses
import functools
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ..model import Information
from . import coupling
from .checkpoint import Checkpoint, key_of
from .committee import Gauge, fit_members
from .design import PROPERTIES, Design, block_bytes, fits_on_disk
from .final import FitResult, Solution, model_of, model_of_tensors
from .job import Case, Job, check_outputs, data_of, plan_of
from .label_checks import Sample, contradictions
from .learning_curve import Curve, fit_curve, in_order
from .option_checks import OptionError
from .options import TrainOptions, parse_options
from .outside import rows_outside
from .progress import Progress
from .regularize import Choice, Problem, choose_strength, choose_term_weights
from .row_store import RowStore
from .row_tasks import RowTask, factor_of, fold_of, kinds_of, validation_of
from .solve import (
    IllConditioned,
    Prior,
    augmented_solve,
    block_of_paths,
    information_triangle,
    merge,
    normal_solve,
)
from .splits import dealt
from .team import ALONE, Team
from .tensors import fit_tensors

#: weights above which the triangle of the fit is not stored unless it is asked for: 16 MB
MANY_WEIGHTS = 2000


def fit(options, frames=None, *, progress: bool = True, figures: bool = True, comm=None) -> FitResult:
    """Trains a model as the options (a mapping, TrainOptions or the path of a YAML file) say.

    ``frames`` (list of ase.Atoms) replaces the files of ``data.files``. Writes the model file and a report folder, with
    ``figures`` if wanted. A run that was killed and is started again with the same options and data continues from its
    checkpoint.

    ``comm`` is an mpi4py communicator whose ranks all call this and divide the structures among them; only rank 0 looks
    at the other arguments, and only there is a result: on others it is None.

    Raises OptionError for options, DataError for data that cannot be used."""
    team = ALONE if comm is None else Team(comm)
    # threads of a matrix library wait for each other in busy loops: one, except where a matrix is worth more
    with team.led(), threadpool_limits(1, user_api="blas"):
        if team.rank > 0:
            team.serve()
            return None  # type: ignore[return-value]
        return _fit(parse_options(options), frames, progress, figures, team)


def _fit(options: TrainOptions, frames, progress: bool, figures: bool, team: Team) -> FitResult:
    started = time.time()
    if options.scan:
        raise OptionError(
            "scan: one training has one value of each option; run it with mlcalc train or mlcalc.scan.scan"
        )
    check_outputs(options)
    job = data_of(options, frames, Progress(progress), team)
    key, representation = key_of(options, job.data.geometry_digest + job.base_digest), key_of(options)
    keep = options.keep_representation
    with Checkpoint(Path(options.checkpoint), key, representation, keep) as checkpoint:
        if checkpoint.resumed:
            job.progress.say(f"continuing the run of {options.checkpoint}")
        if options.terms:
            job = coupling.resolved(job, checkpoint, trial_score)
            case = plan_of(job, checkpoint)
            solution = weights_of(job, case, checkpoint)
            tensors = fit_tensors(job, case.plan, checkpoint)
            result = model_of(job, case, solution, tensors, frames is not None, started, figures)
        else:
            result = model_of_tensors(job, checkpoint, frames is not None, started, figures)
        if not options.keep_checkpoint:
            checkpoint.clear()
    return result


# the third step: rows are streamed once, factors are left


def problem_of(job: Job, case: Case, checkpoint: Checkpoint, method: str) -> Problem:
    """Factors of the training rows in folds, of the validation rows by kind of label, and samples of both."""
    options, n = job.options, case.maker.n_columns
    n_folds = _n_folds(job, case)
    settings = {"store": _row_store(job, case, checkpoint), "block_bytes": block_bytes(options, n)}
    designs = [
        Design(f"fold{k:03d}of{n_folds}", part, case.maker, **settings)
        for k, part in enumerate(dealt(case.targets["train"], n_folds, options.seed))
    ]
    sample = Sample(options.seed)
    if job.team.size > 1:
        job.progress.say(f"rows on {job.team.size} ranks")
    parts = [_fold(job, case, design, checkpoint, method, sample) for design in designs]
    problem = Problem([f for f, _ in parts], {}, sum(d.n_rows for d in designs), n, len(case.maker.offsets))
    problem.rows_of = lambda targets: Design("again", targets, case.maker, **settings)
    problem.outside = rows_outside(job, case)
    problem.energy_rows = sum(s for _, s in parts)
    problem.structure_rows = lambda: (block for d in designs for block in d.by_structure(job.threads))
    if case.targets["validation"]:
        validation = Design("validation", case.targets["validation"], case.maker, **settings)
        problem.validation = _validation_factors(job, validation)
    if not sample.n:  # all factors were there already
        for design, target in ((d, t) for d in designs for block in d.blocks for t in block):
            if not sample.full:
                sample.add(target, design.unscaled(target))
    problem.sample = sample
    return problem


def _row_store(job: Job, case: Case, checkpoint: Checkpoint) -> RowStore:
    """The rows of this representation, without those of others and of structures that are not there any more."""
    targets = [t for part in case.targets.values() for t in part]
    if not fits_on_disk(job.options, sum(t.n_rows for t in targets), case.maker.n_columns):
        return RowStore(None)
    store = RowStore(checkpoint.rows(case.maker.representation), job.note)
    store.keep({t.row_key for t in targets})
    return store


def _fold(job, case, design, checkpoint, method, sample):
    """The factor of one fold, and the sum of its energy rows."""
    key = f"{method}-{design.label_key()}"
    names = f"{design.name}-{key}.npy", f"{design.name}-sum-{key}.npy"
    factor, total = (checkpoint.load_array(name) for name in names)
    if factor is not None and total is not None:
        return factor, np.array(total)
    if job.team.size > 1:
        made, total = job.team.call(fold_of, _task(job, design, method), design.targets)
        design.store.look()
    else:
        made, total = factor_of(design, method, job.threads, job.progress, functools.partial(_sample, sample))
    checkpoint.save_array(names[0], made.augmented())
    checkpoint.save_array(names[1], total)
    # mapped, not held: the factors of many folds would not fit the budget
    return checkpoint.load_array(names[0]), total


def _sample(sample: Sample, block, raw):
    """Gives the rows of each structure of a block to the sample."""
    at = dict.fromkeys(raw, 0)
    for target in block:
        if sample.full:
            return
        counts = {**target.counts, "sum": 1}
        sample.add(target, {kind: raw[kind][at[kind] : at[kind] + counts[kind]] for kind in raw})
        for kind in at:
            at[kind] += counts[kind]


def _task(job: Job, design: Design, method: str = "qr") -> RowTask:
    return RowTask.of(design, job.threads, block_bytes(job.options, design.maker.n_columns), method)


def _validation_factors(job: Job, design: Design):
    if job.team.size > 1:
        parts = job.team.call(validation_of, _task(job, design), design.targets)
        design.store.look()
    else:
        parts = kinds_of(design, job.threads, job.progress)
    return {kind: (f.augmented(), f.n_rows) for kind, f in parts.items() if f.n_rows}


def _criterion(options: TrainOptions, case: Case) -> str:
    wanted = options.solver.criterion
    has_validation = bool(case.targets["validation"])
    if wanted == "auto" and len(case.targets["train"]) == 1 and not has_validation:
        return "gcv"
    if wanted == "auto":
        return "validation" if has_validation else "folds"
    if wanted == "validation" and not has_validation:
        raise OptionError("solver.criterion is validation, but the split leaves no validation structures")
    if wanted == "structures" and case.maker.offsets:
        raise OptionError("solver.criterion structures cannot be combined with data.energy_offset; use folds")
    return wanted


def _n_folds(job: Job, case: Case) -> int:
    solver, members, n = job.options.solver, job.options.committee.members, len(case.targets["train"])
    wanted = 1
    if _criterion(job.options, case) == "folds":
        wanted = solver.folds
        if wanted > n > 1 and "folds" not in solver.model_fields_set:
            wanted = n
            solver.folds = n
    if members:
        wanted = max(wanted, 2 * members, 10)
    if wanted > n:
        few = "committee.members" if members else "solver.folds"
        raise OptionError(f"{n} training structures are too few for {wanted} folds; use fewer {few}, or more data")
    return wanted


# the fourth step: from factors to weights


def weights_of(job: Job, case: Case, checkpoint: Checkpoint) -> Solution:
    """The fit, by QR where sums of squares lose too many digits."""
    method = _method(job.options, case)
    while True:
        problem = problem_of(job, case, checkpoint, method)
        case = balanced(case, problem)
        for text in contradictions(problem.sample, case.prior.whiten):
            if text not in job.notes:
                job.note(text)
        try:
            with threadpool_limits(job.threads if case.maker.n_columns > 500 else 1, user_api="blas"):
                return _solve(job, case, problem, method)
        except IllConditioned as error:
            job.note(f"normal equations were left for QR: {error}")
            method = "qr"


def balanced(case: Case, problem: Problem) -> Case:
    """The case with a prior in which each path of a product within channels may add as much to the labels."""
    if not case.paths:
        return case
    squares, blocks = problem.squares(), []
    for column, block in zip(case.columns, case.prior.blocks, strict=True):
        paths = case.paths.get(column.name)
        if paths is not None:
            block = block_of_paths(block, squares, paths)
        blocks.append(block)
    return dataclasses.replace(case, prior=Prior(blocks))


def _method(options: TrainOptions, case: Case) -> str:
    if options.solver.method != "auto":
        return options.solver.method
    kernels = any(t.regressor.type == "kernel" for t in options.terms)
    # descriptors are nearly dependent: sums of squares pay only where the rows are the larger part of the work
    large = case.maker.n_columns > 2000
    return "normal" if large and not kernels and not case.maker.offsets else "qr"


def _choose(job: Job, case: Case, problem: Problem):
    """The prior with the weights of the terms, and the strength."""
    solver = job.options.solver
    criterion = _criterion(job.options, case)
    if criterion == "none":
        return case.prior, Choice(float(solver.regularization), "given", None)
    job.progress.say(f"choosing the regularization by {criterion}")
    if solver.terms and len(job.options.terms) > 1:
        terms = [c.term for c in case.columns]
        return choose_term_weights(problem, case.prior, terms, criterion, solver.folds, job.progress.say)
    return case.prior, choose_strength(problem, case.prior, criterion, solver.folds)


def _information(job: Job, case: Case, rows: np.ndarray, prior: Prior, choice: Choice) -> Information | None:
    """The triangle of the fit, where the options want it."""
    wanted, n = job.options.information, case.maker.n_weights
    if wanted is False or (wanted == "auto" and n > MANY_WEIGHTS):
        return None
    triangle = information_triangle(rows, prior, choice.lam, len(case.maker.offsets))
    sigma = {kind: getattr(job.options.weights, kind) for kind in PROPERTIES}
    return Information.of([t.name for t in job.options.terms], sigma, triangle)


def _solve(job: Job, case: Case, problem: Problem, method: str) -> Solution:
    prior, choice = _choose(job, case, problem)
    if choice.at_the_end:
        job.note(f"The regularization {choice.lam:.2g} is at the end of the range that was tried ({choice.at_the_end})")
    rows = _final_rows(job, problem)
    whitened = prior.whiten(rows)
    if method == "normal":
        v = normal_solve(whitened, choice.lam, proven=choice.criterion in ("validation", "folds"))
    else:
        v = augmented_solve(whitened, choice.lam, problem.n_free)
    center = prior.unwhiten(v)
    if not np.isfinite(center).all():
        raise np.linalg.LinAlgError("the solution is not finite; raise solver.regularization")
    members, committee = center[None, :], job.options.committee
    if committee.members:
        gauge = Gauge.of(problem.energy_rows, case, job.options.weights.energy)
        seed = job.options.seed
        members = fit_members(problem, prior, choice.lam, center, committee, seed, job.progress, gauge)
    information = _information(job, case, rows, prior, choice)
    return Solution(members, choice, information, _curve(job, case, problem, prior, choice))


def _curve(job: Job, case: Case, problem: Problem, prior: Prior, choice: Choice) -> Curve | None:
    """The fits of the learning curve, if there is to be one."""
    sizes = job.options.learning_curve
    if not sizes:
        return None
    assert problem.rows_of is not None
    design = problem.rows_of(in_order(case.targets["train"], job.options.seed))
    job.progress.say("fits of the learning curve")
    with job.unharmed("the learning curve"):
        return fit_curve(sizes, design, problem, prior, choice.lam if choice.criterion == "given" else None,
                         job.threads)  # fmt: skip
    return None


def _final_rows(job: Job, problem: Problem):
    """Training rows, with ``refit`` together with those of the validation set."""
    if not (job.options.solver.refit and problem.validation):
        return problem.union()
    job.note("The final fit includes the validation set (solver.refit): its errors are not held out.")
    return merge([problem.union(), *(a for a, _ in problem.validation.values())], problem.n_columns)


def trial_score(job: Job) -> float:
    """The score of the best regularization with these options, for choices that are made before the fit."""
    options = copy.deepcopy(job.options)
    options.committee.members = 0
    if options.solver.criterion == "none":  # a score is needed, whatever the strength of the final fit
        options.solver.regularization, options.solver.criterion = "auto", "auto"
    job = job.changed(options=options, progress=Progress(False), notes=[])
    with tempfile.TemporaryDirectory() as folder, Checkpoint(Path(folder) / "trial", "trial") as checkpoint:
        case = plan_of(job, checkpoint)
        problem = problem_of(job, case, checkpoint, _method(options, case))
        case = balanced(case, problem)
        return _choose(job, case, problem)[1].lowest
