# SPDX-License-Identifier: BSD-3-Clause
"""The first two steps of a training run: the data, and what they decide before any row is computed."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from ..model import Model, Zbl
from ..running.boundaries import kind_of
from .base_models import compute_baseline, load_models
from .baseline import AtomEnergies, make_targets, reference_energies, remarks_on_atoms
from .checkpoint import Checkpoint
from .data import Dataset, load_dataset
from .data_checks import foreign_species, mixed_boundaries
from .data_options import ZblOptions, references_given
from .design import RowMaker, Target
from .engine import Engine
from .expansion_options import FieldOptions
from .learning_curve import check_sizes
from .mixed_channels import mixed_channels
from .option_checks import DataError, OptionError, check_keys
from .options import TrainOptions
from .plan import Columns, Plan, build_model, layout, paths_of, rows_plan, zero_weights
from .progress import Progress
from .repulsion import repulsion_of, shortest_distances, too_far
from .review.outliers import notes_of
from .review.statistics import statistics, text_of
from .select import kernel_matrix, make_plan
from .solve import Prior, PriorBlock, kernel_cholesky
from .team import ALONE, Team


@dataclass
class Job:
    """A run's options and data; ``notes`` are for the report."""

    options: TrainOptions
    data: Dataset
    threads: int
    progress: Progress
    notes: list[str] = field(default_factory=list)
    base: Model | None = None  # data.baseline: the fit is of what it leaves
    base_digest: str = ""
    team: Team = ALONE  # the processes that compute rows and predictions
    statistics: dict = field(default_factory=dict)  # of the data

    @property
    def species(self) -> list[int]:
        return self.data.species

    @property
    def train(self):
        return [s for s in self.data.of("train") if len(s.atoms)]

    @property
    def boundaries(self) -> list[str]:
        return [b for b in self.data.boundaries if b != "wire"] or ["periodic"]

    @cached_property
    def zbl(self) -> Zbl | None:
        """The repulsion of close pairs; models of the baseline have their own."""
        wanted = self.options.data.zbl
        if wanted is None or (self.base is not None and wanted == "auto"):
            return None
        return repulsion_of(wanted, self.species, self.shortest)

    @cached_property
    def shortest(self) -> np.ndarray:
        """Shortest distance of each pair of species in the training structures (n_species, n_species), Å."""
        return shortest_distances((s.atoms for s in self.train), self.species)

    def note(self, text: str):
        """Something that the user should know, now and in the report."""
        self.notes.append(text)
        self.progress.say(text)

    @contextmanager
    def unharmed(self, what: str):
        """What the model does not depend on: a failure becomes a note."""
        try:
            yield
        except Exception as error:
            self.note(f"WARNING: {what} could not be made: {' '.join(str(error).split()) or type(error).__name__}")

    def changed(self, **changes) -> Job:
        """A job that differs in these fields."""
        return dataclasses.replace(self, **changes)


@dataclass
class Case:
    """What the data decided: how columns follow from the representation, and the labels that are left to fit."""

    plan: Plan
    references: AtomEnergies
    n_features: dict[str, int]
    columns: list[Columns]
    prior: Prior
    zbl: Zbl | None
    targets: dict[str, list[Target]]
    maker: RowMaker
    #: of linear terms with products within channels: the path of each feature; other terms are not in it
    paths: dict[str, np.ndarray] = field(default_factory=dict)

    def atoms_of(self, z: int) -> int:
        """Atoms of a species in the training structures."""
        return sum(int(np.sum(t.structure.atoms.numbers == z)) for t in self.targets["train"])


def data_of(options: TrainOptions, frames, progress: Progress, team: Team = ALONE) -> Job:
    """The first step: structures, labels and splits, checked against the options.

    Raises DataError and OptionError for what cannot be trained on."""
    data = load_dataset(options.data, frames, options.seed, options.targets)
    found = statistics(data.structures)
    job = Job(options, data, team.threads(options.budget.threads), progress, team=team, statistics=found)
    progress.say(text_of(found))
    remarks = [*data.notes, *notes_of(found["outliers"], found["duplicates"]), *options.remarks()]
    if isinstance(options.data.zbl, ZblOptions):
        remarks.append(too_far(options.data.zbl, job.species, job.shortest))
    for text in filter(None, remarks):
        job.note(text)
    check_sizes(options, job.train)
    fields = {f"expansions[{k}]": e for k, e in enumerate(options.expansions) if isinstance(e, FieldOptions)}
    if fields:
        _check_boundaries(fields, data)
        mixed = mixed_boundaries(data)
        if mixed:
            job.note(mixed)
    foreign = foreign_species(data, job.species)
    if foreign:
        s, symbol = foreign
        raise DataError(
            f"{s.source}, structure {s.index} ({s.split} set): {symbol} is in no training structure, so nothing can be "
            "learned about it; move structures with it to the training set, or leave this one out"
        )
    if options.data.baseline:
        job.base, job.base_digest, notes = load_models(options.data.baseline, job.species, job.boundaries)
        for text in notes:
            job.note(text)
        compute_baseline(job.base, data.structures, options, job.threads)
    extra = [symbol for symbol in references_given(options.data) if atomic_numbers[symbol] not in job.species]
    if extra:
        job.note(f"{', '.join(extra)}: a reference energy is given, but no training structure has it; not in the model")
    types = sorted({s.config_type for s in data.structures})
    check_keys(options.weights.config_types, types, "weights.config_types")
    return job


def _check_boundaries(fields, data: Dataset):
    """Raises OptionError where a far field of these options is not defined for a structure."""
    for s in data.structures:
        kind = kind_of(s.atoms.pbc)
        where = f"{s.source}, structure {s.index}"
        if kind == "wire":
            raise OptionError(f"{where} is a wire, periodic in one direction, for which no far field is defined; give "
                              "it vacuum and make every direction periodic, or none")  # fmt: skip
        for name, options in fields.items():
            if kind == "slab" and options.exponent > 1:
                raise OptionError(f"{name}.exponent: {where} is a slab, and the far field of slabs is defined for "
                                  f"exponent 1 (and 0), got {options.exponent}; give it vacuum and make every "
                                  "direction periodic")  # fmt: skip


def plan_of(job: Job, checkpoint: Checkpoint) -> Case:
    """The second step: scales, selections and sparse points, the columns of the rows, the labels."""
    options, species = job.options, job.species
    references = reference_energies(options, job.data, species)
    for text in remarks_on_atoms(options, job.data, species, references):
        job.note(text)
    plan = _stored_plan(job, references.values, checkpoint)
    described = build_model(options, plan)
    n_features = {t.name: described.n_features(t) for t in described.terms}
    columns = layout(options, plan, n_features)
    zbl = job.zbl
    targets = {
        k: make_targets(job.data.of(k), species, references.values, zbl, job.threads) for k in ("train", "validation")
    }
    targets = {k: [t for t in v if t.n_rows] for k, v in targets.items()}
    if not targets["train"]:
        raise OptionError("no training structure has any of the labels named in data")
    groups = sorted({s.offset_group for s in job.train if s.offset_group is not None and s.energy is not None})
    bare, scales = rows_plan(options, plan, described)
    skeleton = build_model(options, bare, weights=zero_weights(options, bare, n_features), boundaries=job.boundaries)
    maker = RowMaker(options, Engine(skeleton, options.engine.arguments()), columns, groups, scales)
    paths = {t.name: paths_of(described, t) for t in described.terms}
    linear = {t.name for t in options.terms if t.regressor.type == "linear"}
    paths = {name: p for name, p in paths.items() if p is not None and name in linear}
    return Case(plan, references, n_features, columns, _prior(options, plan, columns), job.zbl, targets, maker, paths)


def _stored_plan(job: Job, references, checkpoint: Checkpoint) -> Plan:
    path = checkpoint.path("plan.npz")
    if path.exists():
        plan = Plan.load(path, job.options)
        if plan.species == job.species:
            if checkpoint.kept:
                job.note("The representation is that of the run before (keep_representation).")
            return plan
        job.note("The representation of the run before is not kept: it is for other species.")
    elif checkpoint.lost:
        job.note("The representation of the run before is not kept: the options of the representation have changed.")
    layers = mixed_channels(job, references, checkpoint)
    plan = make_plan(job.options, job.species, job.train, job.threads, job.progress, layers)
    plan.save(path)
    for term in job.options.terms:
        if term.regressor.type == "kernel":
            empty = [chemical_symbols[z] for z in job.species if not len(plan.points[term.name].get(z, ()))]
            if empty:
                job.note(f"WARNING: term '{term.name}' has no sparse points of {', '.join(empty)}")
    return plan


def _prior(options: TrainOptions, plan: Plan, columns: list[Columns]) -> Prior:
    blocks = []
    for c in columns:
        term = options.terms[c.term]
        factor = None
        if term.regressor.type == "kernel" and c.stop > c.start:
            factor = kernel_cholesky(kernel_matrix(plan.points[c.name][c.species], term.regressor))
        blocks.append(PriorBlock(c.start, c.stop, factor, term.weight))
    return Prior(blocks)


def check_outputs(options: TrainOptions):
    """Finds out before the fit whether the model and the report can be written. Raises OptionError if not."""
    assert options.report is not None
    for what, folder in (("model", Path(options.model).parent), ("report", Path(options.report))):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".mlcalc-probe"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OptionError(f"{what}: nothing can be written to the folder {folder}: {reason}") from None
