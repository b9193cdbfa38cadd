# SPDX-License-Identifier: BSD-3-Clause
"""Threads and instruction sets divide the work; they do not change the result. Ranks fail together."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from ase import Atoms
from models import POWER, RHO, V6, V_MIXED, V, arguments, build, evaluate, kernel_model, linear_model

from mlcalc.model import Invariant

KINDS = ["linear two cutoffs", "kernel two cutoffs", "kernel zbl", "linear far committee", "kernel far committee"]
EVERYTHING = {"atom_virials": True, "members": True, "member_forces": True}


@pytest.fixture
def many_atoms(rattled_salt):
    """Enough for several blocks of centers, the last of them not full."""
    atoms = rattled_salt.repeat((3, 1, 1))
    atoms.rattle(0.1, seed=2)
    return atoms[:-5]


def assert_same(got, expected):
    for key in set(expected) - {"seconds"}:
        np.testing.assert_allclose(got[key], expected[key], rtol=0, atol=1e-12 * np.abs(expected[key]).max())


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads_gives_the_same_numbers(kind, many_atoms):
    model = build(kind)
    options = {**EVERYTHING, "extrapolation": kind == "kernel zbl"}
    expected = evaluate(model.potential(), many_atoms, **options)
    for n_threads in (2, 3, 50):
        potential = model.potential(n_threads=n_threads)
        got = evaluate(potential, many_atoms, **options)
        assert_same(got, expected)
        again = evaluate(potential, many_atoms, **options)
        assert np.array_equal(got["forces"], again["forces"])  # no race decides the rounding


@pytest.mark.parametrize("lode", ["ksum", "mesh", "free"])
@pytest.mark.parametrize("expansion", [V, V_MIXED, V6], ids=["p=1", "pseudo-species", "gto p=6"])
def test_the_far_field_is_the_same_on_any_number_of_threads(lode, expansion, many_atoms):
    if lode == "free":
        many_atoms.pbc = False
    model = linear_model([expansion], [[Invariant(1, "V"), Invariant(2, "V", "V")]], 4)
    expected = evaluate(model.potential(lode=lode), many_atoms, **EVERYTHING)
    for n_threads in (2, 5):
        potential = model.potential(lode=lode, n_threads=n_threads)
        got = evaluate(potential, many_atoms, **EVERYTHING)
        assert_same(got, expected)
        assert np.array_equal(got["forces"], evaluate(potential, many_atoms)["forces"])


@pytest.mark.parametrize("lode", ["ksum", "free"])
def test_training_rows_of_the_far_field_are_the_same_on_two_threads(lode, small_salt):
    if lode == "free":
        small_salt.pbc = False
    model = linear_model([V], [[Invariant(2, "V", "V")]], 4)
    expected, got = (
        model.potential(lode=lode, n_threads=n).feature_gradients(**arguments(model.potential(), small_salt))
        for n in (1, 2)
    )
    for one, two in zip(expected, got, strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-12 * np.abs(one).max())


def test_many_sparse_points_go_through_in_parts(many_atoms):
    model = kernel_model([RHO], [POWER], 5, n_points=700, zeta=2)
    kernel = model.terms[0].regressor
    whole = evaluate(model.potential(), many_atoms)
    parts = []
    for keep in (slice(0, 123), slice(123, None)):
        model.terms[0].regressor = type(kernel)(
            {z: points[keep] for z, points in kernel.points.items()},
            {z: weights[keep] for z, weights in kernel.weights.items()},
            zeta=2,
        )
        parts.append(evaluate(model.potential(), many_atoms))
    for key in ("forces", "virial"):
        total = parts[0][key] + parts[1][key]
        np.testing.assert_allclose(total, whole[key], rtol=0, atol=1e-11 * np.abs(total).max())


def test_an_error_in_a_thread_is_an_exception(many_atoms):
    potential = build("kernel two cutoffs").potential(n_threads=3)
    structure = arguments(potential, many_atoms)
    structure["r_ij"][len(structure["r_ij"]) // 2] = 0.0
    with pytest.raises(ValueError, match="same place"):
        potential.compute(**structure)
    assert np.isfinite(evaluate(potential, many_atoms)["energies"]).all()


SCRIPT = """
import sys
import numpy as np
from mlcalc._engine import Potential
structure = dict(np.load(sys.argv[1]))
potential = Potential(open(sys.argv[2], "rb").read())
results = potential.compute(**structure, atom_virials=True)
np.savez(sys.argv[3], **results)
"""


@pytest.mark.parametrize(
    "kind, free",
    [("linear two cutoffs", False), ("kernel two cutoffs", False), ("kernel rho x V", False), ("kernel rho x V", True)],
)
def test_instruction_sets_agree_to_rounding(kind, free, small_salt, tmp_path):
    model = build(kind)
    if free:  # sources within the table of radial functions and beyond, in one vector of them
        small_salt.pbc = False
        small_salt += Atoms("NaClNa", positions=[[3.0, 2.0, 40.0], [2.0, 1.0, 45.0], [-70.0, 1.0, 2.0]])
    model.save(tmp_path / "model.mlcalc")
    np.savez(tmp_path / "structure.npz", **arguments(model.potential(), small_salt))
    expected = evaluate(model.potential(), small_salt, atom_virials=True)
    flags = open("/proc/cpuinfo").read() if os.path.exists("/proc/cpuinfo") else ""
    for name, flag in (("baseline", ""), ("avx2", "avx2"), ("avx512", "avx512bw")):
        if flag not in flags:
            continue
        files = [str(tmp_path / f) for f in ("structure.npz", "model.mlcalc", f"{name}.npz")]
        environment = {**os.environ, "MLCALC_INSTRUCTION_SET": name}
        subprocess.run([sys.executable, "-c", SCRIPT, *files], check=True, env=environment)
        assert_same(dict(np.load(files[2])), expected)


class Together:
    """Communicators of threads that stand for ranks."""

    def __init__(self, size):
        self.barrier = threading.Barrier(size, timeout=20)
        self.values = [None] * size
        self.size = size

    def of(self, rank):
        shared = self

        class Rank:
            size = shared.size

            def sum(self, values):
                values[:] = np.sum(shared.exchange(rank, values.copy()), axis=0)

            def max(self, value):
                return max(shared.exchange(rank, value))

        Rank.rank = rank
        return Rank()

    def exchange(self, rank, value):
        self.values[rank] = value
        self.barrier.wait()
        values = list(self.values)
        self.barrier.wait()
        return values


@pytest.mark.parametrize("what", ["nothing", "pair", "position"])
def test_a_failure_on_one_rank_is_an_exception_on_all(what, small_salt):
    model = build("linear soap + lode")
    together = Together(2)
    outcomes = [None, None]

    def work(rank):
        potential = model.potential(comm=together.of(rank), lode="ksum")
        order = np.roll(np.arange(8), -4 * rank)  # this rank's atoms first
        structure = arguments(potential, small_salt[order])
        n_pairs = structure["first"][4]
        structure["first"] = structure["first"][:5]
        structure["j"], structure["r_ij"] = structure["j"][:n_pairs].copy(), structure["r_ij"][:n_pairs].copy()
        if rank == 1 and what == "pair":
            structure["r_ij"][3] = 0.0
        if rank == 1 and what == "position":
            structure["positions"] = structure["positions"].copy()
            structure["positions"][2, 1] = np.inf
        try:
            outcomes[rank] = potential.compute(**structure, n_local=4)
        except (ValueError, RuntimeError) as error:
            outcomes[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if what == "nothing":  # two ranks give what one gives
        expected = evaluate(model.potential(lode="ksum"), small_salt)
        total = np.concatenate([outcomes[0]["energies"], outcomes[1]["energies"]])
        np.testing.assert_allclose(total, expected["energies"], rtol=0, atol=1e-11 * np.abs(total).max())
        return
    assert isinstance(outcomes[0], RuntimeError) and "another rank" in str(outcomes[0])
    assert isinstance(outcomes[1], ValueError)
