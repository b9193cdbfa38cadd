# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc convert``: a model file from a potential in the format of another program."""

from __future__ import annotations

import sys

from ase.data import atomic_numbers
from tqdm import tqdm

from .. import gap
from ..gap.converter import rounding


def convert_file(path, output, species=None, *, progress=True) -> str:
    """Writes the model of a QUIP XML file and returns lines that say what it is made of.

    ``species`` are chemical symbols. Raises ValueError with one sentence; nothing is written then."""
    unknown = [symbol for symbol in species or () if symbol not in atomic_numbers]
    if unknown:
        raise ValueError(f"--species: {unknown[0]!r} is no chemical symbol")
    numbers = [atomic_numbers[symbol] for symbol in species] if species else None
    with tqdm(unit="B", unit_scale=True, disable=not progress, file=sys.stderr, leave=False) as bar:
        data = gap.read(path, bar.update)
    model = gap.convert(data, numbers)
    model.save(output)
    lines = []
    for potential in data.potentials:
        for c in potential.coordinates:
            centers = c.text("z", default="0")
            lines.append(f"{c.kind}, centers {centers}, cutoff {c.text('cutoff')} A, {len(c.points)} sparse points")
    lines.append(f"rounding to be expected: {rounding(data, model.species):.1g} eV per atom")
    return "\n".join([*lines, str(output)])
