# SPDX-License-Identifier: BSD-3-Clause
"""Radial bases and tables: closed forms against quadrature, derivatives, and the accuracy that was asked for."""

import numpy as np
import pytest
from finite_differences import derivative

from mlcalc import radial
from mlcalc.expansions import Delta, DensityExpansion, Gaussian, Gto, LaplacianEigenstates, Tabulated, WillattScaling

CUTOFF, L_MAX = 4.5, 3
R = np.linspace(0.05, CUTOFF - 0.05, 11)


def cosines(r):
    """A basis of a user: smooth, not orthonormal, different for every l."""
    n, l = np.arange(3), np.arange(L_MAX + 1)[:, None]
    return np.cos(0.4 * (n + 1) * r[:, None, None] + 0.2 * l)


@pytest.mark.parametrize("n_max", [1, 4, 8, 12])
def test_gto_are_orthonormal(n_max):
    r, w = radial.panels(30.0, 12)
    functions = radial.gto_functions(n_max, CUTOFF, r)[0]
    overlap = functions.T @ (functions * (w * r**2)[:, None])
    assert np.abs(overlap - np.eye(n_max)).max() < 1e-12


def test_laplacian_eigenstates_are_orthonormal_and_vanish_at_the_cutoff():
    r, w = radial.panels(CUTOFF, 3)
    functions = radial.laplacian_eigenstates(6, L_MAX, CUTOFF, r)[0]
    overlap = np.einsum("xln,xlk,x->lnk", functions, functions, w * r**2)
    assert np.abs(overlap - np.eye(6)).max() < 1e-12
    assert np.abs(radial.laplacian_eigenstates(6, L_MAX, CUTOFF, np.array([CUTOFF]))[0]).max() < 1e-12


@pytest.mark.parametrize("n_max", [8, 11])
@pytest.mark.parametrize("width", [0.2, 0.4, 1.2])
def test_gto_integrals_equal_quadrature(n_max, width):
    # over all of space, as the closed form is: 20 Angstrom are as good
    def functions(x):
        return np.repeat(radial.gto_functions(n_max, CUTOFF, x)[0][:, None], L_MAX + 1, axis=1)

    expected = radial.gaussian_integral(functions, n_max, L_MAX, 20.0, width, R)
    ours = radial.gto_gaussian_integral(n_max, L_MAX, CUTOFF, width, R)
    for order in range(3):
        assert np.abs(ours[order] - expected[order]).max() < 1e-11 * np.abs(expected[order]).max()


@pytest.mark.parametrize(
    "functions",
    [
        lambda r: radial.gto_functions(8, CUTOFF, r),
        lambda r: radial.laplacian_eigenstates(5, L_MAX, CUTOFF, r),
        lambda r: radial.gto_gaussian_integral(6, L_MAX, CUTOFF, 0.4, r),
        lambda r: radial.gto_gaussian_integral(6, L_MAX, CUTOFF, 0.1, r),  # through the asymptotic series
        lambda r: radial.gaussian_integral(cosines, 3, L_MAX, CUTOFF, 0.4, r),
        lambda r: radial.evaluate_series(radial.chebyshev_series(cosines, 3, L_MAX, CUTOFF), 3, L_MAX, r),
        lambda r: radial.willatt_scaling(1.3, 2.1, 3.7, r),
    ],
)
def test_first_and_second_derivatives(functions):
    exact = functions(R)
    for order in (0, 1):
        numerical = derivative(lambda x: functions(R + x)[order])  # noqa: B023
        assert np.abs(exact[order + 1] - numerical).max() < 1e-9 * np.abs(exact[order + 1]).max()


def test_delta_limit_is_the_limit_of_narrow_gaussians():
    # (pi s^2)^(-3/4) exp(-r^2/2s^2) -> (4 pi s^2)^(3/4) delta(r); the error falls with s^2
    errors, r = [], R[R > 0.8]
    for width in (0.1, 0.05):
        narrow = radial.gto_gaussian_integral(4, 2, CUTOFF, width, r)[0] / (4 * np.pi * width**2) ** 0.75
        errors.append(np.abs(narrow - radial.gto_functions(4, CUTOFF, r)[0][:, None]).max())
    assert errors[1] < 0.27 * errors[0] < 0.27 * 0.5


EXPANSIONS = {
    "gto": {},
    "scaled": {"scaling": WillattScaling(1.0, 2.0, 4.0)},
    "scaled, odd exponent": {"scaling": WillattScaling(1.0, 2.0, 3.5)},
    "eigenstates": {"basis": LaplacianEigenstates()},
    "eigenstates, delta": {"basis": LaplacianEigenstates(), "density": Delta()},
    "gto, delta": {"density": Delta()},
    "user": {"basis": Tabulated(cosines)},
    "user, delta": {"basis": Tabulated(cosines), "density": Delta()},
}


@pytest.mark.parametrize("options", EXPANSIONS.values(), ids=EXPANSIONS.keys())
@pytest.mark.parametrize("accuracy", [1e-5, 1e-9])
def test_tables_have_the_accuracy_that_was_asked_for(options, accuracy):
    expansion = DensityExpansion(cutoff=CUTOFF, n_max=3, l_max=L_MAX, accuracy=accuracy, **options)
    table = radial.Table(CUTOFF, expansion.tables([1])["radial"])
    fine = DensityExpansion(cutoff=CUTOFF, n_max=3, l_max=L_MAX, accuracy=max(1e-3 * accuracy, 1e-11), **options)
    exact = radial.Table(CUTOFF, fine.tables([1])["radial"])
    r = np.random.default_rng(0).uniform(0.1 * CUTOFF, CUTOFF, 5000)
    for ours, expected in zip(table.evaluate(r), exact.evaluate(r), strict=True):
        error = np.abs(ours - expected).max(axis=0) / np.abs(expected).max(axis=0)
        assert error.max() < 1.5 * accuracy
        assert error.max() > 1e-3 * accuracy or len(table.data) == 49  # no needless knots above the least number


def test_the_interpolant_has_two_continuous_derivatives():
    table = radial.Table(2.0, np.random.default_rng(0).normal(size=(5, 3, 1, 1)))
    knot, step = 1.0, 1e-6
    slopes = table.evaluate(knot + step * np.array([-2, -1, 0, 1, 2]))[1].ravel()
    assert slopes[2] == pytest.approx(table.data[2, 1, 0, 0], abs=1e-12)
    for one_sided in ((slopes[2] - slopes[1]) / step, (slopes[3] - slopes[2]) / step):
        assert one_sided == pytest.approx(table.data[2, 2, 0, 0], abs=1e-3)


@pytest.mark.parametrize(
    "message, options",
    [
        ("no radial table of accuracy 1e-16", {"accuracy": 1e-16, "n_max": 1, "l_max": 0}),
        ("must have shape", {"basis": Tabulated(lambda r: np.ones(len(r)))}),
        ("must be finite", {"basis": Tabulated(lambda r: np.full((len(r), L_MAX + 1, 3), np.nan))}),
        (
            "not smooth",
            {"basis": Tabulated(lambda r: np.abs(r - 1)[:, None, None] * np.ones((L_MAX + 1, 3))), "density": Delta()},
        ),
        ("only their tables are", {"basis": Tabulated()}),
    ],
)
def test_tables_that_cannot_be_made_are_refused(message, options):
    expansion = DensityExpansion(**{"cutoff": CUTOFF, "n_max": 3, "l_max": L_MAX, **options})
    with pytest.raises(ValueError, match=message):
        expansion.tables([1])


@pytest.mark.parametrize(
    "message, options",
    [
        ("n_max must be an integer of at least 1, got 0", {"n_max": 0}),
        ("n_max must be an integer of at least 1, got 2.5", {"n_max": 2.5}),
        ("l_max must be an integer of at least 0, got -1", {"l_max": -1}),
        ("cutoff must be a positive number, got 0", {"cutoff": 0}),
        ("cutoff must be a positive number, got nan", {"cutoff": float("nan")}),
        ("the smoothing width must not exceed the cutoff 4.5, got 5.0", {"smoothing": "wide"}),
        ("the width of the Gaussian density must be a positive number, got -1", {"density": -1}),
        ("density must be Gaussian or Delta, got 'gaussian'", {"density": "gaussian"}),
        ("n_max = 40 makes radial functions too nearly linearly dependent", {"n_max": 40}),
        ("the GTO radius of a density is its cutoff", {"basis": Gto(3.0)}),
        ("mixing must be a finite matrix", {"mixing": [1.0, 2.0]}),
        ("accuracy must be a positive number", {"accuracy": 0.0}),
        ("center_atom_weight must be finite", {"center_atom_weight": float("inf")}),
        ("an expansion needs a name", {"name": ""}),
    ],
)
def test_expansions_that_cannot_be_are_refused(message, options):
    from mlcalc.expansions import ShiftedCosine

    with pytest.raises(ValueError, match=message):
        if options.get("smoothing") == "wide":
            options = {"smoothing": ShiftedCosine(5.0)}
        if options.get("density") == -1:
            options = {"density": Gaussian(-1)}
        DensityExpansion(**{"cutoff": CUTOFF, "n_max": 3, "l_max": L_MAX, **options})


@pytest.mark.parametrize("options", EXPANSIONS.values(), ids=EXPANSIONS.keys())
def test_descriptions_survive_json(options):
    expansion = DensityExpansion(cutoff=CUTOFF, n_max=3, l_max=L_MAX, accuracy=1e-4, mixing=[[0.5, 1.0]], **options)
    tables = expansion.tables([1, 8])
    back = DensityExpansion.from_json(expansion.to_json(), tables)
    assert back.to_json() == expansion.to_json()
    assert back.mixing == expansion.mixing
    assert np.array_equal(back.tables([1, 8])["radial"], tables["radial"])
    if not isinstance(expansion.basis, Tabulated):
        assert back == expansion and hash(back) == hash(expansion)
