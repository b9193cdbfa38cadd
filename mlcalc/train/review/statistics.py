# SPDX-License-Identifier: BSD-3-Clause
"""A data set in numbers, before anything is fitted to it: compositions, volumes, energies, forces, distances."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from ...running.neighbors import full_neighbor_list
from ..data import Structure
from .outliers import duplicates, outliers

#: Å within which neighbors are looked for
REACH = 4.0
#: compositions that are listed for each config type
COMPOSITIONS = 8
#: (JSON name, title)
COLUMNS = (
    ("volume", "volume (Å³/atom)"),
    ("energy", "energy (eV/atom)"),
    ("force", "largest force (eV/Å)"),
    ("distance", "shortest distance (Å)"),
    ("closeness", "shortest distance / covalent radii"),
)


@dataclass
class Measured:
    """Numbers of one structure; NaN is what it does not have. ``closeness`` is the smallest distance of a pair beside
    the sum of the covalent radii."""

    volume: float = np.nan
    energy: float = np.nan
    force: float = np.nan
    distance: float = np.nan
    closeness: float = np.nan


def measured(s: Structure) -> Measured:
    """The numbers of a structure."""
    atoms, out = s.atoms, Measured()
    if not len(atoms):
        return out
    if atoms.pbc.all():
        out.volume = atoms.get_volume() / len(atoms)
    if s.energy is not None:
        out.energy = s.energy / len(atoms)
    if s.forces is not None:
        out.force = float(np.linalg.norm(s.forces, axis=1).max())
    first, second, r_ij = full_neighbor_list(atoms, REACH)
    if len(second):
        r = np.linalg.norm(r_ij, axis=1)
        numbers = np.repeat(atoms.numbers, np.diff(first))
        out.distance = float(r.min())
        out.closeness = float(np.min(r / (covalent_radii[numbers] + covalent_radii[atoms.numbers[second]])))
    return out


def statistics(structures: list[Structure]) -> dict:
    """{sets: {config type or all: {structures, atoms, compositions, and for each number min, median, max}}, outliers,
    n_outliers, duplicates, n_duplicates, units}."""
    numbers = [measured(s) for s in structures]
    types = sorted({s.config_type for s in structures})
    groups = {"all": list(range(len(structures)))}
    if len(types) > 1:
        groups |= {t: [k for k, s in enumerate(structures) if s.config_type == t] for t in types}
    far, twins = outliers(structures, numbers), duplicates(structures)
    return {
        "sets": {name: _summary([structures[k] for k in at], [numbers[k] for k in at]) for name, at in groups.items()},
        "outliers": far,
        "duplicates": twins,
        "units": "eV, Angstrom",
    }


def _summary(structures, numbers) -> dict:
    formulas = Counter(s.atoms.get_chemical_formula() for s in structures)
    out: dict = {
        "structures": len(structures),
        "atoms": int(sum(len(s.atoms) for s in structures)),
        "compositions": dict(formulas.most_common(COMPOSITIONS)),
        "other_compositions": max(0, len(formulas) - COMPOSITIONS),
    }
    for name, _ in COLUMNS:
        values = np.array([getattr(m, name) for m in numbers])
        values = values[np.isfinite(values)]
        out[name] = None
        if len(values):
            out[name] = {"min": float(values.min()), "median": float(np.median(values)), "max": float(values.max())}
    return out


def text_of(found: dict) -> str:
    """As lines for the screen."""
    titles = [title.partition(" (") for _, title in COLUMNS[:4]]
    lines = [f"{'data':<18} {'structures':>10} {'atoms':>8}" + "".join(f" {name:>24}" for name, _, _ in titles)]
    lines.append(" " * 38 + "".join(f" {'(' + unit:>24}" for _, _, unit in titles))
    for name, row in found["sets"].items():
        cells = [_span(row[key], " .. ") for key, _ in COLUMNS[:4]]
        lines.append(f"{name[:18]:<18} {row['structures']:>10} {row['atoms']:>8}" + "".join(f" {c:>24}" for c in cells))
        listed = ", ".join(f"{formula} ({n})" for formula, n in row["compositions"].items())
        more = f" and {row['other_compositions']} more" if row["other_compositions"] else ""
        lines.append(f"{'':<18} {listed}{more}")
    return "\n".join(lines)


def _span(values: dict | None, between: str) -> str:
    if values is None:
        return "-"
    return f"{values['min']:.4g}{between}{values['max']:.4g}"
