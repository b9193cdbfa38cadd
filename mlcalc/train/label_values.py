# SPDX-License-Identifier: BSD-3-Clause
"""Numbers of labels as the data has them: finite, and matrices of six."""

from __future__ import annotations

import numpy as np

from .option_checks import DataError

#: position of xx yy zz yz xz xy in a list of six numbers
STRESS_ORDERS = {"voigt": (0, 1, 2, 3, 4, 5), "vasp": (0, 1, 2, 4, 5, 3), "lammps": (0, 1, 2, 5, 4, 3)}


def finite(value, what: str, where: str) -> np.ndarray:
    """The numbers of a label. Raises DataError for what is none, or not finite."""
    try:
        value = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {what} is not a number: {value!r}") from None
    if not np.isfinite(value).all():
        raise DataError(f"{where}: {what} contains NaN or infinity; remove the structure or its label")
    return value


def matrix_of_six(value: np.ndarray, order: str) -> np.ndarray:
    """The symmetric matrix (3, 3) of six numbers in one of STRESS_ORDERS."""
    xx, yy, zz, yz, xz, xy = value.reshape(6)[list(STRESS_ORDERS[order])]
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
