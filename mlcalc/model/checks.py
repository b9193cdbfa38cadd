# SPDX-License-Identifier: BSD-3-Clause
"""Values that descriptions of a model are made of, checked when they are given."""

import math

import numpy as np


def require(condition, message):
    if not condition:
        raise ValueError(message)


def positive(value, name):
    """`value` as a float above 0, or a ValueError that names it."""
    require(isinstance(value, int | float | np.number) and math.isfinite(value) and value > 0,
            f"{name} must be a positive number, got {value!r}")  # fmt: skip
    return float(value)


def count(value, name, least):
    require(isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least,
            f"{name} must be an integer of at least {least}, got {value!r}")  # fmt: skip
    return int(value)
