# SPDX-License-Identifier: BSD-3-Clause
"""The far field divided into a share that is summed over neighbors and a smooth rest, by k-sum and mesh."""

import numpy as np
import pytest
from far_fields import QuadraticForm, arguments, choice, descriptor, fields, liquid, relative
from finite_differences import check_virials_of_atoms
from models import evaluate, linear_model
from test_mesh import EXPANSIONS

from mlcalc.expansions import DensityExpansion, MultiWidth, PotentialExpansion
from mlcalc.model import Invariant

BOTH = pytest.mark.parametrize("lode", ["ksum", "mesh"])


@pytest.mark.parametrize("liquid_name", ["molten_salt", "water"])
@pytest.mark.parametrize("name", EXPANSIONS)
@BOTH
def test_forces_meet_the_requested_accuracy_in_liquids(lode, name, liquid_name):
    atoms = liquid(liquid_name)
    form = QuadraticForm(EXPANSIONS[name], atoms)
    exact, exact_strain = form.gradient(atoms, lode="ksum", accuracy=1e-8, split=0)
    for accuracy, split in ((1e-3, 6.0), (1e-4, 7.0), (1e-5, 5.5), (1e-6, 6.0)):
        gradient, strain = form.gradient(atoms, lode=lode, accuracy=accuracy, split=split)
        assert relative(gradient, exact) < accuracy
        assert relative(strain, exact_strain) < 25 * accuracy


@pytest.mark.sanitize
@pytest.mark.parametrize("exponent", [0, 1, 3, 6])
@pytest.mark.parametrize("mixing", [None, ((0.8, -0.4),)])
@BOTH
def test_forces_and_virial_are_derivatives(lode, exponent, mixing, small_salt):
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 1.8)), mixing=mixing)
    form = QuadraticForm(expansion, small_salt)
    options = {"mesh": (8, 10, 9), "order": 7} if lode == "mesh" else {"accuracy": 1e-2}  # far from converged
    form.check_derivatives(form.model.potential(lode=lode, split=5.0, **options), small_salt)


@pytest.mark.parametrize("exponent", range(7))
@BOTH
def test_the_sum_of_both_shares_is_the_field_itself(lode, exponent, small_salt):
    """With its constants: the background of p < 4, the term at k = 0 of p = 0 and p > 3, and each atom's own field."""
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 1.8)))
    whole = fields(expansion, small_salt, lode="ksum", accuracy=1e-10, split=0)
    for split in (3.0, 6.5):
        v = fields(expansion, small_salt, lode=lode, accuracy=1e-8, split=split)
        np.testing.assert_allclose(v, whole, rtol=0, atol=1e-7 * np.abs(whole).max())


@pytest.mark.parametrize("name", ["l=3", "gto", "one pseudo-species"])
@BOTH
def test_virials_of_atoms_are_strain_derivatives_of_their_energies(lode, name, small_salt):
    model = linear_model([EXPANSIONS[name]], [[Invariant(1, "V"), Invariant(2, "V", "V")]], 3)
    options = {"mesh": (8, 10, 9), "order": 8} if lode == "mesh" else {"accuracy": 1e-2}
    potential = model.potential(lode=lode, split=4.5, **options)
    check_virials_of_atoms(potential, small_salt)


@BOTH
def test_training_rows_are_those_of_the_whole_field(lode, small_salt):
    expansion = EXPANSIONS["p=1"]
    potential = descriptor(small_salt, expansion, invariants=[Invariant(2, "V", "V")]).potential(
        lode=lode, accuracy=1e-8, split=5.0
    )
    given = arguments(potential, small_salt)
    p_adj = np.random.default_rng(0).normal(size=potential.features(*given).shape)
    gradient, strain = potential.features_backward(*given, p_adj=p_adj)
    rows, strain_rows = potential.feature_gradients(*given)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(np.einsum("if,if...->...", p_adj, rows), gradient, rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(
        np.einsum("if,if...->...", p_adj, strain_rows), strain, rtol=0, atol=1e-6 * np.abs(strain).max()
    )


def test_the_split_needs_fewer_wave_vectors_and_points():
    atoms = liquid("molten_salt")
    for lode in ("ksum", "mesh"):
        sizes = []
        for split in (0, 5.0, 8.0):
            said = choice(EXPANSIONS["p=1"], atoms, lode=lode, accuracy=1e-4, split=split)
            assert (f"split at {split:g} Angstrom" in said) == (split > 0)
            numbers = said.split("k-sum, ")[1] if lode == "ksum" else said.split("particle mesh ")[1]
            sizes.append(int(numbers.split()[0]))
        assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("cutoff, splits", [(3.0, False), (7.5, True)])
def test_auto_splits_at_the_cutoff_of_the_densities_where_that_pays(cutoff, splits):
    atoms = liquid("molten_salt")
    rho = DensityExpansion(name="rho", cutoff=cutoff, n_max=2, l_max=1)
    field = PotentialExpansion(n_max=4, l_max=2, smearing=1.0, basis=MultiWidth((0.7, 1.0, 1.4, 2.0)))
    model = linear_model([rho, field], [[Invariant(2, "rho", "V")]], 1)
    results = []
    for options in ({}, {"split": 0}):
        potential = model.potential(lode="mesh", accuracy=1e-6, **options)
        results.append(evaluate(potential, atoms)["forces"])
        assert ("split at" in potential.summary()) == (splits and not options)
    assert relative(results[0], results[1]) < 1e-5


@pytest.mark.parametrize("split", ["no", True, -1.0, float("nan"), [1.0]])
def test_what_is_no_radius_is_refused(split, small_salt):
    with pytest.raises(ValueError, match="split must be 'auto', 0 or a radius in Angstrom, got"):
        fields(EXPANSIONS["p=1"], small_salt, split=split)


@pytest.mark.parametrize("split", [0.5, 2000.0])
def test_radii_out_of_range_are_refused(split, small_salt):
    with pytest.raises(ValueError, match="split must be from 1 to 1000 Angstrom, got"):
        fields(EXPANSIONS["p=1"], small_salt, split=split)
