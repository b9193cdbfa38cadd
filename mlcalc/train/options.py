# SPDX-License-Identifier: BSD-3-Clause
"""The options of a training run: what may be written in options.yaml, checked before anything is computed."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .data_options import DataOptions
from .option_checks import OptionError, build, check_keys, check_symbols, choice, nearest, number, parse_bytes

EXPANSION_KEYS = {
    "density": {
        "name": None, "type": None, "n_max": None, "l_max": None, "cutoff": None, "center_atom_weight": None,
        "smoothing": ("type", "width"), "density": ("type", "width"), "scaling": ("rate", "scale", "exponent"),
        "basis": ("type", "radius"), "mixing": ("method", "channels", "matrix", "evaluations"), "accuracy": None,
    },
    "potential": {
        "name": None, "type": None, "n_max": None, "l_max": None, "exponent": None, "smearing": None,
        "basis": ("type", "radius", "widths"), "center_atom_weight": None,
        "mixing": ("method", "channels", "matrix", "evaluations"), "accuracy": None,
    },
}  # fmt: skip


def _check_expansion(mapping, where):
    kind = mapping.get("type") if isinstance(mapping, dict) else None
    choice(kind, tuple(EXPANSION_KEYS), f"{where}.type")
    known = EXPANSION_KEYS[kind]
    check_keys(mapping, known, where)
    for key, nested in known.items():
        if nested and isinstance(mapping.get(key), dict):
            check_keys(mapping[key], nested, f"{where}.{key}")
    for key in ("name", "n_max", "l_max"):
        if mapping.get(key) is None:
            raise OptionError(f"{where}: '{key}' is missing")
    mixing = mapping.get("mixing")
    if mixing:
        if not isinstance(mixing, dict):
            raise OptionError(f"{where}.mixing must be a mapping with method pca, optimize or given")
        choice(mixing.get("method"), ("pca", "optimize", "given"), f"{where}.mixing.method")
        needed = "matrix" if mixing["method"] == "given" else "channels"
        if mixing.get(needed) is None:
            raise OptionError(f"{where}.mixing: method {mixing['method']} needs '{needed}'")
        for key in ("channels", "evaluations"):
            if mixing.get(key) is not None:
                mixing[key] = number(mixing[key], f"{where}.mixing.{key}", low=1, integer=True)


@dataclass
class RegressorOptions:
    type: str
    zeta: int = 4
    points: Any = 1000
    method: str = "fps"
    normalize: bool = True
    epsilon: float = 1e-3
    precision: str = "double"
    #: linear: store what the extrapolation measure needs, n_features^2 numbers per species; auto: up to 512 features
    extrapolation: Any = "auto"

    def check(self, where):
        choice(self.type, ("linear", "kernel"), f"{where}.type")
        choice(self.method, ("fps", "cur"), f"{where}.method")
        choice(self.precision, ("double", "single"), f"{where}.precision")
        choice(self.extrapolation, ("auto", True, False), f"{where}.extrapolation")
        self.zeta = number(self.zeta, f"{where}.zeta", low=1, integer=True)
        self.epsilon = number(self.epsilon, f"{where}.epsilon", low=0)
        if isinstance(self.points, dict):
            check_symbols(self.points, f"{where}.points")
            self.points = {k: number(v, f"{where}.points.{k}", low=1, integer=True) for k, v in self.points.items()}
        else:
            self.points = number(self.points, f"{where}.points", low=1, integer=True)


@dataclass
class SelectionOptions:
    """How many features of each invariant are kept."""

    n: int
    method: str = "fps"

    def check(self, where):
        self.n = number(self.n, f"{where}.n", low=1, integer=True)
        choice(self.method, ("fps", "cur"), f"{where}.method")


@dataclass
class InvariantOptions:
    nu: int
    a: str
    b: str | None = None
    scale: Any = "auto"
    select: Any = None

    def check(self, where):
        choice(self.nu, (1, 2), f"{where}.nu")
        if self.nu == 2 and self.b is None:
            self.b = self.a
        if self.nu == 1 and self.b is not None:
            raise OptionError(f"{where}: nu 1 takes one expansion, 'b' is for nu 2")
        if self.scale != "auto":
            self.scale = number(self.scale, f"{where}.scale", low=0, strict=True)
        if self.select is not None:
            self.select = build(SelectionOptions, self.select, f"{where}.select")


@dataclass
class TermOptions:
    name: str
    invariants: list
    regressor: Any
    #: prior standard deviation of an atom's energy in this term relative to the other terms
    weight: float = 1.0

    def check(self, where):
        if not isinstance(self.invariants, list) or not self.invariants:
            raise OptionError(f"{where}.invariants must be a list with at least one entry")
        self.invariants = [
            build(InvariantOptions, i, f"{where}.invariants[{k}]") for k, i in enumerate(self.invariants)
        ]
        self.regressor = build(RegressorOptions, self.regressor, f"{where}.regressor")
        self.weight = number(self.weight, f"{where}.weight", low=0, strict=True)


@dataclass
class WeightOptions:
    """Expected errors (sigma): a label counts as 1/sigma^2. Energy: eV per atom, a structure of N atoms has sigma
    sqrt(N) [Deringer et al., Chem. Rev. 121, 10073 (2021)]; forces: eV/Angstrom; virial: eV per atom.
    ``config_types`` multiplies the sigmas: {Surface: {energy: 2, forces: 1}} or {Surface: 2}."""

    energy: float = 0.001
    forces: float = 0.1
    virial: float = 0.05
    config_types: dict = field(default_factory=dict)

    def check(self, where):
        for key in ("energy", "forces", "virial"):
            setattr(self, key, number(getattr(self, key), f"{where}.{key}", low=0, strict=True))
        for name, factors in check_keys(self.config_types, list(self.config_types), f"{where}.config_types").items():
            if not isinstance(factors, dict):
                factors = {k: factors for k in ("energy", "forces", "virial")}
            check_keys(factors, ("energy", "forces", "virial"), f"{where}.config_types.{name}")
            for key, value in factors.items():
                factors[key] = number(value, f"{where}.config_types.{name}.{key}", low=0, strict=True)
            self.config_types[name] = factors


@dataclass
class SolverOptions:
    """``method``: qr (rows reduced by orthogonal transformations), normal (sums of squares; falls back to qr when they
    are too ill-conditioned) or auto (normal for linear models above 2000 weights, else qr). ``criterion`` chooses
    the regularisation: validation, folds (cross-validation), structures (exact leave-one-structure-out), gcv or none.
    ``terms``: also choose the relative weights of the terms. ``refit``: once the regularisation is chosen, fit to
    training and validation structures together; the validation errors are then not held out."""

    method: str = "auto"
    regularization: Any = "auto"
    criterion: str = "auto"
    terms: bool = False
    refit: bool = False
    folds: int = 5

    def check(self, where):
        choice(self.method, ("auto", "qr", "normal"), f"{where}.method")
        choice(self.criterion, ("auto", "validation", "folds", "structures", "gcv", "none"), f"{where}.criterion")
        if self.regularization != "auto":
            self.regularization = number(self.regularization, f"{where}.regularization", low=0, strict=True)
            if self.criterion == "auto":
                self.criterion = "none"
        elif self.criterion == "none":
            raise OptionError(f"{where}: criterion none needs a number for 'regularization'")
        for name in ("terms", "refit"):
            choice(getattr(self, name), (True, False), f"{where}.{name}")
        self.folds = number(self.folds, f"{where}.folds", low=2, integer=True)


@dataclass
class CommitteeOptions:
    """``members`` weight sets, each fitted to a random ``fraction`` of the structures without replacement
    [Musil et al., JCTC 15, 906 (2019)]; ``calibrate``: the label whose held-out errors set the stored scale."""

    members: int = 0
    fraction: float = 0.5
    calibrate: str = "energy"

    def check(self, where):
        self.members = number(self.members, f"{where}.members", low=0, integer=True)
        self.fraction = number(self.fraction, f"{where}.fraction", low=0, strict=True)
        if 0 < self.members < 4:
            raise OptionError(f"{where}.members must be 0 or at least 4: the calibration needs a spread")
        if self.fraction >= 1:
            raise OptionError(f"{where}.fraction must be below 1, got {self.fraction}")
        choice(self.calibrate, ("energy", "forces"), f"{where}.calibrate")


@dataclass
class BudgetOptions:
    memory: Any = "2 GB"
    disk: Any = "50 GB"
    threads: int = 0

    def check(self, where):
        self.memory = parse_bytes(self.memory, f"{where}.memory")
        self.disk = parse_bytes(self.disk, f"{where}.disk")
        self.threads = number(self.threads, f"{where}.threads", low=0, integer=True)


@dataclass
class TrainOptions:
    """Everything of one training run."""

    data: Any
    expansions: list
    terms: list
    model: str = "model.mlcalc"
    report: str | None = None
    seed: int = 1
    weights: Any = field(default_factory=dict)
    solver: Any = field(default_factory=dict)
    committee: Any = field(default_factory=dict)
    budget: Any = field(default_factory=dict)
    engine: dict = field(default_factory=dict)
    checkpoint: str | None = None
    keep_checkpoint: bool = False

    def check(self, where):
        where = where or "options"
        self.seed = number(self.seed, "seed", low=0, integer=True)
        self.data = build(DataOptions, self.data, "data")
        for name in ("expansions", "terms"):
            if not isinstance(getattr(self, name), list) or not getattr(self, name):
                raise OptionError(f"'{name}' must be a list with at least one entry")
        for k, expansion in enumerate(self.expansions):
            _check_expansion(expansion, f"expansions[{k}]")
        self.terms = [build(TermOptions, t, f"terms[{k}]") for k, t in enumerate(self.terms)]
        for name, cls in (("weights", WeightOptions), ("solver", SolverOptions), ("committee", CommitteeOptions),
                          ("budget", BudgetOptions)):  # fmt: skip
            setattr(self, name, build(cls, getattr(self, name), name))
        check_keys(
            self.engine, ("lode", "accuracy", "mesh", "order", "interlaced", "k_cutoff", "memory_limit"), "engine"
        )
        self._check_names()
        if self.solver.refit and self.committee.members:
            raise OptionError("solver.refit leaves nothing held out to calibrate a committee with; use one of them")
        if not isinstance(self.model, (str, Path)) or Path(self.model).is_dir():
            raise OptionError(f"model must be the path of a file to write, got {self.model!r}")
        stem = str(self.model).removesuffix(".mlcalc")
        self.report = self.report or f"{stem}-report"
        self.checkpoint = self.checkpoint or f"{stem}-checkpoint"
        for name in ("report", "checkpoint"):
            if Path(getattr(self, name)).is_file():
                raise OptionError(f"{name} must be a folder, {getattr(self, name)} is a file")

    def _check_names(self):
        expansions = [e["name"] for e in self.expansions]
        for kind, names in (("expansions", expansions), ("terms", [t.name for t in self.terms])):
            for name in names:
                if names.count(name) > 1:
                    raise OptionError(f"{kind}: the name '{name}' is used twice")
        for term in self.terms:
            for invariant in term.invariants:
                for name in (invariant.a, invariant.b):
                    if name is not None and name not in expansions:
                        raise OptionError(f"term '{term.name}' uses expansion '{name}'{nearest(name, expansions)}")

    def as_dict(self) -> dict:
        """Plain data, as recorded in the provenance of the model."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=str))


def parse_options(options) -> TrainOptions:
    """Checked options from a TrainOptions, a mapping, or the path of a YAML file.

    Raises OptionError with one sentence that names the entry, and for an unknown name the nearest known one."""
    if isinstance(options, TrainOptions):
        return options
    if isinstance(options, (str, Path)):
        try:
            options = yaml.safe_load(Path(options).read_text())
        except OSError as error:
            raise OptionError(f"cannot read the options file {options}: {error.strerror}") from None
        except yaml.YAMLError as error:
            raise OptionError(f"{options} is not valid YAML: {' '.join(str(error).split())}") from None
    # a deep copy: checking normalises in place
    return build(TrainOptions, json.loads(json.dumps(options, default=str)), "options")
