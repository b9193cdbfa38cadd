# SPDX-License-Identifier: BSD-3-Clause
"""The extrapolation measure: one for what was trained on, the largest of several terms, infinite for the unknown."""

import numpy as np
import pytest
from training_cases import SOAP, known_data, known_model, options

from mlcalc import MLCalculator
from mlcalc.model import Invariant, Linear, Term
from mlcalc.train import fit


def measured(model, atoms):
    return MLCalculator(model).get_property("extrapolation", atoms.copy())


def with_leverage(scales=(1.0,), silent=()):
    """A model of one term per scale, whose leverages are random matrices times it, of no rows for silent species."""
    rng = np.random.default_rng(3)
    model = known_model()
    model.terms = []
    for k, scale in enumerate(scales):
        term = Term(f"term{k}", [Invariant(2, "rho", "rho", scale=1.0 + k)])
        model.terms.append(term)
        n = model.n_features(term)
        rows = {z: scale * rng.normal(size=(0 if z in silent else 7, n)) for z in (11, 17)}
        term.regressor = Linear(rng.normal(size=(2, n)) / n, rows)
    return model


def test_several_terms_have_the_largest_of_their_measures():
    atoms = known_data()[0]
    model = with_leverage((1.0, 0.75))
    alone = []
    for term in model.terms:
        one = known_model()
        one.terms = [term]
        alone.append(measured(one, atoms))
    both = np.array(alone)
    assert (both[0] > both[1]).any() and (both[1] > both[0]).any()
    np.testing.assert_allclose(measured(model, atoms), both.max(axis=0), rtol=1e-12)


def test_a_species_without_training_rows_is_infinitely_far():
    atoms = known_data()[0]
    measure = measured(with_leverage(silent=(17,)), atoms)
    assert np.isinf(measure[atoms.numbers == 17]).all() and np.isfinite(measure[atoms.numbers == 11]).all()
    everything = measured(with_leverage(), atoms)
    np.testing.assert_allclose(measure[atoms.numbers == 11], everything[atoms.numbers == 11])


@pytest.mark.parametrize("regressor", [{"type": "linear"}, {"type": "kernel", "zeta": 2, "points": {"Na": 10}}])
def test_measures_of_a_trained_model(tmp_path, regressor):
    result = fit(options(tmp_path, {**SOAP, "regressor": regressor}), known_data(), progress=False, figures=False)
    atoms = known_data()[0]
    measure = measured(result.model, atoms)
    assert measure[atoms.numbers == 11].max() <= 1.001
    if regressor["type"] == "kernel":
        assert measure[atoms.numbers == 17] == pytest.approx(1.0)  # no sparse points: the whole prior is left
        assert any("no sparse points of Cl" in note for note in result.report["notes"])
