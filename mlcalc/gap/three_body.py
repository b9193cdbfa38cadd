# SPDX-License-Identifier: BSD-3-Clause
"""Coordinates of triples, ``angle_3b`` and ``distance_Nb`` of order 3 for one element, as kernels of triples."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from ..model import ShiftedCosine, Step, TripleKernel
from .pairs import is_compact

KERNELS = {"ard_se": "gaussian", "pp": "wendland"}


def convert_triples(coordinates, species):
    """A list of `TripleKernel`. Raises ValueError with one sentence for what cannot be converted."""
    triples = []
    for c in coordinates:
        if c.covariance not in KERNELS:
            raise ValueError(f"{c.kind} with covariance_type={c.covariance} cannot be converted")
        if c.points.shape[1] != 3 or c.theta is None or len(c.theta) != 3 or not np.all(c.theta > 0):
            raise ValueError(f"{c.kind} needs sparse points of three numbers and three theta above 0")
        angle = c.kind.lower() == "angle_3b"
        center, neighbors = _species_of_angle(c) if angle else _species_of_sides(c, species)
        if not all(z in (0, *species) for z in (center, *neighbors)):
            continue
        width = c.number("cutoff_transition_width", default="0.5")
        cutoff = c.number("cutoff")
        factor = 2.0 if angle else 1.0  # every triple is there twice, with its neighbors in both orders
        theta = np.mean([c.theta[p] for p in c.permutations], axis=0)
        if not angle:
            theta = np.repeat(theta.mean(), 3)
        triples.append(
            TripleKernel(
                f"triples{len(triples)}", c.points, factor * c.weights, tuple(theta), cutoff,
                smoothing=ShiftedCosine(min(width, cutoff)) if width > 0 else Step(),
                coordinates="angle" if angle else "sides", kernel=KERNELS[c.covariance], center=center or None,
                neighbors=tuple(z or None for z in neighbors),
                constant=factor * c.f0**2 * float((c.alpha * c.cutoffs).sum()),
            )
        )  # fmt: skip
    return triples


def _species_of_angle(c):
    center = c.integers("z_center" if "z_center" in c.options else "z")[0]
    return center, (c.integers("z1")[0], c.integers("z2")[0])


def _species_of_sides(c, species):
    """All three are the same. Raises ValueError for compounds and for clusters that have no center."""
    if not is_compact(c):
        raise ValueError("distance_Nb of order 3 without compact clusters cannot be converted")
    wanted = set(c.integers("z", default="0 0 0"))
    elements = sorted(set(species) if 0 in wanted else wanted)
    if len(elements) > 1:
        names = ", ".join(chemical_symbols[z] for z in elements)
        raise ValueError(f"distance_Nb of order 3 for {names}: its energy in QUIP depends on the order of the atoms "
                         "(libAtoms/GAP issue 90), so there is nothing to reproduce")  # fmt: skip
    if len({tuple(p) for p in c.permutations}) != 6:
        raise ValueError("distance_Nb of order 3 for one element must have six permutations")
    z = elements[0]
    return z, (z, z)
