# SPDX-License-Identifier: BSD-3-Clause
"""The files of LAMMPS's ``pair_style table``: energies and forces of pairs at distances, in named sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import ase.units
import numpy as np

from .expansions import ShiftedCosine, Step
from .pair_table import PairTable

#: eV of the energies of LAMMPS's units that measure lengths in Angstrom
UNITS = {"metal": 1.0, "real": ase.units.kcal / ase.units.mol}


@dataclass
class Section:
    """Distances (Angstrom), energies (eV) and forces (eV/Angstrom) of a section, and the slopes of the forces at the
    first and the last distance if the file has them (FPRIME)."""

    name: str
    r: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    ends: tuple[float, float] | None = None

    def table(self, smoothing=None) -> PairTable:
        """The table through these energies and forces, times a cutoff function over the last ``smoothing`` Angstrom."""
        ends = None if self.ends is None else (-self.ends[0], -self.ends[1])
        return PairTable.from_points(self.r, self.energies, -self.forces, ends,
                                     ShiftedCosine(smoothing) if smoothing else Step())  # fmt: skip


def read_sections(path, units=None) -> dict[str, Section]:
    """The sections of a file by name. ``units`` (metal, real) replace those that its first line may name as
    ``UNITS: real``; the default is metal. Raises ValueError with one sentence that names the file and the line."""
    lines = Path(path).read_text(errors="replace").splitlines()
    named = re.search(r"UNITS:\s*(\w+)", lines[0]) if lines else None
    units = units or (named[1] if named else "metal")
    if units not in UNITS:
        raise ValueError(f"{path}: tables in units {units} cannot be converted, only {' and '.join(UNITS)}")
    sections, at = {}, 0
    while True:
        at = _next(lines, at)
        if at == len(lines):
            break
        name = lines[at].split()[0]
        try:
            section, at = _section(name, lines, at + 1, UNITS[units])
        except ValueError as error:
            raise ValueError(f"{path}: section {name}: {error}") from None
        if name in sections:
            raise ValueError(f"{path}: there are two sections {name}")
        sections[name] = section
    if not sections:
        raise ValueError(f"{path}: there is no table in it")
    return sections


def _next(lines, at):
    """The next line that is not empty, nor a comment."""
    while at < len(lines) and not lines[at].split("#")[0].strip():
        at += 1
    return at


def _section(name, lines, at, energy):
    at = _next(lines, at)
    if at == len(lines):
        raise ValueError("the file ends before its parameters")
    n, spacing, ends = _parameters(lines[at])
    rows, at = [], at + 1
    while len(rows) < n:
        at = _next(lines, at)
        if at == len(lines):
            raise ValueError(f"the file ends after {len(rows)} of {n} rows")
        words = lines[at].split("#")[0].split()
        if len(words) < 4:
            raise ValueError(f"line {at + 1} must hold index, distance, energy and force, got {lines[at].strip()!r}")
        rows.append([_number(word, at) for word in words[1:4]])
        at += 1
    values = np.array(rows)
    r = spacing(n) if spacing else values[:, 0]
    if n < 4:
        raise ValueError(f"has {n} rows; a table needs four or more")
    if not np.all(np.diff(r) > 0) or r[0] <= 0:
        raise ValueError("its distances must be above 0 and ascend")
    if ends is not None:
        ends = (ends[0] * energy, ends[1] * energy)
    return Section(name, r, energy * values[:, 1], energy * values[:, 2], ends), at


def _number(word, at):
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(f"line {at + 1}: {word!r} is no finite number")
    return value


def _parameters(line):
    """Number of rows, a function that gives the distances (None: those of the rows), slopes of the force or None."""
    words = line.split("#")[0].split()
    numbers, k = {}, 0
    takes = {"N": 1, "R": 2, "RSQ": 2, "FPRIME": 2}
    while k < len(words):
        key = "FPRIME" if words[k] == "FP" else words[k]  # FP in the tables of bonds and angles
        if key == "BITMAP":
            raise ValueError("BITMAP tables cannot be converted; write the table with R, RSQ, or distances of its own")
        if key not in takes:
            raise ValueError(f"the parameter {key!r} is not known; known are N, R, RSQ and FPRIME")
        try:
            numbers[key] = [float(word) for word in words[k + 1 : k + 1 + takes[key]]]
        except ValueError:
            numbers[key] = []
        if len(numbers[key]) < takes[key] or not np.all(np.isfinite(numbers[key])):
            raise ValueError(f"the parameter {key} needs {takes[key]} number{'s' if takes[key] > 1 else ''}")
        k += 1 + takes[key]
    if "N" not in numbers or numbers["N"][0] != int(numbers["N"][0]) or numbers["N"][0] < 1:
        raise ValueError("its parameters must say how many rows it has: N and an integer above 0")
    if "R" in numbers and "RSQ" in numbers:
        raise ValueError("R and RSQ exclude each other")
    spacing = None
    if "R" in numbers:
        spacing = lambda n: np.linspace(*numbers["R"], n)  # noqa: E731
    elif "RSQ" in numbers:
        low, high = numbers["RSQ"]
        spacing = lambda n: np.sqrt(np.linspace(low**2, high**2, n))  # noqa: E731
    return int(numbers["N"][0]), spacing, tuple(numbers["FPRIME"]) if "FPRIME" in numbers else None
