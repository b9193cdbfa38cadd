# SPDX-License-Identifier: BSD-3-Clause
"""Failures inside the engine are exceptions with a sentence: memory that ends, calls from two threads, functions that
vanish."""

import subprocess
import sys
import threading
from pathlib import Path

import models
import numpy as np
import pytest
from ase.build import bulk

from mlcalc._engine import Potential
from mlcalc.calculator import MLCalculator
from mlcalc.model import Invariant, Linear, Model, Tabulated, Term
from mlcalc.model.expansions import PotentialExpansion


def salt(n=2):
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (n, n, n)
    atoms.rattle(0.1, seed=1)
    return atoms


SCARCE = """
import resource
import sys
import numpy as np
sys.path.insert(0, {tests!r})
import models
from test_failures import salt
from mlcalc._engine import Potential
from mlcalc.running.neighbors import full_neighbor_list

model = models.build({kind!r})
potential = Potential(model.to_bytes(), n_threads={threads}, lode={lode!r})
def arguments(atoms):
    species = np.searchsorted(potential.species, atoms.numbers).astype(np.int32)
    pairs = full_neighbor_list(atoms, max(potential.cutoff, 0.1))
    return species, atoms.positions, atoms.cell.array, atoms.pbc, *pairs
small = arguments(salt({n} - 1))
{call}(*small)  # threads and libraries have what they need
large = arguments(salt({n}))
outcomes = set()
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
for megabytes in {megabytes}:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(megabytes * 2**20), hard))
    try:
        {call}(*large)
        outcomes.add("done")
    except MemoryError:
        outcomes.add("MemoryError")
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
print(sorted(outcomes))
"""


@pytest.mark.parametrize(
    "kind, lode, call, n, threads",
    [
        ("linear V", "ksum", "potential.design", 2, 1),
        ("linear soap + lode", "ksum", "potential.design", 2, 1),
        ("linear soap + lode", "mesh", "potential.compute", 3, 1),
        ("linear soap + lode", "mesh", "potential.compute", 3, 2),
        ("linear soap + lode", "ksum", "potential.compute", 4, 1),  # two threads: OpenBLAS may want another buffer
    ],
)
def test_memory_that_ends_is_a_memory_error(tmp_path, kind, lode, call, n, threads):
    """Wherever it ends: in a parallel region, too, from which an exception must not escape."""
    code = SCARCE.format(tests=str(Path(__file__).parent), kind=kind, threads=threads, lode=lode, call=call, n=n,
                         megabytes=[0, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 11, 15, 25, 40])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stderr[-1500:])
    assert "MemoryError" in done.stdout


FRESH = """
import resource
import sys
sys.path.insert(0, {tests!r})
import models
from test_failures import salt
from mlcalc.calculator import MLCalculator

model, atoms = models.build({kind!r}), salt(3)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int({megabytes} * 2**20), resource.RLIM_INFINITY))
try:
    atoms.calc = MLCalculator(model, threads={threads}{options})
    atoms.get_forces()
    print("done")
except MemoryError as error:
    print("MemoryError", error)
"""


@pytest.mark.parametrize("megabytes", [0.5, 6, 14, 30, 50, 75, 90, 600])
@pytest.mark.parametrize(
    "kind, threads, options", [("linear soap + lode", 2, ", lode='mesh'"), ("kernel zeta 2", 1, "")]
)
def test_memory_that_ends_in_a_library_is_a_memory_error(tmp_path, megabytes, kind, threads, options):
    """libgomp without stacks for its threads, OpenBLAS without buffers, and vesin would end or confuse Python."""
    code = FRESH.format(tests=str(Path(__file__).parent), kind=kind, megabytes=megabytes, threads=threads,
                        options=options)  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-1500:])
    assert done.stdout.startswith("done" if megabytes == 600 else ("done", "MemoryError")), done.stdout


def test_reset_and_summary_during_a_computation_say_so():
    calc = MLCalculator(models.build("linear soap + lode"), lode="ksum", accuracy=1e-9)
    atoms = salt(3)
    atoms.calc = calc
    worker = threading.Thread(target=atoms.get_forces)
    worker.start()
    refused = 0
    while worker.is_alive():
        for call in (calc.potential.reset, calc.potential.summary):
            try:
                call()
            except RuntimeError as error:
                assert "already computing in another thread" in str(error)
                refused += 1
    worker.join()
    assert refused > 0
    calc.reset()  # the last call may have been one that reset the plan
    atoms.get_forces()
    assert "k-sum" in calc.potential.summary()


def ragged(r, vanish):
    """Two functions, one of which is zero for some l."""
    values = np.stack([np.exp(-0.5 * r**2), np.exp(-0.3 * r**2)], axis=1)
    values = np.repeat(values[:, None, :], 3, axis=1)
    for l, n in vanish:
        values[:, l, n] = 0.0
    return values


@pytest.mark.parametrize("vanish", [[(2, 1)], [(0, 0), (1, 1)]])
def test_a_radial_function_that_vanishes_spoils_no_plan(vanish):
    expansion = PotentialExpansion(name="V", n_max=2, l_max=2, smearing=1.0,
                                   basis=Tabulated(lambda r: ragged(r, vanish)))  # fmt: skip
    model = Model([11, 17], [expansion], [Term("t", [Invariant(2, "V", "V")])])
    rng = np.random.default_rng(2)
    model.terms[0].regressor = Linear(rng.normal(size=(2, model.n_features("t"))))
    forces = {}
    for lode, accuracy in (("ksum", 1e-9), ("ksum", 1e-5), ("mesh", 1e-5), ("mesh", 1e-3)):
        atoms = salt(2)
        atoms.calc = MLCalculator(model, lode=lode, accuracy=accuracy)
        forces[lode, accuracy] = atoms.get_forces()
        summary = atoms.calc.potential.summary()
        assert "nan" not in summary and " 0 wave vectors" not in summary
    exact = forces["ksum", 1e-9]
    assert np.linalg.norm(exact) > 0
    for (_, accuracy), f in forces.items():
        assert np.linalg.norm(f - exact) < 5 * max(accuracy, 1e-8) * np.linalg.norm(
            exact
        )  # the estimate is for liquids


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"accuracy": 1e-13}, "accuracy of the far field must be from 1e-12 to 0.1, got 1e-13"),
        ({"accuracy": float("nan")}, "accuracy of the far field must be from 1e-12 to 0.1, got"),
        ({"order": 13}, "order of the mesh windows must be from 4 to 12, or 0 to have it chosen, got 13"),
        ({"order": 4}, r"order of the mesh windows must be at least \d+ for l_max"),
        ({"mesh": (8, 8, -1)}, "mesh needs three positive integers, .* got 8 8 -1"),
        ({"k_cutoff": float("inf")}, "k_cutoff must be a number of at least 0, got inf"),
        ({"memory_limit": 0}, "memory_limit must be a positive number of bytes"),
    ],
)
def test_settings_of_the_far_field_are_checked_when_they_are_given(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        MLCalculator(models.build("linear V"), **options)


def test_settings_are_checked_without_a_far_field():
    model = models.build("linear rho")
    with pytest.raises(ValueError, match="accuracy of the far field"):
        Potential(model.to_bytes(), accuracy=1e-13)


@pytest.mark.parametrize("n", [1, 2])
def test_coincident_atoms_are_named_by_the_index_of_the_user(n):
    atoms = salt(n)
    atoms.positions[6] = atoms.positions[3]
    atoms.calc = MLCalculator(models.build("linear rho x rho"))
    with pytest.raises(ValueError, match="atoms 3 and 6 are at the same place"):
        atoms.get_forces()
