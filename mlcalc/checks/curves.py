# SPDX-License-Identifier: BSD-3-Clause
"""Curves of energy: separated atoms, pairs of atoms, compression and expansion."""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from ..running.boundaries import pbc_of
from ..running.calculator import MLCalculator
from ..running.neighbors import full_neighbor_list
from .verdict import Check, Curve, worst

#: Å, edge of the cell of a few atoms where the model needs a periodic one
BOX = 30.0
#: volumes of the cold curve beside that of the structure
VOLUMES = np.round(np.concatenate([np.arange(0.60, 1.0, 0.05), np.arange(1.0, 1.61, 0.05)]), 2)
#: eV; depth of a well, or lack of a rise, that is told
NOTICED, WRONG = 0.02, 0.3


def energy(calculator: MLCalculator, atoms: Atoms) -> float:
    """eV, with a mesh or k list of its own for every structure."""
    calculator.reset()
    return float(calculator.get_potential_energy(atoms))


def a_few_atoms(boundaries, numbers, positions) -> Atoms:
    """Atoms in vacuum: in a large cell with the boundaries of the model where it does not know free ones."""
    kind = next(kind for kind in ("free", "slab", "periodic") if kind in (*boundaries, "periodic"))
    return Atoms(numbers, positions, cell=None if kind == "free" else [BOX] * 3, pbc=pbc_of(kind))


def isolated_energies(model, calculator) -> dict[int, float]:
    """Energy of one atom of each species, eV."""
    return {z: energy(calculator, a_few_atoms(model.boundaries, [z], [[0.0, 0.0, 0.0]])) for z in model.species}


def repulsive_until(model, i: int, j: int) -> float:
    """Å below which a pair of species must repel: 0.9 of the outer radius of the model's repulsion, or 0.6 of the sum
    of the covalent radii."""
    if model.zbl is not None:
        outer = np.asarray(model.zbl[1], dtype=float)
        return 0.9 * float(outer if outer.ndim == 0 else outer[i, j])
    return 0.6 * float(covalent_radii[model.species[i]] + covalent_radii[model.species[j]])


def dimer_curve(model, calculator, i: int, j: int, n: int = 60, distances=None) -> Curve:
    """Energy of two atoms beside that of both alone, from 0.06 to 1.2 of the cutoff or at these distances (Å)."""
    pair = [model.species[i], model.species[j]]
    reach = model.cutoff or 6.0
    distances = np.geomspace(0.06 * reach, 1.2 * reach, n) if distances is None else distances
    alone = isolated_energies(model, calculator)
    energies = [energy(calculator, a_few_atoms(model.boundaries, pair, [[0, 0, 0], [r, 0, 0]])) for r in distances]
    label = "-".join(chemical_symbols[z] for z in pair)
    return Curve(label, distances, np.array(energies) - sum(alone[z] for z in pair), ("distance (Å)", "energy (eV)"))


def distance_histograms(frames, species, reach: float, n: int = 120) -> dict[tuple[int, int], Curve]:
    """How often each pair of species has which distance up to ``reach`` (Å) in these ase.Atoms, in ``n`` bins; {(i, j)
    with i <= j, indices of species: middles of the bins and numbers of pairs}."""
    edges = np.linspace(0.0, reach, n + 1)
    counts = np.zeros((len(species), len(species), n))
    index = {z: k for k, z in enumerate(species)}
    for atoms in frames:
        first, second, r_ij = full_neighbor_list(atoms, reach)
        kinds = np.array([index[int(z)] for z in atoms.numbers], dtype=int)
        bins = np.minimum((np.linalg.norm(r_ij, axis=1) / reach * n).astype(int), n - 1)
        np.add.at(counts, (np.repeat(kinds, np.diff(first)), kinds[second], bins), 0.5)  # both ways in the list
    names = ("distance (Å)", "pairs in the data")
    pairs = itertools.combinations_with_replacement(range(len(species)), 2)
    return {
        (i, j): Curve("", 0.5 * (edges[1:] + edges[:-1]), counts[i, j] + (counts[j, i] if i != j else 0), names)
        for i, j in pairs
    }


def check_dimers(model, calculator, frames=()) -> Check:
    """Every pair of species: no well and no plateau at distances below those of the data. ``frames`` (list of
    ase.Atoms) are those of the data: their distances are drawn below the curves."""
    curves, found, verdicts = [], [], []
    for i, j in itertools.combinations_with_replacement(range(len(model.species)), 2):
        curve = dimer_curve(model, calculator, i, j)
        curves.append(curve)
        inner = curve.x <= repulsive_until(model, i, j)
        if inner.sum() < 3:
            continue
        x, y = curve.x[inner], curve.y[inner]
        rise = y[:-1] - np.maximum.accumulate(y[::-1])[::-1][1:]  # how far it lies above everything outside of it
        depth = float(-rise.min())
        if depth > NOTICED:
            at = x[int(np.argmin(rise))]
            found.append(f"{curve.label} has a well of {depth:.2g} eV at {at:.2f} Å")
            verdicts.append("fail" if depth > WRONG else "suspect")
    reason = "; ".join(found) or "all pairs repel below the distances of the data"
    found_in_data = distance_histograms(frames, model.species, curves[0].x[-1]) if len(frames) and curves else {}
    return Check("close pairs", worst(verdicts), reason, curves, histograms=list(found_in_data.values()))


def at_volume(atoms: Atoms, factor: float) -> Atoms:
    """A copy with so many times the volume: all lengths scaled alike, also along axes without a vector of the cell."""
    scaled = atoms.copy()
    scaled.set_cell(atoms.cell * factor ** (1 / 3))
    scaled.positions *= factor ** (1 / 3)
    return scaled


def check_cold_curve(model, calculator, atoms: Atoms) -> Check:
    """Compression and expansion of a structure: one minimum, a rise to both sides, cohesion."""
    energies = []
    for factor in VOLUMES:
        energies.append(energy(calculator, at_volume(atoms, factor)) / len(atoms))
    y = np.array(energies)
    alone = isolated_energies(model, calculator)
    cohesion = np.mean([alone[int(z)] for z in atoms.numbers]) - y.min()
    lowest, found, verdicts = int(np.argmin(y)), [], []
    wrong_way = max(float(np.max(np.diff(y[: lowest + 1]), initial=0.0)),
                    float(np.max(-np.diff(y[lowest:]), initial=0.0)))  # fmt: skip
    if wrong_way > 1e-3:
        found.append(f"the curve is not of one minimum: it falls by {1e3 * wrong_way:.3g} meV/atom away from it")
        verdicts.append("fail" if wrong_way > 0.05 else "suspect")
    if lowest in (0, len(y) - 1):
        found.append(f"the lowest energy is at the end, at {VOLUMES[lowest]:.2f} of the volume")
        verdicts.append("fail")
    elif not 0.85 <= VOLUMES[lowest] <= 1.2:
        found.append(f"the lowest energy is at {VOLUMES[lowest]:.2f} of the volume of the structure")
        verdicts.append("suspect")
    if cohesion <= 0:
        found.append(f"separated atoms are {-cohesion:.3g} eV per atom lower: nothing holds it together")
        verdicts.append("fail")
    reason = "; ".join(found) or f"one minimum, cohesion {cohesion:.3g} eV per atom"
    curve = Curve("cold curve", VOLUMES, y - y.min(), ("volume / V0", "energy (eV/atom)"))
    return Check("compression and expansion", worst(verdicts), reason, [curve])
