# SPDX-License-Identifier: BSD-3-Clause
"""Neighbor lists in the form the core reads: full, grouped by center, with periodic images folded into the cell.

A list is three arrays ``(first, j, r_ij)``: the pairs of center ``i`` are ``first[i] .. first[i + 1]``, ``j``
(n_pairs,) int32 is the neighbor's index and ``r_ij`` (n_pairs, 3) float64 the vector from center to neighbor in
Angstrom, with the periodic shift. This is the only module that knows a neighbor-list library.
"""

from __future__ import annotations

import math
import os

import numpy as np
import vesin
from ase.geometry import complete_cell, minkowski_reduce
from scipy.spatial import cKDTree

from .._engine import PairVectors

FARTHEST = 1e8  # Angstrom; the distance of two atoms there is known to 1e-8 Angstrom
SHORTEST = 0.1  # Angstrom, between an atom and its image
BYTES_PER_PAIR = 96  # the library's own copy, the arrays made from it, and the vectors


def full_neighbor_list(atoms, cutoff: float):
    """Every pair closer than ``cutoff`` (Angstrom), both ways: ``first`` (n_atoms + 1,), ``j`` (n_pairs,), ``r_ij``
    (n_pairs, 3).

    A cell smaller than the cutoff gives an atom several images of a neighbor, and images of itself. Raises ValueError
    for positions that are not finite, for a periodic direction without a cell vector, and for a system whose list
    would not fit.
    """
    neighbors = SkinNeighborList(cutoff)
    return neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)


def nearest_distances(atoms, reach: float) -> np.ndarray:
    """Distance (n_atoms,), Angstrom, of each atom to its nearest neighbor, inf where none is within ``reach``."""
    first, _, r_ij = full_neighbor_list(atoms, reach)
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, np.repeat(np.arange(len(atoms)), np.diff(first)), np.linalg.norm(r_ij, axis=1))
    return nearest


class SkinNeighborList:
    """A neighbor list made with ``cutoff + skin`` and kept while no pair can have come within ``cutoff`` unseen.

    Between builds only the vectors are computed anew, from the positions and the integer shifts of the pairs. The list
    returned holds pairs up to ``cutoff + skin`` and beyond; the core skips what is beyond its cutoff. A displacement is
    measured modulo the cell, so atoms may be wrapped at any time. When the cell is strained by F, a pair that was not
    listed is now at least ``sigma_min(F) (cutoff + skin) - 2 u`` apart, u being the largest displacement that is not
    part of the strain; the list is kept while this is above the cutoff [the usual criterion, D. Frenkel and B. Smit,
    Understanding Molecular Simulation, appendix F, with strain].
    """

    def __init__(self, cutoff: float, skin: float = 0.0):
        if not (np.isfinite(cutoff) and cutoff >= 0):
            raise ValueError(f"the cutoff must be a length of 0 or more, got {cutoff}")
        if not (np.isfinite(skin) and skin >= 0):
            raise ValueError(f"the skin must be a length of 0 or more, got {skin}")
        self.cutoff = float(cutoff)
        self.skin = float(skin)
        self.n_builds = 0
        self.reset()

    def reset(self):
        """Forget the list; the next ``update`` makes it anew."""
        self._positions = None

    def update(self, positions, cell, pbc, block=None):
        """``(first, j, r_ij)`` for ``positions`` (n_atoms, 3), ``cell`` (3, 3) and ``pbc`` (3,).

        With ``block = (begin, end)`` only these atoms are centers, and ``j`` counts from ``begin`` and goes round: the
        numbering of ``numpy.roll(atoms, -begin)``, where the centers come first. The arrays belong to the list and are
        overwritten by the next ``update``.
        """
        positions = np.ascontiguousarray(positions, dtype=np.float64)
        cell = np.array(cell, dtype=np.float64)
        pbc = np.array(pbc, dtype=bool)
        unwrapped = None
        if self._positions is not None and self.skin > 0 and block == self._block:
            unwrapped = self._unwrap_if_valid(positions, cell, pbc)
        if unwrapped is None:
            self._build(positions, cell, pbc, block)
        else:
            self._move(unwrapped, cell)
        return self.first, self.j, self.r_ij

    def _unwrap_if_valid(self, positions, cell, pbc):
        """The positions in the images that the stored shifts belong to, or None if the list has to be made anew."""
        if len(positions) != len(self._positions) or not np.array_equal(pbc, self._pbc):
            return None
        reference, slack = self._positions, self.skin
        if not np.array_equal(cell, self._cell):
            if not pbc.all():
                return None
            strain = np.linalg.solve(self._cell, cell)
            slack = np.linalg.svd(strain, compute_uv=False)[-1] * (self.cutoff + self.skin) - self.cutoff
            if not slack > 0:
                return None
            reference = reference @ strain
        displacement = positions - reference
        if _longest_squared(displacement) * 4 <= slack * slack:
            return positions
        if not pbc.any() or not np.isfinite(displacement).all():
            return None
        images = np.rint(displacement @ np.linalg.inv(_lattice(cell, pbc))) * pbc
        shift = images @ cell
        if _longest_squared(displacement - shift) * 4 > slack * slack:
            return None
        return positions - shift

    def _build(self, positions, cell, pbc, block):
        self._positions = None
        n_atoms = len(positions)
        begin, end = (0, n_atoms) if block is None else block
        reach = self.cutoff + self.skin
        _check(positions, cell, pbc, reach)
        self.n_builds += 1
        centers, neighbors, shifts = _find_pairs(positions, cell, pbc, reach if self.cutoff > 0 else 0.0)
        first = np.searchsorted(centers, np.arange(begin, end + 1))
        mine = slice(first[0], first[-1])
        self.first = (first - first[0]).astype(np.int32)
        j_atom = neighbors[mine].astype(np.int32)
        self.j = j_atom
        if begin > 0:
            self.j = np.where(j_atom < begin, j_atom + (n_atoms - begin), j_atom - begin).astype(np.int32)
        shift, self._shifts = _numbered(shifts[mine])
        self._vectors = PairVectors(self.first, j_atom, shift, n_atoms, len(self._shifts), begin)
        self._positions, self._cell, self._pbc, self._block = positions.copy(), cell, pbc, block
        self._move(positions, cell)

    def _move(self, positions, cell):
        """The vectors for new positions and cell."""
        self.r_ij = self._vectors.compute(positions, self._shifts @ cell)


def _numbered(shifts):
    """The shift of each pair as a number, and the shifts (n, 3) that the numbers stand for."""
    if len(shifts) == 0:
        return np.zeros(0, dtype=np.int32), np.zeros((1, 3))
    low = shifts.min(axis=0).astype(np.int64)
    shape = [int(n) for n in shifts.max(axis=0) - low + 1]
    if math.prod(shape) > 4096:  # atoms far from their cell
        used, number = np.unique(shifts, axis=0, return_inverse=True)
        return number.astype(np.int32).ravel(), used.astype(float)
    number = (shifts - low) @ np.array([shape[1] * shape[2], shape[2], 1])
    return number.astype(np.int32), np.indices(shape).reshape(3, -1).T + low.astype(float)


def _longest_squared(vectors):
    return np.einsum("ix,ix->i", vectors, vectors).max(initial=0.0)


def _lattice(cell, pbc):
    """The cell with the vectors of directions that are not periodic replaced by perpendicular unit vectors."""
    return complete_cell(np.where(pbc[:, None], cell, 0.0))


def _find_pairs(positions, cell, pbc, reach):
    """Centers in ascending order, neighbors, and shifts (n_pairs, 3) in units of the cell vectors."""
    if reach == 0 or len(positions) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros((0, 3), dtype=np.int32)
    lattice, of_cell = _compact(_lattice(cell, pbc), pbc)
    shortest = np.linalg.norm(lattice[pbc], axis=1).min(initial=np.inf)
    if shortest < SHORTEST:
        raise ValueError(
            f"the lattice has a vector of {shortest:g} Angstrom, too short for atoms; check the cell {cell}"
        )
    extent = np.where(pbc, 1.0, np.ptp(positions @ np.linalg.inv(lattice), axis=0))
    boxes = np.maximum(1.0, extent / np.linalg.norm(np.linalg.inv(lattice), axis=0) / reach)
    if boxes.max() > 10 * boxes.min():
        # thin systems: there vesin (0.6.2) can take forever, and it divides by zero, which ends the program, where it
        # reduces a large number of boxes to none along the short axis
        centers, neighbors, shifts = _find_pairs_of_thin_system(positions, lattice, pbc, reach)
    else:
        finder = vesin.NeighborList(cutoff=reach, full_list=True, sorted=True, n_threads=1)
        try:
            pairs, shifts = finder.compute(positions, lattice, pbc, "PS")
        except RuntimeError as error:
            if not any(word in str(error) for word in ("unavailable", "alloc", "memory")):
                raise
            # a thread that cannot be started, or memory that ends
            raise MemoryError(f"no memory for the neighbors of {len(positions)} atoms: {error}") from error
        centers, neighbors = pairs.view(np.int64).T
    return centers, neighbors, shifts if of_cell is None else shifts @ of_cell


def _find_pairs_of_thin_system(positions, lattice, pbc, reach):
    """As ``_find_pairs`` by a k-d tree of the atoms and those of their images that are within reach of the cell."""
    inverse = np.linalg.inv(lattice)
    home = np.floor(positions @ inverse) * pbc
    wrapped = positions - home @ lattice
    atom, shift, fractional = np.arange(len(positions)), np.zeros_like(positions), wrapped @ inverse
    for axis in np.flatnonzero(pbc):
        margin = reach * np.linalg.norm(inverse[:, axis])
        steps = np.arange(-np.ceil(margin), np.ceil(margin) + 1)
        moved = fractional[:, axis, None] + steps
        image, step = np.nonzero((moved >= -margin) & (moved <= 1 + margin))
        atom, shift, fractional = atom[image], shift[image], fractional[image]
        shift[:, axis] = steps[step]
        fractional[:, axis] = moved[image, step]
    images = cKDTree(wrapped[atom] + shift @ lattice)
    near = cKDTree(wrapped).sparse_distance_matrix(images, reach, output_type="ndarray")
    near = near[(near["i"] != atom[near["j"]]) | shift[near["j"]].any(axis=1)]
    near = near[np.argsort(near["i"], kind="stable")]
    centers, neighbors = near["i"], atom[near["j"]]
    return centers, neighbors, (shift[near["j"]] + home[centers] - home[neighbors]).astype(np.int64)


def _compact(lattice, pbc):
    """Short vectors of the same lattice, and the integers (3, 3) that make them of the given ones; None if they are the
    given ones. A search over the images of a long and thin cell would take forever."""
    if abs(np.linalg.det(lattice)) > 0.2 * np.prod(np.linalg.norm(lattice, axis=1)):
        return lattice, None
    try:
        return minkowski_reduce(lattice, pbc)
    except RuntimeError as error:
        raise ValueError(f"the cell is too skewed to find neighbors in, {lattice.tolist()}: {error}") from error


def _check(positions, cell, pbc, reach):
    finite = np.isfinite(positions).all(axis=1)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise ValueError(f"the position of atom {bad} is {positions[bad]}, which is not finite")
    far = np.abs(positions).max(axis=1, initial=0.0) > FARTHEST
    if far.any():
        bad = int(np.argmax(far))
        raise ValueError(
            f"atom {bad} is at {positions[bad]}, where distances have no digits left (the limit is {FARTHEST:g} "
            "Angstrom); wrap the atoms, and see whether the dynamics has blown up"
        )
    if not (np.abs(cell) <= FARTHEST).all():
        raise ValueError(f"the cell has to be finite and below {FARTHEST:g} Angstrom, got {cell.tolist()}")
    periodic = cell[pbc]
    lengths = np.linalg.norm(periodic, axis=1)
    spanned = np.sqrt(max(np.linalg.det(periodic @ periodic.T), 0.0)) if len(periodic) else 1.0
    if (lengths == 0).any() or spanned <= 1e-10 * np.prod(lengths):
        raise ValueError(
            f"the cell spans no volume in its periodic directions (pbc {pbc.tolist()}, cell {cell.tolist()}); "
            "give it vectors or switch pbc off"
        )
    n_pairs = _expected_pairs(positions, cell, pbc, reach)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if n_pairs > 2**31 - 1 or n_pairs * BYTES_PER_PAIR > memory:
        raise ValueError(
            f"{len(positions)} atoms have about {n_pairs:.1e} pairs of neighbors and images within {reach:g} Angstrom, "
            "too many for this machine; check the cell, or divide the system over more processes in LAMMPS"
        )


def _expected_pairs(positions, cell, pbc, reach):
    """About how many pairs a homogeneous system of this extent has."""
    if len(positions) == 0:
        return 0.0
    lattice = _lattice(cell, pbc)
    fractional = positions @ np.linalg.inv(lattice)
    extent = np.where(pbc, 1.0, np.ptp(fractional, axis=0) + 2 * reach)
    volume = abs(np.linalg.det(lattice)) * np.prod(extent)
    return len(positions) ** 2 * 4 / 3 * np.pi * reach**3 / volume
