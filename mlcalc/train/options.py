# SPDX-License-Identifier: BSD-3-Clause
"""The options of a training run: what may be written in options.yaml, checked before anything is computed."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import Field, model_validator

from .data_options import DataOptions
from .expansion_options import Expansion, LayerOptions, OptimizedChannels, PcaMixing, TermOptions
from .option_checks import (
    Number,
    OptionError,
    Options,
    Positive,
    Size,
    Text,
    Truth,
    Whole,
    build,
    choice,
    nearest,
    parse_bytes,
    word_or,
)
from .target_options import TargetOptions

__all__ = ["OptionError", "TrainOptions", "parse_bytes", "parse_options"]

KINDS = ("energy", "forces", "virial")
NAME = re.compile(r"[A-Za-z0-9_+-]{1,64}")
#: results that ASE or mlcalc has under these names
RESERVED = ("energy", "energies", "free_energy", "forces", "stress", "stresses", "extrapolation", "polarization",
            "born_effective_charges", "energy_components")  # fmt: skip


class FactorOptions(Options):
    """Factors on the expected errors of one config type."""

    energy: Positive = Field(1.0, description="factor on weights.energy")
    forces: Positive = Field(1.0, description="factor on weights.forces")
    virial: Positive = Field(1.0, description="factor on weights.virial")

    @model_validator(mode="before")
    @classmethod
    def _one_for_all(cls, value):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return dict.fromkeys(KINDS, value)
        return value


class WeightOptions(Options):
    """Expected errors (sigma): a label counts as 1 / sigma^2. The energy and the virial of a structure of N atoms have
    sigmas of sqrt(N) times these [Deringer et al., Chem. Rev. 121, 10073 (2021)]."""

    energy: Positive = Field(0.001, description="eV per atom")
    forces: Positive = Field(0.1, description="eV/Å")
    virial: Positive = Field(0.05, description="eV per atom")
    config_types: dict[str, FactorOptions] = Field(
        {}, description="{config type: factor on its sigmas}, or factors for energy, forces and virial"
    )


class SolverOptions(Options):
    """How the weights are found and the regularization is chosen."""

    method: choice("auto", "qr", "normal") = Field(
        "auto",
        description="qr: orthogonal transformations; normal: sums of squares, which fall back to qr when they lose "
        "too many digits; auto: normal for linear models above 2000 weights",
    )
    regularization: word_or("auto", Positive) = Field("auto", description="strength; auto: chosen by the criterion")
    criterion: choice("auto", "validation", "folds", "structures", "gcv", "none") = Field(
        "auto",
        description="error that chooses it: of the validation set, of cross-validation, of leaving out each structure, "
        "generalized cross-validation; none: the number given",
    )
    terms: Truth = Field(False, description="choose the relative weights of the terms, too")
    refit: Truth = Field(False, description="fit to training and validation set together in the end")
    folds: Annotated[Whole, Field(ge=2)] = Field(5, description="parts of the cross-validation")

    @model_validator(mode="after")
    def _criterion_of_a_number(self):
        if self.regularization == "auto" and self.criterion == "none":
            raise ValueError(": criterion none needs a number for 'regularization'")
        if self.regularization != "auto" and self.criterion == "auto":
            self.criterion = "none"
        if self.regularization != "auto" and self.criterion != "none":
            raise ValueError(f": a number for 'regularization' leaves nothing to choose by criterion {self.criterion}")
        return self


class CommitteeOptions(Options):
    """Several sets of weights, each fitted to a part of the structures, for uncertainties."""

    members: Annotated[Whole, Field(ge=0)] = Field(0, description="number of weight sets; 0: none, 8 are usual")
    fraction: Annotated[Number, Field(gt=0, lt=1)] = Field(0.5, description="share of the structures of each member")
    calibrate: choice("energy", "forces") = Field("forces", description="held-out errors that set the stored scale")

    @model_validator(mode="after")
    def _enough(self):
        if 0 < self.members < 4:
            raise ValueError(".members must be 0 or at least 4: the calibration needs a spread")
        return self


class BudgetOptions(Options):
    """What a run may use of the machine."""

    memory: Size = Field(2_000_000_000, description="such as 2 GB; structures and the interpreter come on top")
    disk: Size = Field(50_000_000_000, description="for rows in the checkpoint; what does not fit is computed again")
    threads: Annotated[Whole, Field(ge=0)] = Field(0, description="0: all cores that the process may use")


class OutsideOptions(Options):
    """What is asked of the model where there are no data, within wide margins: a small number of rows of the fit."""

    separated: Positive | None = Field(
        0.02,
        description="eV; expected deviation of an atom far from all others from its reference energy, at least 2 where "
        "that is an estimate; null: any",
    )
    close: Positive | None = Field(
        0.2,
        description="expected relative deviation of pairs closer than in the data from the screened nuclear "
        "repulsion; null: any",
    )
    expanded: Positive | None = Field(
        0.15,
        description="expected deviation of the energy of expanded training structures from the universal binding "
        "curve, as a part of the cohesion of an atom; null: any",
    )


class EngineOptions(Options):
    """How the far field of the training structures is computed; as the arguments of MLCalculator."""

    lode: choice("auto", "ksum", "mesh", "free") = Field("auto", description="evaluator")
    accuracy: Annotated[Positive, Field(lt=1)] = Field(1e-5, description="relative error of the forces through it")
    mesh: Annotated[list[Annotated[Whole, Field(ge=0)]], Field(min_length=3, max_length=3)] = Field(
        [0, 0, 0], description="points of the mesh by hand; 0: chosen by the accuracy"
    )
    order: Annotated[Whole, Field(ge=0)] = Field(0, description="of the mesh's windows by hand; 0: chosen")
    k_cutoff: Annotated[Number, Field(ge=0)] = Field(0.0, description="1/Å by hand; 0: chosen by the accuracy")
    memory_limit: Size = Field(4 << 30, description="that tables of the far field may take")

    def arguments(self) -> dict:
        """As keyword arguments of the engine."""
        return {**self.model_dump(), "mesh": tuple(self.mesh)}


class TrainOptions(Options):
    """Everything of one training run."""

    data: DataOptions = Field(description="structures and labels")
    expansions: list[Expansion] = Field(description="what an atom sees; entries of the types below")
    terms: list[TermOptions] = Field([], description="the energy is the sum of these; without any, only targets")
    targets: list[TargetOptions] = Field([], description="tensors that are learned beside the energy")
    layers: list[LayerOptions] = Field([], description="channels mixed from expansions, for products of many factors")
    model: Text = Field("model.mlcalc", description="file to write, relative to the options file")
    report: Text | None = Field(None, description="folder of the report; by default the model's name and -report")
    seed: Annotated[Whole, Field(ge=0)] = Field(1, description="of everything that is random")
    weights: WeightOptions = Field(WeightOptions(), description="expected errors of the labels")
    solver: SolverOptions = Field(SolverOptions(), description="how the fit is done")
    committee: CommitteeOptions = Field(CommitteeOptions(), description="uncertainties")
    outside: OutsideOptions = Field(OutsideOptions(), description="where there are no data")
    budget: BudgetOptions = Field(BudgetOptions(), description="memory, disk, threads")
    learning_curve: list[Annotated[Whole, Field(ge=2)]] = Field(
        [], description="numbers of training structures; the report has the errors of fits to so many"
    )
    scan: dict[Text, Annotated[list[Any], Field(min_length=1)]] = Field(
        {},
        description="{option: [values]}: a model of every combination is trained, to compare error and cost; options "
        "are written as weights.forces or expansions.rho.cutoff",
    )
    information: choice("auto", True, False) = Field(
        "auto",
        description="store in the model what the labels fix of its weights, for mlcalc select; auto: of up to 2000",
    )
    engine: EngineOptions = Field(EngineOptions(), description="evaluation of the far field")
    checkpoint: Text | None = Field(None, description="folder of what is finished; by default the model's name "
                                                      "and -checkpoint")  # fmt: skip
    keep_checkpoint: Truth = Field(False, description="leave it there when the run has ended, for a run with more data")
    keep_representation: Truth = Field(
        False,
        description="with more data in a checkpoint that was kept: scales, selections, sparse points and mixings stay "
        "those of the run before, so that all its rows can be used",
    )

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value):
        if isinstance(value, dict) and not value.get("terms") and not value.get("targets") and "terms" not in value:
            raise ValueError(": 'terms' is missing")
        required = ("expansions",) if isinstance(value, dict) and value.get("targets") else ("expansions", "terms")
        for name in required:
            if isinstance(value, dict) and name in value and not (isinstance(value[name], list) and value[name]):
                raise ValueError(f" '{name}' must be a list with at least one entry")
        if isinstance(value, dict) and "model" in value and not isinstance(value["model"], (str, Path)):
            raise ValueError(f" model must be the path of a file to write, got {value['model']!r}")
        return value

    @model_validator(mode="after")
    def _consistent(self):
        self._check_names()
        if any(b <= a for a, b in itertools.pairwise(self.learning_curve)):
            raise ValueError(f" learning_curve must be numbers that increase, got {self.learning_curve}")
        if not self.terms:
            self.data.energy = self.data.forces = self.data.stress = self.data.virial = None
        elif not (self.data.energy or self.data.forces):
            raise ValueError("data: neither energy nor forces is named, there is nothing to fit")
        if self.solver.refit and self.committee.members:
            raise ValueError(" solver.refit leaves nothing held out to calibrate a committee with; use one of them")
        if Path(self.model).is_dir():
            raise ValueError(f" model must be the path of a file to write, got {self.model!r}")
        stem = self.model.removesuffix(".mlcalc")
        self.report = self.report or f"{stem}-report"
        self.checkpoint = self.checkpoint or f"{stem}-checkpoint"
        for name in ("report", "checkpoint"):
            if Path(getattr(self, name)).is_file():
                raise ValueError(f" {name} must be a folder, {getattr(self, name)} is a file")
        return self

    def _check_names(self):
        expansions = [e.name for e in self.expansions]
        layers = {layer.name: layer for layer in self.layers}
        sets = expansions + [layer.name for layer in self.layers]
        for kind, names in (("expansions", sets), ("terms", [t.name for t in self.terms]),
                            ("targets", [t.name for t in self.targets])):  # fmt: skip
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f" {kind}: the name '{name}' is used twice")
        for layer in self.layers:
            for name in layer.inputs:
                if name not in expansions:
                    raise ValueError(f" layer '{layer.name}' uses expansion '{name}'{nearest(name, expansions)}")
            if len(set(layer.inputs)) < len(layer.inputs):
                raise ValueError(f" layer '{layer.name}': an expansion is written twice among its inputs")
            largest = max(e.l_max for e in self.expansions if e.name in layer.inputs)
            if layer.l_max > largest:
                raise ValueError(f" layer '{layer.name}': l_max must be at most {largest}, that of its inputs")
        for term in self.terms:
            for invariant in term.invariants:
                for name in (invariant.a, invariant.b):
                    if name is not None and name not in sets:
                        raise ValueError(f" term '{term.name}' uses expansion '{name}'{nearest(name, sets)}")
                if invariant.l_max is not None:
                    _check_channels(f" term '{term.name}'", invariant, layers)
        for target in self.targets:
            if not NAME.fullmatch(target.name) or target.name in RESERVED:
                raise ValueError(
                    f" targets: '{target.name}' cannot be the name of an output: 1 to 64 letters, digits, '_', '-' or "
                    f"'+', and none of {', '.join(RESERVED)}"
                )
            for name in target.sets:
                if name not in sets:
                    raise ValueError(f" target '{target.name}' uses expansion '{name}'{nearest(name, sets)}")
            for product in target.products:
                if not isinstance(product, str):
                    _check_channels(f" target '{target.name}'", product, layers)
        for layer in self.layers:
            if isinstance(layer.mixing, OptimizedChannels):
                users = [t for t in self.terms if any(layer.name in (i.a, i.b) for i in t.invariants)]
                if len(users) != 1 or users[0].regressor.type != "linear":
                    raise ValueError(
                        f" layer '{layer.name}': mixing optimize needs one linear term that uses the layer"
                    )

    def remarks(self) -> list[str]:
        """Notes about options that are legal and have no effect."""
        notes = []
        used = {name for term in self.terms for i in term.invariants for name in (i.a, i.b)}
        used |= {name for target in self.targets for name in target.sets}
        used |= {name for layer in self.layers if layer.name in used for name in layer.inputs}
        notes += [
            f"WARNING: layer '{x.name}' is in no invariant of the terms" for x in self.layers if x.name not in used
        ]
        for e in self.expansions:
            if e.name not in used:
                notes.append(f"WARNING: expansion '{e.name}' is in no invariant of the terms")
            if isinstance(e.mixing, PcaMixing) and e.mixing.evaluations is not None:
                notes.append(f"expansion '{e.name}': mixing.evaluations is of method optimize; pca needs none")
        return notes

    def as_dict(self) -> dict:
        """Plain data, as recorded in the provenance of the model."""
        return self.model_dump(mode="json")


def _check_channels(where: str, product, layers):
    """Raises ValueError if the products within channels are not of a layer, or need larger l than it has."""
    if product.a not in layers:
        raise ValueError(f"{where}: l_max is for layers, '{product.a}' is an expansion")
    if product.l_max[0] > layers[product.a].l_max:
        raise ValueError(f"{where}: l_max must be at most {layers[product.a].l_max}, that of layer '{product.a}'")


def parse_options(options) -> TrainOptions:
    """Checked options from a TrainOptions, a mapping, or the path of a YAML file, whose paths are relative to it.

    Raises OptionError with a sentence that names the entry, and for an unknown name the nearest known one."""
    return options if isinstance(options, TrainOptions) else parse_mapping(*read_mapping(options))


def read_mapping(options) -> tuple[dict, Path | None]:
    """A copy of plain types of what is written, and the folder that its paths are relative to."""
    folder = None
    if isinstance(options, TrainOptions):
        options = options.model_dump(mode="json", exclude_unset=True)
    elif isinstance(options, (str, Path)):
        folder = Path(options).parent
        options = read_yaml(options)
    return json.loads(json.dumps(options, default=_plain)), folder


def parse_mapping(options: dict, folder: Path | None) -> TrainOptions:
    """Checked options from what `read_mapping` gives, which is changed."""
    if folder is not None and isinstance(options, dict):
        _relative_to(folder, options)
    return build(TrainOptions, options, "")


def _plain(value):
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def _relative_to(folder: Path, options: dict):
    """Prefixes the paths in the options with the folder of the options file."""

    def move(mapping, key):
        if isinstance(mapping, dict) and isinstance(mapping.get(key), str):
            mapping[key] = str(folder / Path(mapping[key]).expanduser())

    if "model" not in options:
        options["model"] = TrainOptions.model_fields["model"].default
    for key in ("model", "report", "checkpoint"):
        move(options, key)
    data = options.get("data")
    if isinstance(data, dict):
        move(data, "files")
        move(data, "baseline")
        if isinstance(data.get("baseline"), list):
            data["baseline"] = [str(folder / Path(f).expanduser()) if isinstance(f, str) else f
                                for f in data["baseline"]]  # fmt: skip
        files = data.get("files")
        for k, file in enumerate(files if isinstance(files, list) else [files]):
            move(file, "path")
            if isinstance(file, str) and isinstance(files, list):
                files[k] = str(folder / Path(file).expanduser())


class _Loader(yaml.SafeLoader):
    """YAML with the numbers of version 1.2, in which 1e-3 is a number and 1:30 is not; a repeated name is an error."""

    def construct_mapping(self, node, deep=False):
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name, (key, _) in zip(names, node.value, strict=True):
            if isinstance(name, str) and names.count(name) > 1:
                raise yaml.YAMLError(f"'{name}' is written twice, the second time{key.start_mark}")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))


def read_yaml(path) -> Any:
    """The contents of an options file. Raises OptionError if it cannot be read or is not YAML."""
    try:
        return yaml.load(Path(path).read_text(), _Loader)  # a SafeLoader
    except OSError as error:
        raise OptionError(f"cannot read the options file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
