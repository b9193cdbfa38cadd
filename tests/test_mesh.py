# SPDX-License-Identifier: BSD-3-Clause
"""The particle mesh against the k-sum and finite differences."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from far_fields import QuadraticForm, choice, coefficients, descriptor, fields, liquid, relative
from finite_differences import check_virials_of_atoms
from models import evaluate, linear_model

from mlcalc.expansions import Gto, MultiWidth, PotentialExpansion
from mlcalc.far_field import measured_error
from mlcalc.model import Invariant
from mlcalc.running.views import UnknownSpecies

WIDTHS = MultiWidth((0.9, 1.4, 2.0))
EXPANSIONS = {
    "p=1": PotentialExpansion(n_max=3, l_max=2, basis=WIDTHS),
    "p=6": PotentialExpansion(n_max=3, l_max=2, exponent=6, basis=WIDTHS),
    "l=3": PotentialExpansion(n_max=2, l_max=3, basis=MultiWidth((1.0, 2.0))),
    "gto": PotentialExpansion(n_max=4, l_max=2, basis=Gto(4.0)),
    "gto p=3": PotentialExpansion(n_max=2, l_max=1, exponent=3, smearing=0.8, basis=Gto(3.0)),
    "one pseudo-species": PotentialExpansion(n_max=1, l_max=2, basis=MultiWidth((1.5,)), mixing=((1.0, -0.7),)),
}


@pytest.mark.parametrize("liquid_name", ["molten_salt", "water"])
@pytest.mark.parametrize("name", EXPANSIONS)
def test_forces_meet_the_requested_accuracy_in_liquids(name, liquid_name):
    atoms = liquid(liquid_name)
    form = QuadraticForm(EXPANSIONS[name], atoms)
    exact, exact_strain = form.gradient(atoms, lode="ksum", accuracy=1e-8)
    for accuracy in (1e-3, 1e-4, 1e-5, 1e-6):
        gradient, strain = form.gradient(atoms, lode="mesh", accuracy=accuracy)
        assert relative(gradient, exact) < accuracy
        assert relative(strain, exact_strain) < 10 * accuracy


@pytest.mark.sanitize
@pytest.mark.parametrize("exponent", [1, 3, 6])
@pytest.mark.parametrize("mixing", [None, ((0.8, -0.4),), ((1.0, 0.5), (0.3, -1.0), (0.2, 0.9))])
def test_forces_and_virial_are_derivatives_of_the_discretized_energy(exponent, mixing, small_salt):
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 1.8)), mixing=mixing)
    form = QuadraticForm(expansion, small_salt)
    options = {"mesh": (8, 10, 9), "order": 7}  # coarse: far from converged
    potential = form.model.potential(lode="mesh", **options)
    form.check_derivatives(potential, small_salt)


@pytest.mark.parametrize("expansion", [EXPANSIONS["l=3"], EXPANSIONS["gto"], EXPANSIONS["one pseudo-species"]])
def test_virials_of_atoms_sum_to_the_virial(expansion, small_salt):
    model = linear_model([expansion], [[Invariant(1, "V"), Invariant(2, "V", "V")]], 3)
    potential = model.potential(lode="mesh", mesh=(8, 10, 9), order=8)
    check_virials_of_atoms(potential, small_salt)


def test_a_mesh_smaller_than_a_stencil_wraps_around(small_salt):
    expansion = PotentialExpansion(n_max=1, l_max=1, smearing=2.0, basis=MultiWidth((2.5,)))
    exact = fields(expansion, small_salt, lode="ksum", accuracy=1e-9)
    v = fields(expansion, small_salt, lode="mesh", mesh=(6, 5, 6), order=8)
    np.testing.assert_allclose(v, exact, rtol=0, atol=2e-4 * np.abs(exact - exact.mean(axis=0)).max())


def test_wrapping_does_not_change_the_field(small_salt):
    expansion = EXPANSIONS["p=1"]
    potential = descriptor(small_salt, expansion).potential(lode="mesh")
    before = coefficients(potential, small_salt)
    moved = small_salt.copy()
    moved.positions += np.array([[3, -2, 1]]) @ small_salt.cell.array
    moved.wrap()
    np.testing.assert_allclose(coefficients(potential, moved), before, rtol=0, atol=1e-12 * np.abs(before).max())


def test_error_falls_with_order_and_spacing(small_salt):
    expansion = EXPANSIONS["p=1"]
    exact = fields(expansion, small_salt, lode="ksum", accuracy=1e-10)

    def error(m, order):
        options = {"mesh": (m, m, m), "order": order}
        return np.abs(fields(expansion, small_salt, lode="mesh", **options) - exact).max()

    m = 12
    assert error(m, 9) < 0.5 * error(m, 8) < 0.25 * error(m, 7)
    assert error(20, 9) < 0.3 * error(m, 9)


def test_a_given_mesh_states_an_error_above_the_one_it_has():
    atoms = liquid("molten_salt")
    form = QuadraticForm(EXPANSIONS["p=1"], atoms)
    exact = form.gradient(atoms, lode="ksum", accuracy=1e-8)[0]
    for order in (7, 8, 9, 10, 11, 12):
        options = {"lode": "mesh", "mesh": (24, 24, 24), "order": order}
        error = relative(form.gradient(atoms, **options)[0], exact)
        said = choice(EXPANSIONS["p=1"], atoms, **options)
        assert f"windows of order {order}" in said
        estimate = float(re.search("error ([^;]+);", said)[1])
        assert error < estimate < 30 * error


SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, {tests!r})
from far_fields import QuadraticForm, liquid
from test_mesh import EXPANSIONS
from mlcalc import _engine
atoms = liquid("molten_salt")
out = [_engine.instruction_set()]
for name in ("l=3", "one pseudo-species"):
    for order in (8, 9, 11):
        gradient, strain = QuadraticForm(EXPANSIONS[name], atoms).gradient(
            atoms, lode="mesh", mesh=(16, 18, 15), order=order)
        out += [repr(float(np.abs(gradient).sum())), repr(float(np.vdot(gradient, np.sin(np.arange(gradient.size)
            .reshape(gradient.shape))))), repr(float(strain.sum()))]
print(*out)
"""


def test_every_instruction_set_gives_the_same_forces():
    results = {}
    for name in ("baseline", "avx2", "avx512"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(tests=os.path.dirname(__file__))],
            env={**os.environ, "MLCALC_INSTRUCTION_SET": name, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if "does not have" in run.stderr:
            continue
        used, *numbers = run.stdout.split()
        assert used == name, run.stderr
        results[name] = np.array(numbers, dtype=float)
    for numbers in results.values():
        np.testing.assert_allclose(numbers, results["baseline"], rtol=1e-9)


@pytest.mark.parametrize("mesh", [(16, 18, 20), (25, 27, 22), (26, 17, 21), (32, 19, 49)])
@pytest.mark.parametrize("threads", [1, 3])
def test_meshes_of_any_integers(mesh, threads, small_salt):
    """Transforms of all prime factors, and of lines that do not fill the last vector."""
    exact = fields(EXPANSIONS["p=1"], small_salt, lode="ksum", accuracy=1e-10)
    v = fields(EXPANSIONS["p=1"], small_salt, lode="mesh", mesh=mesh, order=10, n_threads=threads)
    np.testing.assert_allclose(v, exact, rtol=0, atol=2e-6 * np.abs(exact - exact.mean(axis=0)).max())


def test_a_mesh_too_large_is_refused_with_its_size(small_salt):
    expansion = PotentialExpansion(n_max=1, l_max=1, smearing=0.1, basis=MultiWidth((0.2,)), accuracy=1e-6)
    with pytest.raises(ValueError, match=r"needs a mesh of \d+ x \d+ x \d+ points, about \d+ MiB, more than"):
        fields(expansion, small_salt, lode="mesh", memory_limit=1 << 20)


def test_windows_too_low_for_l_are_refused(small_salt):
    with pytest.raises(ValueError, match="continuous derivatives"):
        fields(EXPANSIONS["l=3"], small_salt, lode="mesh", mesh=(12, 12, 12), order=4)


def test_the_choice_depends_on_size():
    small, large = liquid("water")[:3], liquid("water").repeat(2)
    small.cell = [5, 5, 5]
    for atoms, method in ((small, "k-sum"), (large, "particle mesh")):
        assert method in choice(EXPANSIONS["p=1"], atoms)


@pytest.mark.parametrize("element", ["O", "H", "Ar", "Og"])
def test_the_error_of_atoms_that_the_model_does_not_have_is_not_measured(element, small_salt):
    """Below, between and above the species of the model."""
    model = linear_model([EXPANSIONS["p=1"]], [[Invariant(2, "V", "V")]], 5)
    small_salt.symbols[3] = element
    with pytest.raises(UnknownSpecies, match=f"atom 3 is {element}, which the model does not have; it has Na, Cl"):
        measured_error(model, small_salt)


def test_the_measured_error_is_that_of_the_forces():
    atoms = liquid("molten_salt")
    model = linear_model([EXPANSIONS["p=1"]], [[Invariant(2, "V", "V")]], 5)
    exact = evaluate(model.potential(lode="ksum", accuracy=1e-9), atoms)["forces"]
    for options in ({"lode": "mesh", "accuracy": 1e-4}, {"lode": "mesh", "mesh": (18, 18, 18), "order": 7}):
        error = relative(evaluate(model.potential(**options), atoms)["forces"], exact)
        assert measured_error(model, atoms, **options).relative == pytest.approx(error, rel=0.2)
