# SPDX-License-Identifier: BSD-3-Clause
"""Tensors of a model through the ASE calculator."""

import pickle

import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from finite_differences import derivative, directions, displaced
from models import build, evaluate, with_tensors

from mlcalc import MLCalculator
from mlcalc.commands.predict import predicted


def test_dipole_of_a_cluster_and_polarization_of_a_crystal(small_salt, salt_cluster):
    calc = MLCalculator(build("tensors"))
    salt_cluster.calc = calc
    dipole = salt_cluster.get_dipole_moment()
    assert np.allclose(dipole, calc.get_property("dipole_atoms", salt_cluster).sum(axis=0), rtol=1e-13)
    expected = evaluate(build("tensors").potential(), salt_cluster, tensors=["dipole"])["dipole"].sum(axis=0)
    assert np.allclose(dipole, expected, rtol=1e-12, atol=1e-14)
    polarization = calc.get_property("polarization", small_salt)
    expected = evaluate(build("tensors").potential(), small_salt, tensors=["dipole"])["dipole"].sum(axis=0)
    assert np.allclose(polarization, expected / small_salt.get_volume(), rtol=1e-12, atol=1e-16)
    alpha = calc.get_property("polarizability", small_salt)
    assert alpha.shape == (3, 3) and np.allclose(alpha, alpha.T, rtol=1e-12)
    assert np.ndim(calc.get_property("charge", small_salt)) == 0
    assert calc.get_property("polarizability_gradient", small_salt).shape == (8, 3, 3, 3)


def test_only_names_of_ase_are_passed_on(small_salt):
    small_salt.calc = MLCalculator(build("tensors"))
    small_salt.get_potential_energy()
    assert "polarization" not in small_salt.calc.results  # not asked for
    for name in ("polarization", "polarizability", "born_effective_charges"):
        small_salt.calc.get_property(name)
    assert {"energy", "polarization", "born_effective_charges"} <= set(dict(small_salt.calc.results))
    assert "polarizability" in small_salt.calc.results.extra


@pytest.mark.parametrize("kind", ["tensors", "tensors far", "tensors kernel"])
def test_born_charges_are_derivatives_of_the_polarization(kind, small_salt):
    calc = MLCalculator(build(kind), lode="ksum")
    charges = calc.get_property("born_effective_charges", small_salt)
    d = directions((8, 3), n=1)[0]
    slope = derivative(lambda x: calc.get_property("polarization", displaced(small_salt, x * d)))
    exact = np.einsum("iab,ib->a", charges, d) / small_salt.get_volume()
    assert np.abs(slope - exact).max() < 1e-8 * np.abs(exact).max()


@pytest.mark.parametrize("kind", ["tensors", "tensors far", "tensors kernel committee"])
def test_forces_and_stress_in_a_field_are_derivatives_of_the_energy(kind, small_salt):
    small_salt.calc = MLCalculator(build(kind), electric_field=(0.2, -0.1, 0.3))
    forces, stress = small_salt.get_forces(), small_salt.get_stress()
    numerical = calculate_numerical_forces(small_salt, 1e-4, iatoms=[0, 5])
    np.testing.assert_allclose(forces[[0, 5]], numerical, rtol=0, atol=1e-6 * max(1, abs(forces).max()))
    numerical = calculate_numerical_stress(small_salt, 1e-5)
    np.testing.assert_allclose(stress, numerical, rtol=0, atol=1e-6 * max(1, abs(stress).max()))
    again = pickle.loads(pickle.dumps(small_salt.calc))
    assert np.allclose(again.get_property("forces", small_salt), forces, rtol=0, atol=1e-12)


def test_a_field_changes_the_energy_by_minus_the_dipole_times_it(salt_cluster):
    field = np.array([0.2, -0.1, 0.3])
    for kind in ("tensors", "tensors charges"):
        plain, pulled = MLCalculator(build(kind)), MLCalculator(build(kind), electric_field=field)
        dipole = plain.get_property("dipole", salt_cluster)
        energy = plain.get_property("energy", salt_cluster) - dipole @ field
        assert pulled.get_property("energy", salt_cluster) == pytest.approx(energy, rel=1e-12)
        assert np.allclose(pulled.get_property("dipole", salt_cluster), dipole, rtol=1e-12)


def test_a_committee_gives_the_spread(salt_cluster):
    calc = MLCalculator(build("tensors committee"))
    members, spread = (calc.get_property(n, salt_cluster) for n in ("committee_dipole", "dipole_uncertainty"))
    assert members.shape == (4, 3) and np.allclose(members.std(axis=0, ddof=1), spread)
    assert np.allclose(members.mean(axis=0), calc.get_property("dipole", salt_cluster))


def test_a_model_of_tensors_alone(small_salt):
    small_salt.calc = MLCalculator(build("tensors alone"))
    assert small_salt.calc.get_property("polarization", small_salt).shape == (3,)
    with pytest.raises(PropertyNotImplementedError, match="^this model has no energy, so there is no forces; it"):
        small_salt.get_forces()
    assert "energy" not in small_salt.calc.results


REFUSED = {
    "periodic": ("tensors", "dipole", "the dipole of a periodic system depends on the choice of the cell; ask for pol"),
    "charged": ("tensors", "dipole", "the dipole of a system with the charge 1 depends on the origin"),
    "cluster": ("tensors", "polarization", "polarization needs a system that is periodic in three directions"),
    "lacking": ("linear rho", "dipole", "dipole"),
    "unbalanced": ("tensors charges", "dipole", "the charges of the dipole's baseline sum to 0.8 in this system"),
    "member": ("tensors committee", "committee_dipole", "the dipole of a periodic system"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_not_defined_is_refused(why, small_salt, salt_cluster):
    kind, name, sentence = REFUSED[why]
    atoms = salt_cluster if why in ("charged", "cluster") else small_salt
    atoms = salt_cluster[:7] if why == "unbalanced" else atoms
    atoms.info["charge"] = 1 if why == "charged" else 0
    with pytest.raises(PropertyNotImplementedError, match=sentence):
        MLCalculator(build(kind)).get_property(name, atoms)


def test_fields_that_cannot_be(salt_cluster):
    with pytest.raises(ValueError, match="an electric field needs a model with a vector output named dipole"):
        MLCalculator(build("linear rho"), electric_field=(0, 0, 0.1))
    for field in (0.1, (0, 0), (0, 0, np.inf), "x"):
        with pytest.raises(ValueError, match="electric_field must be three numbers in V/Angstrom|could not convert"):
            MLCalculator(build("tensors"), electric_field=field)
    salt_cluster.set_initial_charges([1] + 7 * [0])
    with pytest.raises(ValueError, match="the system has the charge 1: its energy in an electric field depends"):
        MLCalculator(build("tensors"), electric_field=(0, 0, 0.1)).get_property("forces", salt_cluster)


def test_a_name_of_the_energy_is_refused():
    outputs = {"stress": ("scalar", {0: build("tensors").output("charge").parts[0].equivariants}, {})}
    with pytest.raises(ValueError, match="has an output whose property 'stress' is one of the energy's; rename it"):
        MLCalculator(with_tensors(build("linear rho x rho"), outputs, 1))


@pytest.mark.parametrize(
    "kind", ["linear rho", "linear committee", "linear leverage", "tensors committee", "tensors alone"]
)
def test_a_prediction_is_one_evaluation(kind, small_salt, monkeypatch):
    """With everything that the model can say."""
    calc, calls = MLCalculator(build(kind), extrapolation=False), []
    compute = calc._compute
    monkeypatch.setattr(calc, "_compute", lambda atoms: calls.append(atoms) or compute(atoms))
    made = predicted(calc, small_salt)
    assert len(calls) == 1
    assert ("extrapolation" in made.arrays) == calc.has_extrapolation
    assert ("forces_uncertainty" in made.arrays) == (kind in ("linear committee", "tensors committee"))
    assert ("predicted_polarization" in made.info) == kind.startswith("tensors")
