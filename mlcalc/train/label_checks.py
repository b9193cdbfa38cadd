# SPDX-License-Identifier: BSD-3-Clause
"""Labels that contradict each other, in sign or unit: energies, forces and stresses, compared by a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress as voigt
from scipy import linalg

from .solve import RidgePath, augmented_solve

if TYPE_CHECKING:
    from .design import Target

#: structures whose labels are compared with each other
SAMPLE = 24
#: force rows of one structure that the comparison is fitted to
ROWS_OF_ONE = 50
#: a factor between labels that is not of the same unit
SLOPE = 3.0


class Sample:
    """Rows and labels of some structures, taken while all rows pass by: by structure (rows, labels) of each kind."""

    def __init__(self, seed: int):
        self._rng = np.random.default_rng([seed, 53])
        self._species: list[np.ndarray] = []
        self.energy: dict[int, tuple] = {}
        self.forces: dict[int, tuple] = {}
        self.stress: dict[int, tuple] = {}
        self.n = 0

    @property
    def full(self) -> bool:
        return self.n >= SAMPLE

    def add(self, target: Target, rows: dict[str, np.ndarray]):
        """``rows`` of the target as RowMaker makes them."""
        if self.full:
            return
        atoms = target.structure.atoms
        self._species.append(atoms.numbers)
        if target.energy is not None:
            self.energy[self.n] = (rows["sum"].copy(), np.array([target.energy]))
        if target.forces is not None and len(rows["forces"]):
            pick = self._rng.permutation(len(rows["forces"]))[:ROWS_OF_ONE]
            self.forces[self.n] = (rows["forces"][pick], target.forces.ravel()[pick])
        if target.virial is not None and atoms.cell.rank == 3:
            volume = atoms.get_volume()
            self.stress[self.n] = (-rows["virial"] / volume, -voigt(target.virial) / volume)
        self.n += 1

    def energies(self) -> dict[int, tuple]:
        """The energies, rows and labels without what the compositions explain; empty if nothing is left."""
        if len(self.energy) < 4:
            return {}
        a = np.concatenate([a for a, _ in self.energy.values()])
        y = np.concatenate([y for _, y in self.energy.values()])
        numbers = [self._species[k] for k in self.energy]
        species = sorted({int(z) for n in numbers for z in n})
        composition = np.array([[np.sum(n == z) for z in species] for n in numbers], dtype=float)
        basis = linalg.orth(composition)
        if basis.shape[1] > len(y) - 3:
            return {}
        a, y = a - basis @ (basis.T @ a), y - basis @ (basis.T @ y)
        return {k: (a[row : row + 1], y[row : row + 1]) for row, k in enumerate(self.energy)}


def contradictions(sample: Sample, whiten) -> list[str]:
    """Notes about labels that contradict each other, in sign or unit.

    Of two kinds of labels one is given a factor that is fitted together with the weights, with an error by the
    jackknife over structures. It should be 1; a prior that is too strong for few data makes it smaller, never larger
    and never negative, so each kind has the factor in turn. ``whiten`` changes rows [A y] to variables with a prior of
    unit width."""
    kinds = {"energies": sample.energies(), "forces": sample.forces, "stresses": sample.stress}
    kinds = {name: parts for name, parts in kinds.items() if len(parts) >= 3}
    pairs = [(["energies"], ["forces"]), (["energies", "forces"], ["stresses"])]
    for first, second in pairs:
        first = [name for name in first if name in kinds]
        if not first or second[0] not in kinds:
            continue
        for fixed, scaled in ((first, second), (second, first)):
            factor, error = _factor([kinds[n] for n in fixed], [kinds[n] for n in scaled], whiten)
            text = _verdict(factor, error, " and ".join(fixed), " and ".join(scaled))
            if text:
                return [text]
    return []


def _verdict(factor: float, error: float, fixed: str, scaled: str) -> str:
    stresses = "stresses" in (fixed, scaled)
    if factor + 3 * error < 0:
        what = "stresses" if stresses else "forces"
        advice = (
            "see data.units.stress_sign (ASE and this program: tensile stress is positive, the virial is -dE/dstrain)"
            if stresses
            else "are they gradients of the energy?"
        )
        others = "energies and forces" if stresses else "energies"
        return (
            f"WARNING: {others} agree better with the {what} of the other sign: the labels of the {what} seem to have "
            f"the opposite sign; {advice}"
        )
    if factor - 3 * error > SLOPE:
        return f"WARNING: {fixed} agree with {scaled} {factor:.3g} times as large as labeled: are the units right? " \
               f"See data.units{'.stress' if stresses else ''}"  # fmt: skip
    return ""


def _factor(fixed: list[dict], scaled: list[dict], whiten) -> tuple[float, float]:
    """s of min |A_1 v - y_1|^2 + |A_2 v - s y_2|^2 + strength |v|^2, and its standard error."""
    rows = _rotated([{k: _whitened(pair, _size(part), whiten) for k, pair in part.items()} for part in fixed + scaled])
    fixed, scaled = rows[: len(fixed)], rows[len(fixed) :]
    full = _joint(fixed, scaled, None)
    path = RidgePath(full, 1)
    lams = path.grid(31)
    strength = float(lams[int(np.argmin([path.gcv(lam, len(full)) for lam in lams]))])
    factor = float(path.solutions([strength])[-1, 0])
    structures = sorted({k for part in scaled for k in part})
    groups = [structures[k :: min(8, len(structures))] for k in range(min(8, len(structures)))]
    others = np.array([augmented_solve(_joint(fixed, scaled, g), strength, 1)[-1] for g in groups])
    n = len(groups)
    return factor, float(np.sqrt((n - 1) / n * np.sum((others - others.mean()) ** 2)))


def _whitened(pair, size: float, whiten) -> np.ndarray:
    """Rows [A y] of one structure in variables with a prior of unit width."""
    return whiten(np.column_stack(pair) / size)


def _rotated(parts: list[dict]) -> list[dict]:
    """The same rows [A y] in as many columns as there are rows, if that is fewer: a rotation of v changes no solution
    that has |v| as its penalty."""
    rows = np.concatenate([b[:, :-1] for part in parts for b in part.values()])
    if rows.shape[0] >= rows.shape[1]:
        return parts
    q, _ = linalg.qr(rows.T, mode="economic")
    return [{k: np.column_stack([b[:, :-1] @ q, b[:, -1]]) for k, b in part.items()} for part in parts]


def _joint(fixed, scaled, without) -> np.ndarray:
    """Rows [A 0 y] and [A -y 0], each kind of the same weight, without those of some structures."""
    blocks = []
    for parts, free in [(p, False) for p in fixed] + [(p, True) for p in scaled]:
        b = np.concatenate([rows for k, rows in parts.items() if without is None or k not in without])
        zero = np.zeros(len(b))
        blocks.append(np.column_stack([b[:, :-1], *((-b[:, -1], zero) if free else (zero, b[:, -1]))]))
    return np.concatenate(blocks)


def _size(part: dict) -> float:
    """The norm of all labels of one kind."""
    y = np.concatenate([y for _, y in part.values()])
    return max(float(np.linalg.norm(y)), 1e-12 * float(np.sqrt(len(y))))
