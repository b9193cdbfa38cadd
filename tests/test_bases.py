# SPDX-License-Identifier: BSD-3-Clause
"""What every radial basis has, whatever expansion asks: values, derivatives, integrals, lengths."""

import numpy as np
import pytest

from mlcalc.expansions import (
    DENSITY_BASES,
    POTENTIAL_BASES,
    DensityExpansion,
    Gto,
    LaplacianEigenstates,
    Legendre,
    MultiWidth,
    PotentialExpansion,
    Tabulated,
)
from mlcalc.model.bases import RadialBasis

N_MAX, L_MAX, CUTOFF = 3, 2, 4.0
WIDTHS = np.array([0.6, 0.9, 1.4])


def of_the_user(r):
    return np.exp(-0.5 * (r[:, None, None] / WIDTHS) ** 2) * r[:, None, None] ** np.arange(L_MAX + 1)[:, None]


BASES = {
    "gto": Gto(CUTOFF),
    "laplacian_eigenstates": LaplacianEigenstates(),
    "legendre": Legendre(2.5, 2.0),
    "multi_width": MultiWidth(tuple(WIDTHS)),
    "tabulated": Tabulated(of_the_user),
}


def test_every_basis_that_a_description_can_name_is_tried_here():
    assert set(BASES) == set(DENSITY_BASES) | set(POTENTIAL_BASES)
    for name, kind in {**DENSITY_BASES, **POTENTIAL_BASES}.items():
        assert isinstance(BASES[name], kind)


@pytest.mark.parametrize("name", BASES)
def test_derivatives_are_those_of_the_values(name):
    r, h = np.linspace(0.3, 3.7, 9), 1e-4
    at = [BASES[name].values(N_MAX, L_MAX, CUTOFF, r + k * h) for k in (-1, 0, 1)]
    value, slope, curvature = BASES[name].with_derivatives(N_MAX, L_MAX, CUTOFF, r)
    np.testing.assert_allclose(value, at[1], atol=1e-11)
    np.testing.assert_allclose(slope, (at[2] - at[0]) / (2 * h), atol=1e-5)
    np.testing.assert_allclose(curvature, (at[2] - 2 * at[1] + at[0]) / h**2, atol=1e-4)


@pytest.mark.parametrize("name", DENSITY_BASES)
def test_the_integral_with_a_narrow_gaussian_is_the_basis(name):
    """(pi s^2)^(-3/4) (2 pi s^2)^(3/2) R_nl(r) up to terms of s^2."""
    r, width = np.linspace(0.8, 3.0, 5), 0.02
    found = BASES[name].smeared(N_MAX, L_MAX, CUTOFF, width, r)[0]
    if name == "gto":  # its closed form is integrated over all space, the others up to the cutoff
        np.testing.assert_allclose(RadialBasis.smeared(BASES[name], N_MAX, L_MAX, 12.0, width, r)[0], found, atol=1e-9)
    scale = (np.pi * width**2) ** -0.75 * (2 * np.pi * width**2) ** 1.5
    np.testing.assert_allclose(found / scale, BASES[name].values(N_MAX, L_MAX, CUTOFF, r), atol=6e-3)


@pytest.mark.parametrize("name", POTENTIAL_BASES)
def test_functions_of_a_potential_have_vanished_at_their_extent(name):
    sizes = BASES[name].sizes(N_MAX, L_MAX)
    r = np.linspace(0, sizes.extent, 500)
    values = np.abs(BASES[name].values(N_MAX, L_MAX, CUTOFF, r))
    assert values[-1].max() < 1e-10 * values.max() and 0 < sizes.narrowest <= sizes.widest < sizes.extent


@pytest.mark.parametrize(
    ("functions", "sentence"),
    [
        (None, "the functions of this tabulated basis are not known"),
        (lambda r: np.zeros((len(r), 1, 1)), "all radial functions of this basis vanish"),
        (lambda r: np.ones((len(r), 1, 1)), "must decay before 60 Angstrom"),
        (lambda r: np.ones((len(r), 2, 1)), r"must have shape \(\d+, 1, 1\)"),
        (lambda r: np.log(r)[:, None, None], "must be finite"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_that_no_potential_can_have(functions, sentence):
    with pytest.raises(ValueError, match=sentence):
        PotentialExpansion(n_max=1, l_max=0, basis=Tabulated(functions)).tables([1])


def test_a_basis_of_ones_own_needs_no_more_than_its_values():
    class Mine(RadialBasis):
        values = staticmethod(lambda n_max, l_max, cutoff, r: of_the_user(r))

    given = DensityExpansion(cutoff=CUTOFF, n_max=N_MAX, l_max=L_MAX, basis=Tabulated(of_the_user))
    r = np.linspace(0.1, 3.9, 7)
    for density in (given.density, None):
        ask = "with_derivatives" if density is None else "smeared"
        more = () if density is None else (density.width,)
        mine, theirs = (getattr(b, ask)(N_MAX, L_MAX, CUTOFF, *more, r) for b in (Mine(), given.basis))
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("basis", [Legendre(), LaplacianEigenstates()])
def test_a_basis_of_densities_is_refused_for_a_field(basis):
    field = PotentialExpansion(name="V", n_max=2, l_max=1, smearing=1.0, basis=basis)
    with pytest.raises(ValueError, match=f"the basis {type(basis).__name__} ends at a cutoff.*use MultiWidth"):
        field.tables([11, 17])
