# SPDX-License-Identifier: BSD-3-Clause
"""What is known of every potential without data: atoms far apart do not interact, and close pairs repel.

Each piece of this knowledge is a row of the fit with a wide sigma, so that data outweigh it wherever there are any:

* The terms of the model give nothing for an atom without neighbors.
* The energy of a pair brought closer than any in the data, alone and inside training structures, grows by what the
  screened nuclear repulsion of Ziegler, Biersack and Littmark grows, within half of that.
"""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms

from ..model import Model, Zbl
from ..running.neighbors import full_neighbor_list
from .baseline import estimated_atoms
from .data import Structure
from .design import RowMaker, Target
from .engine import Engine, ordered_map
from .job import Case, Job
from .repulsion import REACH, shortest_distances

#: distances of close pairs beside the shortest in the data
CLOSENESS = (0.85, 0.7, 0.55, 0.4, 0.25, 0.12)
#: environments in which each pair of species is brought together
ENVIRONMENTS = 3
#: Å, edge of the cell of separated atoms where the model needs a periodic one
BOX = 30.0
#: of the far field: errors are far below the sigmas
ACCURACY = 1e-4
#: eV, sigma of the repulsion at least: charges and bonds change the energy of a pair by as much
FLOOR = 3.0
#: sigma of an estimated energy of separated atoms, eV: compounds are bound by their heat of formation, too
ESTIMATED = 2.0


def rows_outside(job: Job, case: Case) -> np.ndarray | None:
    """Rows [A y] / sigma (n_rows, n_columns + 1) of what the options of ``outside`` ask for; None: of nothing."""
    wanted = job.options.outside
    # a few atoms in a large cell are no case for a mesh that was set by hand for the data
    maker = RowMaker(job.options, Engine(case.maker.engine.model, {"accuracy": ACCURACY}), case.columns,
                     list(case.maker.offsets))  # fmt: skip
    vacuum = _Vacuum(job, maker)
    blocks = []
    given = job.base is None and job.options.data.reference_energies not in ("fit", "zero")
    if wanted.separated is not None and given:
        rows = np.array([vacuum.alone(z) for z in job.species])
        blocks.append(_augmented(rows, np.zeros(len(rows)), _sigmas_of_atoms(job, wanted.separated), maker))
    if wanted.close is not None:
        pairs = _ClosePairs(job, case, vacuum, maker)
        rows, grown = pairs.rows()
        labels = grown - pairs.modeled if job.base is None else np.zeros(len(rows))  # what the baseline says is right
        blocks.append(_augmented(rows, labels, np.maximum(FLOOR, wanted.close * np.abs(grown)), maker))
    return np.concatenate(blocks) if blocks else None


def _sigmas_of_atoms(job: Job, sigma: float) -> np.ndarray:
    """Of the energies of separated atoms (n_species,), eV: ``sigma``, and wide for those that are an estimate."""
    guessed = estimated_atoms(job.options, job.data, job.species)
    return np.where(guessed, max(ESTIMATED, sigma), sigma)


def _augmented(rows, labels, sigma, maker: RowMaker) -> np.ndarray:
    out = np.zeros((len(rows), maker.n_columns + 1))
    out[:, : maker.n_weights] = rows
    out[:, -1] = labels
    return out / sigma[:, None]


class _Vacuum:
    """Energy rows of a few atoms alone in space."""

    def __init__(self, job: Job, maker: RowMaker):
        self.maker = maker
        self.periodic = "free" not in job.boundaries
        self._alone: dict[int, np.ndarray] = {}

    def atoms(self, numbers, positions) -> Atoms:
        cell = [BOX] * 3 if self.periodic else None
        return Atoms(numbers, positions, cell=cell, pbc=self.periodic)

    def alone(self, z: int) -> np.ndarray:
        """(n_weights,) of one atom."""
        if z not in self._alone:
            self._alone[z] = energy_row(self.maker, self.atoms([z], [[0.0, 0.0, 0.0]]))
        return self._alone[z]


def energy_row(maker: RowMaker, atoms: Atoms) -> np.ndarray:
    """Derivatives (n_weights,) of the energy with respect to the weights."""
    return maker.unscaled(Target(Structure(atoms, source="a structure outside the data"), None, None, None))["sum"][0]


class _ClosePairs:
    """Structures with one pair brought together, and what its repulsion grows by."""

    def __init__(self, job: Job, case: Case, vacuum: _Vacuum, maker: RowMaker):
        self.job, self.vacuum, self.maker = job, vacuum, maker
        self.bare = _energies_of(job, Zbl(REACH, REACH + 1.0))
        self.switched = _energies_of(job, case.zbl) if case.zbl else (lambda atoms: 0.0)
        self.modeled = np.zeros(0)

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the growth (n_rows, n_weights) and the growth itself (n_rows,), eV; ``modeled`` is the part of it
        that is in the model's own repulsion."""
        maker = self.maker
        changes = list(self._changes())
        every = {id(a): a for change in changes for a in change}
        made = ordered_map(lambda atoms: (energy_row(maker, atoms), self.bare(atoms), self.switched(atoms)),
                           every.values(), self.job.threads)  # fmt: skip
        of = dict(zip(every, made, strict=True))
        difference = [
            tuple(x - y for x, y in zip(of[id(after)], of[id(before)], strict=True)) for before, after in changes
        ]
        self.modeled = np.array([d[2] for d in difference])
        return np.array([d[0] for d in difference]), np.array([d[1] for d in difference])

    def _changes(self):
        """(before, after) of every pair that is brought together."""
        species = self.job.species
        shortest = shortest_distances((s.atoms for s in self.job.train), species)
        rng = np.random.default_rng([self.job.options.seed, 15485863])
        for i, j in itertools.combinations_with_replacement(range(len(species)), 2):
            d, pair = min(shortest[i, j], REACH), [species[i], species[j]]
            apart = self.vacuum.atoms(pair, [[0.0, 0.0, 0.0], [0.4 * BOX, 0.0, 0.0]])
            for factor in CLOSENESS:
                yield apart, self.vacuum.atoms(pair, [[0.0, 0.0, 0.0], [factor * d, 0.0, 0.0]])
            for s in self._environments(pair, d, rng):
                yield from _brought_together(s.atoms, pair, d)

    def _environments(self, pair, d, rng) -> list[Structure]:
        """Some training structures, of the smaller ones, in which the pair is near each other."""
        near = [s for s in self.job.train if _closest(s.atoms, pair, 1.6 * d) is not None]
        near.sort(key=lambda s: len(s.atoms))
        near = near[: max(ENVIRONMENTS, len(near) // 2)]
        chosen = rng.choice(len(near), min(ENVIRONMENTS, len(near)), replace=False) if near else []
        return [near[k] for k in np.sort(chosen)]


def _energies_of(job: Job, zbl: Zbl):
    """atoms -> energy of a repulsion, eV."""
    engine = Engine(Model(species=list(job.species), expansions=[], terms=[], zbl=zbl))
    return lambda atoms: float(np.sum(engine.compute(atoms)["energies"]))


def _closest(atoms: Atoms, pair, reach: float):
    """(i, j, vector) of the closest pair of these species, None if there is none within reach."""
    first, second, r_ij = full_neighbor_list(atoms, reach)
    i = np.repeat(np.arange(len(atoms)), np.diff(first))
    mine = np.flatnonzero((atoms.numbers[i] == pair[0]) & (atoms.numbers[second] == pair[1]) & (i != second))
    if not len(mine):
        return None
    k = mine[np.argmin(np.linalg.norm(r_ij[mine], axis=1))]
    return i[k], second[k], r_ij[k]


def _brought_together(atoms: Atoms, pair, d: float):
    """The structure and itself with its closest pair nearer, both atoms moved by the same length."""
    i, j, vector = _closest(atoms, pair, 1.6 * d)
    r = np.linalg.norm(vector)
    for factor in CLOSENESS:
        moved = atoms.copy()
        step = 0.5 * (1 - factor * d / r) * vector
        moved.positions[i] += step
        moved.positions[j] -= step
        yield atoms, moved
