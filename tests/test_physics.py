# SPDX-License-Identifier: BSD-3-Clause
"""What every potential must obey, whatever it is made of."""

import numpy as np
import pytest
from ase import Atoms
from finite_differences import derivative, directions, displaced, strained
from models import EVERY_KIND_OF_MODEL, FAR_FIELDS, SHORT_RANGED, build, energy, evaluate
from scipy.spatial.transform import Rotation

every_kind = pytest.mark.parametrize("model", EVERY_KIND_OF_MODEL, indirect=True)


@every_kind
def test_forces_are_minus_the_energy_gradient(model, rattled_salt):
    potential = model.potential()
    forces = evaluate(potential, rattled_salt)["forces"]
    scale = np.linalg.norm(forces)
    for direction in directions(forces.shape):
        slope = derivative(lambda x, d=direction: energy(potential, displaced(rattled_salt, x * d)))
        assert slope == pytest.approx(-np.vdot(forces, direction), abs=1e-8 * scale)


@every_kind
def test_virial_is_minus_the_strain_derivative(model, small_salt):
    potential = model.potential()
    results = evaluate(potential, small_salt, atom_virials=True)
    strain_derivative = np.zeros((3, 3))
    for a in range(3):
        for b in range(3):
            unit = np.eye(3)[a][:, None] * np.eye(3)[b]
            strain_derivative[a, b] = derivative(lambda x, u=unit: energy(potential, strained(small_salt, x * u)))
    np.testing.assert_allclose(results["virial"], -strain_derivative, rtol=0, atol=1e-8 * _size(results["virial"]))
    total = results["atom_virials"].sum(axis=0)
    np.testing.assert_allclose(total, results["virial"], rtol=0, atol=1e-12 * _size(results["atom_virials"]))


@pytest.mark.parametrize("model", FAR_FIELDS, indirect=True)
def test_forces_and_virial_of_a_cluster_in_free_space(model, salt_cluster):
    potential = model.potential()
    results = evaluate(potential, salt_cluster, atom_virials=True)
    _assert_derivatives(potential, salt_cluster, results)
    _assert_same(results["atom_virials"].sum(axis=0), results["virial"])
    _assert_same(results["forces"].sum(axis=0), np.zeros(3))


@pytest.mark.parametrize(
    "model", ["linear V", "linear p=6", "linear mixed fields", "kernel soap + lode"], indirect=True
)
def test_forces_and_virial_of_a_mesh_are_derivatives_of_its_energy(model, small_salt):
    """The exact derivatives of the discretized energy, whatever the accuracy of the mesh."""
    potential = model.potential(lode="mesh", accuracy=1e-3)
    results = evaluate(potential, small_salt, atom_virials=True)
    assert "mesh" in potential.summary()
    _assert_derivatives(potential, small_salt, results)
    _assert_same(results["atom_virials"].sum(axis=0), results["virial"], 1e-10)


@every_kind
def test_virials_of_atoms_are_strain_derivatives_of_their_energies(model, small_salt):
    potential = model.potential()
    atom_virials = evaluate(potential, small_salt, atom_virials=True)["atom_virials"]
    strain = directions((3, 3), n=1, seed=5)[0]

    def energies(x):
        return evaluate(potential, strained(small_salt, x * strain), forces=False)["energies"]

    expected = -np.einsum("iab,ab->i", atom_virials, strain)
    np.testing.assert_allclose(derivative(energies), expected, rtol=0, atol=1e-8 * _size(atom_virials))


@every_kind
def test_energies_of_atoms_and_components_sum_to_the_energy(model, small_salt):
    results = evaluate(model.potential(), small_salt)
    assert results["components"].sum() == pytest.approx(results["energies"].sum(), rel=1e-13)


@every_kind
def test_rotation_turns_forces_and_virial_and_keeps_the_energy(model, small_salt):
    potential = model.potential()
    before = evaluate(potential, small_salt)
    turn = Rotation.random(random_state=3).as_matrix() @ np.diag([1, 1, -1])  # improper: a reflection, too
    turned = small_salt.copy()
    turned.set_cell(small_salt.cell.array @ turn.T)
    turned.positions = small_salt.positions @ turn.T
    after = evaluate(potential, turned)
    _assert_same(after["energies"], before["energies"])
    _assert_same(after["forces"], before["forces"] @ turn.T)
    _assert_same(after["virial"], turn @ before["virial"] @ turn.T)


@every_kind
def test_translation_and_wrapping_change_nothing(model, small_salt):
    potential = model.potential()
    before = evaluate(potential, small_salt)
    moved = small_salt.copy()
    moved.positions += [13.7, -5.1, 2.3]
    moved.wrap()
    after = evaluate(potential, moved)
    for key in ("energies", "forces", "virial"):
        _assert_same(after[key], before[key])


@every_kind
def test_the_order_of_atoms_does_not_matter(model, small_salt):
    potential = model.potential()
    order = np.random.default_rng(7).permutation(len(small_salt))
    before, after = evaluate(potential, small_salt), evaluate(potential, small_salt[order])
    _assert_same(after["energies"], before["energies"][order])
    _assert_same(after["forces"], before["forces"][order])
    _assert_same(after["virial"], before["virial"])


@every_kind
def test_a_supercell_has_the_energies_of_its_primitive_cell(model, small_salt):
    potential = model.potential()
    before = evaluate(potential, small_salt)
    potential.reset()
    after = evaluate(potential, small_salt.repeat((1, 2, 1)))
    tolerance = 1e-10 if model_is_short_ranged(model) else 1e-4
    for key in ("energies", "forces"):
        np.testing.assert_allclose(after[key], np.concatenate([before[key]] * 2), atol=tolerance * _size(before[key]))
    np.testing.assert_allclose(after["virial"], 2 * before["virial"], atol=tolerance * _size(before["virial"]))


@every_kind
def test_the_committee_mean_is_the_prediction(model, small_salt):
    potential = model.potential()
    results = evaluate(potential, small_salt, members=True, member_forces=True)
    _assert_same(results["member_energies"].mean(axis=1), results["energies"])
    _assert_same(results["member_forces"].mean(axis=0), results["forces"])
    _assert_same(results["member_virials"].mean(axis=0), results["virial"])


@every_kind
def test_any_number_of_threads_gives_the_same_result(model, rattled_salt):
    one, three = (evaluate(model.potential(n_threads=n), rattled_salt) for n in (1, 3))
    for key in ("energies", "forces", "virial"):
        _assert_same(three[key], one[key])


@pytest.mark.parametrize("model", SHORT_RANGED, indirect=True)
def test_forces_sum_to_zero(model, rattled_salt):
    forces = evaluate(model.potential(), rattled_salt)["forces"]
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-12 * _size(forces))


@every_kind
def test_an_isolated_atom_has_finite_energy_and_no_force(model, isolated_atom):
    results = evaluate(model.potential(), isolated_atom)
    assert np.isfinite(results["energies"]).all()
    np.testing.assert_allclose(results["forces"], 0, atol=1e-10)


@pytest.mark.parametrize("model", SHORT_RANGED, indirect=True)
def test_a_dimer_dissociates_smoothly_through_the_cutoff(model, isolated_atom):
    potential = model.potential()
    cutoff, step = potential.cutoff, 1e-4
    atoms = isolated_atom + isolated_atom
    atoms.numbers = [11, 17]

    def at(distance):
        atoms.positions[1] = atoms.positions[0] + [0.0, 0.6 * distance, 0.8 * distance]
        return evaluate(potential, atoms)

    inside, outside = at(cutoff - step), at(cutoff + step)
    np.testing.assert_allclose(outside["forces"], 0, atol=0)
    # energy and force vanish like the square of the cutoff function and its slope
    assert abs(inside["energies"].sum() - outside["energies"].sum()) < 1e-4 * step
    np.testing.assert_allclose(inside["forces"], 0, atol=0.05)
    np.testing.assert_allclose(at(cutoff - 1e-7)["forces"], 0, atol=1e-5)


def _assert_derivatives(potential, atoms, results):
    """Forces and virial along random directions of displacement and strain."""
    forces, virial = results["forces"], results["virial"]
    for direction in directions(forces.shape):
        slope = derivative(lambda x, d=direction: energy(potential, displaced(atoms, x * d)))
        assert slope == pytest.approx(-np.vdot(forces, direction), abs=1e-8 * np.linalg.norm(forces))
    for strain in directions((3, 3), n=2, seed=4):
        slope = derivative(lambda x, s=strain: energy(potential, strained(atoms, x * s)))
        assert slope == pytest.approx(-np.vdot(virial, strain), abs=1e-8 * _size(virial))


def model_is_short_ranged(model):
    return all(hasattr(expansion, "cutoff") for expansion in model.expansions)


def _size(values):
    return max(np.abs(values).max(), 1e-3)


def _assert_same(values, expected, tolerance=1e-11):
    np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance * _size(expected))


@pytest.mark.parametrize("kind", SHORT_RANGED)
def test_a_species_that_is_not_there_is_left_out_without_a_trace(kind):
    """The engine computes with the species that are there; an atom of the other one, far away, changes nothing."""
    rng = np.random.default_rng(3)
    sodium = Atoms("Na6", positions=rng.uniform(0, 6.0, (6, 3)) + np.arange(6)[:, None])
    both = sodium + Atoms("Cl", positions=[[60.0, 0.0, 0.0]])
    model = build(kind)
    alone, together = (evaluate(model.potential(), atoms, atom_virials=True) for atoms in (sodium, both))
    for key in ("energies", "forces", "atom_virials"):
        expected = together[key][:6]
        np.testing.assert_allclose(alone[key], expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))
