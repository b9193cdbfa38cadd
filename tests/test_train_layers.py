# SPDX-License-Identifier: BSD-3-Clause
"""Training models with layers: how channels are mixed, the derivative that optimizes them, options that do not fit."""

import numpy as np
import pytest
from models import RHO, V, arguments, linear_model, mixing
from training_cases import RHO as RHO_OPTIONS
from training_cases import known_model, labeled, options, salt

from mlcalc import ChannelProduct, Invariant, MLCalculator, Model
from mlcalc.train import OptionError, fit
from mlcalc.train.engine import Engine
from mlcalc.train.mixing import MixingFit, Progression, Rows, principal_mixing, random_mixing, second_moments
from mlcalc.train.solve import CholeskyPath, RidgePath

FAR = {"name": "V", "type": "potential", "n_max": 2, "l_max": 1, "smearing": 1.0}


def layer(**changes):
    return {"name": "A", "inputs": ["rho"], "channels": 6, "l_max": 2, **changes}


TERM = {"name": "bodies", "invariants": [{"a": "A", "l_max": [2, 2, 2, 1]}], "regressor": {"type": "linear"}}


@pytest.fixture(scope="module")
def frames():
    return labeled(salt(36), MLCalculator(known_model()))


def train(frames, tmp_path, layer, term=None, **changes):
    return fit(options(tmp_path, term or TERM, layers=[layer], **changes), frames, progress=False, figures=False)


def errors(result, split="validation"):
    return result.report["errors"][split]["all"]["forces"]["rmse"]


@pytest.mark.parametrize("mixing", ["random", "pca", {"method": "optimize", "iterations": 4, "structures": 15}])
def test_every_mixing_learns_and_its_model_does_what_was_fitted(frames, tmp_path, mixing):
    result = train(frames, tmp_path, layer(mixing=mixing))
    atoms = frames[0].copy()
    forces = frames[0].get_forces()
    atoms.calc = MLCalculator(str(result.model_path))
    assert np.abs(atoms.get_forces() - forces).max() < 0.2 * np.abs(forces).max()
    loaded = Model.load(result.model_path)
    assert loaded.layers[0].matrices.shape == (2, 3, 6, 6)
    again = Model.from_bytes(loaded.to_bytes())
    assert np.array_equal(again.layers[0].matrices, loaded.layers[0].matrices)


def test_optimizing_lowers_the_error(frames, tmp_path):
    few = {"channels": 3}
    start = train(frames, tmp_path / "a", layer(**few))
    better = {"method": "optimize", "iterations": 12, "structures": 20}
    result = train(frames, tmp_path / "b", layer(**few, mixing=better))
    assert errors(result) < 0.9 * errors(start)
    note = next(n for n in result.report["notes"] if n.startswith("layer A"))
    first, last = (float(x) for x in note.split("validation loss ")[1].split(" (")[0].split(" -> "))
    assert last < first


def test_the_same_seed_gives_the_same_channels(frames, tmp_path):
    models = [train(frames, tmp_path / name, layer(), seed=seed) for name, seed in (("a", 5), ("b", 5), ("c", 6))]
    a, b, c = (Model.load(m.model_path).layers[0].matrices for m in models)
    assert np.array_equal(a, b) and not np.allclose(a, c)


def test_common_channels_are_the_same_for_every_center(frames, tmp_path):
    result = train(frames, tmp_path, layer(per_center=False, mixing="pca"))
    assert Model.load(result.model_path).layers[0].matrices.shape[0] == 1


def test_fields_are_mixed_in(frames, tmp_path):
    expansions = [dict(RHO_OPTIONS), FAR]
    result = train(frames, tmp_path, layer(inputs=["rho", "V"]), expansions=expansions)
    atoms = frames[1].copy()
    atoms.calc = MLCalculator(str(result.model_path))
    assert np.abs(atoms.get_forces() - frames[1].get_forces()).max() < 0.3 * np.abs(frames[1].get_forces()).max()
    matrices = Model.load(result.model_path).layers[0].matrices
    assert matrices.shape[-1] == 6 + 4 and np.all(np.abs(matrices).max(axis=(0, 1, 2)) > 0)


def test_kernels_on_products_within_channels(frames, tmp_path):
    term = {**TERM, "regressor": {"type": "kernel", "zeta": 2, "points": 12}}
    result = train(frames, tmp_path, layer(), term)
    assert errors(result) < 0.3


# the derivative that the optimization follows


@pytest.mark.parametrize(
    ("expansions", "invariants"),
    [
        ([RHO], [ChannelProduct.up_to("A", (3, 3, 3, 2))]),
        ([RHO], [Invariant(1, "A"), Invariant(2, "A", "A"), Invariant(2, "A", "rho")]),
        ([RHO, V], [ChannelProduct.up_to("A", (2, 2, 2))]),
    ],
    ids=["four factors", "one and two factors", "with a field"],
)
def test_derivatives_of_rows_with_respect_to_the_mixing(small_salt, expansions, invariants):
    model = linear_model(expansions, [invariants], 3, layers=[mixing(expansions, 5, 3, 1)])
    potential, w = model.potential(), model.terms[0].regressor.weights
    views, rng = arguments(potential, small_salt), np.random.default_rng(0)
    direction, strain, e = rng.normal(size=(len(small_salt), 3)), rng.normal(size=(3, 3)), 0.7
    ours = potential.mixing_gradient(
        **views, weights=w.reshape(2, -1), energy=e, displacements=direction, strain=strain
    )
    u, change, h = model.layers[0].matrices.ravel(), rng.normal(size=model.layers[0].matrices.size), 1e-5

    def value(u):
        potential.set_mixing(u)
        rows = potential.design(**views)
        changes = np.einsum("jx,jxb->b", direction, rows[1]) + np.einsum("ab,abk->k", strain, rows[2])
        return (e * rows[0] + changes) @ w.ravel()

    expected = (value(u + h * change) - value(u - h * change)) / (2 * h)
    assert ours @ change == pytest.approx(expected, rel=1e-6)


def small_fit(frames):
    """A fit of the mixing of three channels, and where it starts."""
    model = linear_model([RHO], [[ChannelProduct.up_to("A", (2, 2, 2))]], 4, layers=[mixing([RHO], 3, 2, 2)])
    engine, some = Engine(model), frames[:6]
    moments = second_moments(engine, some, ["rho"], 2, 1)
    rows = [Rows(a, (a.get_potential_energy(), 0.1), (a.get_forces(), 0.1), None) for a in some]
    n_of = np.tile(np.arange(3), 2)
    return MixingFit(engine, rows, moments, n_of, 2), random_mixing(2, 3, n_of, np.ones(6), 1.0, 0)


def test_gradient_of_the_eliminated_loss(frames):
    """Of log L by finite differences; along the size of a channel it is zero."""
    fitted, start = small_fit(frames)
    value = fitted.objective(start.shape)
    x = start.ravel() * np.tile((1.0 + np.tile(np.arange(3), 2)) ** 1.5, 6)
    _, gradient = value(x)
    rng, h = np.random.default_rng(1), 3e-4
    for _ in range(3):
        d = rng.normal(size=x.size)
        assert gradient @ d == pytest.approx((value(x + h * d)[0] - value(x - h * d)[0]) / (2 * h), rel=1e-3, abs=1e-5)
    assert abs(gradient @ x) < 1e-8 * np.linalg.norm(gradient) * np.linalg.norm(x)


def test_an_optimization_that_goes_on_has_the_loss_that_it_had(frames):
    """Its ridge is in units of the columns at the start, not of those where it goes on."""
    fitted, start = small_fit(frames)
    before = fitted.minimize(start, 3, [])
    again, _ = small_fit(frames)
    after = again.minimize(start, 3, [], before=Progression.of_arrays(before.arrays()))
    assert after.steps == 3 and np.array_equal(again.scale, fitted.scale)
    value = again.objective(start.shape)
    assert value(after.x)[0] == pytest.approx(np.log(before.loss[-1]), rel=1e-9)


def test_the_best_mixing_is_kept_not_the_last():
    history = Progression()
    for k, score in enumerate([3.0, 1.0, 2.0]):
        history.add(np.full(2, k), {"mixing": np.full(3, k), "loss": 5.0 - k}, score)
    assert np.array_equal(history.mixing, np.full(3, 1)) and np.array_equal(history.x, np.full(2, 2))
    assert history.steps == 2 and history.since_best == 1


def test_principal_components_are_uncorrelated(frames):
    model = linear_model([RHO], [[ChannelProduct.up_to("A", (2, 2))]], 4, layers=[mixing([RHO], 3, 2, 2)])
    moments = second_moments(Engine(model), frames[:8], ["rho"], 2, 1)
    u = principal_mixing(moments, 2, 3)
    for a in range(2):
        assert np.allclose(u[a] @ moments[a] @ u[a].T, np.eye(3), atol=1e-8)
    with pytest.raises(ValueError, match="at most 6 channels"):
        principal_mixing(moments, 2, 7)


@pytest.mark.parametrize("n_free", [0, 2])
def test_both_paths_have_the_same_solutions(n_free):
    augmented = np.random.default_rng(3).normal(size=(40, 13))
    lams = np.geomspace(1e-6, 1e2, 5)
    expected = RidgePath(augmented, n_free).solutions(lams)
    assert np.allclose(CholeskyPath(augmented, n_free).solutions(lams), expected, rtol=1e-8, atol=1e-10)
    same = np.ones((3, 3))
    assert np.isnan(CholeskyPath(same).solutions([0.0])).all()


# what does not fit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [layer(inputs=["rh"])]}, "layer 'A' uses expansion 'rh', did you mean 'rho'"),
        ({"layers": [layer(inputs=["rho", "rho"])]}, "written twice among its inputs"),
        ({"layers": [layer(inputs=[])]}, "inputs"),
        ({"layers": [layer(l_max=4)]}, "l_max must be at most 2, that of its inputs"),
        ({"layers": [layer(channels=0)]}, "channels"),
        ({"layers": [layer(name="rho")]}, "the name 'rho' is used twice"),
        ({"layers": [layer(), layer()]}, "the name 'A' is used twice"),
        ({"layers": [layer(mixing="optimise")]}, "did you mean 'optimize'"),
        ({"layers": [layer(mixing={"method": "random", "iterations": 3})]}, "belongs to optimize"),
        ({"layers": [layer(mixing={"method": "optimize", "structures": 1})]}, "structures cannot determine the"),
        ({"layers": [layer(mixing="pca", channels=7)]}, "at most 6 channels"),
        ({"layers": []}, "uses expansion 'A'"),
        ({"terms": [{**TERM, "invariants": [{"a": "A", "l_max": [3, 3]}]}]}, "l_max must be at most 2"),
        ({"terms": [{**TERM, "invariants": [{"a": "A", "l_max": [1, 2]}]}]}, "grow with the body order"),
        ({"terms": [{**TERM, "invariants": [{"a": "A", "l_max": [1] * 7}]}]}, "1 to 6 factors"),
        ({"terms": [{**TERM, "invariants": [{"a": "rho", "l_max": [2, 2]}]}]}, "'rho' is an expansion"),
        ({"terms": [{**TERM, "invariants": [{"a": "A", "nu": 2, "l_max": [2, 2]}]}]}, "not both"),
        ({"terms": [{**TERM, "invariants": [{"a": "A", "b": "A", "l_max": [2, 2]}]}]}, "take no 'b'"),
        ({"terms": [{**TERM, "invariants": [{"a": "A"}]}]}, "'nu' is missing"),
        (
            {
                "layers": [layer(mixing="optimize")],
                "terms": [{**TERM, "regressor": {"type": "kernel", "points": 4}}],
            },
            "needs one linear term",
        ),
    ],
)
def test_options_of_layers_that_do_not_fit(frames, tmp_path, change, message):
    with pytest.raises(OptionError, match=message):
        fit({**options(tmp_path, TERM, layers=[layer()]), **change}, frames, progress=False, figures=False)
