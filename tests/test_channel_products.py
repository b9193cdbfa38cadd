# SPDX-License-Identifier: BSD-3-Clause
"""Products within channels: couplings, tables of paths, features against an independent evaluation, and their limits.

Forces, virials, ranks, files, training rows and threads are tested for every kind of model in tests/models.py."""

import numpy as np
import pytest
from ase.build import bulk
from channel_reference import coupling, reference_features
from harmonics import directions, real_harmonics, rotation_of
from models import RHO, SALT, V, arguments, evaluate, mixing

from mlcalc import ChannelProduct, Descriptor, Invariant, Linear, Mixing, Model, Term, _engine
from mlcalc.model.products import coupling_table, n_equivariants

# couplings, from the definition: C couples real harmonics like <l1 m1 l2 m2 | l m> couples complex ones


TRIPLES = [(0, 0, 0), (1, 1, 0), (1, 1, 1), (1, 1, 2), (2, 1, 1), (2, 1, 2), (3, 2, 1), (3, 3, 4), (4, 2, 3), (4, 4, 8)]


@pytest.mark.parametrize("ls", TRIPLES)
def test_couplings_are_orthonormal(ls):
    c = coupling(*ls)
    assert np.allclose(np.einsum("abm,abn->mn", c, c), np.eye(2 * ls[2] + 1), atol=1e-12)


@pytest.mark.parametrize("ls", TRIPLES)
def test_couplings_are_equivariant(ls):
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)
    d = [rotation_of(l, rotation) for l in ls]
    rng = np.random.default_rng(2)
    a, b, c = rng.normal(size=2 * ls[0] + 1), rng.normal(size=2 * ls[1] + 1), coupling(*ls)
    rotated = np.einsum("abm,a,b->m", c, d[0] @ a, d[1] @ b)
    assert np.allclose(rotated, d[2] @ np.einsum("abm,a,b->m", c, a, b), atol=1e-12)


def test_signs_of_couplings():
    """The anchors of the convention, m = (-1, 0, 1) = (y, z, x)."""
    assert np.allclose(coupling(1, 1, 0)[:, :, 0], -np.eye(3) / np.sqrt(3))
    assert coupling(1, 1, 2)[0, 2, 0] == pytest.approx(np.sqrt(0.5))
    # x and y to z: the cross product, times -1/sqrt 2
    assert coupling(1, 1, 1)[0, 2, 1] == pytest.approx(np.sqrt(0.5))
    assert _engine.real_clebsch_gordan(1, 1, 3) == []
    for l1, l2, l in TRIPLES:
        if (l1 + l2 + l) % 2 == 0 and l1 == l2 and l == 0:
            u = directions(40, 3)
            product = np.einsum("abm,sa,sb->sm", coupling(l1, l2, l), real_harmonics(l1, u), real_harmonics(l2, u))
            assert np.allclose(product[:, 0], (-1) ** l1 * np.sqrt(2 * l1 + 1) / (4 * np.pi))


# tables


@pytest.mark.parametrize(
    ("l_max", "n_paths"),
    [((2, 2, 2), 9), ((3, 3, 3), 13), ((4, 4, 4), 20), ((3, 3, 3, 3), 36), ((4, 4, 4, 3), 43), ((4, 4, 4, 4), 71),
     ((5, 5, 5, 5), 129), ((3, 3, 3, 3, 2), 49), ((3, 3, 3, 3, 3), 81), ((2, 2, 2, 2, 2, 1), None)],
)  # fmt: skip
def test_tables_have_every_independent_invariant_once(l_max, n_paths):
    nodes, paths = coupling_table(l_max)
    if n_paths is not None:
        assert len(paths) == n_paths
    product = ChannelProduct("A", nodes, paths, l_max[0])
    assert product.nu.max() == len(l_max)
    features = reference_features(product, l_max[0], random_coefficients(l_max[0], 1, 3 * len(paths) + 50))
    columns = features[:, :, 0].T
    singular = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), compute_uv=False)
    assert singular[-1] > 1e-3 * singular[0]


def test_numbers_of_invariants():
    assert [n_equivariants([l, l]) for l in range(5)] == [1] * 5
    assert n_equivariants([1, 1, 1]) == 0
    assert n_equivariants([1, 1, 2]) == 1
    assert n_equivariants([1, 1, 1, 1]) == 1
    assert n_equivariants([2, 2, 2, 2]) == 1
    assert n_equivariants([2, 2, 2, 2, 2, 2]) == 2


@pytest.mark.parametrize("l_max", [(), (2, 3), (1,) * 7, (-1,)])
def test_l_max_that_is_no_table_is_refused(l_max):
    with pytest.raises(ValueError, match="factors|l_max"):
        ChannelProduct.up_to("A", l_max)


# features against NumPy


def random_coefficients(l_max, n_channels, n_centers, seed=4):
    rng = np.random.default_rng(seed)
    return {l: rng.normal(size=(n_centers, 2 * l + 1, n_channels)) for l in range(l_max + 1)}


def layer_coefficients(model, atoms, layer):
    """A of every atom from the coefficients of the expansions, in NumPy."""
    potential = model.potential()
    views = arguments(potential, atoms)
    blocks = []
    for name in layer.inputs:
        c = potential.expansion(name=name, **views)
        c = c.reshape(len(atoms), -1, c.shape[-1])
        n_lm = (layer.l_max + 1) ** 2
        blocks.append(np.pad(c, ((0, 0), (0, 0), (0, max(0, n_lm - c.shape[-1]))))[..., :n_lm])
    c = np.concatenate(blocks, axis=1)
    u = layer.matrices[views["species"] if len(layer.matrices) > 1 else [0] * len(atoms)]
    return {l: np.einsum("skq,sqm->smk", u[:, l], c[:, :, l * l : (l + 1) ** 2]) for l in range(layer.l_max + 1)}


@pytest.mark.parametrize("l_max", [(3, 3, 3, 3), (3, 2, 2, 2, 1), (2, 2, 2, 2, 2, 1)])
@pytest.mark.parametrize("n_channels", [1, 5, 24])
@pytest.mark.parametrize("expansions", [[RHO], [RHO, V], [V, RHO]], ids=["rho", "rho and V", "V and rho"])
def test_features_are_those_of_the_table(small_salt, l_max, n_channels, expansions):
    layer = mixing(expansions, n_channels, l_max[0], 11)
    product = ChannelProduct.up_to("A", l_max, scale=0.7)
    model = Model(SALT, expansions, [Term("t", [product])], layers=[layer])
    ours = model.potential().features(**arguments(model.potential(), small_salt))
    a = layer_coefficients(model, small_salt, layer)
    expected = 0.7 * reference_features(product, l_max[0], a).reshape(len(small_salt), -1)
    assert ours.shape[1] == model.n_features("t")
    assert np.abs(ours - expected).max() <= 1e-11 * np.abs(expected).max()


def test_labels_are_the_factors_of_their_columns(small_salt):
    """What is mixed of one l twice as large makes a feature larger by 2 for each of its factors of this l."""
    layer, product = mixing([RHO], 3, 3, 17), ChannelProduct.up_to("A", (3, 3, 2, 1))
    product.selection = np.arange(0, 3 * len(product.paths), 2)
    descriptor = Descriptor(SALT, [RHO], [product], [layer])
    plain, labels = descriptor(small_salt), descriptor.properties
    assert np.array_equal(labels["n_factors"], product.nu[labels["path"]])
    for l in range(4):
        matrices = layer.matrices.copy()
        matrices[:, l] *= 2
        larger = Descriptor(SALT, [RHO], [product], Mixing("A", ["rho"], matrices))(small_salt)
        count = np.sum(labels["l_factors"] == l, axis=1)
        assert np.allclose(larger.values, plain.values * 2.0**count, rtol=1e-10, atol=1e-14 * abs(plain.values).max())
    for k in range(3):
        matrices = layer.matrices.copy()
        matrices[:, :, k] = 0
        without = Descriptor(SALT, [RHO], [product], Mixing("A", ["rho"], matrices))(small_salt).values
        assert np.array_equal(np.all(without == 0, axis=0), labels["channel_1"] == k)


def test_products_of_layers_and_of_expansions_are_labeled_together(small_salt):
    layer, product = mixing([RHO], 3, 3, 17), ChannelProduct.up_to("A", (2, 2))
    invariants = [Invariant(2, "A", "rho"), Invariant(1, "A"), product]
    labels = Descriptor(SALT, [RHO], invariants, layer)(small_salt).properties
    cross = labels[labels["invariant"] == 0]
    assert set(cross["channel_1"]) == {0, 1, 2} and set(cross["n_1"]) == {-1} and set(cross["n_2"]) == {0, 1, 2}
    assert set(cross["n_factors"]) == {2} and np.array_equal(cross["l_factors"][:, 0], cross["l"])
    assert set(labels["n_factors"][labels["invariant"] == 1]) == {1}


def test_a_descriptor_of_a_layer_needs_its_invariants():
    with pytest.raises(ValueError, match="needs the invariants"):
        Descriptor(SALT, [RHO], layers=[mixing([RHO], 3, 3, 17)])
    with pytest.raises(ValueError, match="of what layers mix have labels"):
        layer = mixing([RHO], 3, 3, 17)
        Descriptor(SALT, [RHO], [Invariant(2, "A", "A")], layer)(bulk("NaCl", "rocksalt", a=5.6)).featomic_blocks()


def test_two_factors_are_the_power_spectrum_of_the_mixed_channels(small_salt):
    layer = mixing([RHO], 4, 3, 12)
    pairs = Model(SALT, [RHO], [Term("t", [Invariant(2, "A", "A")])], layers=[layer])
    within = Model(SALT, [RHO], [Term("t", [ChannelProduct.up_to("A", (3, 3))])], layers=[layer])
    p, q = (m.potential().features(**arguments(m.potential(), small_salt)) for m in (pairs, within))
    diagonal = [k * 4 - k * (k - 1) // 2 for k in range(4)]
    p = p.reshape(len(p), 4, 10)[:, :, diagonal]
    q = q.reshape(len(q), 5, 4)[:, 1:]
    assert np.allclose(np.sort(p, axis=1), np.sort(q, axis=1), rtol=1e-12, atol=1e-14)


def test_features_are_invariant(small_salt):
    """Rotation, inversion, order of the atoms, to rounding, up to five factors."""
    layer = mixing([RHO, V], 8, 3, 13)
    model = Model(SALT, [RHO, V], [Term("t", [ChannelProduct.up_to("A", (3, 3, 3, 3, 2))])], layers=[layer])
    potential = model.potential(accuracy=1e-9)

    def features(atoms):
        return potential.features(**arguments(potential, atoms))

    p = features(small_salt)
    size = np.abs(p).max(axis=0)
    turned = small_salt.copy()
    turned.rotate(50, (1, 2, 3), rotate_cell=True)
    inverted = small_salt.copy()
    inverted.set_cell(-inverted.cell.array)
    inverted.positions *= -1
    order = np.random.default_rng(1).permutation(len(p))
    assert np.abs(features(turned) - p).max() <= 1e-8 * size.max()
    assert np.abs(features(inverted) - p).max() <= 1e-8 * size.max()
    assert np.abs(features(small_salt[order]) - p[order]).max() <= 1e-8 * size.max()


# incomplete descriptors [Pozdnyakov et al., PRL 125, 166001 (2020)]: environments that few factors cannot tell apart


def largest_difference(environments, center, l_max, n_channels=32):
    rho = type(RHO)(name="rho", cutoff=5.0, n_max=6, l_max=l_max[0])
    species = sorted({int(z) for atoms in environments for z in atoms.numbers})
    matrices = np.random.default_rng(5).normal(size=(1, l_max[0] + 1, n_channels, len(species) * 6))
    product = ChannelProduct.up_to("A", l_max)
    model = Model(species, [rho], [Term("t", [product])], layers=[Mixing("A", ["rho"], matrices)])
    potential = model.potential()
    p = [potential.features(**arguments(potential, atoms))[center] for atoms in environments]
    nu = np.repeat(product.nu, n_channels)
    scale = np.linalg.norm(np.abs(p).max(axis=0).reshape(-1, n_channels), axis=1).repeat(n_channels)
    different = np.abs(p[0] - p[1]) / scale
    return [different[nu == k].max() for k in range(1, len(l_max) + 1)]


def test_three_factors_tell_apart_what_two_cannot(data):
    from ase.io import read

    environments = read(data / "completeness/powerspectrum-triplet.xyz", ":")
    for k in (1, 2):
        one, two, three = largest_difference([environments[0], environments[k]], 0, (4, 4, 4))
        assert max(one, two) < 1e-10 and three > 1e-4


def test_four_factors_tell_apart_what_three_cannot(data):
    from ase.io import read

    environments = read(data / "completeness/bispectrum.xyz", ":")
    one, two, three, four = largest_difference(environments[:2], 0, (4, 4, 4, 4))
    assert max(one, two, three) < 1e-10 and four > 1e-5


# what does not fit


def channel_model(**changes):
    product = ChannelProduct.up_to("A", (2, 2, 2))
    for key, value in changes.items():
        setattr(product, key, value)
    model = Model(SALT, [RHO], [Term("t", [product])], layers=[mixing([RHO], 3, 2, 14)])
    model.terms[0].regressor = Linear(np.zeros((2, model.n_features("t"))))
    return model


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": np.array([[2, 1, 7]])}, "does not come before its use"),
        ({"nodes": np.array([[3, 0, 1]])}, "do not couple to 3"),
        ({"nodes": np.array([[1, 1, 1]])}, "coupled with itself to odd l vanishes"),
        ({"nodes": np.array([[2, 1, 1]]), "paths": np.array([[3, 1]])}, "l 2 and 1 do not couple to 0"),
        ({"nodes": np.array([[1, 1, 2], [2, 1, 2]]), "paths": np.array([[4, 2]])}, "changes its sign with inversion"),
        ({"paths": np.array([[1, -1]])}, "only one path may be one node alone"),
        ({"nodes": np.zeros((0, 3), int), "paths": np.zeros((0, 2), int)}, "1 to 4096 paths"),
        ({"nodes": np.array([[0, 0, 0], *([0, 3 + k, 0] for k in range(6))])}, "at most 6 factors"),
        ({"a": "rho"}, "must be a layer"),
        ({"a": "B"}, "no expansion of this model"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_are_refused(changes, message):
    model = channel_model()
    for key, value in changes.items():
        setattr(model.terms[0].invariants[0], key, value)
    model.terms[0].regressor = None
    with pytest.raises((RuntimeError, StopIteration), match=message if changes != {"a": "B"} else None):
        model.to_bytes()


@pytest.mark.parametrize("shape", [(2, 3, 3), (3, 3, 3, 6), (2, 3, 3, 5), (1, 5, 3, 6)])
def test_mixing_that_does_not_fit_is_refused(shape):
    with pytest.raises((ValueError, RuntimeError), match="shape|l_max"):
        layer = Mixing("A", ["rho"], np.zeros(shape))
        Model(SALT, [RHO], [Term("t", [ChannelProduct.up_to("A", (2, 2))])], layers=[layer]).to_bytes()


def test_models_without_layers_are_still_written_for_older_readers():
    plain = Model(SALT, [RHO], [Term("t", [Invariant(1, "rho")])])
    assert b'\\"format_version\\": 2' in plain.to_bytes()
    assert b'\\"format_version\\": 3' in channel_model().to_bytes()


def test_an_isolated_atom_has_a_constant_energy():
    from ase import Atoms

    model = channel_model()
    model.terms[0].regressor = Linear(np.random.default_rng(0).normal(size=(2, model.n_features("t"))))
    out = evaluate(model.potential(), Atoms("NaCl", [[0, 0, 0], [20, 0, 0]], cell=[40] * 3, pbc=True))
    assert np.all(np.isfinite(out["energies"])) and np.abs(out["forces"]).max() < 1e-14


def test_a_layer_may_have_more_angular_momenta_than_its_products(small_salt):
    layer = mixing([RHO], 4, 3, 15)
    small = Model(SALT, [RHO], [Term("t", [ChannelProduct.up_to("A", (2, 2, 2))])], layers=[layer])
    narrow = Mixing("A", ["rho"], layer.matrices[:, :3])
    same = Model(SALT, [RHO], [Term("t", [ChannelProduct.up_to("A", (2, 2, 2))])], layers=[narrow])
    p, q = (m.potential().features(**arguments(m.potential(), small_salt)) for m in (small, same))
    assert np.allclose(p, q, rtol=1e-13, atol=0)
    again = Model.from_bytes(small.to_bytes())
    assert again.terms[0].invariants[0].l_max == 3
    assert np.array_equal(again.terms[0].invariants[0].nu, small.terms[0].invariants[0].nu)
    with pytest.raises(ValueError, match="has l_max 2, products of its channels up to l = 3"):
        Model(SALT, [RHO], [Term("t", [ChannelProduct.up_to("A", (3, 3))])], layers=[narrow]).to_bytes()
