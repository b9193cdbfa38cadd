# SPDX-License-Identifier: BSD-3-Clause
"""What a training set does not show, in sentences: densities, close pairs, separated atoms, moving atoms, stresses."""

from __future__ import annotations

import itertools

import numpy as np
from ase.data import chemical_symbols, covalent_radii

#: largest volume per atom beside the smallest of one composition, below which pressures are guesses
FEW_DENSITIES = 1.1
#: of the sum of covalent radii: collisions go nearer
CLOSE = 0.8
#: root mean square force, eV/Å, of structures near a minimum (about 100 K in a solid)
NEAR_REST = 0.25
#: structures from which on there is something to say of them as a set
A_SET = 5


def lacking(structures, species, shortest: np.ndarray, estimated) -> list[str]:
    """Sentences about what is not in the training set, each with what to add.

    ``structures`` are the training Structures, ``shortest`` (n_species, n_species) the shortest distances in them, Å,
    ``estimated`` (n_species,) whether the energy of a separated atom is only an estimate."""
    found = [_densities(structures), _close_pairs(species, shortest), _separated(species, estimated),
             _motion(structures), _stresses(structures)]  # fmt: skip
    return [text for text in found if text]


def text_of(sentences: list[str]) -> str:
    """As lines of the report."""
    more = "mlcalc select takes from trajectories what teaches most; mlcalc learn runs, selects, labels and trains"
    return "\n".join(["What the training set does not show", *(f"- {text}" for text in sentences), f"({more})"])


def _densities(structures) -> str | None:
    volumes: dict[str, list[float]] = {}
    for s in structures:
        if s.atoms.pbc.all():
            formula = s.atoms.symbols.formula.reduce()[0].format("hill")
            volumes.setdefault(formula, []).append(s.atoms.get_volume() / len(s.atoms))
    narrow = {f: v for f, v in volumes.items() if len(v) >= A_SET and max(v) < FEW_DENSITIES * min(v)}
    if not narrow or len(narrow) < len(volumes):
        return None
    ranges = ", ".join(f"{f} {min(v):.3g} to {max(v):.3g}" for f, v in sorted(narrow.items())[:3])
    return (
        f"other densities: all cells have nearly one volume per atom ({ranges} cubic Angstrom), so pressures, melting "
        "and what happens in a barostat are guesses; add cells compressed and expanded by 10 to 20 %"
    )


def _close_pairs(species, shortest) -> str | None:
    pairs = []
    for i, j in itertools.combinations_with_replacement(range(len(species)), 2):
        radii = covalent_radii[species[i]] + covalent_radii[species[j]]
        if shortest[i, j] > CLOSE * radii:
            name = f"{chemical_symbols[species[i]]}-{chemical_symbols[species[j]]}"
            pairs.append(name if np.isinf(shortest[i, j]) else f"{name} below {shortest[i, j]:.2f}")
    if not pairs:
        return None
    more = f" and {len(pairs) - 4} more" if len(pairs) > 4 else ""
    return (
        f"close pairs: {', '.join(pairs[:4])}{more} (Angstrom), where only data.zbl and outside.close repel; for "
        f"collisions and high pressure add dimers from {CLOSE / 2:g} to 1 times the sum of the covalent radii"
    )


def _separated(species, estimated) -> str | None:
    unknown = [chemical_symbols[z] for z, guess in zip(species, estimated, strict=True) if guess]
    if not unknown:
        return None
    return (
        f"separated atoms of {', '.join(unknown)}: their energy is an estimate, on which evaporation and expansion "
        "rest; `mlcalc isolated` computes it with a calculator of ASE"
    )


def _motion(structures) -> str | None:
    forces = [s.forces.ravel() for s in structures if s.forces is not None]
    if len(forces) < A_SET or not sum(map(len, forces)):
        return None
    rms = float(np.sqrt(np.mean(np.concatenate(forces) ** 2)))
    if rms >= NEAR_REST:
        return None
    return (
        f"moving atoms: the root mean square force is {rms:.2g} eV/Angstrom, as near a minimum; for dynamics add "
        "structures from runs at 1.3 times the temperature that is wanted"
    )


def _stresses(structures) -> str | None:
    periodic = [s for s in structures if s.atoms.pbc.all()]
    if len(periodic) < A_SET or any(s.virial is not None for s in periodic):
        return None
    return (
        "stresses: no periodic structure has one, so the pressure comes from energies and forces alone; name them with "
        "data.stress if the reference gives them"
    )
