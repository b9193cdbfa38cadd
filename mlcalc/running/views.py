# SPDX-License-Identifier: BSD-3-Clause
"""From ase.Atoms to the arrays that the engine takes."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from .neighbors import full_neighbor_list


class UnknownSpecies(ValueError):
    """Atoms of elements that a model does not have: ``symbols`` are theirs, ``known`` those of the model."""

    def __init__(self, atom: int, symbols: list[str], known: list[str], owner: str):
        names = ", ".join(known)
        super().__init__(f"atom {atom} is {symbols[0]}, which {owner} does not have; it has {names}")
        self.symbols = symbols
        self.known = known


def species_index(known, numbers, owner: str = "the model") -> np.ndarray:
    """Position in ``known`` (ascending atomic numbers) of every atomic number, (n_atoms,) int32.

    Raises UnknownSpecies for an element that is not in ``known``; ``owner`` is what has them, for the message."""
    known, numbers = np.asarray(known, dtype=int), np.asarray(numbers, dtype=int)
    index = np.searchsorted(known, numbers)
    found = index < len(known)
    found[found] = known[index[found]] == numbers[found]
    if not found.all():
        first = numbers[~found]
        unknown = list(dict.fromkeys(symbol_of(z) for z in first))
        raise UnknownSpecies(int(np.argmin(found)), unknown, [symbol_of(z) for z in known], owner)
    return index.astype(np.int32)


def symbol_of(number: int) -> str:
    """The symbol of an element, or what is known of a number that is none."""
    return chemical_symbols[number] if 0 <= number < len(chemical_symbols) else f"number {number}"


def views(potential, atoms: Atoms, cutoff: float | None = None) -> tuple:
    """Species indices, positions, cell, pbc and full neighbor list ``first, j, r_ij``: the arguments of an engine.

    Raises UnknownSpecies, and ValueError as `full_neighbor_list`."""
    species = species_index(potential.species, atoms.numbers)
    neighbors = full_neighbor_list(atoms, potential.cutoff if cutoff is None else cutoff)
    return species, atoms.positions, atoms.cell.array, atoms.pbc, *neighbors
