# SPDX-License-Identifier: BSD-3-Clause
"""Errors in parts: by element, by the size of the force, and how many are below which."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from ..data_options import SPLITS
from ..errors import Prediction, errors_of

#: eV/Å, edges of the sizes of labeled forces
SIZES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, np.inf)
#: shares of the cumulative curves
SHARES = np.concatenate([np.arange(0, 90, 2), np.arange(90, 100, 0.5), [100.0]])


def by_split(predictions: list[Prediction]) -> dict[str, list[Prediction]]:
    """The predictions of each set that there is."""
    parts = {split: [p for p in predictions if p.structure.split == split] for split in SPLITS}
    return {split: part for split, part in parts.items() if part}


def _forces(predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors (n, 3), labels (n, 3) and atomic numbers (n,) of all atoms with labeled forces."""
    mine = [p for p in predictions if p.structure.forces is not None]
    if not mine:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, dtype=int)
    errors = np.concatenate([p.forces - p.structure.forces for p in mine])
    return errors, np.concatenate([p.structure.forces for p in mine]), np.concatenate(
        [p.structure.atoms.numbers for p in mine])  # fmt: skip


def _row(errors: np.ndarray, labels: np.ndarray) -> dict:
    """Errors of force components; ``relative`` is their root mean square beside that of the labels."""
    size = float(np.sqrt(np.mean(labels**2)))
    rmse = float(np.sqrt(np.mean(errors**2)))
    return {"atoms": len(errors), "mae": float(np.mean(np.abs(errors))), "rmse": rmse,
            "max": float(np.abs(errors).max()), "relative": rmse / size if size > 0 else None}  # fmt: skip


def errors_by_element(predictions) -> dict:
    """{split: {symbol: {atoms, mae, rmse, max, relative}}} of force components, eV/Å."""
    table: dict = {}
    for split, part in by_split(predictions).items():
        errors, labels, numbers = _forces(part)
        if len(errors):
            table[split] = {chemical_symbols[z]: _row(errors[numbers == z], labels[numbers == z])
                            for z in np.unique(numbers)}  # fmt: skip
    return table


def errors_by_force(predictions) -> dict:
    """{split: [{above, below, atoms, mae, rmse, max, relative}]} by the norm of the labeled force on the atom, eV/Å."""
    table: dict = {}
    for split, part in by_split(predictions).items():
        errors, labels, _ = _forces(part)
        size, rows = np.linalg.norm(labels, axis=1), []
        for low, high in zip(SIZES[:-1], SIZES[1:], strict=True):
            inside = (size >= low) & (size < high)
            if inside.any():
                end = float(high) if np.isfinite(high) else None
                rows.append({"above": float(low), "below": end, **_row(errors[inside], labels[inside])})
        if rows:
            table[split] = rows
    return table


def cumulative(predictions) -> dict:
    """{quantity: {split: {share: [%], error: []}}}: the share of errors that are not larger, in eV and Å."""
    table: dict = {}
    for split, part in by_split(predictions).items():
        for quantity, errors in errors_of(part).items():
            if len(errors):
                values = np.percentile(np.abs(errors), SHARES)
                table.setdefault(quantity, {})[split] = {"share": SHARES.tolist(), "error": values.tolist()}
    return table
