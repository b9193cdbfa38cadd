# SPDX-License-Identifier: BSD-3-Clause
"""Features, their derivatives, and the rows of a training problem."""

import copy

import numpy as np
import pytest
from finite_differences import derivative, directions, displaced, strained
from models import EVERY_KIND_OF_MODEL, arguments, build, evaluate

from mlcalc.model import Kernel

pytestmark = pytest.mark.sanitize

every_kind = pytest.mark.parametrize("model", EVERY_KIND_OF_MODEL, indirect=True)


def mean_weights(model, term):
    """The weights of a term in the order of the columns of ``design``, mean over the members of a committee."""
    if isinstance(term.regressor, Kernel):
        weights = [term.regressor.weights[number] for number in model.species if number in term.regressor.weights]
        return np.concatenate([np.atleast_2d(w).mean(axis=0) for w in weights])
    weights = np.asarray(term.regressor.weights)
    return (weights.mean(axis=0) if weights.ndim == 3 else weights).ravel()


@every_kind
def test_rows_times_weights_are_energy_forces_and_virial(model, small_salt):
    potential = model.potential(accuracy=1e-10)
    results = evaluate(potential, small_salt)
    without = copy.copy(model)
    without.terms = []
    baseline = evaluate(without.potential(), small_salt)
    assert baseline["energies"].sum() == pytest.approx(results["components"][2], rel=1e-12)
    energy, gradient, strain = 0.0, np.zeros((len(small_salt), 3)), np.zeros((3, 3))
    for t, term in enumerate(model.terms):
        rows = potential.design(**arguments(potential, small_salt), term=t)
        weights = mean_weights(model, term)
        energy, gradient, strain = (x + row @ weights for x, row in zip((energy, gradient, strain), rows, strict=True))
    assert energy == pytest.approx(results["components"][:2].sum(), rel=1e-11)
    for derivatives, key, tolerance in ((gradient, "forces", 1e-11), (strain, "virial", 1e-10)):
        scale = np.abs(results[key]).max()
        np.testing.assert_allclose(baseline[key] - derivatives, results[key], rtol=0, atol=tolerance * scale)


@every_kind
def test_adjoint_is_the_transpose_of_the_stored_derivatives(model, small_salt):
    potential = model.potential()
    structure = arguments(potential, small_salt)
    rng = np.random.default_rng(1)
    for t in range(len(model.terms)):
        jacobian, strain_jacobian = potential.feature_gradients(**structure, term=t)
        p_adj = rng.normal(size=jacobian.shape[:2])
        gradient, strain = potential.features_backward(**structure, p_adj=p_adj, term=t)
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(np.einsum("if,ifjx->jx", p_adj, jacobian), gradient, rtol=0, atol=1e-11 * scale)
        scale = np.abs(strain).max()
        np.testing.assert_allclose(np.einsum("if,ifab->ab", p_adj, strain_jacobian), strain, rtol=0, atol=1e-11 * scale)


@every_kind
def test_stored_derivatives_are_finite_differences_of_features(model, small_salt):
    potential = model.potential(accuracy=1e-10)
    jacobian, strain_jacobian = potential.feature_gradients(**arguments(potential, small_salt))
    move = directions(small_salt.positions.shape, n=1)[0]
    strain = directions((3, 3), n=1)[0]

    def features(atoms):
        return potential.features(**arguments(potential, atoms))

    expected = derivative(lambda x: features(displaced(small_salt, x * move)))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.einsum("ifjx,jx->if", jacobian, move), expected, rtol=0, atol=1e-8 * scale)
    expected = derivative(lambda x: features(strained(small_salt, x * strain)))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.einsum("ifab,ab->if", strain_jacobian, strain), expected, rtol=0, atol=1e-8 * scale)


def test_features_of_an_isolated_atom_do_not_move(isolated_atom):
    potential = build("linear rho x rho").potential()
    jacobian, strain_jacobian = potential.feature_gradients(**arguments(potential, isolated_atom))
    assert np.abs(potential.features(**arguments(potential, isolated_atom))).max() > 0  # the atom's own density
    assert not jacobian.any() and not strain_jacobian.any()


def test_unknown_names_and_indices_are_refused(small_salt):
    potential = build("linear rho x rho").potential()
    structure = arguments(potential, small_salt)
    with pytest.raises(ValueError, match="no expansion 'V' in this model, only 'rho'"):
        potential.expansion(**structure, name="V")
    with pytest.raises(ValueError, match="1 terms, got index 1"):
        potential.features(**structure, term=1)
    with pytest.raises(ValueError, match="p_adj"):
        potential.features_backward(**structure, p_adj=np.zeros((8, 3)))


@pytest.mark.parametrize("model", ["linear rho x rho"], indirect=True)
def test_invariants_are_products_of_coefficients(model, small_salt):
    potential = model.potential()
    structure = arguments(potential, small_salt)
    c = potential.expansion(**structure, name="rho")
    c = c.reshape(len(c), -1, c.shape[-1])
    expected = []
    for l in range(4):  # noqa: E741
        m = slice(l * l, (l + 1) ** 2)
        p = (-1) ** l / np.sqrt(2 * l + 1) * np.einsum("iqm,ipm->iqp", c[:, :, m], c[:, :, m])
        rows, columns = np.triu_indices(c.shape[1])
        expected.append(np.where(rows == columns, 1.0, np.sqrt(2)) * p[:, rows, columns])
    features = potential.features(**structure)
    np.testing.assert_allclose(features, np.concatenate(expected, axis=1), rtol=0, atol=1e-13 * np.abs(features).max())
