# SPDX-License-Identifier: BSD-3-Clause
"""Radial bases and the tables of radial integrals that a model file carries.

A table holds functions and their first two derivatives at uniform knots; the core interpolates with quintic Hermite
splines. Everything that needs special functions happens here, once per model.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import spherical_jn

MAX_KNOTS = 20001

# GTOs are nearly linearly dependent: orthonormalizing them costs three digits or more, which would show as noise in the
# slopes of the tables. Their closed forms are therefore evaluated in extended precision.
Extended = np.longdouble
PI = 4 * np.arctan(Extended(1))


# --- functions with their first two derivatives, stacked on the first axis -------------------------------------------


def multiply(f, g):
    """The product rule for stacks (f, f', f'')."""
    return np.stack([f[0] * g[0], f[0] * g[1] + f[1] * g[0], f[0] * g[2] + 2 * f[1] * g[1] + f[2] * g[0]])


def power(x, exponent):
    """x**exponent and its derivatives, x >= 0. Where a derivative is infinite at x = 0 it is replaced by zero."""

    def term(factor, exponent):
        if factor == 0:
            return np.zeros_like(x)
        return factor * np.where((x == 0) & (exponent < 0), 0.0, np.power(np.where(x == 0, 0.0, x), max(exponent, 0))
                                 if exponent >= 0 else np.power(np.where(x == 0, 1.0, x), exponent))  # fmt: skip

    return np.stack([term(1, exponent), term(exponent, exponent - 1), term(exponent * (exponent - 1), exponent - 2)])


def gaussian(x, beta):
    """exp(-beta x**2) and its derivatives."""
    value = np.exp(-beta * x * x)
    return np.stack([value, -2 * beta * x * value, (4 * beta * beta * x * x - 2 * beta) * value])


def half_gamma(k):
    """Gamma(k / 2) for an integer k >= 1."""
    start = np.sqrt(PI) if k % 2 else Extended(1)
    return start * np.prod([Extended(m) / 2 for m in range(2 - k % 2, k - 1, 2)])


# --- radial bases ----------------------------------------------------------------------------------------------------


def gto_basis(n_max, radius):
    """Widths sigma_n (n_max,) and the matrix M (n_max, n_max) of R_n(r) = sum_k M[n, k] r**k exp(-r**2 / 2 sigma_k**2).

    sigma_n = radius * max(sqrt(n), 1) / n_max; the primitives are orthonormalized symmetrically (Loewdin) on [0, inf).
    Lengths in Angstrom. Raises ValueError if n_max is so large that the primitives are linearly dependent.
    [Goscinski, Musil, Pozdnyakov, Nigam, Ceriotti, JCP 155, 104106 (2021)]
    """
    n = np.arange(n_max)
    sigma = Extended(radius) * np.sqrt(np.maximum(n, 1).astype(Extended)) / n_max
    norm = np.array([np.sqrt(2 / (sigma[k] ** (2 * k + 3) * half_gamma(2 * k + 3))) for k in range(n_max)])
    gammas = np.array([half_gamma(3 + k) for k in range(2 * n_max - 1)])
    inverse = 1 / (2 * sigma**2)
    power = (3 + n[:, None] + n) / Extended(2)
    overlap = norm[:, None] * norm * gammas[n[:, None] + n] / 2 * (inverse[:, None] + inverse) ** -power
    root = inverse_root(overlap, f"n_max = {n_max}")
    return sigma, root * norm


def inverse_root(overlap, what):
    """overlap**(-1/2) in extended precision. Raises ValueError if the functions are linearly dependent."""
    n = len(overlap)
    eigenvalues, vectors = np.linalg.eigh(overlap.astype(float))
    if eigenvalues[0] < 1e-9:
        raise ValueError(f"{what} makes radial functions too nearly linearly dependent to orthonormalize accurately")
    root = ((vectors / np.sqrt(eigenvalues)) @ vectors.T).astype(Extended)
    sums = np.sqrt(eigenvalues)[:, None] + np.sqrt(eigenvalues)
    for _ in range(3):  # Newton steps of root overlap root = 1, linearized in the eigenvectors of double precision
        residual = vectors.T @ (np.eye(n) - root @ overlap @ root) @ vectors
        root = root + vectors @ (residual / sums) @ vectors.T
        root = (root + root.T) / 2
    return root


def gto_functions(n_max, radius, r):
    """R_n(r) and two derivatives, (3, len(r), n_max), in Angstrom**(-3/2)."""
    sigma, matrix = gto_basis(n_max, radius)
    r = r.astype(Extended)
    primitives = [multiply(power(r, n), gaussian(r, 1 / (2 * sigma[n] ** 2))) for n in range(n_max)]
    return (np.stack(primitives, axis=-1) @ matrix.T).astype(float)


def spherical_bessel_zeros(n, l):
    """The first n positive zeros of the spherical Bessel function j_l."""
    zeros = np.pi * np.arange(1, n + l + 1)
    for order in range(1, l + 1):  # the zeros of j_l lie between those of j_{l-1}
        zeros = np.array([brentq(lambda x: spherical_jn(order, x), a, b, xtol=1e-14, rtol=1e-15)  # noqa: B023
                          for a, b in zip(zeros[:-1], zeros[1:], strict=True)])  # fmt: skip
    return zeros[:n]


def laplacian_eigenstates(n_max, l_max, cutoff, r):
    """R_nl(r) = N_nl j_l(z_nl r / cutoff) and two derivatives, (3, len(r), l_max + 1, n_max), in Angstrom**(-3/2).

    The eigenfunctions of the Laplacian in a sphere that vanish on its surface, orthonormal on [0, cutoff].
    [Bigi, Huguenin-Dumittan, Ceriotti, Manolopoulos, JCP 157, 234101 (2022)]
    """
    out = np.empty((3, len(r), l_max + 1, n_max))
    for l in range(l_max + 1):
        for n, zero in enumerate(spherical_bessel_zeros(n_max, l)):
            norm = np.sqrt(2 / cutoff**3) / abs(spherical_jn(l + 1, zero))
            k = zero / cutoff
            below = spherical_jn(l - 1, k * r) if l > 0 else np.zeros_like(r)
            here, above = spherical_jn(l, k * r), spherical_jn(l + 1, k * r)
            first = (l * below - (l + 1) * above) / (2 * l + 1)
            # j_l'' with the same recurrence applied twice, so that nothing is divided by r
            under = spherical_jn(l - 2, k * r) if l > 1 else np.zeros_like(r)
            over = spherical_jn(l + 2, k * r)
            first_below = ((l - 1) * under - l * here) / (2 * l - 1) if l > 0 else np.zeros_like(r)
            first_above = ((l + 1) * here - (l + 2) * over) / (2 * l + 3)
            second = (l * first_below - (l + 1) * first_above) / (2 * l + 1)
            out[:, :, l, n] = norm * np.stack([here, k * first, k * k * second])
    return out


def checked_functions(functions, n_max, l_max, r):
    """R_nl(r) of the user, (len(r), l_max + 1, n_max). Raises ValueError for another shape or a value not finite."""
    values = np.asarray(functions(r), dtype=float)
    if values.shape != (len(r), l_max + 1, n_max):
        raise ValueError(f"the radial functions at {len(r)} distances must have shape {(len(r), l_max + 1, n_max)}, "
                         f"got {values.shape}")  # fmt: skip
    if not np.all(np.isfinite(values)):
        raise ValueError("the radial functions must be finite from r = 0 to the cutoff")
    return values


def chebyshev_series(functions, n_max, l_max, cutoff):
    """Chebyshev series of the user's functions on [0, cutoff], which can be differentiated.

    Raises ValueError if they are not smooth enough for 400 terms."""
    n = 400
    angles = np.pi * (np.arange(n) + 0.5) / n
    values = checked_functions(functions, n_max, l_max, 0.5 * cutoff * (1 + np.cos(angles))).reshape(n, -1)
    phases = np.outer(np.arange(n), 2 * np.arange(n) + 1) % (4 * n)  # exact, where k * angle would lose digits
    coefficients = 2 / n * np.cos(np.pi * phases / (2 * n)) @ values
    coefficients[0] /= 2
    used = np.flatnonzero(np.abs(coefficients).max(axis=1) > 1e-14 * np.abs(coefficients).max())
    degree = used[-1] if len(used) else 0
    if degree > 0.9 * n:
        raise ValueError("the radial functions are not smooth: a Chebyshev series of 400 terms does not represent them")
    return [np.polynomial.Chebyshev(column, [0, cutoff]) for column in coefficients[: degree + 1].T]


def evaluate_series(series, n_max, l_max, r):
    """Values and two derivatives of a `chebyshev_series`, (3, len(r), l_max + 1, n_max)."""
    out = np.stack([[f.deriv(order)(r) for f in series] for order in range(3)])
    return np.moveaxis(out.reshape(3, l_max + 1, n_max, len(r)), -1, 1)


# --- integrals of a basis with the density of one neighbor at distance r --------------------------------------------


def _scaled_hyp1f1(twice_a, twice_b, z):
    """exp(-z) 1F1(a; b; z) for positive half-integers a and b, z >= 0, without overflow."""
    a, b = Extended(twice_a) / 2, Extended(twice_b) / 2
    small = z < 400
    x = np.where(small, z, 0)
    largest = float(x.max())
    total = np.ones_like(x)
    for k in reversed(range(int(largest + 10 * largest**0.5 + 40))):
        total = 1 + x * total * ((a + k) / ((b + k) * (k + 1)))
    total *= np.exp(-x)
    if np.all(small):
        return total
    x = np.where(small, 400, z)
    term, series = np.ones_like(x), np.ones_like(x)
    for k in range(60):
        term = term * (b - a + k) * (1 - a + k) / ((k + 1) * x)
        series = series + term
    return np.where(small, total, half_gamma(twice_b) / half_gamma(twice_a) * x ** (a - b) * series)


def gto_gaussian_integral(n_max, l_max, cutoff, width, r):
    """Integrals I_nl(r) of GTOs with a Gaussian of `width` (Angstrom) at distance r, (3, len(r), l_max + 1, n_max).

    The Gaussian is L2-normalized, (pi s^2)^(-3/4) exp(-r^2 / 2 s^2). The closed form is that of
    [Musil et al., JCP 154, 114109 (2021)], with exact derivatives.
    """
    sigma, matrix = gto_basis(n_max, cutoff)
    r = r.astype(Extended)
    c = 1 / (2 * Extended(width) ** 2)
    primitives = np.empty((3, len(r), l_max + 1, n_max), dtype=Extended)
    for l in range(l_max + 1):
        for n in range(n_max):
            d = 1 / (2 * sigma[n] ** 2)
            a2, b2, g = n + l + 3, 2 * l + 3, c * c / (c + d)
            scale = (
                (2 * PI * c) ** Extended(0.75) * c**l * half_gamma(a2) / half_gamma(b2) * (c + d) ** (-Extended(a2) / 2)
            )
            p0 = _scaled_hyp1f1(a2, b2, g * r * r)
            slope = Extended(a2) / b2 * _scaled_hyp1f1(a2 + 2, b2 + 2, g * r * r)
            p1 = slope - p0
            # z p2 from Kummer's equation, z 1F1'' + (b - z) 1F1' - a 1F1 = 0
            zp2 = (Extended(a2) * p0 - Extended(b2) * slope) / 2 - g * r * r * p1
            kummer = np.stack([p0, 2 * g * r * p1, 2 * g * p1 + 4 * g * zp2])
            primitives[:, :, l, n] = scale * multiply(multiply(power(r, l), gaussian(r, c * d / (c + d))), kummer)
    return (primitives @ matrix.T).astype(float)


def scaled_spherical_i(l_max, x):
    """exp(-x) i_l(x), l = 0 .. l_max on the first axis: modified spherical Bessel functions of the first kind, x >= 0.

    The ratios i_{l+1} / i_l are found by their recurrence downwards, which is stable and cannot overflow.
    """
    ratio = np.zeros_like(x)
    ratios = []
    for l in reversed(range(l_max + 40 + int((80 * x.max()) ** 0.5))):
        ratio = x / (2 * l + 3 + x * ratio)
        if l < l_max:
            ratios.append(ratio)
    tiny = np.maximum(x, 1e-30)
    out = [-np.expm1(-2 * tiny) / (2 * tiny)]
    for ratio in reversed(ratios):
        out.append(out[-1] * ratio)
    return np.stack(out)


def panels(length, n):
    """Nodes and weights of Gauss-Legendre quadrature with 32 points on each of n equal parts of [0, length]."""
    x, w = np.polynomial.legendre.leggauss(32)
    starts = np.arange(n)[:, None]
    return ((starts + 0.5 * (x + 1)) * length / n).ravel(), np.tile(0.5 * length / n * w, n)


def gaussian_integral(functions, n_max, l_max, cutoff, width, r):
    """As `gto_gaussian_integral` for any basis: functions(r') -> R_nl(r'), (len(r'), l_max + 1, n_max) on [0, cutoff].

    I_nl(r) = 4 pi (pi s^2)^(-3/4) int r'^2 R_nl(r') exp(-(r^2 + r'^2) / 2 s^2) i_l(r r' / s^2) dr', i_l the modified
    spherical Bessel function, by Gauss-Legendre quadrature on panels; derivatives under the integral.
    """
    nodes, weights = panels(cutoff, 1 + int(max(cutoff / (3 * width), n_max / 4)))
    basis = functions(nodes) * (weights * nodes**2)[:, None, None]
    x = r[:, None] * nodes / width**2
    envelope = 4 * np.pi * (np.pi * width**2) ** -0.75 * np.exp(-0.5 * ((r[:, None] - nodes) / width) ** 2)
    kernel = envelope * scaled_spherical_i(l_max + 2, x)
    slope, ratio = nodes / width**2, (r / width**2)[:, None]

    def derivative(k, l):
        """(i_l' in terms of its neighbors) of the stack `k`."""
        below = l * k[l - 1] if l > 0 else 0.0
        return slope * (below + (l + 1) * k[l + 1]) / (2 * l + 1)

    first = [derivative(kernel, l) - ratio * kernel[l] for l in range(l_max + 2)]
    second = [derivative(first, l) - ratio * first[l] - kernel[l] / width**2 for l in range(l_max + 1)]
    out = np.empty((3, len(r), l_max + 1, n_max))
    for order, stack in enumerate((kernel, first, second)):
        for l in range(l_max + 1):
            out[order, :, l] = stack[l] @ basis[:, l]
    return out


def willatt_scaling(rate, scale, exponent, r):
    """u(r) = rate / (rate + (r / scale)**exponent) and its derivatives, (3, len(r)).

    [Willatt, Musil, Ceriotti, PCCP 20, 29661 (2018)]"""
    x = power(r / scale, exponent) / np.array([1.0, scale, scale**2])[:, None]
    u = rate / (rate + x[0])
    first = -x[1] * u * u / rate
    return np.stack([u, first, -x[2] * u * u / rate - 2 * x[1] * u * first / rate])


# --- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Values and two derivatives at uniform knots x = 0 .. x_max: data (n_knots, 3, l_max + 1, n_max)."""

    x_max: float
    data: np.ndarray

    def evaluate(self, x):
        """Value and derivative of the quintic Hermite interpolant, each (len(x), l_max + 1, n_max)."""
        n = len(self.data) - 1
        h = self.x_max / n
        knot = np.minimum((x / h).astype(int), n - 1)
        t = x / h - knot
        u = 1 - t
        values = [u**3 * (1 + 3 * t + 6 * t**2), h * t * u**3 * (1 + 3 * t), 0.5 * h**2 * t**2 * u**3,
                  t**3 * (1 + 3 * u + 6 * u**2), -h * u * t**3 * (1 + 3 * u), 0.5 * h**2 * u**2 * t**3]  # fmt: skip
        slopes = [-30 * t**2 * u**2 / h, u**2 * (1 + 2 * t - 15 * t**2), 0.5 * h * t * u**2 * (2 - 5 * t),
                  30 * t**2 * u**2 / h, t**2 * (1 + 2 * u - 15 * u**2), -0.5 * h * u * t**2 * (2 - 5 * u)]  # fmt: skip
        rows = np.concatenate([self.data[knot], self.data[knot + 1]], axis=1)
        return tuple(np.einsum("kx,xkln->xln", np.stack(w), rows) for w in (values, slopes))


def tabulate(functions, x_max, accuracy, x_min=0.0, acceptable=None, local=False):
    """The coarsest table found whose interpolant meets `accuracy`, verified between its knots.

    functions(x) -> (3, len(x), l_max + 1, n_max), values and derivatives. Errors of values and of derivatives are
    relative to the largest value and derivative of each function on [x_min, x_max], with `local` to 1 + their absolute
    values at the same x. If the accuracy cannot be reached,
    returns the best table found if its error is at most `acceptable`, else raises ValueError.
    """
    n_intervals, last, best, chosen = 48, np.inf, np.inf, None
    while n_intervals < MAX_KNOTS:
        x = np.linspace(0.0, x_max, n_intervals + 1)
        exact = functions(x)
        if not np.all(np.isfinite(exact)):
            raise ValueError("a radial function is not finite everywhere on its table")
        table = Table(x_max, np.ascontiguousarray(np.moveaxis(exact, 0, 1)))
        worst = _worst_error(table, functions, x_min, None if local else np.abs(exact[:2]).max(axis=1))
        if worst <= accuracy:
            return table
        if worst < best:
            best, chosen = worst, table
        if worst > 0.5 * last:
            break
        last = worst if n_intervals > 200 else np.inf
        # the error of the value falls with the sixth power of the spacing, that of the derivative with the fifth
        n_intervals = int(n_intervals * min(max(1.02 * (worst / accuracy) ** 0.18, 1.2), 8.0)) + 1
    if acceptable is not None and best <= acceptable:
        return chosen
    raise ValueError(f"no radial table of accuracy {accuracy:g} with up to {MAX_KNOTS} knots, the best has {best:.1g}")


def _worst_error(table, functions, x_min, size):
    n = len(table.data) - 1
    worst = 0.0
    for fraction in (0.2764, 0.5):  # where the errors of value and derivative peak inside an interval
        x = (np.arange(n) + fraction) * table.x_max / n
        x = x[x >= x_min]
        exact = functions(x)
        for order, interpolated in enumerate(table.evaluate(x)):
            error = np.abs(interpolated - exact[order])
            scale = 1 + np.abs(exact[order]) if size is None else np.maximum(size[order], 1e-300)
            worst = max(worst, np.max(error / scale, initial=0.0))
    return worst
