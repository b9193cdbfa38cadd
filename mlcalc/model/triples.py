# SPDX-License-Identifier: BSD-3-Clause
"""Energies of triples of atoms: a kernel with sparse points in the distances of a center and two of its neighbors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .checks import positive, require
from .expansions import SMOOTHINGS, ShiftedCosine, Step, make, name_of


@dataclass(eq=False)
class TripleKernel:
    """E_i = sum_(j<k) f_c(r_ij) f_c(r_ik) [constant + sum_M w_M k(x, x_M)] of a center i and two of its neighbors.

    ``coordinates``: "angle", x = (r_ij + r_ik, (r_ij - r_ik)^2, r_jk), or "sides", x = (r_ij, r_ik, r_jk) with the
    kernel summed over their permutations and normalized. ``kernel``: "gaussian", exp(-s / 2), or "wendland",
    (1 - q)^4 (4 q + 1) below q = sqrt(s) = 1, where s is the squared distance of x and x_M in units of the ``widths``.
    ``points`` (n, 3) and ``weights`` (n,) in eV; ``center`` and ``neighbors`` are atomic numbers, None for any; the
    neighbors count in any order. The energy belongs to the center. [Bartok, Csanyi, IJQC 115, 1051 (2015)]"""

    name: str
    points: np.ndarray
    weights: np.ndarray
    widths: tuple[float, float, float]
    cutoff: float
    smoothing: ShiftedCosine | Step = ShiftedCosine()
    coordinates: str = "angle"
    kernel: str = "gaussian"
    center: int | None = None
    neighbors: tuple[int | None, int | None] = (None, None)
    constant: float = 0.0

    def __post_init__(self):
        self.points, self.weights = (np.ascontiguousarray(x, dtype=float) for x in (self.points, self.weights))
        shapes = self.points.shape, self.weights.shape
        require(shapes[0][1:] == (3,) and shapes[1] == shapes[0][:1],
                f"triples need points (n, 3) and weights (n,), got {shapes[0]} and {shapes[1]}")  # fmt: skip
        self.cutoff = positive(self.cutoff, "the cutoff of triples")
        self.widths = tuple(positive(w, "a width of triples") for w in self.widths)

    def to_json(self):
        """The entry in the description of a model."""
        return {
            "name": self.name, "type": "kernel", "coordinates": self.coordinates, "kernel": self.kernel,
            "center": self.center, "neighbors": list(self.neighbors), "cutoff": self.cutoff,
            "smoothing": {"type": name_of(SMOOTHINGS, self.smoothing), **vars(self.smoothing)},
            "widths": list(self.widths), "constant": float(self.constant),
        }  # fmt: skip

    def tensors(self):
        """The tensors of the model file by name."""
        return {f"triples.{self.name}.points": self.points, f"triples.{self.name}.weights": self.weights}

    @classmethod
    def from_json(cls, entry, tensors):
        """The inverse of `to_json`, with the tensors of the file."""
        settings = {key: value for key, value in entry.items() if key not in ("type", "smoothing", "neighbors")}
        points, weights = (tensors[f"triples.{entry['name']}.{key}"] for key in ("points", "weights"))
        return cls(points=points, weights=weights, neighbors=tuple(entry["neighbors"]),
                   smoothing=make(SMOOTHINGS, entry["smoothing"], "smoothing"), **settings)  # fmt: skip
