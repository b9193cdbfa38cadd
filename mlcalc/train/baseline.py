# SPDX-License-Identifier: BSD-3-Clause
"""What is subtracted from the labels before the fit: other models, energies of atoms and the pair repulsion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.units import kJ, mol

from ..model import Model
from ..running.neighbors import full_neighbor_list
from .data import DataError, Dataset, located
from .design import Target
from .engine import Engine, ordered_map
from .options import TrainOptions
from .plan import build_expansions


@dataclass
class AtomEnergies:
    """Energy of an atom of each species (n_species,), eV, and of which of them it is an estimate."""

    values: np.ndarray
    estimated: np.ndarray

    @classmethod
    def known(cls, values) -> AtomEnergies:
        return cls(np.asarray(values, dtype=float), np.zeros(len(values), dtype=bool))


def reference_energies(options: TrainOptions, data: Dataset, species: list[int]) -> AtomEnergies:
    """Energies of atoms, as the options want them.

    fit: least squares of the training energies on the composition (of minimal norm if compositions do not tell the
    species apart); isolated: from structures of the data whose atoms are far apart; given: as written in the options;
    auto: isolated where the data has such structures, else what `fit` gives plus the energy that it takes to make a
    gas of atoms of the element, which is not added where other models are the baseline. Raises DataError if one is
    asked for and cannot be had."""
    wanted = options.data.reference_energies
    if isinstance(wanted, dict):
        given = {atomic_numbers[k]: v for k, v in wanted.items()}
        missing = [chemical_symbols[z] for z in species if z not in given]
        if missing:
            raise DataError(f"data.reference_energies lacks {', '.join(missing)}")
        return AtomEnergies.known([given[z] for z in species])
    if wanted == "zero":
        return AtomEnergies.known(np.zeros(len(species)))
    if wanted in ("isolated", "auto"):
        reach = _reach(build_expansions(options, species))
        energies, crowded = _isolated(data, species, reach)
        missing = np.isnan(energies)
        if not missing.any():
            return AtomEnergies.known(energies)
        if wanted == "isolated":
            raise DataError(_no_isolated(energies, crowded, species, reach))
        estimate = _fitted(data, species) + (0.0 if options.data.baseline else atomization(species))
        return AtomEnergies(np.where(missing, estimate, energies), missing)
    return AtomEnergies.known(_fitted(data, species))


def remarks_on_atoms(options: TrainOptions, data: Dataset, species, references: AtomEnergies) -> list[str]:
    """Notes about energies of separated atoms that are estimated, or below those of the training structures."""
    wanted, notes = options.data.reference_energies, []
    if wanted in ("fit", "zero") or options.data.baseline:
        return []
    guessed = [chemical_symbols[z] for z, guess in zip(species, references.estimated, strict=True) if guess]
    if guessed:
        notes.append(
            f"WARNING: the data do not fix the energy of separated atoms: {', '.join(guessed)} estimated from the "
            "mean of the training set and the atomization energy of the element. What holds matter together when "
            "it melts, breaks or evaporates depends on it: give the numbers of your method as "
            "data.reference_energies, or add isolated atoms to the data (mlcalc isolated)"
        )
    value = dict(zip(species, references.values, strict=True))
    cohesion = [
        np.mean([value[int(z)] for z in s.atoms.numbers]) - s.energy / len(s.atoms)
        for s in data.of("train")
        if s.energy is not None and len(s.atoms) > 1
    ]
    if cohesion and np.median(cohesion) < 0:
        notes.append(
            f"WARNING: with these data.reference_energies separated atoms are {-np.median(cohesion):.3g} eV per atom "
            "below the training structures, which would fly apart; are they of the same method and unit?"
        )
    return notes


def atomization(species) -> np.ndarray:
    """Energy (n_species,), eV, to make a gas of atoms of an element from its standard state at 298 K, as collected in
    the package mendeleev; 0 for elements that it has no value of, as the noble gases."""
    from mendeleev.fetch import fetch_table  # takes more than a second

    table = fetch_table("elements").set_index("atomic_number").heat_of_formation
    return np.nan_to_num([table.get(int(z), np.nan) for z in species]) * kJ / mol


def _fitted(data: Dataset, species) -> np.ndarray:
    train = [s for s in data.of("train") if s.energy is not None]
    if not train:
        return np.zeros(len(species))
    composition = np.array([[np.sum(s.atoms.numbers == z) for z in species] for s in train], dtype=float)
    energies = np.array([s.remaining("energy") for s in train])
    per_root = np.sqrt(composition.sum(axis=1))
    solution, *_ = np.linalg.lstsq(composition / per_root[:, None], energies / per_root, rcond=1e-10)
    return solution


def _isolated(data: Dataset, species, reach: float) -> tuple[np.ndarray, dict[int, float]]:
    """Energies of atoms that have no neighbor, no image of their own either, within ``reach`` Å, NaN for species
    without; and the distance of the image of those that have one.

    Where a species has several, a structure whose config type says isolated is taken first."""
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
    return np.array([energies.get(z, np.nan) for z in species]), crowded


def _reach(expansions) -> float:
    """Å within which a separated atom has no neighbors."""
    return max([5.0, *(e.cutoff for e in expansions if hasattr(e, "cutoff"))])


def _no_isolated(energies, crowded, species, reach: float) -> str:
    missing = [z for z, e in zip(species, energies, strict=True) if np.isnan(e)]
    near = [f"{chemical_symbols[z]} has an image at {crowded[z]:.2f} Å" for z in missing if z in crowded]
    return (
        "data.reference_energies is isolated, but the data has no single-atom structure with an energy of "
        f"{', '.join(chemical_symbols[z] for z in missing)} that is alone within {reach:g} Å"
        + (f" ({', '.join(near)})" if near else "")
    )


def make_targets(structures, species, references, zbl, threads, progress=None) -> list[Target]:
    """Labels minus reference energies and, if ``zbl`` (Zbl) is given, minus the pair repulsion."""
    index = {z: k for k, z in enumerate(species)}
    repulsion = None
    if zbl:
        repulsion = Engine(Model(species=list(species), expansions=[], terms=[], zbl=zbl))

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
