# SPDX-License-Identifier: BSD-3-Clause
"""The engine as seen from Python: what goes in is checked, what goes wrong comes out as an exception."""

import gc
import pickle
import threading

import numpy as np
import pytest
from models import FAR_FIELDS, SALT, SHORT_RANGED, arguments, build, evaluate

from mlcalc import _engine
from mlcalc.model import Model
from mlcalc.neighbors import full_neighbor_list

pytestmark = pytest.mark.sanitize


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


WRONG = {
    "species must be -1 to 1": lambda a: {"species": changed(a["species"], 3, 2)},
    "species must be int32": lambda a: {"species": a["species"] + 0.5},
    "positions must have the shape": lambda a: {"positions": a["positions"][:-1]},
    "cell must have the shape": lambda a: {"cell": np.ones(3)},
    "first must have the shape": lambda a: {"first": a["first"][:-1]},
    "first must start at 0": lambda a: {"first": changed(a["first"], -1, a["first"][-1] + 1)},
    "first must not decrease": lambda a: {"first": changed(a["first"], 2, a["first"][3] + 1)},
    "j must be 0 to 7": lambda a: {"j": changed(a["j"], 5, 8)},
    "j must be 0 to 7, got -1": lambda a: {"j": changed(a["j"], 5, -1)},
    "r_ij must have the shape": lambda a: {"r_ij": a["r_ij"][:, :2]},
    "r_ij must be float64": lambda a: {"r_ij": a["r_ij"].astype(complex)},
    "n_local must be 0 to 8": lambda a: {"n_local": 9},
}


@pytest.mark.parametrize("message", WRONG)
def test_arguments_that_do_not_fit_are_refused(message, small_salt):
    potential = build("linear soap + lode").potential()
    good = arguments(potential, small_salt)
    with pytest.raises(ValueError, match=message):
        potential.compute(**{**good, **WRONG[message](good)})
    assert np.isfinite(potential.compute(**good)["energies"]).all()  # and it is as good as before


@pytest.mark.parametrize("key", ["positions", "r_ij", "cell"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(key, value, small_salt):
    potential = build("linear soap + lode").potential()
    good = arguments(potential, small_salt)
    with pytest.raises(ValueError):
        potential.compute(**{**good, key: changed(good[key], (0, 0), value)})
    assert np.isfinite(potential.compute(**good)["energies"]).all()


@pytest.mark.parametrize("model", [build("linear rho x rho"), Model(SALT, [], [], zbl=(2.0, 3.5))], ids=["rho", "zbl"])
def test_coincident_atoms_are_refused(model, small_salt):
    small_salt.positions[1] = small_salt.positions[0]
    with pytest.raises(ValueError, match="are at the same place"):
        evaluate(model.potential(), small_salt)


def test_other_number_types_and_memory_orders_are_taken(small_salt):
    potential = build("linear soap + lode").potential()
    good = arguments(potential, small_salt)
    other = {**good, "species": good["species"].astype(np.int64), "j": good["j"].astype(np.int64)}
    other["positions"], other["r_ij"] = np.asfortranarray(good["positions"]), np.asfortranarray(good["r_ij"])
    assert np.array_equal(potential.compute(**other)["forces"], potential.compute(**good)["forces"])


def test_atoms_of_no_species_are_neither_centers_nor_sources(small_salt):
    potential = build("linear soap + lode").potential()
    without = evaluate(potential, small_salt[[i for i in range(8) if i != 2]])
    good = arguments(potential, small_salt)
    masked = potential.compute(**{**good, "species": changed(good["species"], 2, -1)})
    keep = np.arange(8) != 2
    np.testing.assert_allclose(masked["energies"][keep], without["energies"], rtol=1e-12)
    np.testing.assert_allclose(masked["forces"][keep], without["forces"], rtol=0, atol=1e-12)
    assert masked["energies"][2] == 0
    assert np.array_equal(masked["forces"][2], np.zeros(3))


@pytest.mark.parametrize("model", SHORT_RANGED, indirect=True)
def test_ghost_atoms_receive_the_forces_of_their_originals(model, small_salt):
    potential = model.potential()
    periodic = evaluate(potential, small_salt)
    images = small_salt.repeat(5)
    center = 8 * (2 * 25 + 2 * 5 + 2) + np.arange(8)
    order = np.concatenate([center, np.setdiff1d(np.arange(len(images)), center)])
    images = images[order]
    images.pbc = False
    first, j, r_ij = full_neighbor_list(images, potential.cutoff)
    pairs = first[8]
    species = np.searchsorted(potential.species, images.numbers)
    ghosts = potential.compute(
        species, images.positions, small_salt.cell.array, True, first[:9], j[:pairs], r_ij[:pairs], n_local=8
    )
    np.testing.assert_allclose(ghosts["energies"], periodic["energies"], rtol=1e-12)
    forces = np.zeros((8, 3))
    np.add.at(forces, order % 8, ghosts["forces"])
    np.testing.assert_allclose(forces, periodic["forces"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(ghosts["virial"], periodic["virial"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear soap + lode", "kernel two cutoffs"])
def test_no_atoms_at_all_are_no_energy(kind):
    potential = build(kind).potential()
    empty = np.zeros((0, 3))
    results = potential.compute([], empty, np.eye(3) * 9, True, [0], [], empty, atom_virials=True, members=True)
    assert results["energies"].shape == (0,)
    assert np.array_equal(results["virial"], np.zeros((3, 3)))


class Alone:
    """A communicator of one rank that believes in two, so that the core asks it everything."""

    rank, size = 0, 2

    def sum(self, values):
        pass

    def max(self, value):
        return value


class Broken(Alone):
    def __init__(self, method, error):
        def fail(*_):
            raise error

        setattr(self, method, fail)


@pytest.mark.parametrize("method", ["sum", "max"])
@pytest.mark.parametrize("error", [KeyError("broken"), KeyboardInterrupt("stop")])
def test_an_exception_of_the_communicator_comes_out_again(method, error, small_salt):
    model = build("linear soap + lode")
    potential = model.potential(comm=Broken(method, error))
    with pytest.raises(type(error)) as raised:
        evaluate(potential, small_salt)
    assert raised.value is error
    good = model.potential(comm=Alone())
    np.testing.assert_allclose(
        evaluate(good, small_salt)["forces"], evaluate(model.potential(), small_salt)["forces"], rtol=1e-12
    )


def test_one_engine_is_for_one_thread_at_a_time(small_salt):
    inside, leave = threading.Event(), threading.Event()

    class Waiting(Alone):
        def sum(self, values):
            inside.set()
            leave.wait(60)

    potential = build("linear soap + lode").potential(comm=Waiting())
    thread = threading.Thread(target=evaluate, args=(potential, small_salt))
    thread.start()
    inside.wait(60)
    try:
        with pytest.raises(RuntimeError, match="already computing in another thread"):
            evaluate(potential, small_salt)
    finally:
        leave.set()
        thread.join()
    assert np.isfinite(evaluate(potential, small_salt)["energies"]).all()


@pytest.mark.parametrize("kind", FAR_FIELDS[:1] + SHORT_RANGED[:1])
def test_what_does_not_exist_is_refused(kind):
    model = build(kind)
    with pytest.raises(ValueError, match="lode must be one of"):
        model.potential(lode="magic")
    with pytest.raises(ValueError, match="n_threads must be at least 1"):
        model.potential(n_threads=0)
    with pytest.raises(IndexError, match="the model has 1 terms, got index 1"):
        model.potential().n_features(1)


def test_an_engine_is_never_without_a_model():
    with pytest.raises(TypeError):
        _engine.Potential.__new__(_engine.Potential)
    with pytest.raises(TypeError):
        pickle.dumps(build("linear rho").potential())


def test_engines_are_released(small_salt):
    model = build("linear soap + lode")
    for _ in range(20):
        evaluate(model.potential(comm=Alone()), small_salt)
        gc.collect()
