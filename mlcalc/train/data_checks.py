# SPDX-License-Identifier: BSD-3-Clause
"""What is legal in a data set but usually a mistake: units, boundaries, twins, elements. Notes for the report."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols
from ase.units import GPa

from ..running.boundaries import KINDS, kind_of

NAMES = {"periodic": "are periodic", "slab": "are slabs", "free": "are free"}


def suspicious(data) -> list[str]:
    """Notes about the labels of a data set, from the labels alone."""
    notes = []
    forces = [np.abs(s.forces).max() for s in data.structures if s.forces is not None and len(s.atoms)]
    if forces and max(forces) > 200:
        notes.append(f"WARNING: the largest force is {max(forces):.0f} eV/Angstrom; check data.units")
    stresses = [np.abs(s.virial).max() / s.atoms.get_volume() for s in data.structures
                if s.virial is not None and s.atoms.cell.rank == 3]  # fmt: skip
    if stresses and np.median(stresses) > 0.5:
        notes.append(f"WARNING: the median stress is {np.median(stresses):.3g} eV/Angstrom^3 "
                     f"({np.median(stresses) / GPa:.0f} GPa); are the units right? See data.units")  # fmt: skip
    open_ones = sum(s.virial is not None and not all(s.atoms.pbc) for s in data.structures)
    if open_ones:
        notes.append(f"WARNING: {open_ones} structures with a stress or virial are not periodic in all directions; "
                     "is pbc missing in the data? They are trained on as they are")  # fmt: skip
    train = {s.digest for s in data.of("train")}
    for split in ("validation", "test"):
        twins = sum(s.digest in train for s in data.of(split))
        if twins:
            notes.append(f"WARNING: {twins} structures of the {split} set are also in the training set")
    return notes + _without_energies(data)


def _without_energies(data) -> list[str]:
    """Species whose reference energy nothing determines."""
    train = data.of("train")
    if not any(s.energy is not None for s in train):
        return []
    told = {int(z) for s in train if s.energy is not None for z in s.atoms.numbers}
    silent = [chemical_symbols[z] for z in sorted({int(z) for s in train for z in s.atoms.numbers} - told)]
    if not silent:
        return []
    return [f"WARNING: no training structure with an energy has {', '.join(silent)}; the reference energy is then 0"]


def mixed_boundaries(data) -> str | None:
    """A note if a far field is trained on structures of several kinds of boundaries together."""
    kinds = {kind: [s for s in data.structures if kind_of(s.atoms.pbc) == kind] for kind in KINDS}
    kinds = {kind: members for kind, members in kinds.items() if members}
    if len(kinds) < 2:
        return None
    most = max(kinds, key=lambda kind: len(kinds[kind]))
    others = [
        f"{len(members)} {NAMES[kind]} (the first: {members[0].source}, structure {members[0].index})"
        for kind, members in kinds.items()
        if kind != most
    ]
    return (
        f"WARNING: of {len(data.structures)} structures {' and '.join(others)}, the others {NAMES[most]}: the far "
        "field of a periodic system has no net charge and another zero than that of a slab or of a free one, so that "
        "one model need not fit all; train on one kind, or check the errors of each"
    )


def foreign_species(data, species: list[int]):
    """The first held-out structure with an element that no training structure has, and the element."""
    for s in data.structures:
        for z in s.atoms.numbers:
            if int(z) not in species:
                return s, chemical_symbols[z]
    return None
