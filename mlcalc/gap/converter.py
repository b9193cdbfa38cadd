# SPDX-License-Identifier: BSD-3-Clause
"""From the data of a QUIP file to a model that gives the same energies, forces and stresses."""

from importlib.metadata import version

import numpy as np

from ..model import Model
from .soap import centers_of, convert_soaps


def convert(gap, species=None) -> Model:
    """The model of a `Gap`. ``species`` (atomic numbers) restricts it, or says what a potential for all is used for.

    Raises ValueError, with one sentence that names the file, for what cannot be converted or is not known."""
    try:
        return _convert(gap, species)
    except ValueError as error:
        raise ValueError(f"{gap.path}: {error}") from None


def _convert(gap, species):
    coordinates = [c for potential in gap.potentials for c in potential.coordinates]
    for c in coordinates:
        if c.kind.lower() != "soap":
            raise ValueError(f"the descriptor {c.kind!r} cannot be converted; those that can: soap")
    for words, _ in gap.core:
        raise ValueError(f"the core potential {' '.join(words)!r} cannot be converted")
    species = species_of(gap, species)
    expansions, terms, constants = convert_soaps(coordinates, species)
    for potential in gap.potentials:
        for z in species:
            constants[z] += potential.e0.get(z, 0.0)
    provenance = {
        "imported": "GAP",
        "label": [potential.label for potential in gap.potentials],
        "gap_version": [potential.version for potential in gap.potentials],
        "files": gap.hashes,
        "versions": {"mlcalc": version("mlcalc")},
    }
    return Model(species=species, expansions=expansions, terms=terms, boundaries=("periodic", "free"),
                 reference_energies=[constants[z] for z in species], provenance=provenance)  # fmt: skip


def species_of(gap, wanted=None):
    """Atomic numbers, ascending: those wanted, else those that the descriptors or the training set name."""
    named = {z for p in gap.potentials for c in p.coordinates for key in ("z", "species_z") for z in c.integers(key)}
    known = (named - {0}) | gap.species
    for_all = all(c.integers("z") == [0] for p in gap.potentials for c in p.coordinates)
    if wanted is not None:
        unknown = sorted(set(wanted) - known)
        if unknown and not for_all:
            raise ValueError(f"the potential is not for the atomic number {unknown[0]}")
        return sorted(int(z) for z in set(wanted))
    if not known:
        raise ValueError("the potential does not say for which species it was made: name them with --species")
    return sorted(known)


def rounding(gap, species):
    """eps sum |w| over the sparse points, eV: how far two programs that round differently may differ."""
    total = 0.0
    for potential in gap.potentials:
        for c in potential.coordinates:
            if centers_of(c, species):
                total += np.abs(c.weights).sum()
    return float(np.finfo(float).eps * total)
