# SPDX-License-Identifier: BSD-3-Clause
"""Radial functions of the descriptor ``soap`` of QUIP: Gaussians of atoms on a basis of equispaced Gaussians.

[Bartok, Payne, Kondor, Csanyi, PRL 104, 136403 (2010)]; docs/gap.md has the formulas."""

import numpy as np
from scipy.linalg import cholesky, solve, solve_triangular
from scipy.special import erf, gamma, gammainc

from ..model import radial

BASES = ("EQUISPACED_GAUSS", "POLY", "GTO")


def basis_of(basis, n_max, l_max, cutoff, sigma, exponent):
    """(a, b, T) of h_nl(r) = sum_k exp(-a (r^2 + b_k^2)) i_l(2 a r b_k) T[l, k, n]; lengths in Angstrom.

    ``exponent`` is basis_error_exponent: the basis reaches sigma sqrt(2 exponent ln 10) beyond the cutoff."""
    a, extent = 1 / (2 * sigma**2), cutoff + sigma * np.sqrt(2 * exponent * np.log(10))
    if basis == "EQUISPACED_GAUSS":
        b = extent / n_max * np.arange(n_max)
        plus, minus = b[:, None] + b, b[:, None] - b
        overlap = np.exp(-a * (b[:, None] ** 2 + b**2)) * np.sqrt(2) * a**1.5 * plus
        smooth = (1 + a * plus**2) * (1 + erf(np.sqrt(a / 2) * plus))
        overlap = (overlap + a * np.exp(-a * minus**2 / 2) * np.sqrt(np.pi) * smooth) / np.sqrt(128 * a**5)
        t = solve(np.exp(-a * minus**2), cholesky(overlap, lower=True))
        return a, b, np.repeat(t[None], l_max + 1, axis=0)
    b = extent / (3 * n_max) * np.arange(3 * n_max)
    make = _polynomials if basis == "POLY" else _decaying_powers
    t = []
    for l in range(l_max + 1):
        values, overlap = make(np.arange(1.0, n_max + 1), l, extent, b)
        orthonormal = solve_triangular(cholesky(overlap, lower=True), values.T, lower=True).T
        t.append(np.linalg.pinv(orthonormal).T)  # least squares on the grid
    return a, b, np.array(t)


def _polynomials(n, l, extent, r):
    """(R - r)^(n + 2) / N_n, and their overlap."""
    norm = np.sqrt(extent ** (2 * n + 7) / ((n + 3) * (2 * n + 5) * (2 * n + 7)))
    total = n[:, None] + n
    overlap = 2 * extent ** (total + 7) / ((total + 5) * (total + 6) * (total + 7)) / norm[:, None] / norm
    return (extent - r)[:, None] ** (n + 2) / norm, overlap


def _decaying_powers(n, l, extent, r):
    """r^l exp(-beta_n r^2), one thousandth of its largest power at n R / n_max, and their overlap."""
    edges = extent / len(n) * n
    beta = -(np.log(0.001) - l * np.log(edges)) / edges**2
    u = (beta[:, None] + beta) * extent**2
    overlap = extent ** (2 * l + 3) / 2 * u ** -(l + 1.5) * gammainc(l + 1.5, u) * gamma(l + 1.5)
    return r[:, None] ** l * np.exp(-beta * r[:, None] ** 2), overlap


def functions(basis, l_max, r):
    """h_nl(r) of a `basis_of` with two derivatives, (3, len(r), l_max + 1, n_max)."""
    a, b, t = basis
    a, r, b = radial.Extended(a), np.asarray(r, dtype=radial.Extended)[:, None], b.astype(radial.Extended)
    slope, ratio = 2 * a * b, 2 * a * r
    value = np.exp(-a * (r - b) ** 2) * radial.scaled_spherical_i(l_max + 2, ratio * b)

    def derivative(k, l):
        below = l * k[l - 1] if l > 0 else 0
        return slope * (below + (l + 1) * k[l + 1]) / (2 * l + 1)

    first = [derivative(value, l) - ratio * value[l] for l in range(l_max + 2)]
    second = [derivative(first, l) - ratio * first[l] - 2 * a * value[l] for l in range(l_max + 1)]
    out = [[stack[l] @ t[l] for l in range(l_max + 1)] for stack in (value, first, second)]
    return np.moveaxis(np.array(out), 2, 1).astype(float)
