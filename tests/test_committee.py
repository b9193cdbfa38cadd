# SPDX-License-Identifier: BSD-3-Clause
"""A committee is a set of models that share their invariants."""

import copy

import numpy as np
import pytest
from models import build, evaluate

from mlcalc.model import Kernel

COMMITTEES = ["linear committee", "kernel committee", "linear far committee", "kernel far committee"]
committees = pytest.mark.parametrize("model", COMMITTEES, indirect=True)


def member(model, k):
    """The model whose only weights are those of member k."""
    alone = copy.copy(model)
    alone.committee = None
    alone.terms = []
    for term in model.terms:
        term = copy.copy(term)
        term.regressor = copy.copy(term.regressor)
        weights = term.regressor.weights
        if isinstance(term.regressor, Kernel):
            term.regressor.weights = {number: w[k] for number, w in weights.items()}
        else:
            term.regressor.weights = np.asarray(weights)[k]
        alone.terms.append(term)
    return alone


@committees
def test_members_are_the_models_of_their_own_weights(model, small_salt):
    results = evaluate(model.potential(), small_salt, members=True, member_forces=True)
    for k in range(model.committee.n_members):
        alone = evaluate(member(model, k).potential(), small_salt)
        energies = results["member_energies"][:, k]
        np.testing.assert_allclose(energies, alone["energies"], rtol=0, atol=1e-12 * np.abs(energies).max())
        scale = np.abs(alone["forces"]).max()
        np.testing.assert_allclose(results["member_forces"][k], alone["forces"], rtol=0, atol=1e-11 * scale)
        scale = np.abs(alone["virial"]).max()
        np.testing.assert_allclose(results["member_virials"][k], alone["virial"], rtol=0, atol=1e-11 * scale)


@committees
def test_the_prediction_is_the_mean_of_the_members(model, small_salt):
    results = evaluate(model.potential(), small_salt, members=True, member_forces=True)
    pairs = [
        (results["member_energies"].mean(axis=1), results["energies"]),
        (results["member_forces"].mean(axis=0), results["forces"]),
        (results["member_virials"].mean(axis=0), results["virial"]),
    ]
    for mean, prediction in pairs:
        np.testing.assert_allclose(mean, prediction, rtol=0, atol=1e-11 * np.abs(prediction).max())
    assert results["member_energies"].std(axis=1).min() > 0


@committees
def test_asking_for_members_changes_nothing_else(model, small_salt):
    potential = model.potential()
    plain = evaluate(potential, small_salt)
    asked = evaluate(potential, small_salt, members=True, member_forces=True, atom_virials=True)
    for key in ("energies", "forces", "virial", "components"):
        assert np.array_equal(plain[key], asked[key])


def test_one_model_is_a_committee_of_one(small_salt):
    results = evaluate(build("linear rho x rho").potential(), small_salt, members=True)
    energies = results["member_energies"]
    assert energies.shape == (8, 1)
    np.testing.assert_allclose(energies[:, 0], results["energies"], rtol=0, atol=1e-12 * np.abs(energies).max())
