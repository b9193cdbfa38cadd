# SPDX-License-Identifier: BSD-3-Clause
"""Labels of tensors: reading with checks, what charged molecules and periodic systems need, jumps of a polarization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model.outputs import n_components
from ..running.tensors import NEUTRAL
from .label_values import finite, matrix_of_six
from .option_checks import DataError
from .target_options import TargetOptions

#: a matrix is not symmetric if its halves differ by more than this share of the largest number
ASYMMETRY = 0.02


@dataclass
class TensorLabel:
    """In the stored unit: ``value`` (n_components,) of the structure or (n_atoms, n_components) of its atoms,
    ``derivative`` (n_components, n_atoms, 3); None where there is none."""

    value: np.ndarray | None = None
    derivative: np.ndarray | None = None


def read_label(target: TargetOptions, atoms, lookup, order: str, where: str) -> TensorLabel:
    """The label of a structure; ``atoms`` are in Angstrom, ``lookup(key)`` finds what the data has under a name,
    ``order`` is that of six numbers, of STRESS_ORDERS. Raises DataError."""
    label, n = TensorLabel(), len(atoms)
    value = lookup(target.key)
    if value is not None:
        value = finite(value, f"'{target.key}'", where)
        per_atom = target.per == "atom"
        rows = value.reshape(n, -1) if per_atom and n and value.size % n == 0 else value.reshape(1, -1)
        if per_atom and len(rows) != n:
            raise DataError(f"{where}: '{target.key}' has {value.size} numbers for {n} atoms")
        rows = np.array([_components(row, target, order, where) for row in rows]) * target.factor
        label.value = rows if per_atom else rows[0]
        if target.per == "volume":
            if atoms.cell.rank < 3:
                raise DataError(f"{where}: '{target.key}' is per volume and needs a three-dimensional cell")
            label.value = label.value * atoms.get_volume()
        if target.type == "vector" and not per_atom:
            label.value = _about_center(label.value, target, atoms, lookup, where)
    if target.derivative is not None:
        value = lookup(target.derivative.key)
        if value is not None:
            value = finite(value, f"'{target.derivative.key}'", where)
            if value.size != 9 * n:
                raise DataError(f"{where}: '{target.derivative.key}' has {value.size} numbers, {9 * n} are needed")
            z = value.reshape(n, 3, 3) * target.sign
            label.derivative = np.moveaxis(z if target.derivative.first == "tensor" else z.transpose(0, 2, 1), 1, 0)
    return label


def _components(row, target, order, where):
    needed = n_components(target.type)
    if target.type == "symmetric" and row.size == 6:
        return matrix_of_six(row, order).ravel()
    if row.size != needed:
        six = " or 6" if target.type == "symmetric" else ""
        raise DataError(f"{where}: '{target.key}' has {row.size} numbers, a {target.type} tensor has {needed}{six}")
    if target.type == "symmetric":
        matrix = row.reshape(3, 3)
        if np.abs(matrix - matrix.T).max() > ASYMMETRY * np.abs(matrix).max():
            raise DataError(f"{where}: '{target.key}' is not symmetric")
        row = 0.5 * (matrix + matrix.T).ravel()
    return row


def charge_in(target: TargetOptions, atoms, lookup) -> float:
    """The net charge of a structure."""
    value = None if target.charge is None else lookup(target.charge)
    return float(atoms.get_initial_charges().sum() if value is None else np.asarray(value, dtype=float).reshape(-1)[0])


def _about_center(value, target, atoms, lookup, where):
    """Dipoles of charged structures about the center of mass."""
    charge = charge_in(target, atoms, lookup)
    if abs(charge) < NEUTRAL:
        return value
    if atoms.pbc.any():
        raise DataError(
            f"{where}: a periodic structure with the charge {charge:g} has no '{target.name}'; remove its label"
        )
    if target.origin is None:
        raise DataError(
            f"{where}: the structure has the charge {charge:g}, so that its '{target.key}' depends on the origin; "
            "name it as 'origin' of the target, or remove the label"
        )
    return value - charge * atoms.get_center_of_mass() if target.origin == "coordinates" else value


def check_baseline(target: TargetOptions, structures) -> None:
    """Raises DataError if the charges of a baseline do not fit the structures."""
    if target.type != "vector" or not target.baseline:
        return
    for s in structures:
        if s.tensors.get(target.name) is None or s.tensors[target.name].value is None:
            continue
        total = sum(target.baseline.get(symbol, 0.0) for symbol in s.atoms.get_chemical_symbols())
        where = f"{s.source}, structure {s.index}"
        if s.atoms.pbc.any():
            raise DataError(f"{where}: charges times positions, the baseline of '{target.name}', need free boundaries")
        if abs(total) > NEUTRAL:
            raise DataError(f"{where}: the charges of the baseline of '{target.name}' sum to {total:g}, not to 0")


def jumps(target: TargetOptions, structures) -> list[str]:
    """Notes about a dipole that changes by quanta e R between consecutive frames of a trajectory: another branch of the
    polarization [King-Smith & Vanderbilt, PRB 47, 1651 (1993)]."""
    if target.stored_unit != "e*Angstrom" or target.per == "atom":
        return []
    found = []
    for before, after in zip(structures, structures[1:], strict=False):
        labels = [s.tensors.get(target.name) for s in (before, after)]
        same = before.source == after.source and np.array_equal(before.atoms.numbers, after.atoms.numbers)
        if not same or not all(after.atoms.pbc) or any(x is None or x.value is None for x in labels):
            continue
        quanta = np.linalg.solve(after.atoms.cell.array.T, labels[1].value - labels[0].value)
        if np.abs(quanta).max() > 0.5:
            found.append(f"{after.source}, structure {after.index}: by {np.round(quanta, 2).tolist()} quanta e R")
    if not found:
        return []
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return [
        f"WARNING: '{target.name}' jumps between frames of one trajectory ({found[0]}{more}): is it on one branch "
        "of the polarization? Add or subtract quanta so that it is continuous"
    ]
