# SPDX-License-Identifier: BSD-3-Clause
"""Tables of the smeared 1/r^p potential on a radial basis: in reciprocal space, around the atom itself, and for atoms
at any distance when there are no periodic images.

With x = k r, j~_l(x) = j_l(x) / x^l is smooth and even, and d j~_l / dx = -x j~_(l+1). Everything is divided by the
power of k or r that makes it smooth at the origin.
"""

import functools
from dataclasses import replace

import numpy as np
from scipy.special import gamma, gammainc, poch, spherical_jn

from . import radial

EXTENT = 13.0  # widths after which a Gaussian times r^20 has vanished
K_MAX = 10.0  # in units of 1 / smearing: exp(-50) is left of the potential
TABULATED_EXTENT = 60.0  # Angstrom
N_FAR = 10  # terms of the multipole series


def reduced_bessel(l, x):
    """j_l(x) / x^l."""
    small = x < 0.5
    y = np.where(small, x, 0.0) ** 2
    term = np.full_like(x, 1 / np.prod(np.arange(1.0, 2 * l + 2, 2)))
    total = term.copy()
    for q in range(1, 9):
        term = term * (-0.5 * y) / (q * (2 * l + 1 + 2 * q))
        total += term
    large = np.where(small, 1.0, x)
    return np.where(small, total, spherical_jn(l, large) / large**l)


def multi_width_basis(widths, l_max):
    """Weights W (l_max + 1, n, n) of the orthonormal R_nl(r) = sum_q W[l, n, q] r^l exp(-r^2 / 2 widths_q^2).

    Symmetric (Loewdin) orthonormalization over n for each l. Raises ValueError if the widths are too close to each
    other.
    """
    sigma = np.array(widths, dtype=radial.Extended)
    out = []
    for l in range(l_max + 1):
        norm = np.sqrt(2 / (sigma ** (2 * l + 3) * radial.half_gamma(2 * l + 3)))
        ratio = 2 * sigma[:, None] * sigma / (sigma[:, None] ** 2 + sigma**2)
        out.append(radial.inverse_root(ratio ** (radial.Extended(2 * l + 3) / 2), f"widths {tuple(widths)}") * norm)
    return np.array(out)


class Basis:
    """A radial basis on quadrature nodes: R_nl(r), (n_nodes, l_max + 1, n_max), times the weights; its widest width."""

    def __init__(self, expansion, smearing):
        basis, n_max, l_max = expansion.basis, expansion.n_max, expansion.l_max
        extent, self.width, narrowest = basis.sizes(n_max, l_max)
        n_nodes = int(80 + extent * (0.75 * K_MAX / smearing + 4 / narrowest))
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        self.r, self.weights = 0.5 * extent * (nodes + 1), 0.5 * extent * weights
        values = basis.values(n_max, l_max, extent, self.r)
        self.values = values * self.weights[:, None, None]
        self.shape = (l_max + 1, n_max)

    def moment(self, l, t):
        """int R_nl(r) r^(t+2) dr, (n_max,)"""
        return self.r ** (t + 2) @ self.values[:, l]

    def reciprocal(self, k):
        """F_nl(k) = int r^(2+l) R_nl(r) j~_l(kr) dr, (len(k), l_max + 1, n_max)"""
        x = np.outer(k, self.r)
        columns = [
            reduced_bessel(l, x) @ (self.r[:, None] ** (2 + l) * self.values[:, l]) for l in range(self.shape[0])
        ]
        return np.stack(columns, axis=1)


def smeared_power(exponent, smearing, r):
    """gamma(p/2, r^2 / 2 s^2) / (Gamma(p/2) r^p), p = 0: the normalized Gaussian (pi s^2)^(-3/4) exp(-r^2 / 2 s^2)."""
    if exponent == 0:
        return (np.pi * smearing**2) ** -0.75 * np.exp(-0.5 * (r / smearing) ** 2)
    x = 0.5 * (r / smearing) ** 2
    limit = (2 * smearing**2) ** (-0.5 * exponent) / gamma(0.5 * exponent + 1)
    return np.where(x < 1e-14, limit, gammainc(0.5 * exponent, x) / np.maximum(r, 1e-30) ** exponent)


def center(expansion, basis):
    """V_n00 that an atom makes at its own center, sqrt(4 pi) int r^2 R_n0(r) g_p(r) dr."""
    g = smeared_power(expansion.exponent, expansion.smearing, basis.r)
    return np.sqrt(4 * np.pi) * (basis.r**2 * g) @ basis.values[:, 0]


def far_series(expansion, basis):
    """Coefficients (n_far, l_max + 1, n_max) of F_nl(r) = sum_q far[q] / r^(p + l + 2q), far from the atom.

    4 pi A_lq int R_nl r^(2 + l + 2q) dr, A_lq = (p/2)_(l+q) ((p-1)/2)_q / (q! (3/2)_(l+q)): the expansion of
    |r - r'|^-p in Gegenbauer polynomials, projected on l. Exact with one term for p = 1.
    """
    p, (n_l, n_max) = expansion.exponent, basis.shape
    if p == 0:
        return np.zeros((1, n_l, n_max))
    out = np.empty((1 if p == 1 else N_FAR, n_l, n_max))
    for q in range(len(out)):
        for l in range(n_l):
            a = poch(p / 2, l + q) * poch((p - 1) / 2, q) / (gamma(q + 1) * poch(1.5, l + q))
            out[q, l] = 4 * np.pi * a * basis.moment(l, l + 2 * q)
    return out


def far_radius(expansion, basis, far, accuracy):
    """Distance from which the series holds: the smearing has gone, and the last term is negligible."""
    r = 8.5 * np.hypot(expansion.smearing, basis.width)
    if len(far) > 1:
        first, last = np.abs(far[0]).max(axis=-1), np.abs(far[-1]).max(axis=-1)
        last = last[first > 0] / first[first > 0]  # an l whose functions vanish has no series
        r = max(r, float(np.max((last / accuracy) ** (0.5 / (len(far) - 1)), initial=0.0)))
    return float(min(r, TABULATED_EXTENT))


def real_space(expansion, basis, r, reciprocal):
    """F_nl(r) / r^l = 2/pi int k^(2+2l) g_p(k) F_nl(k) j~_l(kr) dk, (len(r), l_max + 1, n_max).

    `reciprocal` is F_nl(k) at the nodes of `hankel_nodes`, where the powers of k that g_p has at 0 are smooth.
    """
    k, weights, g = hankel_nodes(expansion, r.max())
    x = np.outer(r, k)
    columns = [
        2 / np.pi * reduced_bessel(l, x) @ ((weights * g * k ** (2 + 2 * l))[:, None] * reciprocal[:, l])
        for l in range(basis.shape[0])
    ]
    return np.stack(columns, axis=1)


def hankel_nodes(expansion, r_max):
    """k = t^2 with Gauss-Legendre t, the weights dk, and g_p(k)."""
    from .._engine import smeared_power_transform

    k_max = K_MAX / expansion.smearing
    nodes, weights = np.polynomial.legendre.leggauss(int(150 + 0.9 * k_max * r_max))
    t = 0.5 * np.sqrt(k_max) * (nodes + 1)
    k = t * t
    return (
        k,
        0.5 * np.sqrt(k_max) * weights * 2 * t,
        smeared_power_transform(expansion.exponent, expansion.smearing, k)[0],
    )


def far_values(far, exponent, r):
    """F_nl(r) / r^l of the series with two derivatives, (3, l_max + 1, n_max)."""
    q, l = np.arange(far.shape[0])[:, None], np.arange(far.shape[1])[None, :]
    power = -(exponent + 2 * l + 2 * q).astype(float)
    factors = [r**power, power * r ** (power - 1), power * (power - 1) * r ** (power - 2)]
    return np.stack([np.einsum("ql,qln->ln", f, far) for f in factors])


def _tabulate(functions, shape, x_max, accuracy):
    """A table of a smooth even function by way of its Chebyshev series, which has the derivatives."""
    series = radial.chebyshev_series(functions, shape[1], shape[0] - 1, x_max)
    return radial.tabulate(lambda x: radial.evaluate_series(series, shape[1], shape[0] - 1, x), x_max, accuracy)


def potential_tables(expansion, species):
    """The tensors of a `PotentialExpansion`, as docs/file-format.md names them.

    Raises ValueError if the accuracy cannot be reached or the basis is linearly dependent.
    """
    # what the tables do not depend on does not make new ones
    out = dict(_tables(replace(expansion, name="V", center_atom_weight=1.0, mixing=None)))
    if expansion.mixing is not None:
        n = len(expansion.mixing[0])
        if n != len(species):
            raise ValueError(f"the mixing matrix needs one column for each of {len(species)} species, got {n}")
        out["mixing"] = np.array(expansion.mixing)
    return out


@functools.lru_cache(maxsize=32)
def _tables(expansion):
    exponent, smearing, accuracy = expansion.exponent, expansion.smearing, expansion.accuracy
    nodes = Basis(expansion, smearing)
    k_max = K_MAX / smearing
    far = far_series(expansion, nodes)
    r_max = far_radius(expansion, nodes, far, 1e-7)
    reciprocal = nodes.reciprocal(hankel_nodes(expansion, r_max)[0])
    real = _tabulate(
        lambda r: real_space(expansion, nodes, np.append(r, r_max), reciprocal)[:-1], nodes.shape, r_max, accuracy
    )
    real.data[-1] = far_values(far, exponent, r_max)  # the interpolant meets the series with two derivatives
    out = {"center": center(expansion, nodes), "real": real.data, "real_r_max": np.array([r_max]), "far": far,
           "reciprocal_k_max": np.array([k_max])}  # fmt: skip
    split = expansion.basis.filters(expansion.l_max, k_max, accuracy)
    if split is None:
        return out | {"reciprocal": _tabulate(nodes.reciprocal, nodes.shape, k_max, accuracy).data}
    filters, weights = split
    return out | {
        "filters": np.ascontiguousarray(filters),
        "filter_weights": weights,
        "reciprocal": np.einsum("kdq,lnq->kdln", filters, weights),
    }
