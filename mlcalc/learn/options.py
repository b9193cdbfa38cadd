# SPDX-License-Identifier: BSD-3-Clause
"""The options of ``mlcalc learn``, checked before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from ..train.option_checks import Count, NotNegative, Number, Options, Positive, Text, Truth, Whole, choice, word_or
from .names import CLOSEST, LABELS, METHODS

DEFAULT = "tblite.ase:TBLite"


class ReferenceOptions(Options):
    """What labels structures."""

    calculator: Text = Field(
        DEFAULT, description="of ASE, as module:Class; queue: labels are made elsewhere, the loop stops and goes on"
    )
    arguments: dict[str, Any] | None = Field(
        None,
        description="of the calculator; one that is a mapping with class and arguments is made, as the profile of a "
        "code; by default those of GFN2-xTB for tblite, else none",
    )
    isolated: Truth = Field(True, description="energies of separated atoms by the calculator, for the training")
    max_force: Positive | None = Field(50.0, description="eV/Å; structures with a larger force are kept aside")
    jump: Positive | None = Field(
        1.0, description="eV per atom; labels that are farther from what was expected are kept aside"
    )

    def given(self) -> dict[str, Any]:
        """The arguments of the calculator."""
        if self.arguments is not None:
            return self.arguments
        return {"method": "GFN2-xTB", "verbosity": 0} if self.calculator == DEFAULT else {}


class ExploreOptions(Options):
    """The runs with each model: every start structure, as it is and displaced, at every temperature and pressure."""

    engine: choice("ase", "lammps") = Field("ase", description="what runs them")
    temperatures: Annotated[list[Positive], Field(min_length=1)] = Field([300.0, 600.0], description="K")
    pressures: list[Number] = Field([], description="bar; none: constant volume")
    repeats: Count = Field(2, description="runs of each, all but the first from a displaced start structure")
    steps: Count = Field(2000, description="of each run")
    timestep: Positive = Field(0.5, description="fs")
    every: Count = Field(20, description="steps between the structures that can be selected")
    limit: word_or("auto", Positive) = Field(
        0.5, description="eV/Å; a run stops where the force on an atom is more uncertain; auto: as of mlcalc md"
    )
    ranks: Count = Field(1, description="of LAMMPS")


class SelectOptions(Options):
    """The structures of a round that are labeled."""

    method: choice("auto", *METHODS) = Field("auto", description="as of mlcalc select")
    number: Count = Field(10, description="of each round")
    labels: Annotated[list[choice(*LABELS)], Field(min_length=1)] = Field(
        ["energy", "forces"], description="that are counted"
    )
    closest: NotNegative = Field(CLOSEST, description="leave out atoms closer than this part of their covalent radii")
    first: Count = Field(20, description="start structures, rattled, for the first model")
    rattle: Positive = Field(0.1, description="Å; standard deviation of their displacements, at most")
    strain: NotNegative = Field(0.02, description="standard deviation of the strain of their cells")


class LearnOptions(Options):
    """Everything of one loop."""

    structures: Annotated[list[Text], Field(min_length=1)] = Field(
        description="files with the structures to begin with"
    )
    folder: Text = Field("learning", description="of everything that the loop makes")
    reference: ReferenceOptions = Field(ReferenceOptions(), description="labels")
    explore: ExploreOptions = Field(ExploreOptions(), description="runs")
    select: SelectOptions = Field(SelectOptions(), description="what is labeled")
    train: dict[str, Any] = Field(
        {}, description="options of mlcalc train, without files and model; by default those of its template"
    )
    rounds: Count = Field(20, description="at most")
    max_labels: Count | None = Field(None, description="structures that may be labeled in all; null: any number")
    agree: Positive = Field(
        2.0, description="errors of new structures may be this many times their uncertainty for the loop to end"
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(1, description="of everything that is random")
    threads: Annotated[Whole, Field(ge=0)] = Field(0, description="0: all cores that the process may use")

    @model_validator(mode="before")
    @classmethod
    def _one_file(cls, value):
        if isinstance(value, dict) and isinstance(value.get("structures"), (str, Path)):
            value = {**value, "structures": [str(value["structures"])]}
        return value

    @model_validator(mode="after")
    def _of_the_loop(self):
        if not isinstance(self.train.get("data", {}), dict):
            raise ValueError(" train.data must be a mapping of option names to values")
        for name in ("model", "report", "checkpoint"):
            if name in self.train:
                raise ValueError(f" train: '{name}' is named by the loop, leave it out")
        for name in ("scan", "learning_curve"):
            if self.train.get(name):
                raise ValueError(f" train: '{name}' has no place in a loop, leave it out")
        if "files" in self.train.get("data", {}):
            raise ValueError(" train: 'data.files' are those of the loop, leave them out")
        return self
