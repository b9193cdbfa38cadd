# SPDX-License-Identifier: BSD-3-Clause
"""Coordinates of pairs, ``distance_2b`` and ``distance_Nb`` of order 2, as tabulated pair energies."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from ..model import PairTable, ShiftedCosine, Step, TabulatedPairs, radial

ACCURACY, ACCEPTABLE = 1e-12, 1e-4
NEAREST = 0.4  # Angstrom: what diverges at r = 0 goes on as a parabola from here
COMPACT = 1596837814  # the version of GAP from which clusters are compact unless it is said otherwise


def is_compact(c):
    """Are the clusters of a distance_Nb those whose atoms are all neighbors of one of them?"""
    return c.logical("compact_clusters", default="T" if c.version >= COMPACT else "F")


def species_of_pair(c):
    """(Z1, Z2) of a coordinate of pairs; 0 stands for any."""
    if c.kind.lower() == "distance_2b":
        return c.integers("z1")[0], c.integers("z2")[0]
    z = c.integers("z", default="0 0")
    if len(z) != 2:
        raise ValueError(f"distance_Nb of order 2 must have two numbers in Z, got {len(z)}")
    return z[0], z[1]


class PairFunction:
    """The energy of a pair, without its cutoff function: half of it belongs to each of the two atoms."""

    def __init__(self, c):
        for key in ("only_intra", "only_inter"):
            if c.logical(key):
                raise ValueError(f"{c.kind} with {key} needs molecules, which a model does not know")
        factor, self.exponents, self.tail = 2.0, np.ones(1), (0.0, 1.0)  # both orders of the atoms are instances
        if c.kind.lower() == "distance_2b":
            n = c.integer("n_exponents", default="1")
            self.exponents = c.numbers("exponents", default="1" if n == 1 else " ".join(str(-k - 1) for k in range(n)))
            self.tail = c.number("tail_exponent", default="0"), c.number("tail_range", default="1")
        elif not is_compact(c):
            factor = 1.0
        n = len(self.exponents)
        if c.covariance == "bond_real_space" or (c.covariance == "pp" and n > 1):
            raise ValueError(f"{c.kind} with covariance_type={c.covariance} and {n} exponents cannot be converted")
        if c.points.shape[1] != n:
            raise ValueError(f"the points of a {c.kind} have {c.points.shape[1]} numbers, its settings make {n}")
        if c.covariance != "dot_product" and (c.theta is None or len(c.theta) != n or not np.all(c.theta > 0)):
            raise ValueError(f"{c.kind} needs {n} theta above 0")
        self.covariance, self.zeta = c.covariance, c.zeta
        # alphas are large and of both signs: the noise of values in double precision would show in slopes
        self.points, self.weights = c.points.astype(radial.Extended), factor * c.weights.astype(radial.Extended)
        self.theta = None if c.theta is None else c.theta.astype(radial.Extended)
        self.constant = 0.0 if c.covariance == "dot_product" else factor * c.f0**2 * (c.alpha * c.cutoffs).sum()
        self.diverges = self.tail[0] != 0 or not all(p >= 0 and float(p).is_integer() for p in self.exponents)

    @property
    def smooth(self):
        """Are its derivatives of higher order continuous?"""
        return self.covariance != "pp"

    def __call__(self, r):
        """Value and two derivatives (3, len(r)) at distances in Angstrom."""
        r = np.asarray(r, dtype=radial.Extended)
        out = np.stack([k @ self.weights for k in self._kernels(r)])
        out[0] += self.constant
        exponent, reach = self.tail
        if exponent:
            r = r.astype(float)
            slope = 2 * reach / np.sqrt(np.pi) * np.exp(-((reach * r) ** 2))
            y = radial.multiply(np.stack([erf(reach * r), slope, -2 * reach**2 * r * slope]), radial.power(r, -1))
            f = radial.power(y[0], exponent)
            out = radial.multiply(out, np.stack([f[0], f[1] * y[1], f[2] * y[1] ** 2 + f[1] * y[2]]))
        return out.astype(float)

    def _kernels(self, r):
        """k(x(r), x_M) with x_k = r^p_k and two derivatives with respect to r, each (len(r), n_points)."""
        p = self.exponents.astype(radial.Extended)
        r = r[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            x = [r**p, p * r ** (p - 1), np.where(p * (p - 1) == 0, 0, p * (p - 1) * r ** (p - 2))]
        if self.covariance == "dot_product":
            s, z = [part @ self.points.T for part in x], self.zeta
            first = z * s[0] ** (z - 1)
            second = z * (z - 1) * s[0] ** max(z - 2, 0)
            return s[0] ** z, first * s[1], second * s[1] ** 2 + first * s[2]
        t = (x[0][:, None] - self.points) / self.theta
        t1, t2 = x[1][:, None] / self.theta, x[2][:, None] / self.theta
        if self.covariance == "ard_se":
            k, g = np.exp(-(t * t).sum(axis=2) / 2), -(t * t1).sum(axis=2)
            return k, g * k, (g * g - (t1 * t1 + t * t2).sum(axis=2)) * k
        # Wendland's function in one dimension, (1 - q)^3 (3 q + 1) of q = abs(t)
        t, t1, t2 = t[..., 0], t1[..., 0], t2[..., 0]
        q = np.abs(t)
        u = np.maximum(1 - q, 0)
        first, second = -12 * t * u**2, 24 * q * u - 12 * u**2
        return u**3 * (3 * q + 1), first * t1, second * t1**2 + first * t2


def convert_pairs(coordinates, species):
    """A list of `TabulatedPairs`, one line about each table, from coordinates of pairs.

    Functions of the same pair with the same cutoff function share a table."""
    functions = {}
    for c in coordinates:
        z1, z2 = species_of_pair(c)
        key = c.number("cutoff"), c.number("cutoff_transition_width", default="0.5")
        function = PairFunction(c)
        for i, a in enumerate(species):
            for b in species[i:]:
                if any(x in (0, a) and y in (0, b) for x, y in ((z1, z2), (z2, z1))):
                    functions.setdefault(((a, b), *key), []).append(function)
    tables = [(pair, _table(of_pair, cutoff, width)) for (pair, cutoff, width), of_pair in functions.items()]
    return in_entries("pairs", tables)


def _table(functions, cutoff, width):
    inner = min(NEAREST, cutoff / 2) if any(f.diverges for f in functions) else 0.0
    # functions with kinks are reproduced as well as the largest table can
    acceptable = ACCEPTABLE if all(f.smooth for f in functions) else 1.0
    smoothing = ShiftedCosine(min(width, cutoff)) if width > 0 else Step()
    return PairTable.from_function(lambda r: sum(f(r) for f in functions), cutoff, inner, smoothing, ACCURACY,
                                   acceptable)  # fmt: skip


def in_entries(name, tables):
    """`TabulatedPairs` that hold (pair, table), in as few entries as have one table for each pair."""
    entries = []
    for pair, table in tables:
        entry = next((e for e in entries if pair not in e), None)
        if entry is None:
            entries.append(entry := {})
        entry[pair] = table
    return [TabulatedPairs(f"{name}{k}", entry) for k, entry in enumerate(entries)]
