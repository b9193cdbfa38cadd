# SPDX-License-Identifier: BSD-3-Clause
"""Layers: coefficients of each center made from those of the expansions."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Mixing:
    """A_k,lm = sum_q u_l,kq c_q,lm: the channels q of one or several expansions mixed into K per angular momentum
    [Darby et al., PRL 131, 028001 (2023)].

    ``inputs`` are names of expansions; their channels and radial functions follow one another in q, in this order.
    ``matrices`` (n_centers, l_max + 1, K, Q) holds u, n_centers 1 for all centers or one per species of the model.
    Raises ValueError for an array of another kind.
    """

    name: str
    inputs: list[str]
    matrices: np.ndarray

    def __post_init__(self):
        self.inputs = list(self.inputs)
        self.matrices = np.asarray(self.matrices, dtype=float)
        if self.matrices.ndim != 4:
            raise ValueError(
                f"layer {self.name!r}: matrices must have the shape (1 or n_species, l_max + 1, n_channels, "
                f"n_columns), got {self.matrices.shape}"
            )

    @property
    def n_channels(self):
        """K"""
        return self.matrices.shape[2]

    @property
    def l_max(self):
        """Largest angular momentum of A."""
        return self.matrices.shape[1] - 1

    def to_json(self):
        """The entry of the model file; the matrices are a tensor."""
        return {
            "name": self.name,
            "type": "mixing",
            "inputs": self.inputs,
            "n_channels": int(self.n_channels),
            "l_max": int(self.l_max),
            "per_center": self.matrices.shape[0] > 1,
        }

    @classmethod
    def from_json(cls, entry, matrices):
        """The layer of an entry of a model file and its tensor."""
        return cls(entry["name"], entry["inputs"], matrices)
