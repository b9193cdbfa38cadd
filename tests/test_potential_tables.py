# SPDX-License-Identifier: BSD-3-Clause
"""The tables of a potential expansion against mpmath and quadrature."""

import mpmath
import numpy as np
import pytest

from mlcalc import radial, radial_potential
from mlcalc._engine import smeared_power_transform
from mlcalc.expansions import Gto, MultiWidth, PotentialExpansion, Tabulated


@pytest.mark.parametrize("exponent", range(9))
def test_transform_of_the_smeared_power_matches_mpmath(exponent):
    smearing = 1.1
    k = np.array([0.01, 0.3, 1.0, 1.28, 1.3, 3.0, 6.0, 9.0])

    def exact(x):
        s = mpmath.mpf(smearing)
        z = x * x * s * s / 2
        if exponent == 0:
            return (4 * mpmath.pi * s * s) ** mpmath.mpf(0.75) * mpmath.exp(-z)
        a, p = mpmath.mpf(3 - exponent) / 2, mpmath.mpf(exponent) / 2
        return mpmath.pi**1.5 * (2 * s * s) ** a / mpmath.gamma(p) * mpmath.gammainc(a, z) / z**a

    value, slope = smeared_power_transform(exponent, smearing, k)
    with mpmath.workdps(40):
        expected = [float(exact(mpmath.mpf(x))) for x in k]
        expected_slope = [float(mpmath.diff(exact, mpmath.mpf(x))) for x in k]
    np.testing.assert_allclose(value, expected, rtol=2e-14)
    np.testing.assert_allclose(slope, expected_slope, rtol=2e-14)


@pytest.mark.parametrize("basis", [Gto(3.0), MultiWidth((0.8, 1.3, 2.0))])
def test_reciprocal_functions_match_mpmath(basis):
    expansion = PotentialExpansion(n_max=3, l_max=2, basis=basis, accuracy=1e-10)
    tables = expansion.tables([1])
    table = radial.Table(tables["reciprocal_k_max"][0], tables["reciprocal"])
    for k in (1.7,):
        for l in range(3):
            for n in range(3):
                exact = mpmath.quad(
                    lambda r, k=k, l=l, n=n: r**2 * basis_function(expansion, n, l, r) * spherical_bessel(l, k * r),
                    [0, 2, 5, 12, 26],
                )
                value = table.evaluate(np.array([k]))[0][0, l, n]
                assert value * k**l == pytest.approx(float(exact), abs=1e-9)


@pytest.mark.parametrize("exponent", [1, 2, 3, 6])
def test_real_space_functions_match_quadrature(exponent):
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 2.0)))
    tables = expansion.tables([1])
    table = radial.Table(tables["real_r_max"][0], tables["real"])
    for r in (0.7, 3.3, 9.1):
        for l in range(3):
            for n in range(2):
                exact = projection(expansion, n, l, r)
                value = table.evaluate(np.array([r]))[0][0, l, n] * r**l
                assert value == pytest.approx(exact, rel=1e-7, abs=1e-9)


def test_orthonormal_for_each_l():
    expansion = PotentialExpansion(n_max=3, l_max=3, basis=MultiWidth((0.8, 1.3, 2.0)))
    nodes = radial_potential.Basis(expansion, 1.0)
    for l in range(4):
        functions = nodes.values[:, l] / nodes.weights[:, None]
        overlap = (nodes.values[:, l] * nodes.r[:, None] ** 2).T @ functions
        np.testing.assert_allclose(overlap, np.eye(3), atol=1e-12)


def test_tabulated_basis_reproduces_the_closed_form():
    def functions(r):
        return np.repeat(radial.gto_functions(3, 2.5, r)[0][:, None, :], 2, axis=1)

    tabulated = PotentialExpansion(n_max=3, l_max=1, basis=Tabulated(functions)).tables([1])
    exact = PotentialExpansion(n_max=3, l_max=1, basis=Gto(2.5)).tables([1])
    for name in ("reciprocal", "center"):
        a, b = tabulated[name], exact[name]
        if a.shape == b.shape:
            np.testing.assert_allclose(a, b, atol=1e-8)
    np.testing.assert_allclose(tabulated["far"], exact["far"], rtol=1e-8)


def test_a_basis_that_does_not_decay_is_refused():
    expansion = PotentialExpansion(n_max=1, l_max=0, basis=Tabulated(lambda r: np.cos(r)[:, None, None]))
    with pytest.raises(ValueError, match="must decay before"):
        expansion.tables([1])


def test_widths_too_close_are_refused():
    with pytest.raises(ValueError, match="linearly dependent"):
        PotentialExpansion(n_max=3, l_max=0, basis=MultiWidth((1.0, 1.00001, 1.00002))).tables([1])


def basis_function(expansion, n, l, r):
    r = np.array([float(r)])
    if isinstance(expansion.basis, Gto):
        return mpmath.mpf(float(radial.gto_functions(expansion.n_max, expansion.basis.radius, r)[0][0, n]))
    weights = radial_potential.multi_width_basis(expansion.basis.widths, expansion.l_max).astype(float)
    gaussians = np.exp(-0.5 * (r / np.array(expansion.basis.widths)) ** 2)
    return mpmath.mpf(float(weights[l, n] @ gaussians * r[0] ** l))


def spherical_bessel(l, x):
    return mpmath.sqrt(mpmath.pi / (2 * x)) * mpmath.besselj(l + mpmath.mpf(1) / 2, x)


def projection(expansion, n, l, r):
    """2 pi int r'^2 R_nl(r') int P_l(x) g(|r - r'|) dx dr'"""
    nodes = radial_potential.Basis(expansion, expansion.smearing)
    x, weights = np.polynomial.legendre.leggauss(300)
    distance = np.sqrt(r * r + nodes.r[:, None] ** 2 - 2 * r * nodes.r[:, None] * x)
    g = radial_potential.smeared_power(expansion.exponent, expansion.smearing, distance)
    legendre = np.polynomial.legendre.Legendre.basis(l)(x)
    return 2 * np.pi * (nodes.r**2 * nodes.values[:, l, n]) @ (g @ (weights * legendre))


@pytest.mark.parametrize("n_max, widths", [(1, [0.84]), (3, [0.84, 1.2 * np.sqrt(1.4), 2.4])])
def test_default_widths_are_a_geometric_series(n_max, widths):
    expansion = PotentialExpansion(n_max=n_max, l_max=1, smearing=1.2)
    np.testing.assert_allclose(expansion.basis.widths, widths)
    assert expansion.tables([1])["filters"].shape[-1] == n_max
