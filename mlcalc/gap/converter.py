# SPDX-License-Identifier: BSD-3-Clause
"""From the data of a QUIP file to a model that gives the same energies, forces and stresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np

from ..model import Model
from .glue import convert_glue
from .pairs import convert_pairs
from .soap import centers_of, convert_soaps
from .three_body import convert_triples
from .turbo import convert_turbos

CONVERTIBLE = "soap, soap_turbo, distance_2b, distance_Nb of order 2 and 3, angle_3b"
#: the options of each descriptor that name species
SPECIES = {
    "soap": ("z", "species_z"),
    "soap_turbo": ("species_z",),
    "distance_2b": ("z1", "z2"),
    "distance_nb": ("z",),
    "angle_3b": ("z_center", "z", "z1", "z2"),
}


@dataclass
class Parts:
    """What coordinates become: parts of a model, and constants of the energy by species (eV)."""

    expansions: list = field(default_factory=list)
    terms: list = field(default_factory=list)
    pairs: list = field(default_factory=list)
    triples: list = field(default_factory=list)
    constants: dict[int, float] = field(default_factory=dict)

    def add_constants(self, constants):
        for z, energy in constants.items():
            self.constants[z] = self.constants.get(z, 0.0) + energy


def kind_of(c):
    """soap, pair, .. of a coordinate. Raises ValueError with one sentence for what cannot be converted."""
    kind = c.kind.lower()
    if kind == "distance_nb":
        order = c.integer("order")
        if order not in (2, 3):
            raise ValueError(f"distance_Nb of order {order} cannot be converted; descriptors that can: {CONVERTIBLE}")
        return "pair" if order == 2 else "triple"
    if kind not in SPECIES:
        raise ValueError(f"the descriptor {c.kind!r} cannot be converted; those that can: {CONVERTIBLE}")
    return {"distance_2b": "pair", "angle_3b": "triple"}.get(kind, kind)


def convert(gap, species=None) -> Model:
    """The model of a `Gap`. ``species`` (atomic numbers) restricts it, or says what a potential for all is used for.

    Raises ValueError, with one sentence that names the file, for what cannot be converted or is not known."""
    try:
        return _convert(gap, species)
    except ValueError as error:
        raise ValueError(f"{gap.path}: {error}") from None


def _convert(gap, species):
    coordinates = {}
    for potential in gap.potentials:
        for c in potential.coordinates:
            coordinates.setdefault(kind_of(c), []).append(c)
    species = species_of(gap, species)
    parts = Parts()
    if "soap" in coordinates:
        expansions, terms, constants = convert_soaps(coordinates["soap"], species)
        parts.expansions, parts.terms = expansions, terms
        parts.add_constants(constants)
    expansions, terms = convert_turbos(coordinates.get("soap_turbo", []), species, gap.path.parent)
    parts.expansions += expansions
    parts.terms += terms
    parts.pairs += convert_pairs(coordinates.get("pair", []), species)
    parts.triples += convert_triples(coordinates.get("triple", []), species)
    for k, (words, options) in enumerate(gap.core):
        entries, shifts = convert_glue(words, options, gap.root, species, f"glue{k}" if k else "glue")
        parts.pairs += entries
        parts.add_constants(shifts)
    for potential in gap.potentials:
        parts.add_constants({z: potential.e0.get(z, 0.0) for z in species})
    provenance = {
        "imported": "GAP",
        "label": [potential.label for potential in gap.potentials],
        "gap_version": [potential.version for potential in gap.potentials],
        "files": gap.hashes,
        "versions": {"mlcalc": version("mlcalc")},
    }
    return Model(species=species, expansions=parts.expansions, terms=parts.terms, boundaries=("periodic", "free"),
                 reference_energies=[parts.constants[z] for z in species], provenance=provenance,
                 pairs=parts.pairs, triples=parts.triples)  # fmt: skip


def species_of(gap, wanted=None):
    """Atomic numbers, ascending: those wanted, else those that the descriptors or the training set name."""
    coordinates = [c for p in gap.potentials for c in p.coordinates]
    named = {z for c in coordinates for key in SPECIES.get(c.kind.lower(), ()) for z in c.integers(key)}
    known = (named - {0}) | gap.species
    for_all = any(_is_for_all(c) for c in coordinates)
    if wanted is not None:
        unknown = sorted(set(wanted) - known)
        if unknown and not for_all:
            raise ValueError(f"the potential is not for the atomic number {unknown[0]}")
        return sorted(int(z) for z in set(wanted))
    if not known:
        raise ValueError("the potential does not say for which species it was made: name them with --species")
    return sorted(known)


def _is_for_all(c):
    """Does a coordinate have centers or neighbors of any species?"""
    names = list(SPECIES.get(c.kind.lower(), ()))
    if c.kind.lower() == "angle_3b":
        names.remove("z" if "z_center" in c.options else "z_center")
    return 0 in [c.integers(key)[0] for key in names]


def rounding(gap, species):
    """eps sum |w| over the sparse points, eV: how far two programs that round differently may differ."""
    total = 0.0
    for potential in gap.potentials:
        for c in potential.coordinates:
            if kind_of(c) != "soap" or centers_of(c, species):
                total += np.abs(c.weights).sum()
    return float(np.finfo(float).eps * total)
