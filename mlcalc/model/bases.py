# SPDX-License-Identifier: BSD-3-Clause
"""Radial bases: each class has everything that an expansion asks of its basis. Lengths in Angstrom."""

import abc
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import radial
from .checks import positive, require
from .radial_potential import EXTENT, TABULATED_EXTENT, multi_width_basis

DEFAULT_WIDTHS = (0.7, 2.0)  # first and last, in units of the smearing


class Sizes(NamedTuple):
    """Lengths of functions that decay: where all have vanished, the width of the widest, and of the narrowest."""

    extent: float
    widest: float
    narrowest: float


class RadialBasis(abc.ABC):
    """What the expansions ask of a basis R_nl(r), n < n_max, l <= l_max. Those of densities are needed up to a cutoff,
    those of potentials (`sizes`, `filters`) to where they have decayed."""

    @abc.abstractmethod
    def values(self, n_max, l_max, cutoff, r):
        """R_nl(r), (len(r), l_max + 1, n_max)."""

    def with_derivatives(self, n_max, l_max, cutoff, r):
        """R_nl(r) and two derivatives, (3, len(r), l_max + 1, n_max); of a smooth basis without a closed form."""
        return radial.evaluate_series(_series(self, n_max, l_max, cutoff), n_max, l_max, r)

    def smeared(self, n_max, l_max, cutoff, width, r):
        """Integrals of the basis with a Gaussian at distance r and two derivatives, (3, len(r), l_max + 1, n_max)."""
        values = functools.partial(self.values, n_max, l_max, cutoff)
        return radial.gaussian_integral(values, n_max, l_max, cutoff, width, r)

    def sizes(self, n_max, l_max) -> Sizes:
        """Raises ValueError for a basis that is made for a cutoff."""
        raise ValueError(f"the basis {type(self).__name__} ends at a cutoff, which a far field does not have; use "
                         "MultiWidth, Gto or Tabulated")  # fmt: skip

    def filters(self, l_max, k_max, accuracy):
        """If F_nl(k) = sum_q filter_q(k) W[l, n, q]: the filters and two derivatives at knots up to k_max,
        (n_knots, 3, n_filters), and W (l_max + 1, n_max, n_filters). None of other bases."""
        return None


@functools.lru_cache(maxsize=4)
def _series(basis, n_max, l_max, cutoff):
    return radial.chebyshev_series(functools.partial(basis.values, n_max, l_max, cutoff), n_max, l_max, cutoff)


@dataclass(frozen=True)
class Gto(RadialBasis):
    """Orthonormalized r^n exp(-r^2 / 2 sigma_n^2). `radius` (Angstrom) places them; a density takes its cutoff."""

    radius: float | None = None

    def __post_init__(self):
        if self.radius is not None:
            object.__setattr__(self, "radius", positive(self.radius, "the radius of the GTO basis"))

    def values(self, n_max, l_max, cutoff, r):
        return self.with_derivatives(n_max, l_max, cutoff, r)[0]

    def with_derivatives(self, n_max, l_max, cutoff, r):
        functions = radial.gto_functions(n_max, self.radius or cutoff, r)
        return np.repeat(functions[:, :, None, :], l_max + 1, axis=2)

    def smeared(self, n_max, l_max, cutoff, width, r):
        return radial.gto_gaussian_integral(n_max, l_max, cutoff, width, r)

    def sizes(self, n_max, l_max):
        sigma, _ = radial.gto_basis(n_max, self.radius)
        return Sizes(EXTENT * float(sigma.max()), float(sigma.max()), float(sigma.min()))


@dataclass(frozen=True)
class LaplacianEigenstates(RadialBasis):
    """Spherical Bessel functions that vanish at the cutoff [Bigi et al., JCP 157, 234101 (2022)]."""

    def values(self, n_max, l_max, cutoff, r):
        return self.with_derivatives(n_max, l_max, cutoff, r)[0]

    def with_derivatives(self, n_max, l_max, cutoff, r):
        return radial.laplacian_eigenstates(n_max, l_max, cutoff, r)


@dataclass(frozen=True)
class Legendre(RadialBasis):
    """sqrt(2 n + 1) P_n(x) ((1 + x) / 2)^2, the same for every l, x from 1 at the center to -1 at the cutoff.

    x is linear in 1 / (1 + (r / scale)^exponent) (Angstrom): the functions are finest around ``scale``, a distance of
    neighbors; all fall to zero at the cutoff with zero slope. For densities of points, as cluster expansions use them.
    """

    scale: float = 3.0
    exponent: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "scale", positive(self.scale, "the scale of the Legendre basis"))
        object.__setattr__(self, "exponent", positive(self.exponent, "the exponent of the Legendre basis"))

    def values(self, n_max, l_max, cutoff, r):
        end = 1 / (1 + (cutoff / self.scale) ** self.exponent)
        x = 1 - 2 * (1 - 1 / (1 + (r / self.scale) ** self.exponent)) / (1 - end)
        values = np.polynomial.legendre.legvander(x, n_max - 1) * np.sqrt(2 * np.arange(n_max) + 1)
        values *= (((1 + x) / 2) ** 2)[:, None]
        return np.repeat(values[:, None, :], l_max + 1, axis=1)


@dataclass(frozen=True)
class Tabulated(RadialBasis):
    """A basis of the user: ``functions(r)`` -> R_nl(r), shape (len(r), l_max + 1, n_max), r in [0, cutoff].

    The functions must be smooth; they need not be orthonormal. A model file stores their tables, not the functions:
    an expansion read from a file has ``functions`` None.
    """

    functions: Callable | None = None

    def values(self, n_max, l_max, cutoff, r):
        known = self.functions is not None
        require(known, "the functions of this tabulated basis are not known, only their tables are")
        return radial.checked_functions(self.functions, n_max, l_max, r)

    def sizes(self, n_max, l_max):
        """As seen on the functions: where all have decayed, and the root mean square radius of the widest."""
        r = np.linspace(0.0, TABULATED_EXTENT, 6001)
        values = np.abs(self.values(n_max, l_max, TABULATED_EXTENT, r)) * (1 + r[:, None, None] ** 2)
        left = np.flatnonzero((values > 1e-12 * values.max(axis=0)).any(axis=(1, 2)))
        require(
            not len(left) or left[-1] <= len(r) - 50,
            f"the radial functions of a potential must decay before {TABULATED_EXTENT:g} Angstrom, like a Gaussian",
        )
        weights = values**2
        total = weights.sum(axis=0)
        present = total > 0  # a ragged basis has functions that vanish
        require(present.any(), "all radial functions of this basis vanish")
        width = float(np.sqrt(np.max((weights * r[:, None, None] ** 2).sum(axis=0)[present] / total[present])))
        return Sizes(float(r[left[-1] + 1]), width, 0.05 * width)


@dataclass(frozen=True)
class MultiWidth(RadialBasis):
    """Functions r^l exp(-r^2 / 2 w^2) of several widths w (Angstrom), orthonormalized over the widths for each l.

    The cheapest basis on a mesh: one inverse Fourier transform for each width, whatever l_max. By default `widths` are
    n_max of a geometric series from 0.7 to 2 times the smearing of the potential (the first alone for n_max = 1), which
    predicts charged dimers best (docs/theory.md).
    """

    widths: tuple[float, ...] | None = None

    def __post_init__(self):
        if self.widths is not None:
            object.__setattr__(self, "widths", tuple(positive(w, "a width of the basis") for w in self.widths))

    def resolved(self, n_max, smearing):
        """This basis with its widths filled in."""
        if self.widths is not None:
            return self
        return MultiWidth(tuple(float(smearing * w) for w in np.geomspace(*DEFAULT_WIDTHS, n_max)))

    def values(self, n_max, l_max, cutoff, r):
        weights = multi_width_basis(self.widths, l_max).astype(float)
        gaussians = np.exp(-0.5 * (r[:, None] / np.array(self.widths)) ** 2)
        return np.einsum("rq,lnq->rln", gaussians, weights) * r[:, None, None] ** np.arange(l_max + 1)[:, None]

    def sizes(self, n_max, l_max):
        return Sizes(EXTENT * max(self.widths), max(self.widths), min(self.widths))

    def filters(self, l_max, k_max, accuracy):
        filters = radial.tabulate(
            lambda k: np.stack([radial.gaussian(k, 0.5 * w * w) for w in self.widths], axis=-1)[:, :, None, :],
            k_max,
            accuracy,
        ).data[:, :, 0, :]
        sigma = np.array(self.widths)
        transform = np.sqrt(np.pi / 2) * sigma ** (2 * np.arange(l_max + 1)[:, None] + 3)  # of r^l exp(-r^2 / 2 w^2)
        return filters, multi_width_basis(self.widths, l_max).astype(float) * transform[:, None, :]
