# SPDX-License-Identifier: BSD-3-Clause
"""Equivariants of products within channels: tables, values against NumPy and pairs, turning, derivatives, files.

As outputs of a model they are among the kinds of tests/models.py."""

import re

import numpy as np
import pytest
from channel_reference import reference_features
from finite_differences import check_descriptor
from harmonics import random_rotation, rotation_of, turned
from models import CHANNELS, RHO, SALT, V, linear_model, mixing, of_channels, refusal
from test_channel_products import layer_coefficients, random_coefficients

from mlcalc import ChannelEquivariant, ChannelProduct, Descriptor, Equivariant, Model
from mlcalc.model.products import coupling_table, n_equivariants

TYPES = [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1), (3, 1), (3, -1)]


def described(o3, l_max=(3, 3, 2, 1), expansions=(RHO,), n_channels=4, seed=21, **options):
    layer = mixing(list(expansions), n_channels, l_max[0], seed)
    product = ChannelEquivariant.up_to("A", l_max, o3_lambda=o3[0], o3_sigma=o3[1])
    return Descriptor(SALT, list(expansions), product, layer, **options)


def components(descriptor, atoms):
    """(n_atoms, 2 lambda + 1, n_features)"""
    n = descriptor.invariants[0].n_components
    return descriptor(atoms).values.reshape(len(atoms), n, -1)


def test_numbers_of_equivariants():
    assert [n_equivariants([1, 1], o3, (-1) ** o3) for o3 in range(3)] == [1, 0, 1]  # a vector is not its own curl
    assert [n_equivariants([1, 2], o3, -((-1) ** o3)) for o3 in range(5)] == [0, 1, 1, 1, 0]
    assert n_equivariants([1, 1, 1], 1) == 1 and n_equivariants([1, 1, 1], 3) == 1
    assert n_equivariants([1, 1, 1], 2) == 0 and n_equivariants([1, 1, 1], 2, -1) == 0
    assert n_equivariants([2], 2) == 1 and n_equivariants([2], 2, -1) == 0
    # as many numbers as a symmetric product of three tensors has: (5 + 2 choose 3)
    assert sum((2 * k + 1) * n_equivariants([2, 2, 2], k, (-1) ** k) for k in range(7)) == 35


@pytest.mark.parametrize("o3", TYPES)
@pytest.mark.parametrize("l_max", [(3, 3), (2, 2, 2), (3, 3, 2, 1), (2, 2, 1, 1, 1)])
def test_tables_have_every_independent_equivariant_once(l_max, o3):
    nodes, paths = coupling_table(l_max, *o3)
    if not len(paths):
        assert o3 == (0, -1) or o3[1] == -1
        return
    product = ChannelEquivariant("A", nodes, paths, l_max[0], o3_lambda=o3[0], o3_sigma=o3[1])
    features = reference_features(product, l_max[0], random_coefficients(l_max[0], 1, 3 * len(paths) + 50))
    columns = features[..., 0].reshape(-1, len(paths))
    singular = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), compute_uv=False)
    assert singular[-1] > 1e-3 * singular[0]
    counted = {}
    for factors in product.factors():
        counted[factors] = counted.get(factors, 0) + 1
    assert counted == {factors: n_equivariants(list(factors), *o3) for factors in counted}


@pytest.mark.parametrize("o3", TYPES[2:])
@pytest.mark.parametrize("n_channels", [1, 5, 24])
@pytest.mark.parametrize("expansions", [[RHO], [V, RHO]], ids=["rho", "V and rho"])
def test_features_are_those_of_the_table(small_salt, o3, n_channels, expansions):
    descriptor = described(o3, (3, 2, 2, 1), expansions, n_channels)
    descriptor.invariants[0].scale = 0.7
    a = layer_coefficients(descriptor.model, small_salt, descriptor.model.layers[0])
    expected = 0.7 * reference_features(descriptor.invariants[0], 3, a).reshape(len(small_salt), -1)
    assert np.abs(descriptor(small_salt).values - expected).max() <= 1e-11 * np.abs(expected).max()


def test_lambda_0_is_the_invariant(small_salt):
    layer = mixing([RHO], 5, 3, 22)
    both = [ChannelProduct.up_to("A", (3, 3, 3, 2)), ChannelEquivariant.up_to("A", (3, 3, 3, 2), o3_lambda=0)]
    assert np.array_equal(both[0].paths, both[1].paths) and np.array_equal(both[0].nodes, both[1].nodes)
    invariant, scalar = np.split(Descriptor(SALT, [RHO], both, layer)(small_salt).values, 2, axis=1)
    assert np.array_equal(invariant, scalar)


@pytest.mark.parametrize("o3", [(1, 1), (2, 1), (2, -1), (3, 1)])
def test_two_factors_are_the_equivariants_of_the_mixed_channels(small_salt, o3):
    """Those of a pair of equal channels, which count sqrt 2 where the angular momenta are two."""
    layer = mixing([RHO], 4, 3, 12)
    pairs = Descriptor(SALT, [RHO], Equivariant(2, "A", "A", *o3), layer)
    within = Descriptor(SALT, [RHO], ChannelEquivariant.up_to("A", (3, 3), o3_lambda=o3[0], o3_sigma=o3[1]), layer)
    p, q, columns = pairs(small_salt).values, within(small_salt).values, pairs.properties
    compared = 0
    for k, label in enumerate(within.properties):
        if label["n_factors"] == 1:
            continue
        same = [columns[name] == label[name] for name in ("l", "l_2", "o3_mu")]
        same += [columns[f"channel_{n}"] == label["channel_1"] for n in (1, 2)]
        found = np.flatnonzero(np.all(same, axis=0))
        assert len(found) == 1
        factor = 1.0 if label["l"] == label["l_2"] else np.sqrt(2)
        assert np.allclose(p[:, found[0]], factor * q[:, k], rtol=1e-11, atol=1e-13 * np.abs(p).max())
        compared += 1
    assert compared > 0


@pytest.mark.parametrize("o3", TYPES[2:])
@pytest.mark.parametrize("expansions", [[RHO], [RHO, V]], ids=["rho", "rho and V"])
def test_they_turn_with_the_atoms_and_invert(o3, expansions, small_salt):
    descriptor = described(o3, (3, 3, 2, 2, 1), expansions, lode="ksum", accuracy=1e-12)
    before, rotation = components(descriptor, small_salt), random_rotation(3)
    after = components(descriptor, turned(small_salt, rotation))
    size = np.abs(before).max()
    assert size > 1e-6
    tolerance = 1e-10 if len(expansions) > 1 else 1e-12  # the list of k is another one
    assert np.abs(after - np.einsum("ab,ibf->iaf", rotation_of(o3[0], rotation), before)).max() < tolerance * size
    inverted = components(descriptor, turned(small_salt, -np.eye(3)))
    assert np.abs(inverted - o3[1] * (-1) ** o3[0] * before).max() < tolerance * size


@pytest.mark.parametrize("o3", [(1, 1), (2, 1), (2, -1)])
@pytest.mark.parametrize("expansions", [[RHO], [RHO, V]], ids=["rho", "rho and V"])
def test_derivatives_are_those_of_finite_differences(o3, expansions, small_salt):
    check_descriptor(described(o3, (2, 2, 2, 1), expansions, 3, lode="ksum"), small_salt)


def test_labels_selections_and_files(small_salt):
    """A column is named by its component, its path and its channel, and what is selected is what was there."""
    layer = mixing([RHO], 3, 3, 17)
    products = [*CHANNELS, of_channels(1, (3, 3, 2)), Equivariant(2, "rho", "rho", 1)]
    full = Descriptor(SALT, [RHO], products, layer)
    labels, values = full.properties, full(small_salt).values
    assert len(labels) == values.shape[1]
    mine = labels[labels["invariant"] == 1]
    assert sorted(set(mine["o3_mu"].tolist())) == [-1, 0, 1] and set(mine["o3_lambda"]) == {1}
    assert set(labels["o3_mu"][labels["invariant"] == 0]) == {0}
    assert np.array_equal(mine["n_factors"], products[1].nu[mine["path"]])
    assert np.array_equal(mine["l_2"] < 0, mine["n_factors"] == 1)
    for k in range(3):  # a channel that is nothing has no features
        matrices = layer.matrices.copy()
        matrices[:, :, k] = 0
        without = Descriptor(SALT, [RHO], products, type(layer)("A", ["rho"], matrices))(small_salt).values
        of_layer = labels["invariant"] < 2
        assert np.array_equal(np.all(without == 0, axis=0), of_layer & (labels["channel_1"] == k))
    first, size = np.flatnonzero(labels["invariant"] == 1)[0], len(mine) // 3
    pairs, per_pair = np.flatnonzero(labels["invariant"] == 2)[0], np.count_nonzero(labels["invariant"] == 2) // 3
    kept = np.array([1, *(first + size * mu + k for mu in range(3) for k in (0, 7, 8)),
                     *(pairs + per_pair * mu for mu in range(3))])  # fmt: skip
    part = full.select(kept)
    assert np.array_equal(part.properties, labels[kept])
    assert np.array_equal(part(small_salt).values, values[:, kept])
    again = Descriptor.from_model(Model.from_bytes(part.model.to_bytes()))
    assert np.array_equal(again(small_salt).values, part(small_salt).values)


@pytest.mark.parametrize(
    ("l_max", "o3", "message"),
    [((0,), (1, 1), "no product of l up to"), ((2, 1), (0, -1), "no product of l up to"), ((2,), (1, 0), "o3_sigma"),
     ((2,), (-1, 1), "o3_lambda"), ((1, 2), (1, 1), "grow with the body order")],
)  # fmt: skip
def test_what_makes_no_table_is_refused(l_max, o3, message):
    with pytest.raises(ValueError, match=message):
        ChannelEquivariant.up_to("A", l_max, o3_lambda=o3[0], o3_sigma=o3[1])


def product_of(document):
    return document["outputs"][0]["parts"][0]["equivariants"][0]


def path_of(x, y, k=1, o3_sigma=1):
    """A change of the first table of couplings: its path k."""

    def change(document, tensors):
        tensors["outputs.dipole.0.table.0.paths"][2 * k : 2 * k + 2] = x, y
        product_of(document).update(o3_sigma=o3_sigma)

    return change


MISTAKES = {
    "must be 1 or -1": lambda d, t: product_of(d).update(o3_sigma=0),
    "a path changes its sign with inversion, or does not": path_of(1, 2, k=0, o3_sigma=-1),
    "is the node of l = o3_lambda": lambda d, t: product_of(d).update(o3_sigma=-1),
    "do not couple to 1": path_of(0, 3),
    "coupled with itself to odd l vanishes": path_of(1, 1),
    "only one path may be one node alone": path_of(1, -1),
    "does not come before its use": path_of(1, 4000),
    "o3_sigma' is missing|o3_sigma: is missing": lambda d, t: product_of(d).pop("o3_sigma"),
    "must all have one o3_lambda": lambda d, t: [
        d["outputs"][1]["parts"][0]["equivariants"][0].pop(key) for key in ("o3_lambda", "o3_sigma")
    ],
    "has the unknown setting 'nu'": lambda d, t: product_of(d).update(nu=2),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_the_reader_takes_nothing_on_trust(sentence):
    message = refusal("tensors of channels", MISTAKES[sentence])
    assert message.startswith("bad.mlcalc: ") and re.search(sentence, message), message


def test_an_energy_takes_scalars_only():
    model = linear_model([RHO], [[of_channels(0)]], 3, layers=[mixing([RHO], 3, 3, 5)])
    assert b'\\"format_version\\": 4' in model.to_bytes()
    model.terms[0].invariants = [of_channels(2)]
    with pytest.raises((RuntimeError, ValueError), match="must turn and invert like a scalar|the weights must have"):
        model.to_bytes()
