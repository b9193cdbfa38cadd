# SPDX-License-Identifier: BSD-3-Clause
"""Radial functions of the descriptor ``soap_turbo``: the density of a neighbor, whose width may grow with its distance,
on polynomials that vanish at the hard cutoff. Lengths are in units of that cutoff unless said.

[Caro, PRB 100, 024112 (2019)]"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack, svd

from ..model.radial import PI, Extended, scaled_spherical_i

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


def _panels(low, high, n):
    """Nodes and weights of Gauss-Legendre quadrature on n equal panels."""
    edges = np.linspace(float(low), float(high), n + 1).astype(Extended)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * _NODES).ravel(), (half[:, None] * _WEIGHTS).ravel()


def _error_function(z):
    """erf of z >= 0 in extended precision, smooth in z."""
    z = np.minimum(z, Extended(7))
    t, w = (_NODES + 1) / 2, _WEIGHTS / 2
    return 2 / np.sqrt(PI) * z * (np.exp(-((z[:, None] * t) ** 2)) @ w.astype(Extended))


@dataclass(frozen=True)
class TurboRadial:
    """The settings of one neighbor species; ``hard`` and ``soft`` cutoffs and sigmas in Angstrom."""

    alpha_max: int
    hard: float
    soft: float
    sigma_r: float
    sigma_t: float
    grow_r: float
    grow_t: float
    amplitude: float
    filter_exponent: float  # nf: the filter beyond the soft cutoff is a Gaussian of width (hard - soft) / nf
    enhancement: int
    gaussian: bool  # is the last function a Gaussian at the origin (basis poly3gauss)?

    @property
    def n_polynomials(self):
        return self.alpha_max - self.gaussian

    @cached_property
    def overlap(self):
        """Of the functions (1 - t)^(k + 2) sqrt(2 k + 5), k = 1 .., and the Gaussian, on [0, 1]."""
        k = np.arange(1, self.alpha_max + 1)
        out = np.sqrt((5 + 2 * k[:, None]) * (5 + 2 * k)) / (5 + k[:, None] + k)
        np.fill_diagonal(out, 1.0)
        if self.gaussian:
            sigma = self.sigma_r / self.hard
            t, w = (x.astype(float) for x in _panels(0, 1, 2))
            of_gauss = w * np.exp(-0.5 * (t / sigma) ** 2) * np.sqrt(2 / sigma) / np.pi**0.25
            powers = (1 - t)[:, None] ** (k[:-1] + 2) * np.sqrt(2 * k[:-1] + 5)
            out[-1, :-1] = out[:-1, -1] = of_gauss @ powers
        return out

    @cached_property
    def orthonormalization(self):
        """S^(-1/2) by singular values and a Cholesky factor in double precision: the matrix is ill-conditioned, and how
        it was rounded is part of every potential."""
        u, d, vt = svd(self.overlap, lapack_driver="gesvd")
        factor, failed = lapack.dpotrf(u @ np.diag(np.sqrt(d)) @ vt, lower=0)
        inverse, failed_again = lapack.dpotri(factor, lower=0)
        if failed or failed_again:
            raise ValueError(f"the basis of a soap_turbo with alpha_max={self.alpha_max} is linearly dependent")
        return np.triu(inverse) + np.triu(inverse, 1).T

    def _projections(self, x):
        """Of the density at distances x on the functions before they are orthonormalized, (len(x), alpha_max)."""
        soft, n = Extended(self.soft) / self.hard, self.n_polynomials
        base = Extended(self.sigma_r) / self.hard
        sigma = (base + Extended(self.grow_r) * x)[:, None]
        powers = np.arange(3, 3 + n)
        t, w = _panels(0, soft, 6)
        out = (np.exp(-0.5 * ((t - x[:, None]) / sigma) ** 2) * w) @ (1 - t)[:, None] ** powers
        if soft < 1:
            width = (1 - soft) / Extended(self.filter_exponent)
            t, w = _panels(soft, 1, 2)
            filtered = np.exp(-0.5 * ((t - x[:, None]) / sigma) ** 2 - 0.5 * ((t - soft) / width) ** 2) * w
            out += filtered @ (1 - t)[:, None] ** powers
            out += self._omission(x, soft, sigma[:, 0], width)
        out *= np.sqrt(Extended(2) * powers + 1)
        if not self.gaussian:
            return out
        star = np.sqrt(base**2 + sigma[:, 0] ** 2)
        size = np.sqrt(PI / 2) * sigma[:, 0] * base / star * np.sqrt(2 / base) / PI ** Extended(0.25)
        inside = 1 + _error_function(base / sigma[:, 0] * x / star / np.sqrt(Extended(2)))
        return np.concatenate([out, (np.exp(-0.5 * (x / star) ** 2) * size * inside)[:, None]], axis=1)

    def _omission(self, x, soft, sigma, width):
        """What the reference leaves out of the integrals beyond the soft cutoff: the term of the hard cutoff in the
        first step of its recurrence. Every potential was fitted with it."""
        total, n = sigma**2 + width**2, self.n_polynomials
        center, s2 = (sigma**2 * soft + width**2 * x) / total, sigma**2 * width**2 / total
        errors = [np.zeros_like(x), -s2 * np.exp(-0.5 * (1 - center) ** 2 / s2)]
        for k in range(1, n + 2):
            errors.append((1 - center) * errors[k] + s2 * k * errors[k - 1])
        return np.stack(errors[3 : 3 + n], axis=1) * np.exp(-0.5 * (soft - x) ** 2 / total)[:, None]

    def functions(self, l_max, r):
        """What a neighbor at r Angstrom adds to c_nlm / Y_lm, (len(r), l_max + 1, alpha_max)."""
        x = np.asarray(r, dtype=Extended) / self.hard
        sigma = Extended(self.sigma_r) / self.hard + Extended(self.grow_r) * x
        size = np.sqrt(Extended(self.hard)) / sigma
        if self.amplitude:
            size = size * np.maximum((1 - x) ** 2 * (1 + 2 * x), 0) ** Extended(self.amplitude)
        if self.enhancement == 1:
            size = size * (x + np.sqrt(2 / PI) * sigma)
        elif self.enhancement == 2:
            size = size * (x**2 + sigma**2 + np.sqrt(8 / PI) * sigma * x)
        radial = (self._projections(x) @ self.orthonormalization.T) * size[:, None]
        sigma_t = Extended(self.sigma_t) + Extended(self.grow_t) * x * self.hard
        y = (x * self.hard / sigma_t) ** 2
        angular = 4 * PI * (self.hard / sigma_t) ** 2 * scaled_spherical_i(l_max, y)[: l_max + 1]
        return radial[:, None, :] * np.stack(list(angular), axis=-1)[:, :, None]

    def center(self, l_max):
        """c_n00 of the central atom, (alpha_max,)."""
        if not self.gaussian:
            return self.functions(l_max, np.zeros(1))[0, 0].astype(float) / np.sqrt(4 * np.pi)
        sigma = self.sigma_r / self.hard
        size = {1: np.sqrt(2 / np.pi) * sigma, 2: sigma**2}.get(self.enhancement, 1.0)
        factor = np.sqrt(4 * np.pi) * np.pi**0.25 * np.sqrt(self.sigma_r / 2) * self.hard**3
        column = self.orthonormalization @ self.overlap[:, -1]
        return size * factor / self.sigma_t**2 / self.sigma_r * column
