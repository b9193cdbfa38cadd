# SPDX-License-Identifier: BSD-3-Clause
"""The extrapolation measure: one for what was trained on, the largest of several terms, infinite for the unknown."""

import json
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import SOAP, known_data, known_model, options

from mlcalc import MLCalculator, UncertaintyWarning, _engine
from mlcalc.model import Invariant, Linear, Model, Outermost, Term, _pack
from mlcalc.running.extrapolation_watch import ExtrapolationWatch
from mlcalc.train import fit
from mlcalc.train.extrapolation import columns_seen, kernel_edge


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


REGRESSORS = {
    "linear": {"type": "linear"},
    "linear, all features": {"type": "linear", "extrapolation": True},
    "kernel": {"type": "kernel", "zeta": 2, "points": 10},
}


@pytest.mark.parametrize("regressor", REGRESSORS.values(), ids=REGRESSORS)
def test_one_is_the_edge_of_the_training_set(tmp_path, regressor):
    data = known_data()
    settings = options(tmp_path, {**SOAP, "regressor": regressor}, data={"split": {"validation": 0, "test": 0}})
    result = fit(settings, data, progress=False, figures=False)
    inside = [measured(result.model, atoms) for atoms in data]
    for z in (11, 17):
        largest = max(m[atoms.numbers == z].max() for m, atoms in zip(inside, data, strict=True))
        # sparse points are known, so what is left of a kernel's edge may be less
        assert largest == pytest.approx(1.0, rel=1e-3) or (regressor["type"] == "kernel" and 0.05 < largest < 1.0)
    pushed = data[0].copy()
    pushed.positions[1] += 0.4 * pushed.get_distance(1, 0, mic=True, vector=True)
    assert measured(result.model, pushed).max() > 3.0


def test_a_species_without_sparse_points_is_infinitely_far(tmp_path):
    kernel = {"type": "kernel", "zeta": 2, "points": {"Na": 10}}
    result = fit(options(tmp_path, {**SOAP, "regressor": kernel}), known_data(), progress=False, figures=False)
    atoms = known_data()[0]
    measure = measured(result.model, atoms)
    assert np.isfinite(measure[atoms.numbers == 11]).all() and np.isinf(measure[atoms.numbers == 17]).all()
    assert any("no sparse points of Cl" in note for note in result.report["notes"])


def test_few_features_are_looked_at_where_there_are_few_environments():
    x = np.random.default_rng(0).normal(size=(40, 30))
    assert columns_seen(x, 200) is None
    assert len(columns_seen(x, 40)) == 10
    assert len(columns_seen(x, 1)) == 1
    factors = np.repeat([1, 2, 3], 10)
    assert columns_seen(x, 100, factors).max() < 20
    assert columns_seen(x, 200, factors).tolist() == list(range(20)), "also where all of them would be allowed"
    assert columns_seen(x, 200, np.repeat([1, 2], 15)) is None and columns_seen(x, 200, np.full(30, 3)) is None
    x[:, :5] *= 100.0
    assert set(range(5)) <= set(columns_seen(x, 40))


def counted(calculator):
    """How often the measure is computed."""
    calls, request = [], calculator._request

    def count():
        asked = request()
        calls.append(asked["extrapolation"])
        return asked

    calculator._request = count
    return calls


def test_ase_warns_once_where_the_model_was_not_trained():
    atoms = known_data()[0].copy()
    model = with_leverage()
    worst = int(np.argmax(measured(model, atoms)))
    assert measured(model, atoms).max() > 10.0
    atoms.calc = MLCalculator(model)
    with pytest.warns(UncertaintyWarning, match=f"the extrapolation of atom {worst} is .*, above 10 .1 is the edge"):
        atoms.get_potential_energy()
    calls = counted(atoms.calc)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(200):
            atoms.rattle(1e-4, seed=1)
            atoms.get_potential_energy()
        larger = atoms.repeat((2, 1, 1))
        larger.calc = atoms.calc
        larger.get_potential_energy()
    assert [k for k, asked in enumerate(calls) if asked] == [99, 199, 200]


def test_one_look_may_be_a_fluctuation_and_two_are_not():
    watch = ExtrapolationWatch({"terms": [{"regressor": {"edges": [1.0]}}]}, True)
    said = []
    for value in (4.0, 2.0, 4.0, 4.0, 11.0):
        said.append(watch.message(np.array([0.1, value])))
    assert [text is not None for text in said] == [False, False, False, True, True]
    assert "atom 1 is 4, above 3 " in said[3]
    watch = ExtrapolationWatch({"terms": [{"regressor": {"edges": [1.0]}}]}, True)
    assert "above 10 " in watch.message(np.array([11.0])) and watch.message(np.zeros(0)) is None
    two, three = np.array([1, 1]), np.array([1, 1, 8])
    assert [watch.is_due(n) for n in (two, two, three, three, two)] == [True, False, True, False, True]


def test_the_mean_of_all_atoms_is_beside_that_of_the_outermost_structure():
    """Where all atoms are a little farther out than on average in any structure, none needs to be far out."""
    description = {"terms": [{"regressor": {"edges": [1.0]}}], "outermost": {"mean": 0.5, "atoms": 2}}
    watch = ExtrapolationWatch(description, True)
    said = [watch.message(np.full(2, mean)) for mean in (0.56, 0.54, 0.56, 0.56)]
    assert [text is not None for text in said] == [False, False, False, True]
    assert "the mean extrapolation of all atoms is 0.56, 1.12 times" in said[3]
    assert not any(watch.message(np.full(1, 0.9)) for _ in range(3))  # fewer atoms fluctuate more
    watch = ExtrapolationWatch({"terms": [{"regressor": {"edges": [1.0]}}]}, True)
    assert not any(watch.message(np.full(2, 0.9)) for _ in range(3))


@pytest.mark.parametrize(("ratio", "warns"), [(1.2, True), (1.05, False)])
def test_ase_warns_of_the_mean_at_the_second_look(ratio, warns):
    atoms = known_data()[0].copy()
    model = with_leverage()
    factor = np.sqrt(0.5 / measured(model, atoms).max())
    for term in model.terms:
        term.regressor.leverage = {z: factor * rows for z, rows in term.regressor.leverage.items()}
    model.outermost = Outermost(measured(model, atoms).mean() / ratio, len(atoms))
    atoms.calc = MLCalculator(Model.from_bytes(model.to_bytes()))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(101):
            atoms.rattle(1e-5, seed=1)
            atoms.get_potential_energy()
    assert ["the mean extrapolation of all atoms" in str(w.message) for w in said] == [True] * warns


@pytest.mark.parametrize("regressor", REGRESSORS.values(), ids=REGRESSORS)
def test_the_outermost_structure_is_that_of_all_data(tmp_path, regressor):
    data = known_data()
    single = Atoms("Na", cell=[20.0] * 3, pbc=True)  # an atom alone is no structure to compare with
    single.calc = SinglePointCalculator(single, energy=-1.0, forces=np.zeros((1, 3)))
    settings = options(tmp_path, {**SOAP, "regressor": regressor}, data={"stress": None})
    model = fit(settings, [*data, single], progress=False, figures=False).model
    means = [measured(model, atoms).mean() for atoms in data]
    assert model.outermost.mean == pytest.approx(max(means), rel=1e-9) and model.outermost.atoms == len(data[0])
    loaded = Model.load(tmp_path / "model.mlcalc")
    assert loaded.outermost == model.outermost
    assert Model.from_bytes(loaded.to_bytes()).outermost == model.outermost


def test_no_structure_is_the_outermost_of_a_model_with_a_far_field(tmp_path):
    """Of a cell twice as large, with ions where they were on average, the field has longer waves."""
    settings = options(tmp_path, {**SOAP, "invariants": [{"nu": 2, "a": "rho", "b": "V"}]})
    settings["expansions"].append({"name": "V", "type": "potential", "n_max": 1, "l_max": 1})
    assert fit(settings, known_data(), progress=False, figures=False).model.outermost is None


@pytest.mark.parametrize(("value", "sentence"), [
    ({"mean": 0.0, "atoms": 2}, "outermost.mean"),
    ({"mean": 1.0, "atoms": 0}, "outermost.atoms"),
    ({"mean": 1.0}, "atoms"),
    ({"mean": 1.0, "atoms": 2, "more": 1}, "more"),
])  # fmt: skip
def test_a_file_whose_outermost_structure_cannot_be_is_refused(value, sentence):
    model = with_leverage()
    model.outermost = Outermost(1.0, 2)
    document = {**model._document(), "outermost": value}
    with pytest.raises(RuntimeError, match=sentence):
        _engine.check_model(_pack(json.dumps(document), model._tensors()))


@pytest.mark.parametrize("settings", [{"extrapolation": False}, {"uncertainty": {"extrapolation": 1e9}}])
def test_ase_does_not_look_where_it_is_told_so(settings):
    atoms = known_data()[0].copy()
    atoms.calc = MLCalculator(with_leverage(), **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.get_potential_energy()


def test_a_model_that_does_not_know_its_edge_is_not_looked_at():
    atoms = known_data()[0].copy()
    atoms.calc = MLCalculator(known_model())
    calls = counted(atoms.calc)
    atoms.get_potential_energy()
    assert calls == [False]


@pytest.mark.parametrize("zeta", [1, 3])
def test_the_edge_of_a_kernel_is_that_of_points_left_out(zeta):
    rng = np.random.default_rng(8)
    x = rng.normal(size=(60, 5)) + 1.0
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    points = x[:12]

    def left(p, others):
        k = (np.vstack([others, p]) @ np.vstack([others, p]).T) ** zeta
        return 1 - k[-1, :-1] @ np.linalg.solve(k[:-1, :-1], k[:-1, -1]) / k[-1, -1]

    if zeta == 1:  # any five points span the space
        assert kernel_edge(x, points[:3], zeta) == pytest.approx(max(left(p, points[:3]) for p in x[3:]), rel=1e-6)
        return
    alone = [left(p, np.delete(points, k, axis=0)) for k, p in enumerate(points)]
    rest = max(left(p, points) for p in x[12:])
    assert kernel_edge(x, points, zeta) == pytest.approx(max(rest, np.quantile(alone, 0.99)), rel=1e-6)
    assert kernel_edge(points, points, zeta) == pytest.approx(np.quantile(alone, 0.99), rel=1e-6)
