# SPDX-License-Identifier: BSD-3-Clause
"""The options of the data: files, names and units of labels, splits, what is subtracted before the fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from .option_checks import Number, Options, Positive, Text, choice, mapping_or, word_or

ENERGIES = ("eV", "meV", "hartree", "kcal/mol", "kJ/mol", "rydberg")
LENGTHS = ("Angstrom", "bohr", "nm")
STRESSES = ("eV/Angstrom^3", "hartree/bohr^3", "rydberg/bohr^3", "GPa", "kbar", "bar")
SPLITS = ("train", "validation", "test")
Fraction = Annotated[Number, Field(ge=0, le=1)]
Label = Text | None


class FileOptions(Options):
    """One data file. Names of labels given here replace those of ``data``; null says that the file has none."""

    path: Text = Field(description="a file in any format that ASE reads, relative to the options file")
    index: Text = Field(":", description="which structures, as in Python: ':', '-1', '::10'")
    split: choice(*SPLITS, None) = Field(None, description="for split.method file: train, validation or test")
    config_type: Label = Field(None, description="config type of all structures of this file")
    energy: Label = Field(None, description="name of the energies; by default that of data.energy")
    forces: Label = Field(None, description="name of the forces; by default that of data.forces")
    stress: Label = Field(None, description="name of the stresses; by default that of data.stress")
    virial: Label = Field(None, description="name of the virials; by default that of data.virial")

    def label(self, kind: str, data: DataOptions) -> str | None:
        """The name of a kind of label in this file."""
        return getattr(self if kind in self.model_fields_set else data, kind)


class SplitOptions(Options):
    """How structures are divided into training, validation and test sets."""

    method: choice("fraction", "file", "group", "key") = Field(
        "fraction",
        description="fraction: at random; file: by the 'split' of each file; group: at random, but structures with "
        "the same value of an info entry stay together; key: as an info entry says",
    )
    validation: Fraction = Field(0.1, description="share of the structures that choose the regularization")
    test: Fraction = Field(0.0, description="share of the structures that are only looked at in the end")
    group: Label = Field(None, description="for method group: name of an entry of atoms.info")
    key: Label = Field(None, description="for method key: name of an entry that says train, validation or test")

    @model_validator(mode="after")
    def _complete(self):
        if self.validation + self.test >= 1:
            raise ValueError(": validation and test fractions leave nothing to train on")
        for method in ("group", "key"):
            if self.method == method and not getattr(self, method):
                raise ValueError(f": method {method} needs '{method}', the name of an entry of atoms.info")
        return self


class UnitOptions(Options):
    """Units of the data, converted to eV and Angstrom on reading."""

    energy: choice(*ENERGIES) = Field("eV", description="of energies, virials, and forces times length")
    length: choice(*LENGTHS) = Field("Angstrom", description="of positions and cells")
    stress: choice(*STRESSES, None) = Field(
        None, description="of stresses; by default energy / length^3 with the two above"
    )
    stress_sign: choice("tensile", "compressive") = Field(
        "tensile", description="what is positive; tensile as in ASE, compressive as in VASP and LAMMPS's pressure"
    )
    stress_order: choice("voigt", "vasp", "lammps") = Field(
        "voigt",
        description="order of six numbers, also of virials; voigt: xx yy zz yz xz xy, vasp: xx yy zz xy yz zx, "
        "lammps: xx yy zz xy xz yz",
    )


class ZblOptions(Options):
    """The Ziegler-Biersack-Littmark repulsion of close pairs, subtracted from the labels and added by the model. The
    radii hold for all pairs; with auto every pair of species has its own."""

    inner: Positive = Field(description="Å from which it is switched off")
    outer: Positive = Field(description="Å beyond which there is none")

    @model_validator(mode="after")
    def _ordered(self):
        if self.inner >= self.outer:
            raise ValueError(f": inner must be below outer, got {self.inner} and {self.outer}")
        return self


def _files(value):
    value = [value] if isinstance(value, (str, Path, dict)) else value
    if not isinstance(value, list):
        raise ValueError(f"must be a list of paths, got {value!r}")
    return [{"path": str(f)} if isinstance(f, (str, Path)) else f for f in value]


def _paths(value):
    value = [value] if isinstance(value, (str, Path)) else value
    if not isinstance(value, list) or not all(isinstance(f, (str, Path)) for f in value):
        raise ValueError(f"must be a path or a list of paths, got {value!r}")
    return [str(f) for f in value]


def _word_of_references(value):
    if not isinstance(value, (str, dict)):
        raise ValueError("must be auto, fit, isolated, zero or {symbol: eV}")
    return value


class DataOptions(Options):
    """The data set. A name of labels that no structure has is an error; null: there are no such labels."""

    files: Annotated[list[FileOptions], BeforeValidator(_files)] = Field(description="paths, or entries as below")
    energy: Label = Field("energy", description="name of the energies")
    forces: Label = Field("forces", description="name of the forces")
    stress: Label = Field(None, description="name of the stresses; either stress or virial")
    virial: Label = Field(None, description="name of the virials, -dE/dstrain in units of energy")
    config_type: Label = Field(None, description="info entry by whose values errors are reported and weights set")
    distance: Label = Field(None, description="info entry with a distance: curves of energy against it are drawn")
    energy_offset: Label = Field(
        None, description="info entry whose values have a constant of the energy each, found by the fit"
    )
    units: UnitOptions = Field(UnitOptions(), description="units of the labels")
    split: SplitOptions = Field(SplitOptions(), description="training, validation and test sets")
    reference_energies: Annotated[mapping_or(choice("auto", "fit", "isolated", "zero"), Number),
                                  BeforeValidator(_word_of_references)] = Field(
        "auto",
        description="energy of an atom far from all others: of the isolated atoms in the data, the mean energy (fit), "
        "zero, or given; auto: isolated atoms, or the mean and what it takes to make a gas of atoms of the element",
    )  # fmt: skip
    zbl: word_or("auto", ZblOptions | None) = Field(
        "auto", description="repulsion of close pairs; auto: where the data has no pairs so close; null: none"
    )
    baseline: Annotated[list[Text], BeforeValidator(_paths)] = Field(
        [], description="model files: what they say is subtracted from the labels and is part of the new model; "
        "`mlcalc convert` makes them of GAPs and of tables of pairs",
    )  # fmt: skip
    max_force: Positive | None = Field(None, description="eV/Å; structures with a larger force are left out")

    @model_validator(mode="after")
    def _labels(self):
        if self.stress and self.virial:
            raise ValueError(": name either stress or virial, not both")
        return self


def references_given(options: DataOptions) -> dict[str, Any]:
    """{symbol: eV} of the options, empty if they are to be found."""
    given = options.reference_energies
    return given if isinstance(given, dict) else {}
