# SPDX-License-Identifier: BSD-3-Clause
"""What the ASE calculator promises: results, caching, uncertainty, boundaries, and sentences for bad input."""

import copy
import pickle
import re
import warnings

import models
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell, molecule
from ase.calculators.calculator import PropertyNotImplementedError, all_properties
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import UnitCellFilter
from ase.optimize import BFGS
from models import EVERY_KIND_OF_MODEL

from mlcalc.calculator import FORCE_SPREAD, SPREAD, MLCalculator, UncertaintyError, UncertaintyWarning
from mlcalc.expansions import DensityExpansion
from mlcalc.model import Committee, Invariant, Linear, Model, Term, Zbl

RHO = DensityExpansion(cutoff=4.0, n_max=3, l_max=2, accuracy=1e-8)


def linear_model(n_members=1, scale=1.0, **options):
    rng = np.random.default_rng(5)
    term = Term("soap", [Invariant(2, "rho", "rho")])
    model = Model([11, 17], [RHO], [term], reference_energies=[-1.0, -2.0], zbl=Zbl(1.0, 2.2), **options)
    shape = (n_members, 2, model.n_features(term))
    term.regressor = Linear(
        0.05 * rng.standard_normal(shape) if n_members > 1 else 0.05 * rng.standard_normal(shape[1:])
    )
    if n_members > 1:
        model.committee = Committee(n_members, scale)
    return model


def salt(seed=1, size=0.15):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(size, seed=seed)
    return atoms


class Counted:
    """The engine, counting its evaluations."""

    def __init__(self, potential):
        self.potential, self.calls = potential, 0

    def __getattr__(self, name):
        return getattr(self.potential, name)

    def compute(self, *args, **kwargs):
        self.calls += 1
        return self.potential.compute(*args, **kwargs)


@pytest.fixture
def calc():
    return MLCalculator(linear_model())


def test_one_evaluation_gives_energy_forces_and_stress(calc):
    atoms = salt()
    atoms.calc = calc
    calc.potential = Counted(calc.potential)
    for _ in range(3):
        atoms.rattle(0.01)
        atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(), atoms.get_potential_energies()
        atoms.get_potential_energy(force_consistent=True)
    assert calc.potential.calls == 3
    atoms.get_stresses()
    assert calc.potential.calls == 4
    atoms.rattle(0.01)
    atoms.get_forces(), atoms.get_stresses()
    assert calc.potential.calls == 5, "what was asked for once is computed with everything else"
    calc.reset()
    atoms.get_forces()
    assert "stresses" not in calc.results


def test_results_are_fresh_and_complete(calc):
    atoms = salt()
    atoms.calc = calc
    forces = atoms.get_forces()
    kept = calc.results
    atoms.rattle(0.1, seed=8)
    assert not np.allclose(atoms.get_forces(), forces)
    np.testing.assert_array_equal(kept["forces"], forces)
    assert kept is not calc.results
    assert calc.results["free_energy"] == calc.results["energy"]
    assert calc.results["energies"].sum() == pytest.approx(calc.results["energy"], abs=1e-12)
    np.testing.assert_allclose(atoms.get_stresses().sum(axis=0), atoms.get_stress(), atol=1e-14)
    np.testing.assert_allclose(atoms.get_forces().sum(axis=0), 0, atol=1e-12)


def test_primitive_cell_equals_supercell_however_it_is_described(calc):
    small = bulk("NaCl", "rocksalt", a=5.3)
    small.rattle(0.1, seed=2)
    big = make_supercell(small, [[2, 1, 0], [0, 2, -1], [1, 0, 3]])
    copies = len(big) // len(small)
    big = big[np.random.default_rng(0).permutation(len(big))]
    big.positions += np.random.default_rng(1).integers(-2, 3, (len(big), 3)) @ big.cell.array
    small.calc = calc
    big.calc = MLCalculator(linear_model())
    assert big.get_potential_energy() == pytest.approx(copies * small.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(big.get_stress(), small.get_stress(), atol=1e-12)
    forces = big.get_forces()
    big.wrap()
    np.testing.assert_allclose(big.get_forces(), forces, atol=1e-11)


def test_skin_changes_nothing_but_the_time():
    atoms = salt()
    calcs = [MLCalculator(linear_model(), skin=skin) for skin in (0.0, 1.0)]
    rng = np.random.default_rng(2)
    for step in range(60):
        atoms.positions += 0.05 * rng.standard_normal(atoms.positions.shape)
        if step % 7 == 0:
            atoms.wrap()
        results = []
        for calc in calcs:
            calc.calculate(atoms)
            results.append(calc.results)
        np.testing.assert_allclose(results[0]["forces"], results[1]["forces"], atol=1e-12, rtol=1e-12)
        np.testing.assert_allclose(results[0]["stress"], results[1]["stress"], atol=1e-13, rtol=1e-12)
        assert results[0]["energy"] == pytest.approx(results[1]["energy"], abs=1e-12)
    assert calcs[0].neighbors.n_builds == 60
    assert calcs[1].neighbors.n_builds < 30


def test_one_calculator_serves_systems_of_every_size_and_boundary(calc):
    systems = [salt(), salt()[:3], Atoms("Na"), Atoms("NaCl", [[0, 0, 0], [0, 0, 2.4]]), salt(3).repeat((2, 1, 1))]
    systems[1].pbc = [True, False, True]
    for atoms in systems + systems[::-1]:
        fresh = MLCalculator(linear_model(), skin=0.0)
        assert calc.get_potential_energy(atoms) == pytest.approx(fresh.get_potential_energy(atoms), abs=1e-11)
        np.testing.assert_allclose(calc.get_forces(atoms), fresh.get_forces(atoms), atol=1e-11)


def test_an_isolated_atom_has_the_energy_of_no_neighbors(calc):
    atoms = Atoms("NaCl", [[0, 0, 0], [50, 0, 0]])
    atoms.calc = calc
    energies = atoms.get_potential_energies()
    np.testing.assert_array_equal(atoms.get_forces(), 0)
    assert calc.get_potential_energy(Atoms("Na")) == pytest.approx(energies[0], abs=1e-14)
    assert calc.get_potential_energy(Atoms("Cl")) == pytest.approx(energies[1], abs=1e-14)


def test_no_atoms_have_no_energy(calc):
    atoms = Atoms(cell=[3, 3, 3], pbc=True)
    atoms.calc = calc
    assert atoms.get_potential_energy() == 0.0
    assert atoms.get_forces().shape == (0, 3)


def test_stress_needs_three_cell_vectors(calc):
    dimer = Atoms("NaCl", [[0, 0, 0], [0, 0, 2.4]])
    dimer.calc = calc
    assert np.isfinite(dimer.get_potential_energy())
    for get in (dimer.get_stress, dimer.get_stresses):
        with pytest.raises(PropertyNotImplementedError, match="three vectors"):
            get()
    assert "stress" not in calc.results
    slab = salt()
    slab.pbc = [True, True, False]
    slab.calc = calc
    np.testing.assert_allclose(slab.get_stress(), calculate_numerical_stress(slab, 1e-5), atol=1e-8)


# --- committees -------------------------------------------------------------------------------------------------------


def test_committee_results_are_those_of_its_members():
    n_members, scale = 5, 1.7
    model = linear_model(n_members, scale)
    weights = model.terms[0].regressor.weights
    atoms = salt()
    calc = MLCalculator(model)
    get = {name: calc.get_property(name, atoms) for name in ["energy", "forces", "stress", *SPREAD, *FORCE_SPREAD]}
    members = []
    for k in range(n_members):
        member = linear_model()
        member.terms[0].regressor = Linear(weights[k])
        alone = MLCalculator(member)
        alone.calculate(atoms)
        members.append(alone.results)
    for mean, every, spread in (
        ("energy", "committee_energy", "energy_uncertainty"),
        ("energies", "committee_energies", "energies_uncertainty"),
        ("forces", "committee_forces", "forces_uncertainty"),
        ("stress", "committee_stress", "stress_uncertainty"),
    ):
        values = np.array([member[mean] for member in members])
        center = calc.results[mean]
        np.testing.assert_allclose(center, values.mean(axis=0), atol=1e-11)
        np.testing.assert_allclose(get[every], center + scale * (values - center), atol=1e-10)
        np.testing.assert_allclose(get[spread], scale * values.std(axis=0, ddof=1), atol=1e-10)


def test_members_differentiate_to_their_forces_and_stress():
    atoms = salt()
    calc = MLCalculator(linear_model(3, 1.2))

    class Member(MLCalculator):
        def calculate(self, atoms=None, properties=("energy",), system_changes=()):
            super().calculate(atoms, ["committee_forces"], system_changes)
            self.results = {name: self.results[f"committee_{name}"][1] for name in ("energy", "forces", "stress")}

    atoms.calc = Member(linear_model(3, 1.2))
    np.testing.assert_allclose(atoms.get_forces(), calc.get_property("committee_forces", atoms)[1])
    np.testing.assert_allclose(
        atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4, force_consistent=False), atol=1e-7
    )
    expected = calculate_numerical_stress(atoms, 1e-5, force_consistent=False)
    np.testing.assert_allclose(atoms.get_stress(), expected, atol=1e-8)


def test_a_model_without_committee_has_no_uncertainty(calc):
    with pytest.raises(PropertyNotImplementedError):
        calc.get_property("energy_uncertainty", salt())
    with pytest.raises(ValueError, match="committee"):
        MLCalculator(linear_model(), uncertainty=0.1)


def test_uncertainty_above_the_limit_warns_once_with_the_atoms():
    atoms = salt()
    for name in (None, "forces_uncertainty", "energies_uncertainty"):  # None: a number is a limit on forces
        spread = MLCalculator(linear_model(4)).get_property(name or "forces_uncertainty", atoms)
        spread = spread if spread.ndim == 1 else np.linalg.norm(spread, axis=1)
        limit = np.sort(spread)[-2:].mean()
        worst = int(np.argmax(spread))
        calc = MLCalculator(linear_model(4), uncertainty={name: limit} if name else limit)
        with pytest.warns(UncertaintyWarning, match=rf"atoms {worst}: up to {spread[worst]:.3g}"):
            calc.get_potential_energy(atoms)
        assert (name or "forces_uncertainty") in calc.results
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            moved = atoms.copy()
            moved.rattle(1e-3)
            calc.get_potential_energy(moved)
            above = 2 * spread.max()
            MLCalculator(linear_model(4), uncertainty={name: above} if name else above).get_potential_energy(atoms)


def test_results_can_be_passed_on_to_other_programs():
    """What ASE does not know stays with the calculator, where [] and in find it."""
    atoms = salt()
    atoms.calc = MLCalculator(linear_model(4), uncertainty=1e6)
    energy, spread = atoms.get_potential_energy(), atoms.calc.get_property("forces_uncertainty", atoms)
    passed = SinglePointCalculator(atoms, **atoms.calc.results)
    assert passed.get_potential_energy(atoms) == energy
    results = atoms.calc.results
    assert set(results) <= set(all_properties) and "forces_uncertainty" in results.extra
    assert np.array_equal(results["forces_uncertainty"], spread) and results.get("nothing") is None


def test_a_change_of_the_cell_alone_is_a_new_calculation():
    atoms = salt()
    atoms.calc = MLCalculator(linear_model())
    before = atoms.get_potential_energy()
    atoms.set_cell(1.05 * atoms.cell.array, scale_atoms=False)
    assert atoms.get_potential_energy() != before
    again = atoms.copy()
    again.calc = MLCalculator(linear_model())
    assert atoms.get_potential_energy() == pytest.approx(again.get_potential_energy(), abs=1e-9)


def test_a_mesh_set_by_hand_that_is_too_coarse_is_obeyed_and_said():
    atoms = salt()
    with pytest.warns(UserWarning, match="estimated relative force error of .* above the accuracy 1.0e-05"):
        MLCalculator(models.build("linear V"), mesh=(2, 2, 2), lode="mesh").get_potential_energy(atoms)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        MLCalculator(models.build("linear V"), lode="mesh").get_potential_energy(atoms)
        MLCalculator(models.build("linear V"), lode="mesh", mesh=(24, 24, 24)).get_potential_energy(atoms)


def test_uncertainty_above_the_limit_raises_if_asked():
    atoms = salt()
    calc = MLCalculator(linear_model(4), uncertainty={"forces_uncertainty": 1e-6}, on_uncertainty="raise")
    for _ in range(2):
        with pytest.raises(UncertaintyError, match="forces_uncertainty is above 1e-06 for atoms 0, 1") as caught:
            calc.get_forces(atoms)
        assert len(caught.value.atoms) == len(atoms)
        assert "forces" in caught.value.results
    with pytest.raises(ValueError, match="on_uncertainty"):
        MLCalculator(linear_model(4), on_uncertainty="stop")
    with pytest.raises(ValueError, match="energy is not a per-atom uncertainty"):
        MLCalculator(linear_model(4), uncertainty={"energy": 1.0})


# --- the far field ----------------------------------------------------------------------------------------------------


def scaled(atoms, scale):
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array * scale, scale_atoms=True)
    return atoms


def wave_vectors(calc):
    return int(re.search(r"(\d+) wave vectors", calc.summary()).group(1))


def test_an_equation_of_state_sees_one_smooth_energy(small_salt):
    calc = MLCalculator(models.build("linear soap + lode"), lode="ksum", accuracy=1e-3)
    energies, slopes, counts = [], [], set()
    scales = np.linspace(0.94, 1.06, 61)
    calc.get_potential_energy(small_salt)
    for scale in scales:
        atoms = scaled(small_salt, scale)
        energies.append(calc.get_potential_energy(atoms))
        slopes.append(calc.get_stress(atoms)[:3].sum() * atoms.get_volume() / scale)
        counts.add(wave_vectors(calc))
    assert len(counts) == 1
    slopes, width = np.array(slopes), scales[1] - scales[0]
    curvature = np.gradient(slopes, scales)
    work = width * (slopes[1:] + slopes[:-1]) / 2 - width**2 / 12 * (curvature[1:] - curvature[:-1])
    jumps = np.diff(energies) - work
    assert np.abs(jumps).max() < 2e-5 * np.ptp(energies)


def test_integers_are_chosen_anew_after_a_large_drift_or_a_reset(small_salt):
    calc = MLCalculator(models.build("linear soap + lode"), lode="ksum")
    calc.get_potential_energy(small_salt)
    first = wave_vectors(calc)
    larger = scaled(small_salt, 1.08)
    calc.get_potential_energy(larger)
    assert wave_vectors(calc) == first
    calc.reset()
    energy = calc.get_potential_energy(larger)
    assert wave_vectors(calc) > first
    fresh = MLCalculator(models.build("linear soap + lode"), lode="ksum")
    assert energy == pytest.approx(fresh.get_potential_energy(larger), abs=1e-12)
    kept = wave_vectors(calc)
    calc.get_potential_energy(scaled(small_salt, 0.8))
    assert wave_vectors(calc) < kept


def test_cell_relaxation_with_the_far_field_ends_without_stress(small_salt):
    atoms = small_salt
    model = models.build("linear soap + lode")
    atoms.calc = MLCalculator(model)
    energies = []
    optimizer = BFGS(UnitCellFilter(atoms, mask=[1, 1, 1, 0, 0, 0]), logfile=None, maxstep=0.05)
    optimizer.attach(lambda: energies.append(atoms.get_potential_energy()))
    optimizer.run(fmax=1e-3, steps=60)
    assert energies[-1] < energies[0]
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, 1e-5), atol=1e-8)


def test_components_are_the_terms_and_the_baseline(small_salt):
    model = models.build("linear soap + lode")
    calc = MLCalculator(model)
    short, far, baseline = calc.get_property("energy_components", small_salt)
    assert short + far + baseline == pytest.approx(calc.results["energy"], abs=1e-10)
    assert baseline == pytest.approx(4 * sum(model.reference_energies), abs=1e-10)
    soap = Model(model.species, model.expansions[:1], model.terms[:1])
    assert short == pytest.approx(MLCalculator(soap).get_potential_energy(small_salt), abs=1e-10)


def test_the_far_field_of_a_wire_is_refused_by_name(small_salt):
    calc = MLCalculator(models.build("linear soap + lode"), extrapolation=False)
    small_salt.pbc = [False, False, True]
    with pytest.warns(UserWarning, match="wire boundaries"), pytest.raises(ValueError, match="wire"):
        calc.get_forces(small_salt)
    small_salt.pbc = True
    assert np.isfinite(calc.get_forces(small_salt)).all()


def test_boundaries_that_the_model_was_not_trained_with_warn_once(small_salt, salt_cluster):
    calc = MLCalculator(models.build("linear soap + lode"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        calc.get_forces(small_salt)
        MLCalculator(linear_model()).get_forces(salt_cluster)
    with pytest.warns(UserWarning, match="free boundaries, but the model was trained with periodic ones"):
        forces = calc.get_forces(salt_cluster)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        salt_cluster.positions[0, 0] += 0.1
        calc.get_forces(salt_cluster)
        salt_cluster.positions[0, 0] -= 0.1
    salt_cluster.calc = calc
    np.testing.assert_allclose(forces, calculate_numerical_forces(salt_cluster, 1e-4), atol=1e-7)


# --- pickling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [lambda calc: pickle.loads(pickle.dumps(calc)), copy.deepcopy])
def test_a_pickled_calculator_is_the_same_one(tmp_path, copied):
    path = tmp_path / "model.mlcalc"
    linear_model(3).save(path)
    calc = MLCalculator(path, skin=0.3, uncertainty={"energies_uncertainty": 1e6})
    energy = calc.get_potential_energy(salt())
    path.unlink()
    again = copied(calc)
    assert again.get_potential_energy(salt()) == energy
    assert again.neighbors.skin == 0.3 and again.parameters == calc.parameters
    assert "energies_uncertainty" in again.results


# --- bad input --------------------------------------------------------------------------------------------------------


def test_atoms_the_model_does_not_have_are_named(calc):
    atoms = salt()
    atoms.numbers[5] = 19
    with pytest.raises(ValueError, match="atom 5 is K, which the model <memory> does not have; it has Na, Cl"):
        calc.get_potential_energy(atoms)
    atoms.numbers[5] = 0
    with pytest.raises(ValueError, match="atom 5 is X"):
        calc.get_potential_energy(atoms)
    atoms.numbers[5] = 11
    assert np.isfinite(calc.get_potential_energy(atoms))


def test_positions_and_cells_that_make_no_sense_are_named(calc):
    atoms = salt()
    atoms.positions[2, 1] = np.nan
    with pytest.raises(ValueError, match="position of atom 2"):
        calc.get_potential_energy(atoms)
    atoms = salt()
    atoms.set_cell([5.6, 5.6, 0])
    with pytest.raises(ValueError, match="no volume"):
        calc.get_potential_energy(atoms)
    with pytest.raises(ValueError, match="too short"):
        calc.get_potential_energy(Atoms("Na", cell=[0.02] * 3, pbc=True))
    with pytest.raises(ValueError, match="too many|too short"):
        calc.get_potential_energy(Atoms("Na", cell=[1e-3] * 3, pbc=True))
    assert np.isfinite(calc.get_potential_energy(salt()))


def test_atoms_at_the_same_place_do_not_end_the_program(calc):
    atoms = salt()
    atoms.positions[1] = atoms.positions[0]
    try:
        energy = calc.get_potential_energy(atoms)
        assert not np.isfinite(energy) or np.isfinite(calc.get_forces(atoms)).all()
    except ValueError as error:
        assert "0" in str(error)
    assert np.isfinite(calc.get_potential_energy(salt()))


def test_model_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no model file .*absent.mlcalc"):
        MLCalculator(tmp_path / "absent.mlcalc")
    with pytest.raises(IsADirectoryError, match="directory"):
        MLCalculator(tmp_path)
    with pytest.raises(TypeError, match="path, bytes or a Model, got float"):
        MLCalculator(3.5)
    contents = linear_model().to_bytes()
    path = tmp_path / "cut.mlcalc"
    for size in (0, 4, 100, len(contents) - 1):
        path.write_bytes(contents[:size])
        with pytest.raises(RuntimeError, match="cut.mlcalc"):
            MLCalculator(path)


def test_options_that_make_no_sense(calc):
    with pytest.raises(ValueError, match="skin"):
        MLCalculator(linear_model(), skin=-1)
    with pytest.raises(ValueError, match="lode must be one of"):
        MLCalculator(linear_model(), lode="ewald")
    with pytest.raises(ValueError, match="accuracy"):
        MLCalculator(linear_model(), accuracy=-1.0)
    with pytest.raises(ValueError, match="thread"):
        MLCalculator(linear_model(), threads=0)
    with pytest.raises(TypeError, match="fixed when it is made"):
        calc.set(skin=0.5)
    with pytest.raises(TypeError, match="communicator"):
        MLCalculator(linear_model(), comm="world")
    with pytest.raises(PropertyNotImplementedError):
        calc.get_property("dipole", salt())


def test_a_molecule_and_threads(calc):
    water = molecule("H2O")
    water.numbers = [17, 11, 11]
    water.calc = calc
    np.testing.assert_allclose(water.get_forces(), calculate_numerical_forces(water, 1e-5), atol=1e-7)
    threaded = MLCalculator(linear_model(), threads=2)
    np.testing.assert_allclose(threaded.get_forces(salt().repeat(2)), calc.get_forces(salt().repeat(2)), atol=1e-12)


@pytest.mark.parametrize("model", EVERY_KIND_OF_MODEL, indirect=True)
def test_forces_and_stress_are_the_derivatives_that_ase_takes(model, small_salt):
    small_salt.calc = MLCalculator(model)
    forces, stress = small_salt.get_forces(), small_salt.get_stress()
    some = [0, 5]
    numerical = calculate_numerical_forces(small_salt, 1e-4, iatoms=some)
    np.testing.assert_allclose(forces[some], numerical, rtol=0, atol=1e-6 * max(1, abs(forces).max()))
    numerical = calculate_numerical_stress(small_salt, 1e-5)
    np.testing.assert_allclose(stress, numerical, rtol=0, atol=1e-6 * max(1, abs(stress).max()))
