# SPDX-License-Identifier: BSD-3-Clause
"""The options of the data: files, names and units of labels, splits, what is subtracted before the fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .option_checks import OptionError, build, check_keys, check_symbols, choice, number


@dataclass
class FileOptions:
    """One data file. Keys given here replace those of ``data`` for this file; null says it has no such labels."""

    path: str
    index: str = ":"
    split: str | None = None
    config_type: str | None = None
    energy: Any = "inherit"
    forces: Any = "inherit"
    stress: Any = "inherit"
    virial: Any = "inherit"

    def check(self, where):
        if self.split is not None:
            choice(self.split, ("train", "validation", "test"), f"{where}.split")


@dataclass
class SplitOptions:
    """How structures are divided: ``fraction`` (random), ``file`` (the ``split`` of each file), ``group`` (random, but
    structures with the same ``group`` stay together) or ``key`` (an info entry that says train, validation or test)."""

    method: str = "fraction"
    validation: float = 0.1
    test: float = 0.0
    group: str | None = None
    key: str | None = None

    def check(self, where):
        choice(self.method, ("fraction", "file", "group", "key"), f"{where}.method")
        self.validation = number(self.validation, f"{where}.validation", low=0)
        self.test = number(self.test, f"{where}.test", low=0)
        if self.validation + self.test >= 1:
            raise OptionError(f"{where}: validation and test fractions leave nothing to train on")
        for method in ("group", "key"):
            if self.method == method and not getattr(self, method):
                raise OptionError(f"{where}: method {method} needs '{method}', the name of an entry of atoms.info")


@dataclass
class UnitOptions:
    """Units of the labels, converted to eV and Angstrom on reading."""

    energy: str = "eV"
    length: str = "Angstrom"
    stress: str = "eV/Angstrom^3"
    stress_sign: str = "tensile"
    stress_order: str = "voigt"

    def check(self, where):
        choice(self.energy, ("eV", "meV", "hartree", "kcal/mol", "kJ/mol", "rydberg"), f"{where}.energy")
        choice(self.length, ("Angstrom", "bohr", "nm"), f"{where}.length")
        choice(self.stress, ("eV/Angstrom^3", "GPa", "kbar", "bar"), f"{where}.stress")
        choice(self.stress_sign, ("tensile", "compressive"), f"{where}.stress_sign")
        choice(self.stress_order, ("voigt", "vasp", "lammps"), f"{where}.stress_order")


@dataclass
class DataOptions:
    files: list
    energy: str | None = "energy"
    forces: str | None = "forces"
    stress: str | None = None
    virial: str | None = None
    config_type: str | None = None
    distance: str | None = None
    energy_offset: str | None = None
    units: Any = field(default_factory=dict)
    split: Any = field(default_factory=dict)
    reference_energies: Any = "fit"
    zbl: Any = None
    max_force: float | None = None

    def check(self, where):
        if isinstance(self.files, (str, Path, dict)):
            self.files = [self.files]
        if not isinstance(self.files, list):
            raise OptionError(f"{where}.files must be a list of paths, got {self.files!r}")
        self.files = [
            build(FileOptions, {"path": str(f)} if isinstance(f, (str, Path)) else f, f"{where}.files[{k}]")
            for k, f in enumerate(self.files)
        ]
        self.units = build(UnitOptions, self.units, f"{where}.units")
        self.split = build(SplitOptions, self.split, f"{where}.split")
        self.max_force = number(self.max_force, f"{where}.max_force", low=0, strict=True, optional=True)
        if self.stress and self.virial:
            raise OptionError(f"{where}: name either stress or virial, not both")
        if not (self.energy or self.forces):
            raise OptionError(f"{where}: neither energy nor forces is named, there is nothing to fit")
        if isinstance(self.reference_energies, str):
            choice(self.reference_energies, ("fit", "isolated", "zero"), f"{where}.reference_energies")
        elif isinstance(self.reference_energies, dict):
            where_it = f"{where}.reference_energies"
            check_symbols(self.reference_energies, where_it)
            self.reference_energies = {k: number(v, f"{where_it}.{k}") for k, v in self.reference_energies.items()}
        else:
            raise OptionError(f"{where}.reference_energies must be fit, isolated, zero or {{symbol: eV}}")
        if self.zbl is not None:
            check_keys(self.zbl, ("inner", "outer"), f"{where}.zbl")
            for key in ("inner", "outer"):
                self.zbl[key] = number(self.zbl.get(key), f"{where}.zbl.{key}", low=0, strict=True)
            if self.zbl["inner"] >= self.zbl["outer"]:
                raise OptionError(f"{where}.zbl: inner must be below outer, got {self.zbl}")
