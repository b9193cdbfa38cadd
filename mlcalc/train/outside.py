# SPDX-License-Identifier: BSD-3-Clause
"""What is known of every potential without data: atoms far apart do not interact, close pairs repel, and matter that is
pulled apart gains energy along one and the same curve.

Each piece of this knowledge is a row of the fit with a wide sigma, so that data outweigh it wherever there are any:

* The terms of the model give nothing for an atom without neighbors.
* The energy of a pair brought closer than any in the data, alone and inside training structures, grows by what the
  screened nuclear repulsion of Ziegler, Biersack and Littmark grows, within a fifth of that at each step inward.
* The cohesion of a training structure whose lengths are s times as large is (1 + x) exp(-x) of its own, x = (s - 1) / L
  [Rose, Smith, Guinea, Ferrante, PRB 29, 2963 (1984)], L = sqrt(E / (9 B V)) from cohesion, bulk modulus and volume.
"""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms

from ..checks.curves import BOX, a_few_atoms, at_volume
from ..model import Model, Zbl
from ..running.neighbors import full_neighbor_list, nearest_distances
from .data import Structure
from .design import RowMaker, Target
from .engine import Engine, ordered_map
from .job import Case, Job
from .repulsion import REACH

#: distances of close pairs beside the shortest in the data, on the way inward
CLOSENESS = tuple(np.round(0.9 * 0.84 ** np.arange(12), 3))
#: environments in which each pair of species is brought together
ENVIRONMENTS = 3
#: of the shortest distance within which a pair is near enough to be brought together
NEAR = 1.6
#: L of the binding curve: 0.17 Mo, 0.20 Cu and Si, 0.22 Al and BaTiO3, 0.23 diamond, 0.25 MgO, 0.27 Na, 0.33 NaCl
LENGTH = 0.22
#: s of expanded structures, three for each of so many structures; less is for the data, which may be compressed
EXPANSIONS = (1.15, 1.2, 1.25, 1.32, 1.4, 1.52, 1.7, 1.9)
EXPANDED = 60
#: nearest neighbors are within so much of the cutoff
SEEN = 0.85
#: of the far field: errors are far below the sigmas
ACCURACY = 1e-4
#: eV, sigma of the repulsion at least: charges and bonds change the energy of a pair by as much
FLOOR = 3.0
#: sigma of an estimated energy of separated atoms, eV: of an element that of the mean of its structures; compounds are
#: bound by their heat of formation, too
ESTIMATED_ELEMENT, ESTIMATED_COMPOUND = 0.3, 2.0


def rows_outside(job: Job, case: Case) -> np.ndarray | None:
    """Rows [A y] / sigma (n_rows, n_columns + 1) of what the options of ``outside`` ask for; None: of nothing."""
    wanted, based = job.options.outside, job.base is not None
    absolute = not based and job.options.data.reference_energies not in ("fit", "zero")
    # a few atoms in a large cell are no case for a mesh that was set by hand for the data
    maker = RowMaker(job.options, Engine(case.maker.engine.model, {"accuracy": ACCURACY}), case.columns,
                     list(case.maker.offsets), case.maker.scales)  # fmt: skip
    blocks = []
    if wanted.separated is not None and absolute:
        alone = [a_few_atoms(job.boundaries, [z], [[0.0, 0.0, 0.0]]) for z in job.species]
        rows = np.array([_energy_row(maker, atoms) for atoms in alone])
        sigma = np.maximum(_unsure(job, case), wanted.separated)
        blocks.append(_augmented(rows, np.zeros(len(rows)), sigma, maker))
    if wanted.close is not None:
        rows, grown, modeled = _growth(job, case, maker)
        labels = np.zeros(len(rows)) if based else grown - modeled  # what the baseline says is right
        blocks.append(_augmented(rows, labels, np.maximum(FLOOR, wanted.close * np.abs(grown)), maker))
    if wanted.expanded is not None and absolute and not case.maker.offsets:
        blocks += _pulled_apart(job, case, maker, wanted.expanded)
    return np.concatenate(blocks) if blocks else None


def _unsure(job: Job, case: Case) -> np.ndarray:
    """Sigma (n_species,), eV, of the energies of separated atoms as far as they are estimates."""
    return np.where(case.references.estimated, ESTIMATED_ELEMENT if len(job.species) == 1 else ESTIMATED_COMPOUND, 0.0)


def _augmented(rows, labels, sigma, maker: RowMaker) -> np.ndarray:
    out = np.zeros((len(rows), maker.n_columns + 1))
    out[:, : maker.n_weights] = rows
    out[:, -1] = labels
    return out / sigma[:, None]


def _energy_row(maker: RowMaker, atoms: Atoms) -> np.ndarray:
    """Derivatives (n_weights,) of the energy with respect to the weights."""
    return maker.unscaled(Target(Structure(atoms, source="a structure outside the data"), None, None, None))["sum"][0]


def _pulled_apart(job: Job, case: Case, maker: RowMaker, relative: float) -> list[np.ndarray]:
    """Rows of expanded training structures; of none if their energies or their cohesion are unknown."""
    rng = np.random.default_rng([job.options.seed, 32452843])
    alone = dict(zip(job.species, case.references.values, strict=True))
    unsure = dict(zip(job.species, _unsure(job, case), strict=True))
    bound = []
    for s in job.train:
        if s.energy is not None and len(s.atoms) > 1:
            cohesion = sum(alone[int(z)] for z in s.atoms.numbers) - s.energy
            if cohesion > 0:
                bound.append((s.atoms, cohesion))
    cutoff = maker.engine.model.cutoff
    bound.sort(key=lambda pair: len(pair[0]))
    bound = bound[: max(EXPANDED, len(bound) // 2)]
    chosen = [bound[k] for k in np.sort(rng.permutation(len(bound))[:EXPANDED])]
    expanded, labels, sigmas = [], [], []
    for atoms, cohesion in chosen:
        # nothing can be asked of atoms that do not see each other
        usual = np.median(np.minimum(nearest_distances(atoms, cutoff), cutoff))
        seen = [s for s in EXPANSIONS if s * usual <= SEEN * cutoff]
        for s in rng.choice(seen, min(3, len(seen)), replace=False):
            x = (s - 1) / LENGTH
            left = (1 + x) * np.exp(-x)
            expanded.append(at_volume(atoms, s**3))
            labels.append(-cohesion * left)
            estimate = (1 - left) * sum(unsure[int(z)] for z in atoms.numbers)
            # atoms count as independent, as in the sigmas of labels
            sigmas.append(np.hypot(relative * cohesion, estimate) / np.sqrt(len(atoms)))
    if not expanded:
        return []
    rows = ordered_map(lambda atoms: _energy_row(maker, atoms), expanded, job.threads)
    return [_augmented(np.array(list(rows)), np.array(labels), np.array(sigmas), maker)]


def _growth(job: Job, case: Case, maker: RowMaker) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of what the energy grows by when pairs are brought together (n_rows, n_weights), what the whole nuclear
    repulsion grows by, and the part of it that is in the model's own repulsion (n_rows,), eV."""
    bare = _energies_of(job, Zbl(REACH, REACH + 1.0))
    switched = _energies_of(job, case.zbl) if case.zbl else (lambda atoms: 0.0)
    changes = list(_changes(job))
    every = {id(atoms): atoms for change in changes for atoms in change}
    made = ordered_map(lambda atoms: (_energy_row(maker, atoms), bare(atoms), switched(atoms)), every.values(),
                       job.threads)  # fmt: skip
    of = dict(zip(every, made, strict=True))
    parts = [[x - y for x, y in zip(of[id(after)], of[id(before)], strict=True)] for before, after in changes]
    rows, grown, modeled = (np.array(part) for part in zip(*parts, strict=True))
    return rows, grown, modeled


def _energies_of(job: Job, zbl: Zbl):
    """atoms -> energy of a repulsion, eV."""
    engine = Engine(Model(species=list(job.species), expansions=[], terms=[], zbl=zbl))
    return lambda atoms: float(np.sum(engine.compute(atoms)["energies"]))


def _changes(job: Job):
    """(before, after) of every step of a pair that is brought together: each is to rise, so that there is no well."""
    rng = np.random.default_rng([job.options.seed, 15485863])
    distances = np.minimum(job.shortest, REACH)
    structures = sorted(job.train, key=lambda s: len(s.atoms))
    nearest = [_nearest_pairs(s.atoms, job.species, NEAR * distances) for s in structures]
    for i, j in itertools.combinations_with_replacement(range(len(job.species)), 2):
        d, pair = distances[i, j], [job.species[i], job.species[j]]
        apart = a_few_atoms(job.boundaries, pair, [[0.0, 0.0, 0.0], [0.4 * BOX, 0.0, 0.0]])
        closer = [a_few_atoms(job.boundaries, pair, [[0.0, 0.0, 0.0], [factor * d, 0.0, 0.0]]) for factor in CLOSENESS]
        yield from itertools.pairwise([apart, *closer])
        # of the smaller ones in which the pair is near each other
        near = [(s.atoms, found[i, j]) for s, found in zip(structures, nearest, strict=True) if (i, j) in found]
        near = near[: max(ENVIRONMENTS, len(near) // 2)]
        chosen = np.sort(rng.choice(len(near), min(ENVIRONMENTS, len(near)), replace=False)) if near else ()
        for k in chosen:
            atoms, nearest_pair = near[k]
            yield from itertools.pairwise([atoms, *_brought_together(atoms, nearest_pair, d)])


def _nearest_pairs(atoms: Atoms, species, reach: np.ndarray) -> dict:
    """{(a, b): (i, j, vector)} of the nearest pair of different atoms of species a <= b within ``reach[a, b]``."""
    first, second, r_ij = full_neighbor_list(atoms, float(reach.max()))
    center = np.repeat(np.arange(len(atoms)), np.diff(first))
    kinds = np.searchsorted(species, atoms.numbers)
    a, b, r = kinds[center], kinds[second], np.linalg.norm(r_ij, axis=1)
    near = np.flatnonzero((a <= b) & (center != second) & (r <= reach[a, b]))
    near = near[np.lexsort((r[near], b[near], a[near]))]
    kinds_of_pairs, at = np.unique(np.column_stack([a[near], b[near]]), axis=0, return_index=True)
    return {
        (x, y): (center[k], second[k], r_ij[k]) for (x, y), k in zip(kinds_of_pairs.tolist(), near[at], strict=True)
    }


def _brought_together(atoms: Atoms, nearest, d: float):
    """The structure with its nearest pair nearer and nearer, both atoms moved by the same length."""
    i, j, vector = nearest
    for factor in CLOSENESS:
        moved = atoms.copy()
        step = 0.5 * (1 - factor * d / np.linalg.norm(vector)) * vector
        moved.positions[i] += step
        moved.positions[j] -= step
        yield moved
