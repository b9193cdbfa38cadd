# SPDX-License-Identifier: BSD-3-Clause
"""Invariants and regressors against the same formulas in numpy."""

import copy
import dataclasses

import numpy as np
import pytest
from channel_reference import reference_features
from models import (
    EVERY_KIND_OF_MODEL,
    MULTI_SCALE,
    POWER,
    RHO,
    SALT,
    V,
    arguments,
    build,
    evaluate,
    kernel_model,
    linear_model,
)

from mlcalc.model import ChannelProduct, Kernel, Linear

pytestmark = pytest.mark.sanitize

every_kind = pytest.mark.parametrize("model", EVERY_KIND_OF_MODEL, indirect=True)
KERNELS = [kind for kind in EVERY_KIND_OF_MODEL if kind.startswith("kernel")]


def invariants_of(potential, atoms, model, invariant):
    """Features of one invariant, formed from the coefficients of the expansions; before scale and selection."""
    a = _coefficients(potential, atoms, invariant.a)
    if isinstance(invariant, ChannelProduct):
        l_max = model.shape(invariant.a)[1]
        of_l = {l: a[:, :, l * l : (l + 1) ** 2].transpose(0, 2, 1) for l in range(l_max + 1)}
        return reference_features(invariant, l_max, of_l).reshape(len(atoms), -1)
    if invariant.nu == 1:
        return a[:, :, 0]
    b = _coefficients(potential, atoms, invariant.b)
    l_max = min(model.shape(name)[1] for name in (invariant.a, invariant.b))
    blocks = []
    for degree in range(l_max + 1):
        lm = slice(degree**2, (degree + 1) ** 2)
        product = (-1) ** degree / np.sqrt(2 * degree + 1) * np.einsum("iqm,irm->iqr", a[:, :, lm], b[:, :, lm])
        if invariant.a == invariant.b:
            q, r = np.triu_indices(a.shape[1])
            product = product[:, q, r] * np.where(q == r, 1, np.sqrt(2))
        blocks.append(product.reshape(len(atoms), -1))
    return np.concatenate(blocks, axis=1)


def _coefficients(potential, atoms, name):
    c = potential.expansion(**arguments(potential, atoms), name=name)
    return c.reshape(len(atoms), -1, c.shape[-1])


def kernel_energies(kernel, features, numbers):
    """E_i = sum_M w_M (p_hat_i . p_hat_M)^zeta for all members of a committee."""

    def normalized(p):
        return p / np.sqrt((p**2).sum(axis=1, keepdims=True) + kernel.epsilon**2) if kernel.normalize else p

    energies = []
    n_members = max(np.atleast_2d(weights).shape[0] for weights in kernel.weights.values())
    for p, number in zip(normalized(features), numbers, strict=True):
        if number not in kernel.points:
            energies.append(np.zeros(n_members))
            continue
        k = (normalized(kernel.points[number]) @ p) ** kernel.zeta
        energies.append(np.atleast_2d(kernel.weights[number]) @ k)
    return np.array(energies)


def linear_energies(linear, features, species):
    weights = np.asarray(linear.weights)
    weights = weights if weights.ndim == 3 else weights[None]
    return np.einsum("kif,if->ik", weights[:, species], features)


@every_kind
def test_features_are_products_of_coefficients(model, small_salt):
    potential = model.potential()
    for index, term in enumerate(model.terms):
        expected = []
        for invariant in term.invariants:
            p = invariant.scale * invariants_of(potential, small_salt, model, invariant)
            expected.append(p if invariant.selection is None else p[:, invariant.selection])
        expected = np.concatenate(expected, axis=1)
        features = potential.features(**arguments(potential, small_salt), term=index)
        assert features.shape[1] == potential.n_features(index) == model.n_features(term)
        np.testing.assert_allclose(features, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@every_kind
def test_energies_are_those_of_numpy(model, small_salt):
    potential = model.potential()
    results = evaluate(potential, small_salt, members=True)
    expected = np.zeros((len(small_salt), potential.n_members))
    for index, term in enumerate(model.terms):
        features = potential.features(**arguments(potential, small_salt), term=index)
        if isinstance(term.regressor, Kernel):
            expected += kernel_energies(term.regressor, features, small_salt.numbers)
        elif isinstance(term.regressor, Linear):
            expected += linear_energies(term.regressor, features, np.searchsorted(SALT, small_salt.numbers))
    without = copy.copy(model)
    without.terms = []
    baseline = evaluate(without.potential(), small_salt)["energies"]
    if model.zbl is None and not model.pairs and not model.triples:
        assert np.array_equal(baseline, np.array([-1.3, -2.4])[np.searchsorted(SALT, small_salt.numbers)])
    scale = np.abs(results["member_energies"]).max()
    np.testing.assert_allclose(results["member_energies"] - baseline[:, None], expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("model", KERNELS, indirect=True)
def test_extrapolation_of_a_kernel_is_its_predictive_variance(model, small_salt):
    potential = model.potential()
    measure = evaluate(potential, small_salt, extrapolation=True)["extrapolation"]
    expected = np.zeros(len(small_salt))
    for index, term in enumerate(model.terms):
        features = potential.features(**arguments(potential, small_salt), term=index)
        kernel = term.regressor
        for i, number in enumerate(small_salt.numbers):
            if number not in kernel.points:
                expected[i] = np.inf  # nothing is known of it
                continue
            p = np.vstack([kernel.points[number], features[i]])
            if kernel.normalize:
                p /= np.sqrt((p**2).sum(axis=1, keepdims=True) + kernel.epsilon**2)
            k = (p @ p.T) ** kernel.zeta
            variance = 1 - k[-1, :-1] @ np.linalg.solve(k[:-1, :-1], k[:-1, -1]) / k[-1, -1]
            expected[i] = max(expected[i], variance / (kernel.edges or {}).get(number, 1.0))
    np.testing.assert_allclose(measure, expected, rtol=1e-5, atol=1e-8)


def test_a_sparse_point_is_known_territory(small_salt):
    model = kernel_model([RHO], [POWER], 3, zeta=2)
    features = model.potential().features(**arguments(model.potential(), small_salt))
    kernel = model.terms[0].regressor
    kernel.points = {number: features[small_salt.numbers == number] for number in SALT}
    kernel.weights = {number: np.ones(len(points)) for number, points in kernel.points.items()}
    potential = model.potential()
    assert evaluate(potential, small_salt, extrapolation=True)["extrapolation"].max() < 1e-6
    small_salt.positions[0] += 0.4
    assert evaluate(potential, small_salt, extrapolation=True)["extrapolation"].max() > 1e-4


def test_extrapolation_of_a_linear_model_is_its_leverage(small_salt):
    model = build("linear leverage")
    potential = model.potential()
    features = potential.features(**arguments(potential, small_salt))
    rows = model.terms[0].regressor.leverage
    expected = [((rows[z] @ p) ** 2).sum() for p, z in zip(features, small_salt.numbers, strict=True)]
    measure = evaluate(potential, small_salt, extrapolation=True)["extrapolation"]
    np.testing.assert_allclose(measure, expected, rtol=1e-12)


@pytest.mark.parametrize("species", [SALT, [11], [17]])
def test_extrapolation_looks_at_the_columns_of_the_leverage(small_salt, species):
    """Also where the engine leaves out the features of a species that is not there."""
    model = build("linear leverage of columns")
    atoms = small_salt[np.isin(small_salt.numbers, species)]
    regressor = model.terms[0].regressor
    features = model.potential().features(**arguments(model.potential(), atoms))[:, regressor.leverage_columns]
    expected = [((regressor.leverage[z] @ p) ** 2).sum() for p, z in zip(features, atoms.numbers, strict=True)]
    measure = evaluate(model.potential(), atoms, extrapolation=True)["extrapolation"]
    np.testing.assert_allclose(measure, expected, rtol=1e-12)


@pytest.mark.parametrize("kept", [SALT, [11], [17]])
def test_extrapolation_of_a_kernel_is_measured_in_its_edge(small_salt, kept):
    model, bare_model = build("kernel edges"), kernel_model([RHO], [POWER], 47, zeta=2)
    atoms = small_salt[np.isin(small_salt.numbers, kept)]
    measure = evaluate(model.potential(), atoms, extrapolation=True)["extrapolation"]
    edges = np.array([model.terms[0].regressor.edges[z] for z in atoms.numbers])
    bare = evaluate(bare_model.potential(), atoms, extrapolation=True)["extrapolation"]
    np.testing.assert_allclose(measure, bare / edges, rtol=1e-12)
    assert bare.max() > 1e-6


def test_a_model_without_a_measure_says_so(small_salt):
    with pytest.raises(ValueError, match="no extrapolation measure"):
        evaluate(build("linear rho x rho").potential(), small_salt, extrapolation=True)


@pytest.mark.parametrize("invariants", [POWER, POWER + MULTI_SCALE])
def test_products_in_single_precision_are_close(invariants, rattled_salt):
    double = kernel_model([RHO, V], [invariants], 4, zeta=4, scale=4.0)
    single = kernel_model([RHO, V], [invariants], 4, zeta=4, scale=4.0, precision="single")
    expected = evaluate(double.potential(), rattled_salt)
    results = evaluate(single.potential(), rattled_salt)
    for key in ("energies", "forces", "virial"):
        scale = np.abs(expected[key]).max()
        np.testing.assert_allclose(results[key], expected[key], rtol=0, atol=3e-5 * scale)
        assert not np.array_equal(results[key], expected[key])


def test_weights_of_low_rank_give_the_same_model(small_salt):
    """E = sum_l,m (u_l . c_lm)^2: one product per row instead of a matrix."""
    wide = dataclasses.replace(RHO, n_max=8)
    rng = np.random.default_rng(6)
    weights = []
    for degree in range(wide.l_max + 1):
        u = rng.normal(size=16)
        q, r = np.triu_indices(16)
        factor = (-1) ** degree / np.sqrt(2 * degree + 1)
        weights.append(u[q] * u[r] * np.where(q == r, 1, np.sqrt(2)) / factor)
    weights = np.concatenate(weights)
    low = linear_model([wide], [POWER], 7)
    low.terms[0].regressor = Linear(np.stack([weights, -0.3 * weights]))
    noise = linear_model([wide], [POWER], 8, scale=1e-9)
    full = copy.deepcopy(low)
    full.terms[0].regressor = Linear(low.terms[0].regressor.weights + noise.terms[0].regressor.weights)
    expected = evaluate(full.potential(), small_salt)
    results = evaluate(low.potential(), small_salt)
    features = low.potential().features(**arguments(low.potential(), small_salt))
    energies = np.where(small_salt.numbers == 11, 1.0, -0.3) * (features @ weights) + np.where(
        small_salt.numbers == 11, -1.3, -2.4
    )
    np.testing.assert_allclose(results["energies"], energies, rtol=1e-12)
    for key in ("energies", "forces", "virial"):
        np.testing.assert_allclose(results[key], expected[key], rtol=0, atol=1e-7 * np.abs(expected[key]).max())
        assert not np.array_equal(results[key], expected[key])
