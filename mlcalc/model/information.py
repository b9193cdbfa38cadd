# SPDX-License-Identifier: BSD-3-Clause
"""What the labels of the training set fix of the weights: the triangle of the fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: kinds of labels, and the units of their expected errors
KINDS = {"energy": "eV per atom", "forces": "eV/Å", "virial": "eV per atom"}


@dataclass
class Information:
    """The information matrix of a fit, R^T R = A^T A + P, of the weights of ``terms``, one term after the other and in
    each species after species: A are the rows of the training set divided by the expected errors ``sigmas`` of their
    labels, P is the prior. (R^T R)^-1 is the covariance of the weights.

    ``triangle``: the upper triangle of R, row after row (n (n + 1) / 2,)."""

    terms: list[str]
    sigmas: dict[str, float]
    triangle: np.ndarray

    @classmethod
    def of(cls, terms, sigmas, triangle: np.ndarray) -> Information:
        """From the whole matrix R (n, n)."""
        return cls(list(terms), dict(sigmas), np.ascontiguousarray(triangle[np.triu_indices(len(triangle))]))

    @property
    def size(self) -> int:
        """The number n of weights."""
        return int(round((np.sqrt(8.0 * len(self.triangle) + 1) - 1) / 2))

    def matrix(self) -> np.ndarray:
        """R (n, n)"""
        out = np.zeros((self.size, self.size))
        out[np.triu_indices(self.size)] = self.triangle
        return out

    def to_json(self) -> dict:
        """As in the model file, without the triangle."""
        return {"terms": list(self.terms), "sigmas": {kind: float(self.sigmas[kind]) for kind in KINDS}}

    @classmethod
    def from_json(cls, entry: dict, triangle) -> Information:
        """From its entry and its tensor in a model file."""
        return cls(entry["terms"], entry["sigmas"], np.asarray(triangle))
