# SPDX-License-Identifier: BSD-3-Clause
"""What is subtracted from the labels before the fit: other models, reference energies and the pair repulsion."""

from __future__ import annotations

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from ..model import Model, Zbl
from ..running.neighbors import full_neighbor_list
from .data import DataError, Dataset, located
from .design import Target
from .engine import Engine, ordered_map
from .options import TrainOptions
from .plan import build_expansions


def reference_energies(options: TrainOptions, data: Dataset, species: list[int]) -> np.ndarray:
    """Energy of an atom of each species (n_species,), eV.

    fit: least squares of the training energies on the composition (of minimal norm if compositions do not tell the
    species apart); isolated: from the single-atom structures of the data; given: as written in the options.
    Raises DataError if one is asked for and cannot be had."""
    wanted = options.data.reference_energies
    if isinstance(wanted, dict):
        given = {atomic_numbers[k]: v for k, v in wanted.items()}
        missing = [chemical_symbols[z] for z in species if z not in given]
        if missing:
            raise DataError(f"data.reference_energies lacks {', '.join(missing)}")
        return np.array([given[z] for z in species])
    if wanted == "zero":
        return np.zeros(len(species))
    if wanted == "isolated":
        return _isolated(data, species, build_expansions(options, species))
    train = [s for s in data.of("train") if s.energy is not None]
    if not train:
        return np.zeros(len(species))
    composition = np.array([[np.sum(s.atoms.numbers == z) for z in species] for s in train], dtype=float)
    energies = np.array([s.remaining("energy") for s in train])
    per_root = np.sqrt(composition.sum(axis=1))
    solution, *_ = np.linalg.lstsq(composition / per_root[:, None], energies / per_root, rcond=1e-10)
    return solution


def _isolated(data: Dataset, species, expansions):
    """Energies of atoms that have no neighbor, no image of their own either, within the cutoff of the model and 5 Å.

    Where a species has several, a structure whose config type says isolated is taken first."""
    reach = max([5.0, *(e.cutoff for e in expansions if hasattr(e, "cutoff"))])
    energies: dict[int, float] = {}
    crowded: dict[int, float] = {}
    named = sorted(data.structures, key=lambda s: "isolated" not in s.config_type.lower())
    for s in named:
        if len(s.atoms) != 1 or s.energy is None:
            continue
        z = int(s.atoms.numbers[0])
        r_ij = full_neighbor_list(s.atoms, reach)[2]
        if len(r_ij):
            crowded[z] = float(np.linalg.norm(r_ij, axis=1).min())
        else:
            energies.setdefault(z, s.remaining("energy"))
    missing = [z for z in species if z not in energies]
    if missing:
        near = [f"{chemical_symbols[z]} has an image at {crowded[z]:.2f} Å" for z in missing if z in crowded]
        raise DataError(
            "data.reference_energies is isolated, but the data has no single-atom structure with an energy of "
            f"{', '.join(chemical_symbols[z] for z in missing)} that is alone within {reach:g} Å"
            + (f" ({', '.join(near)})" if near else "")
        )
    return np.array([energies[z] for z in species])


def make_targets(structures, species, references, zbl, threads, progress=None) -> list[Target]:
    """Labels minus reference energies and, if ``zbl`` is given, minus the pair repulsion."""
    index = {z: k for k, z in enumerate(species)}
    repulsion = None
    if zbl:
        model = Model(species=list(species), expansions=[], terms=[], zbl=Zbl(zbl.inner, zbl.outer))
        repulsion = Engine(model)

    def one(s):
        energy, forces, virial = (s.remaining(kind) for kind in ("energy", "forces", "virial"))
        if energy is not None:
            energy = energy - sum(references[index[int(z)]] for z in s.atoms.numbers)
        if repulsion is not None:
            with located(s):
                pair = repulsion.compute(s.atoms)
            energy = None if energy is None else energy - float(np.sum(pair["energies"]))
            forces = None if forces is None else forces - pair["forces"]
            virial = None if virial is None else virial - pair["virial"]
        return Target(s, energy, forces, virial)

    return list(ordered_map(one, structures, threads if repulsion else 1))
