# SPDX-License-Identifier: BSD-3-Clause
"""Energies of pairs of atoms from tables: one function of the distance for each pair of species."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import BPoly, CubicSpline

from . import radial
from .checks import positive, require
from .expansions import SMOOTHINGS, ShiftedCosine, Step, make, name_of

_STEP = Step()


@dataclass(frozen=True, eq=False)
class PairTable:
    """The energy of a pair at distance r: the quintic Hermite interpolant of ``values`` times the cutoff function.

    ``values`` (n_knots, 3): energy, slope and curvature, eV and Angstrom, at uniform knots from ``inner`` to the
    cutoff; nearer than ``inner`` the parabola of the first knot goes on. Without a smoothing (`Step`) they should end
    at zero, or energies jump at the cutoff."""

    values: np.ndarray
    cutoff: float
    inner: float = 0.0
    smoothing: ShiftedCosine | Step = Step()

    def __post_init__(self):
        values = np.ascontiguousarray(self.values, dtype=float)
        require(values.ndim == 2 and values.shape[1] == 3 and len(values) > 1 and np.all(np.isfinite(values)),
                f"a table of pairs must be finite numbers of shape (n_knots, 3), got {values.shape}")  # fmt: skip
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "cutoff", positive(self.cutoff, "the cutoff of a table of pairs"))
        require(0 <= self.inner < self.cutoff, f"inner must be from 0 to the cutoff {self.cutoff}, got {self.inner}")
        width = getattr(self.smoothing, "width", 0.0)
        require(width <= self.cutoff, f"the smoothing width must not exceed the cutoff {self.cutoff}, got {width}")

    @classmethod
    def from_function(cls, function, cutoff, inner=0.0, smoothing=_STEP, accuracy=1e-9, acceptable=None):
        """The coarsest table whose energies and slopes V have errors below ``accuracy`` (1 + abs(V)), eV, Angstrom.

        ``function(r)`` returns energy, slope and curvature (3, len(r)). Raises ValueError if the accuracy cannot be
        reached, unless the best found is within ``acceptable``."""
        table = radial.tabulate(lambda x: np.asarray(function(inner + x), dtype=float)[:, :, None, None],
                                cutoff - inner, accuracy, acceptable=acceptable, local=True)  # fmt: skip
        return cls(table.data[:, :, 0, 0], cutoff, inner, smoothing)

    @classmethod
    def from_points(cls, r, energies, slopes=None, ends=None, smoothing=_STEP):
        """The table through energies and, if given, slopes dE/dr at ascending distances.

        The curvatures are those of the cubic spline through the slopes, or through the energies without them: E'' is
        continuous. ``ends``: what is splined has these derivatives at the first and the last point (otherwise
        not-a-knot). Distances that are not uniform are interpolated to 1e-9 on uniform ones."""
        r, energies = (np.asarray(x, dtype=float) for x in (r, energies))
        require(r.ndim == 1 and r.shape == energies.shape and len(r) > 3 and np.all(np.diff(r) > 0) and r[0] >= 0,
                "a table of pairs needs four or more ascending distances, and an energy for each")  # fmt: skip
        conditions = "not-a-knot" if ends is None else ((1, ends[0]), (1, ends[1]))
        spline = CubicSpline(r, energies if slopes is None else slopes, bc_type=conditions)
        first = spline(r, 1) if slopes is None else np.asarray(slopes, dtype=float)
        second = spline(r, 2) if slopes is None else spline(r, 1)
        values = np.stack([energies, first, second], axis=1)
        if np.allclose(np.diff(r), (r[-1] - r[0]) / (len(r) - 1), rtol=1e-6, atol=0):
            return cls(values, r[-1], r[0], smoothing)
        piecewise = BPoly.from_derivatives(r, values)

        def function(x):
            x = np.clip(x, r[0], r[-1])
            return np.stack([piecewise(x), piecewise.derivative(1)(x), piecewise.derivative(2)(x)])

        return cls.from_function(function, r[-1], r[0], smoothing, 1e-9, acceptable=1e-6)

    def evaluate(self, r):
        """Energy and slope at distances below the cutoff, each (len(r),), without the cutoff function."""
        table = radial.Table(self.cutoff - self.inner, self.values[:, :, None, None])
        x = np.asarray(r, dtype=float) - self.inner
        inside = table.evaluate(np.maximum(x, 0.0))
        e, d, dd = self.values[0]
        outside = e + x * (d + x * dd / 2), d + x * dd
        return tuple(np.where(x < 0, o, i[:, 0, 0]) for o, i in zip(outside, inside, strict=True))


@dataclass
class TabulatedPairs:
    """Pair energies of a model. ``tables[Z, Z']`` in any order of the atomic numbers; others do not interact."""

    name: str
    tables: dict[tuple[int, int], PairTable] = field(default_factory=dict)

    def __post_init__(self):
        pairs = [tuple(sorted(int(z) for z in pair)) for pair in self.tables]
        require(len(set(pairs)) == len(pairs), f"pairs {self.name!r} have two tables for one pair of species")
        self.tables = dict(sorted(zip(pairs, self.tables.values(), strict=True)))

    @property
    def cutoff(self):
        """The largest of all tables in Angstrom."""
        return max([0.0, *(table.cutoff for table in self.tables.values())])

    def to_json(self):
        """The entry in the description of a model."""
        tables = [
            {
                "species": list(pair),
                "inner": float(table.inner),
                "cutoff": table.cutoff,
                "smoothing": {"type": name_of(SMOOTHINGS, table.smoothing), **vars(table.smoothing)},
            }
            for pair, table in self.tables.items()
        ]
        return {"name": self.name, "type": "table", "tables": tables}

    def tensors(self):
        """The tensors of the model file by name."""
        return {f"pairs.{self.name}.table.{k}": table.values for k, table in enumerate(self.tables.values())}

    @classmethod
    def from_json(cls, entry, tensors):
        """The inverse of `to_json`, with the tensors of the file."""
        tables = {}
        for k, table in enumerate(entry["tables"]):
            values, smoothing = tensors[f"pairs.{entry['name']}.table.{k}"], make(SMOOTHINGS, table["smoothing"], "f_c")
            tables[tuple(table["species"])] = PairTable(values, table["cutoff"], table["inner"], smoothing)
        return cls(entry["name"], tables)
