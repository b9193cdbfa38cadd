# SPDX-License-Identifier: BSD-3-Clause
"""The repulsion of pairs that are closer than any in the data."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from ..model import Zbl
from ..running.neighbors import full_neighbor_list
from .data_options import ZblOptions

#: Å within which distances are looked for
REACH = 4.0
#: outer radius beside the shortest distance in the data, and inner beside outer radius
OUTER, INNER = 0.92, 0.5


def shortest_distances(frames, species) -> np.ndarray:
    """Shortest distance (n_species, n_species) of each pair of species in these ase.Atoms, Å; infinite where no pair is
    within 4 Å."""
    index = np.zeros(max(species) + 1, dtype=int)
    index[list(species)] = np.arange(len(species))
    shortest = np.full((len(species), len(species)), np.inf)
    for atoms in frames:
        first, second, r_ij = full_neighbor_list(atoms, REACH)
        kinds = index[atoms.numbers]
        i = np.repeat(kinds, np.diff(first))
        np.minimum.at(shortest, (i, kinds[second]), np.linalg.norm(r_ij, axis=1))
    return np.minimum(shortest, shortest.T)


def repulsion_of(wanted: ZblOptions | str | None, species, shortest: np.ndarray) -> Zbl | None:
    """The ZBL repulsion that the options ask for, given the shortest distances in the training structures.

    auto: for each pair of species up to 0.92 of the shortest distance in the training structures or the sum of the
    covalent radii, whichever is less, so that it acts where there are no data."""
    if wanted is None:
        return None
    if isinstance(wanted, ZblOptions):
        return Zbl(wanted.inner, wanted.outer)
    covalent = np.add.outer(covalent_radii[species], covalent_radii[species])
    outer = np.minimum(OUTER * shortest, covalent)
    return Zbl((INNER * outer).tolist(), outer.tolist())


def too_far(wanted: ZblOptions, species, shortest: np.ndarray) -> str | None:
    """A note if full repulsion acts at distances that are in the data."""
    i, j = np.unravel_index(np.argmin(shortest), shortest.shape)
    if wanted.inner <= shortest[i, j]:
        return None
    pair = f"{chemical_symbols[species[i]]}-{chemical_symbols[species[j]]}"
    return (
        f"WARNING: data.zbl.inner, {wanted.inner:g} Å, is beyond the shortest distance in the data, {pair} "
        f"{shortest[i, j]:.2f} Å: the whole repulsion is subtracted from labels there; use a smaller radius, or auto"
    )
