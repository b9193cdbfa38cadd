# SPDX-License-Identifier: BSD-3-Clause
"""Tensor outputs of a model: rotation, inversion, derivatives, fields, committees, files."""

import re

import numpy as np
import pytest
from finite_differences import derivative, directions, displaced, strained
from harmonics import random_rotation, turned
from models import (
    POWER,
    RHO,
    TENSORS,
    build,
    evaluate,
    linear_model,
    refusal,
    with_tensors,
)

from mlcalc import Descriptor, Model

CLUSTERS = ["tensors charges"]
PERIODIC = [kind for kind in TENSORS if kind not in CLUSTERS]


@pytest.fixture(params=TENSORS)
def case(request, small_salt, salt_cluster):
    """A model with tensors, and atoms that it is for."""
    return build(request.param), salt_cluster if request.param in CLUSTERS else small_salt


def tensors(potential, atoms, **options):
    """Outputs of the engine, with derivatives, without the energy."""
    names = list(potential.outputs)
    return evaluate(potential, atoms, energies=False, forces=False, tensors=names, tensor_derivatives=names, **options)


def shaped(output, values):
    """Components as the Cartesian tensor, (.., *shape)."""
    return values.reshape(*values.shape[:-1], *output.shape)


def test_the_features_times_the_weights(small_salt):
    """Linear outputs from the features of a descriptor, and the transformation to Cartesian axes written out."""
    model = build("tensors")
    values = evaluate(model.potential(), small_salt, tensors=["dipole", "polarizability"])
    spherical = {}
    for name in ("dipole", "polarizability"):
        for part in model.output(name).parts:
            features = Descriptor(model.species, model.expansions, part.equivariants)(small_salt).values
            pieces = np.split(
                features, np.cumsum([e.n_components * model.n_selected(e) for e in part.equivariants])[:-1], 1
            )
            p = np.concatenate([x.reshape(len(small_salt), 2 * part.o3_lambda + 1, -1) for x in pieces], axis=2)
            w = part.regressor.weights[np.searchsorted(model.species, small_salt.numbers)]
            spherical[name, part.o3_lambda] = np.einsum("imf,if->im", p, w)
    y, z, x = spherical["dipole", 1].T
    assert np.allclose(values["dipole"], np.stack([x, y, z], axis=1), rtol=1e-12, atol=1e-13)
    xy, yz, zz, xz, xx_yy = spherical["polarizability", 2].T / np.sqrt([[2], [2], [6], [2], [2]])
    trace = -spherical["polarizability", 0][:, 0] / np.sqrt(3) + np.array([0.4, -0.2])[(small_salt.numbers == 17) * 1]
    matrix = [[trace - zz + xx_yy, xy, xz], [xy, trace - zz - xx_yy, yz], [xz, yz, trace + 2 * zz]]
    assert np.allclose(values["polarizability"].T.reshape(3, 3, -1), matrix, rtol=1e-12, atol=1e-13)


def test_they_turn_and_invert(case):
    model, atoms = case
    potential = model.potential(accuracy=1e-10)
    turn = random_rotation(5)
    before, after, inverted = (
        tensors(potential, system) for system in (atoms, turned(atoms, turn), turned(atoms, -np.eye(3)))
    )
    tolerance = 1e-8 if "V" in [e.name for e in model.expansions] else 1e-12  # another list of k
    for output in model.outputs:
        rank, sigma = len(output.shape), output.parts[0].equivariants[0].o3_sigma
        t, t_turned, t_inverted = (shaped(output, r[output.name]) for r in (before, after, inverted))
        for _ in range(rank):
            t = np.moveaxis(np.tensordot(t, turn, (1, 1)), -1, rank)
        size = np.abs(t).max()
        assert size > 1e-6
        assert np.abs(t_turned - t).max() < tolerance * size, output.name
        parity = sigma * (-1) ** rank
        assert np.abs(t_inverted - parity * shaped(output, before[output.name])).max() < tolerance * size


def test_derivatives_are_those_of_finite_differences(case):
    model, atoms = case
    potential = model.potential()
    results = tensors(potential, atoms)
    d, e = directions((len(atoms), 3), n=1)[0], directions((3, 3), n=1, seed=4)[0]
    names = [output.name for output in model.outputs]

    def sums(moved):
        values = tensors(potential, moved)
        return np.concatenate([values[name].sum(axis=0) for name in names])

    moves = {"derivatives": (d, lambda x: displaced(atoms, x * d)), "strain": (e, lambda x: strained(atoms, x * e))}
    for what, (direction, move) in moves.items():
        slope = derivative(lambda x, move=move: sums(move(x)))
        exact = np.concatenate([np.einsum("cjx,jx->c", results[f"{name} {what}"], direction) for name in names])
        assert np.abs(slope - exact).max() < 1e-8 * np.abs(exact).max()


def test_born_charges_sum_to_the_derivative_of_a_translation(case):
    """Zero, or the sum of the charges of the baseline."""
    model, atoms = case
    results = tensors(model.potential(accuracy=1e-10), atoms)
    for output in model.outputs:
        total = results[f"{output.name} derivatives"].sum(axis=1)
        assert np.abs(total).max() < 1e-9 * np.abs(results[f"{output.name} derivatives"]).max()


def test_beside_an_energy_they_are_the_same_and_it_is_the_same(case):
    model, atoms = case
    potential = model.potential()
    names = list(potential.outputs)
    alone = tensors(potential, atoms)
    energy = evaluate(potential, atoms, atom_virials=True, members=True, member_forces=True)
    both = evaluate(potential, atoms, atom_virials=True, members=True, member_forces=True, tensors=names,
                    tensor_derivatives=names)  # fmt: skip
    for key, value in {**energy, **alone}.items():
        if key not in ("seconds", "components"):
            assert np.allclose(both[key], value, rtol=1e-12, atol=1e-13 * max(1.0, np.abs(value).max())), key


@pytest.mark.parametrize("kind", [k for k in TENSORS if k not in ("tensors alone",)])
def test_an_electric_field(kind, small_salt, salt_cluster):
    """The energy is that without it minus mu . E, by atoms and members; forces and virials belong to it."""
    model = build(kind)
    atoms = salt_cluster if kind in CLUSTERS else small_salt
    field = np.array([0.11, -0.07, 0.23])
    plain, potential = model.potential(), model.potential(electric_field=tuple(field))
    options = {"members": True, "member_forces": True, "atom_virials": True}
    without = evaluate(
        plain, atoms, tensors=["dipole"], tensor_members=["dipole"], tensor_derivatives=["dipole"], **options
    )
    results = evaluate(potential, atoms, **options)
    size = np.abs(without["dipole"]).max()
    assert np.allclose(results["energies"], without["energies"] - without["dipole"] @ field, rtol=0, atol=1e-12 * size)
    members = without["member_energies"] - without["dipole members"] @ field
    assert np.allclose(results["member_energies"], members, rtol=0, atol=1e-11 * size)
    born = np.einsum("c,cjx->jx", field, without["dipole derivatives"])
    assert np.allclose(results["forces"], without["forces"] + born, rtol=0, atol=1e-11 * np.abs(born).max())
    strain = np.einsum("c,cab->ab", field, without["dipole strain"])
    assert np.allclose(results["virial"], without["virial"] + strain, rtol=0, atol=1e-10 * np.abs(strain).max())
    assert np.allclose(
        results["atom_virials"].sum(axis=0), results["virial"], rtol=0, atol=1e-10 * np.abs(strain).max()
    )
    assert np.allclose(
        results["member_forces"].mean(axis=0), results["forces"], rtol=0, atol=1e-10 * np.abs(born).max()
    )
    assert results["components"].sum() == pytest.approx(results["energies"].sum(), rel=1e-12)
    only = evaluate(potential, atoms, members=True, forces=False)
    assert np.allclose(only["member_energies"], results["member_energies"], rtol=0, atol=1e-11 * size)


@pytest.mark.parametrize("kind", ["tensors committee", "tensors kernel committee"])
def test_the_mean_of_the_members_is_the_result(kind, small_salt):
    names = list(build(kind).potential().outputs)
    results = evaluate(build(kind).potential(), small_salt, tensors=names, tensor_members=names)
    for name in names:
        members = results[f"{name} members"]
        assert members.std(axis=1).max() > 1e-3 * np.abs(members).max()
        assert np.allclose(members.mean(axis=1), results[name], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", TENSORS)
def test_files_are_read_back(kind, tmp_path):
    model = build(kind)
    again = Model.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()
    assert [(o.name, o.type, o.unit, o.baseline) for o in again.outputs] == [
        (o.name, o.type, o.unit, o.baseline) for o in model.outputs
    ]


@pytest.mark.parametrize("kind", PERIODIC)
def test_species_that_are_absent_do_not_matter(kind, small_salt):
    """The engine leaves out what belongs to species that never came."""
    model, sodium = build(kind), small_salt[small_salt.numbers == 11]
    first, all_species = model.potential(), model.potential()
    tensors(all_species, small_salt)
    alone, complete = tensors(first, sodium), tensors(all_species, sodium)
    for key, value in complete.items():
        if key not in ("seconds",):
            assert np.allclose(alone[key], value, rtol=0, atol=1e-11 * max(1e-2, np.abs(value).max())), key


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(threads, case):
    model, atoms = case
    one, many = tensors(model.potential(), atoms), tensors(model.potential(n_threads=threads), atoms)
    for key, value in one.items():
        if key != "seconds":
            assert np.allclose(many[key], value, rtol=0, atol=1e-12 * max(1.0, np.abs(value).max())), key


def test_what_cannot_be_asked_for(small_salt):
    model = build("tensors charges")
    with pytest.raises(
        ValueError, match="'dipole' of this model contains charges times positions.* free boundaries only"
    ):
        evaluate(model.potential(), small_salt, tensors=["dipole"])
    with pytest.raises(ValueError, match="contains charges times positions"):
        evaluate(model.potential(electric_field=(0, 0, 0.1)), small_salt)
    with pytest.raises(ValueError, match="no output 'quadrupole'; it has dipole"):
        evaluate(model.potential(), small_salt, tensors=["quadrupole"])
    with pytest.raises(ValueError, match="^the model has no output 'dipole'; it has none$"):
        evaluate(build("linear rho").potential(), small_salt, tensors=["dipole"])
    with pytest.raises(ValueError, match="an electric field needs a model with a vector output named dipole"):
        build("linear rho").potential(electric_field=(0.1, 0, 0))
    with pytest.raises(ValueError, match="output 'd': type must be one of scalar, vector, symmetric"):
        with_tensors(linear_model([RHO], [POWER], 1), {"d": ("vektor", {}, {})}, 1).outputs[0].shape  # noqa: B018


CHANGES = {
    "outputs[1].name: 'polarizability' is there twice": lambda d, t: d["outputs"][1].update(name="polarizability"),
    "outputs[1].type: must be one of": lambda d, t: d["outputs"][1].update(type="matrix"),
    "outputs[1].parts[0].equivariants: must all have one o3_lambda": lambda d, t: d["outputs"][1].update(type="scalar"),
    "outputs[0].parts[1].equivariants: must have another o3_lambda": lambda d, t: d["outputs"][0]["parts"].__setitem__(
        1, d["outputs"][0]["parts"][0]
    ),
    "outputs[1].parts[0].equivariants[0].o3_sigma: must be 1 or -1": lambda d, t: d["outputs"][1]["parts"][0][
        "equivariants"
    ][0].update(o3_sigma=0),
    "outputs[1].parts: must": lambda d, t: d["outputs"][1].update(parts=[]),
    "outputs[0].baseline: must": lambda d, t: d["outputs"][0].update(baseline=[1.0]),
    "outputs[1].origin: must be one of": lambda d, t: d["outputs"][1].update(origin="zero"),
    "outputs[1].committee_scale: must": lambda d, t: d["outputs"][1].update(committee_scale=0),
    "outputs[1]: has the unknown setting 'sign'": lambda d, t: d["outputs"][1].update(sign=-1),
    "outputs[1].parts[0].regressor.zeta: must": lambda d, t: d["outputs"][1]["parts"][0]["regressor"].update(zeta=1),
    "outputs[1].parts[0].regressor.epsilon: must": lambda d, t: d["outputs"][1]["parts"][0]["regressor"].update(
        epsilon=0
    ),
    "outputs[1].parts[0].regressor: has no sparse points": lambda d, t: t.update(
        {k: v[..., :0, :] if "weights" in k else v[:0] for k, v in t.items() if k.startswith("outputs.dipole.0.")
         and k[-2:] in ("11", "17")}
    ),
    "tensor 'outputs.dipole.0.tensors.11'": lambda d, t: t.update({"outputs.dipole.0.tensors.11": np.zeros((1, 2, 3))}),
    "description.outputs: is missing": lambda d, t: d.pop("outputs"),
    "reference_energies: may be null only in a model without terms": lambda d, t: d.update(reference_energies=None),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CHANGES)
def test_the_reader_takes_nothing_on_trust(sentence):
    message = refusal("tensors kernel", CHANGES[sentence])
    assert message.startswith("bad.mlcalc: ") and sentence.split(": ")[0].split(".")[-1] in message, message
    assert re.search(re.escape(sentence.split(": ")[-1]), message), message


def test_a_file_of_nothing_is_refused():
    def change(document, tensors):
        document["outputs"] = []
        for name in [name for name in tensors if name.startswith("outputs")]:
            del tensors[name]

    assert "may be null only in a model with outputs" in refusal("tensors alone", change)
