# SPDX-License-Identifier: BSD-3-Clause
"""Structures that are unlike all others of their kind, and structures that are there twice."""

from __future__ import annotations

import numpy as np
from scipy import optimize
from scipy.stats import median_abs_deviation

from ..data import Structure

#: structures of a config type from which on one of them can be unlike the others
A_GROUP = 10
#: widths of the middle 80 % of its group by which a structure is outside of these
FAR = 2.0
#: relative width below which a distribution is taken to be this wide: 2 % of lengths, volumes and forces
NARROW = 0.02
#: eV per atom, width of energies below which nothing is far
NARROW_ENERGY = 0.02
#: structures that are named in notes
NAMED = 4
#: only far away or only near is unlike: forces may vanish, atoms may be far apart
ONE_SIDED = {"force": 1, "distance": -1}
WORDS = {
    "energy": "an energy per atom, beside what the composition explains,", "volume": "a volume per atom",
    "force": "a largest force", "distance": "a shortest distance",
}  # fmt: skip
UNITS = {"energy": "eV/atom", "volume": "Å³", "force": "eV/Å", "distance": "Å"}


def outliers(structures, numbers) -> list[dict]:
    """{what, file, index, config_type, value, usual, widths} of each structure that is far from the others of its
    config type, the farthest first: in its energy per atom beside what its composition explains, and in the logarithms
    of its volume per atom, largest force and shortest distance.

    Far is farther outside the range of the middle 80 % than twice the width of it, so that sets of several phases or
    temperatures have no outliers by themselves. ``usual`` is the median."""
    energy = _unexplained(structures, numbers)
    found = []
    for group in _groups(structures):
        for what in UNITS:
            values = np.array([getattr(numbers[k], what) for k in group])
            judged = energy[group] if what == "energy" else _logarithm(values)
            known = np.isfinite(judged)
            if known.sum() < A_GROUP:
                continue
            low, high = np.percentile(judged[known], [10, 90])
            width = max(high - low, NARROW_ENERGY if what == "energy" else NARROW)
            usual = float(np.median(values[known]))
            beyond = (np.maximum(judged - high, 0) - np.maximum(low - judged, 0)) / width
            for k, value, z in zip(group, values, beyond, strict=True):
                if abs(z) > FAR and z * ONE_SIDED.get(what, z) > 0:
                    s = structures[k]
                    found.append({"what": what, "file": s.source, "index": s.index, "config_type": s.config_type,
                                  "value": float(value), "usual": usual, "widths": float(z)})  # fmt: skip
    return sorted(found, key=lambda row: -abs(row["widths"]))


def _groups(structures) -> list[list[int]]:
    """Indices of each config type; the small ones together."""
    by_type: dict[str, list[int]] = {}
    for k, s in enumerate(structures):
        by_type.setdefault(s.config_type, []).append(k)
    large = [group for group in by_type.values() if len(group) >= A_GROUP]
    return [*large, sorted(k for group in by_type.values() if len(group) < A_GROUP for k in group)]


def _logarithm(values: np.ndarray) -> np.ndarray:
    return np.log(np.where(values > 0, values, np.nan))


def _unexplained(structures, numbers) -> np.ndarray:
    """Energies per atom without what the compositions explain, eV; a few wrong ones do not change it."""
    y = np.array([m.energy for m in numbers])
    known = np.flatnonzero(np.isfinite(y))
    out = np.full(len(y), np.nan)
    if len(known) < A_GROUP:
        return out
    species = sorted({int(z) for k in known for z in structures[k].atoms.numbers})
    share = np.array([[np.mean(structures[k].atoms.numbers == z) for z in species] for k in known])
    middle = np.median(y[known])
    start = np.linalg.lstsq(share, y[known] - middle, rcond=None)[0]
    width = max(float(median_abs_deviation(y[known], scale="normal")), NARROW_ENERGY)
    fitted = optimize.least_squares(lambda e: share @ e + middle - y[known], start, loss="soft_l1", f_scale=width).x
    out[known] = y[known] - middle - share @ fitted
    return out


def duplicates(structures) -> list[dict]:
    """{file, index, of_file, of_index, same_labels} of each structure that repeats one before it."""
    seen: dict[str, Structure] = {}
    found = []
    for s in structures:
        first = seen.setdefault(s.digest, s)
        if first is not s:
            found.append({"file": s.source, "index": s.index, "of_file": first.source, "of_index": first.index,
                          "same_labels": _same(s.energy, first.energy) and _same(s.forces, first.forces)})  # fmt: skip
    return found


def _same(a, b) -> bool:
    """Two labels are the same, or only one is there."""
    return a is None or b is None or bool(np.allclose(a, b, atol=1e-6))


def notes_of(far: list[dict], twins: list[dict]) -> list[str]:
    """Sentences that name them."""
    notes = []
    for what in UNITS:
        rows = [row for row in far if row["what"] == what]
        if rows:
            listed = _listed(rows, lambda row: f"{row['index']} ({row['value']:.4g})")
            notes.append(
                f"{_count(rows, 'has', 'have')} {WORDS[what]} far from the others of the config type (usual "
                f"{rows[0]['usual']:.4g} {UNITS[what]}): {listed}"
            )
    for same in (True, False):
        rows = [row for row in twins if row["same_labels"] == same]
        if rows:
            listed = _listed(rows, lambda row: f"{row['index']} (as {_short(row['of_file'])}, {row['of_index']})")
            warning, labels = ("", "") if same else ("WARNING: ", " with other labels")
            notes.append(f"{warning}{_count(rows, 'repeats', 'repeat')} another one{labels}: {listed}")
    return notes


def _count(rows, one: str, several: str) -> str:
    return f"1 structure {one}" if len(rows) == 1 else f"{len(rows)} structures {several}"


def _short(file: str) -> str:
    return file.rpartition("/")[2]


def _listed(rows, described) -> str:
    """The first few, with the file where it changes."""
    parts = []
    for k, row in enumerate(rows[:NAMED]):
        file = "" if k and rows[k - 1]["file"] == row["file"] else f"{row['file']}, structure "
        parts.append(file + described(row))
    more = [f"and {len(rows) - NAMED} more"] if len(rows) > NAMED else []
    return ", ".join(parts + more)
