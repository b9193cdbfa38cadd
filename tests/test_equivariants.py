# SPDX-License-Identifier: BSD-3-Clause
"""Equivariants: values, what they do under rotations and inversion, derivatives."""

import re

import ase.build
import metatensor as operations
import numpy as np
import pytest
from featomic import LodeSphericalExpansion, SphericalExpansion
from featomic.clebsch_gordan import ClebschGordanProduct, EquivariantPowerSpectrum
from finite_differences import check_descriptor
from harmonics import random_rotation, rotation_of, turned
from models import RHO, SHORT, V_GTO, V, linear_model, refusal

from mlcalc.expansions import DensityExpansion, Gto, PotentialExpansion
from mlcalc.features import Descriptor
from mlcalc.model import Equivariant, Invariant, Model

TYPES = [(0, 1), (1, 1), (1, -1), (2, 1), (2, -1), (3, 1), (3, -1)]
PRODUCTS = {"rho x rho": (RHO, RHO), "rho x V": (RHO, V), "V x V": (V, V), "V x rho": (V, SHORT)}


@pytest.fixture
def salt():
    """Triclinic, smaller than the cutoffs."""
    atoms = ase.build.bulk("NaCl", "rocksalt", a=5.64)
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.12, 0.97, 0], [-0.08, 0.15, 1.05]], scale_atoms=True)
    atoms.positions[1] += [0.2, -0.3, 0.1]
    return atoms


def described(product, o3_lambda, o3_sigma, **options):
    a, b = PRODUCTS[product]
    expansions = [a] if a is b else [a, b]
    return Descriptor(["Na", "Cl"], expansions, Equivariant(2, a.name, b.name, o3_lambda, o3_sigma), **options)


def components(descriptor, atoms):
    """(n_atoms, 2 lambda + 1, n_features)"""
    n = descriptor.invariants[0].n_components
    return descriptor(atoms).values.reshape(len(atoms), n, -1)


def factor(coefficients, number):
    """Coefficients as the factor of this number of featomic's products."""
    out = operations.rename_dimension(coefficients, "keys", "neighbor_type", f"neighbor_{number}_type")
    out = operations.rename_dimension(out, "properties", "n", f"n_{number}")
    return out.keys_to_properties(f"neighbor_{number}_type")


@pytest.mark.parametrize("far", [False, True], ids=["rho x rho", "rho x V"])
def test_they_are_those_of_featomic(far, salt):
    """With a factor sqrt(2) where featomic has both orders of two different factors of one expansion. Of two different
    expansions its EquivariantPowerSpectrum leaves out l_1 > l_2, its Clebsch-Gordan product does not."""
    rho = DensityExpansion(cutoff=6.0, n_max=3, l_max=2, accuracy=1e-12)
    v = PotentialExpansion(n_max=2, l_max=2, exponent=1, smearing=1.2, basis=Gto(3.0), accuracy=1e-12)
    if far:
        parts = SphericalExpansion(**rho.to_featomic()), LodeSphericalExpansion(**v.to_featomic(k_cutoff=6.0))
        first, second = (factor(part.compute(salt), k) for k, part in enumerate(parts, start=1))
        names = {"o3_lambda_1_new_name": "l_1", "o3_lambda_2_new_name": "l_2"}
        theirs = ClebschGordanProduct(max_angular=4).compute(first, second, **names).keys_to_properties(["l_1", "l_2"])
    else:
        power_spectrum = EquivariantPowerSpectrum(SphericalExpansion(**rho.to_featomic()))
        theirs = power_spectrum.compute(salt, neighbors_to_properties=True)
    compared = set()
    for key, block in theirs.items():
        o3 = key["o3_lambda"], key["o3_sigma"]
        if o3[0] > 3:
            continue
        equivariant = Equivariant(2, "rho", "V" if far else "rho", *o3)
        descriptor = Descriptor(["Na", "Cl"], [rho, v] if far else [rho], equivariant, lode="ksum", k_cutoff=6.0)
        mine = components(descriptor, salt)[block.samples.values[:, 1]]
        size = np.abs(block.values).max()
        columns = {tuple(label): k for k, label in enumerate(block.properties.values.tolist())}
        for k, p in enumerate(descriptor.properties[: mine.shape[2]]):
            first = (p["l"], (11, 17)[p["channel_1"]], p["n_1"])
            second = (p["l_2"], (11, 17)[p["channel_2"]], p["n_2"])
            label = (first[0], second[0], *first[1:], *second[1:])
            expected = block.values[:, :, columns[label]] * (1 if far or first == second else np.sqrt(2))
            assert np.abs(mine[:, :, k] - expected).max() < 1e-11 * size
        compared.add(o3)
    assert compared == set(TYPES)


@pytest.mark.parametrize("product", PRODUCTS)
def test_lambda_0_is_the_invariant(product, salt):
    a, b = PRODUCTS[product]
    expansions = [a] if a is b else [a, b]
    invariant = Descriptor(["Na", "Cl"], expansions, Invariant(2, a.name, b.name))(salt).values
    assert np.abs(described(product, 0, 1)(salt).values - invariant).max() < 1e-14 * np.abs(invariant).max()
    one = Descriptor(["Na", "Cl"], expansions, [Invariant(1, a.name), Equivariant(1, a.name, None, 0)])(salt).values
    assert np.array_equal(*np.split(one, 2, axis=1))


def test_nu_1_are_the_coefficients(salt):
    descriptor = Descriptor(["Na", "Cl"], RHO, Equivariant(1, "rho", None, 2, scale=0.5))
    c = descriptor.expansion(salt)
    assert np.allclose(components(descriptor, salt), 0.5 * np.moveaxis(c[..., 4:9], 3, 1).reshape(2, 5, -1), rtol=1e-15)


@pytest.mark.parametrize("o3", TYPES)
@pytest.mark.parametrize("product", PRODUCTS)
def test_they_turn_with_the_atoms_and_invert(product, o3, salt):
    descriptor = described(product, *o3, lode="ksum", accuracy=1e-12)
    before = components(descriptor, salt)
    rotation = random_rotation(3)
    after = components(descriptor, turned(salt, rotation))
    size = np.abs(before).max()
    assert size > 1e-6
    tolerance = 1e-10 if "V" in product else 1e-12  # the list of k is another one
    assert np.abs(after - np.einsum("ab,ibf->iaf", rotation_of(o3[0], rotation), before)).max() < tolerance * size
    inverted = components(descriptor, turned(salt, -np.eye(3)))
    assert np.abs(inverted - o3[1] * (-1) ** o3[0] * before).max() < tolerance * size


@pytest.mark.parametrize("o3", [(1, 1), (2, 1), (1, -1)])
@pytest.mark.parametrize("product", PRODUCTS)
def test_derivatives_are_those_of_finite_differences(product, o3, salt):
    check_descriptor(described(product, *o3, lode="ksum"), salt)


def test_labels_and_selections(salt):
    full = Descriptor(["Na", "Cl"], [RHO, V_GTO], [Invariant(2, "rho", "rho"), Equivariant(2, "rho", "V", 1)])
    labels = full.properties
    assert len(labels) == full(salt).values.shape[1]
    assert set(labels["o3_mu"][labels["invariant"] == 1].tolist()) == {-1, 0, 1}
    assert set(labels["o3_mu"][labels["invariant"] == 0].tolist()) == {0}
    n = np.count_nonzero(labels["invariant"] == 0)
    size = (len(labels) - n) // 3
    kept = np.array([2, 9, *(n + size * mu + k for mu in range(3) for k in (0, 4))])
    part = full.select(kept)
    assert np.array_equal(part.properties, labels[kept])
    assert np.array_equal(part(salt).values, full(salt).values[:, kept])
    again = Descriptor.from_model(Model.from_bytes(part.model.to_bytes()))
    assert np.array_equal(again(salt).values, part(salt).values)
    with pytest.raises(ValueError, match="all components of a feature of equivariant 1, or none"):
        full.select(kept[:-1])
    with pytest.raises(ValueError, match="equivariants have labels"):
        full(salt).featomic_blocks(1)


MISTAKES = {
    "must be 1 or -1": lambda d: d["terms"][0]["invariants"][0].update(o3_sigma=0),
    "has no features: its angular momenta do not couple to o3_lambda and o3_sigma": lambda d: d["terms"][0][
        "invariants"
    ][0].update(o3_sigma=-1),
    "must turn and invert like a scalar": lambda d: d["terms"][0]["invariants"][0].update(o3_lambda=2),
    "o3_lambda: must be": lambda d: d["terms"][0]["invariants"][0].update(o3_lambda=-1),
    "o3_sigma' is missing|o3_sigma: is missing": lambda d: d["terms"][0]["invariants"][0].pop("o3_sigma"),
    "unknown setting": lambda d: d.update(format_version=3),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_what_cannot_be_an_equivariant_is_refused(sentence):
    message = refusal("linear coupled", lambda document, tensors: MISTAKES[sentence](document))
    assert re.search(rf"^bad.mlcalc: description.*({sentence})", message), message


def test_a_model_without_equivariants_is_written_as_before():
    assert b'"format_version": 2' in linear_model([RHO], [[Invariant(1, "rho")]], 1).to_bytes()[:2000].replace(
        b"\\", b""
    )
