# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc convert``: a model file from a potential in the format of another program."""

from __future__ import annotations

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

from ase.data import atomic_numbers, chemical_symbols
from tqdm import tqdm

from .. import gap
from ..gap.check import comparison
from ..gap.converter import SPECIES, rounding
from ..gap.turbo import ENERGY_STEPS
from ..model import Model, TabulatedPairs
from ..model.lammps_table import read_sections
from ..train.data import read_frames


def convert_file(
    path, output, species=None, *, check=None, pairs=None, smoothing=None, units=None, progress=True
) -> str:
    """Writes the model of a QUIP XML file, or of a table of LAMMPS, and returns lines that say what it is made of.

    ``species`` are chemical symbols; ``check`` a file with structures for which QUIP is asked, too. Of tables:
    ``pairs`` words like ``Na-Cl=SECTION``, ``smoothing`` Angstrom, ``units`` metal or real. Raises ValueError with one
    sentence; nothing is written then."""
    with open(path, "rb") as stream:
        is_xml = stream.read(1000).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    of_tables = {"--pairs": pairs, "--smoothing": smoothing, "--units": units}
    if is_xml:
        for option, value in of_tables.items():
            if value is not None:
                raise ValueError(f"{option} is for tables of LAMMPS; {path} is an XML file")
        data, model, lines = _convert_gap(path, species, progress)
        if check is not None:  # first, so that a file that cannot be read is told before anything is written
            lines += comparison(data, model, read_frames(check, ":"))
    else:
        if check is not None:
            raise ValueError(f"--check is for XML files of QUIP; {path} is a table")
        model, lines = _convert_table(path, species, pairs, smoothing, units)
    model.save(output)
    return "\n".join([*lines, str(output)])


def _number_of(symbol, option):
    if symbol not in atomic_numbers:
        raise ValueError(f"{option}: {symbol!r} is no chemical symbol")
    return atomic_numbers[symbol]


def _convert_gap(path, species, progress):
    numbers = [_number_of(symbol, "--species") for symbol in species] if species else None
    with tqdm(unit="B", unit_scale=True, disable=not progress, file=sys.stderr, leave=False) as bar:
        data = gap.read(path, bar.update)
    model = gap.convert(data, numbers)
    lines = [_coordinate(c) for potential in data.potentials for c in potential.coordinates]
    lines += [f"core potential {' '.join(words)}" for words, _ in data.core]
    lines += [f"{e.name}: table of {len(e.tables(model.species)['radial'])} knots" for e in model.expansions]
    for entry in model.pairs:
        knots = ", ".join(f"{_label(pair)} {len(table.values)}" for pair, table in entry.tables.items())
        lines.append(f"{entry.name}: tables of pairs, knots {knots}")
    lines.append(f"rounding to be expected: {rounding(data, model.species):.1g} eV per atom")
    kinds = {c.kind.lower() for potential in data.potentials for c in potential.coordinates}
    if "soap_turbo" in kinds:
        lines.append(ENERGY_STEPS)
    return data, model, lines


def _coordinate(c):
    species = [f"{key}={c.options[key]}" for key in SPECIES[c.kind.lower()] if key in c.options]
    what = ", ".join([c.kind, *species, f"cutoff {c.text('rcut_hard', 'cutoff')} A", f"{len(c.points)} sparse points"])
    if c.covariance == "pp":
        what += "; its kernel has kinks, which tables of pairs smooth (forces to 1e-5 eV/A)"
    return what


def _label(pair):
    return "-".join(chemical_symbols[z] for z in pair)


def _convert_table(path, species, pairs, smoothing, units):
    sections = read_sections(path, units)
    wanted = _sections_of_pairs(path, pairs, sections)
    numbers = {z for pair in wanted for z in pair} | {_number_of(symbol, "--species") for symbol in species or ()}
    tables, lines = {}, []
    for pair, name in wanted.items():
        try:
            tables[pair] = sections[name].table(smoothing)
        except ValueError as error:
            raise ValueError(f"{path}: section {name}: {error}") from None
        label = _label(pair)
        table, end = tables[pair], tables[pair].values[-1]
        lines.append(f"{label}: section {name}, {len(table.values)} knots from {table.inner:g} to {table.cutoff:g} A")
        if not smoothing and max(abs(end[:2])) > 1e-6:
            lines.append(f"WARNING: {label} ends at {end[0]:.3g} eV and {-end[1]:.3g} eV/A, where energies jump: "
                         "see --smoothing")  # fmt: skip
    provenance = {
        "imported": "a table of LAMMPS,",
        "label": [f"{_label(pair)} {name}" for pair, name in wanted.items()],
        "files": {Path(path).name: hashlib.sha256(Path(path).read_bytes()).hexdigest()},
        "versions": {"mlcalc": version("mlcalc")},
    }
    model = Model(sorted(numbers), [], [], pairs=[TabulatedPairs("table", tables)], boundaries=("periodic", "free"),
                  provenance=provenance)  # fmt: skip
    return model, lines


def _sections_of_pairs(path, pairs, sections):
    """{(Z, Z'): section} of words like ``Na-Cl=SECTION``."""
    there = f"the sections of {path}: {', '.join(sections)}"
    if not pairs:
        raise ValueError(f"say with --pairs A-B=SECTION which section is for which pair of elements; {there}")
    wanted = {}
    for word in pairs:
        symbols, equals, name = word.partition("=")
        if not equals or symbols.count("-") != 1:
            raise ValueError(f"--pairs takes words like Na-Cl=SECTION, got {word!r}; {there}")
        if name not in sections:
            raise ValueError(f"--pairs {word}: there is no section {name!r}; {there}")
        pair = tuple(sorted(_number_of(symbol, "--pairs") for symbol in symbols.split("-")))
        if pair in wanted:
            raise ValueError(f"--pairs: {symbols} has two sections")
        wanted[pair] = name
    return wanted
