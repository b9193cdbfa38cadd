# SPDX-License-Identifier: BSD-3-Clause
"""One calculator on several MPI ranks: the same complete result on all, one trajectory, and no hang."""

import numpy as np
import pytest
from mpi import run_ranks
from test_calculator import salt

RESULTS = """
import hashlib
import warnings
import models
import numpy as np
from ase import Atoms
from test_calculator import linear_model, salt
from mlcalc.calculator import MLCalculator

warnings.simplefilter("ignore")  # boundaries
names = ["energy", "forces", "energies", "stress", "stresses", "energy_components"]
spread = ["energies_uncertainty", "committee_forces", "committee_stress"]
dimer = Atoms("NaCl", [[0, 0, 0], [0, 0, 2.4]], cell=[9, 9, 9])
systems = [salt(), dimer, salt().repeat((2, 1, 1)), salt(4)]
systems[2].wrap()
cases = [(linear_model(3, 1.3), "auto", atoms) for atoms in systems]
cases += [(models.build("kernel far committee"), "ksum", atoms) for atoms in (systems[0], systems[2], dimer.repeat(1))]
cases += [(models.build("linear soap + lode"), lode, systems[2]) for lode in ("ksum", "mesh")]
cases[6][2].pbc = True
slab = systems[2].copy()
slab.pbc = [True, False, True]
cases += [(models.build("linear soap + lode"), lode, slab) for lode in ("ksum", "mesh")]
cases += [(models.build("linear soap + lode"), "free", dimer), (models.build("kernel V"), "free", dimer)]
cases += [(models.build(kind), lode, atoms) for kind, lode, atoms in (
    ("tensors far", "ksum", systems[2]), ("tensors far", "mesh", systems[2]), ("tensors far", "mesh", slab),
    ("tensors kernel far", "ksum", systems[0]), ("tensors kernel committee", "auto", systems[2]))]  # fmt: skip
calcs = {}
said = []
for model, lode, atoms in cases:
    if (id(model), lode) not in calcs:
        calcs[id(model), lode] = MLCalculator(model, comm=comm, skin=0.5, lode=lode)
    calc = calcs[id(model), lode]
    asked = names + spread if model.committee else names
    undefined = ["polarization"] if not atoms.pbc.all() else []
    undefined += ["dipole", "committee_dipole", "dipole_uncertainty"] if atoms.pbc.any() else []
    asked = asked + [name for name in calc.tensors.needs if name not in undefined]
    results = {name: np.array(calc.get_property(name, atoms)) for name in asked}
    digest = hashlib.sha256(b"".join(value.tobytes() for value in results.values())).hexdigest()
    said.append([digest, {name: value.tolist() for name, value in results.items()}])
say(said)
"""


@pytest.fixture(scope="module")
def serial():
    """What one process says without MPI."""
    scope = {}
    exec("comm = None\ndef say(value):\n    global told\n    told = value\n" + RESULTS, scope)
    return scope["told"]


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4])
def test_every_rank_gets_the_serial_result(n_ranks, tmp_path, serial):
    said, done = run_ranks(RESULTS, n_ranks, tmp_path)
    assert done.returncode == 0, done.stderr
    for rank in range(n_ranks):
        for (digest, results), (first, _), (_, expected) in zip(said[rank], said[0], serial, strict=True):
            assert digest == first, "not the same bits on every rank"
            for name, value in results.items():
                np.testing.assert_allclose(value, expected[name], atol=1e-10, rtol=1e-10, err_msg=name)


TRAJECTORY = """
from ase import units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from test_calculator import linear_model, salt
from mlcalc.calculator import MLCalculator

atoms = salt(size=0.05)
atoms.calc = MLCalculator(linear_model(), comm=comm)
MaxwellBoltzmannDistribution(atoms, temperature_K=600)
Langevin(atoms, 1 * units.fs, temperature_K=600, friction=0.01 / units.fs).run(30)
say([atoms.positions.tobytes().hex(), atoms.get_momenta().tobytes().hex()])
"""


def test_ranks_run_one_trajectory_even_with_random_forces(tmp_path):
    said, done = run_ranks(TRAJECTORY, 3, tmp_path)
    assert done.returncode == 0, done.stderr
    assert said[0] == said[1] == said[2]
    assert said[0][0] != salt(size=0.05).positions.tobytes().hex()


FAILURES = """
import pickle
import models
from test_calculator import linear_model, salt
from mlcalc import parallel
from mlcalc.calculator import MLCalculator

model = linear_model(3)
calc = MLCalculator(model, comm=comm)
said = {}

def attempt(name, call):
    try:
        call()
        said[name] = "ok"
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"

atoms = salt()
moved = atoms.copy()
if comm.rank == 1:
    moved.positions[3, 0] += 1e-15 + 1e-9
attempt("the same atoms", lambda: calc.get_forces(atoms))
attempt("atoms moved on one rank", lambda: calc.get_forces(moved))
attempt("atoms moved on one rank, from calculate", lambda: calc.calculate(moved))
attempt("another property", lambda: calc.get_property("forces" if comm.rank == 2 else "energy", atoms))
if comm.rank == 0:
    calc.reset()
attempt("cached on some ranks only", lambda: calc.get_forces(atoms))
attempt("unknown property", lambda: calc.get_property("dipole", atoms))
broken = atoms.copy()
broken.positions[2] = float("nan")
attempt("broken on all ranks", lambda: calc.get_forces(broken))

class Fails:
    def __init__(self, whole, method):
        self.whole, self.method = whole, method
    def __getattr__(self, name):
        if name == self.method:
            raise MemoryError("no memory left here")
        return getattr(self.whole, name)

calc = MLCalculator(model, comm=comm)
neighbors, potential = calc.neighbors, calc.potential
if comm.rank == 1:
    calc.neighbors = Fails(neighbors, "update")
attempt("neighbors fail on one rank", lambda: calc.get_forces(atoms))
calc.neighbors = neighbors
if comm.rank == 1:
    calc.potential = Fails(potential, "compute")
attempt("engine fails on one rank", lambda: calc.get_forces(atoms))
calc.potential = potential
attempt("and again", lambda: calc.get_forces(atoms))

class Spoilt:
    def __init__(self, potential):
        self.potential = potential
    def compute(self, species, positions, cell, pbc, first, j, r_ij, **options):
        r_ij = r_ij.copy()
        r_ij[0] = float("nan")
        return self.potential.compute(species, positions, cell, pbc, first, j, r_ij, **options)

for lode in ("ksum", "mesh"):
    far = MLCalculator(models.build("linear soap + lode"), comm=comm, lode=lode)
    whole = far.potential
    if comm.rank == 1:
        far.potential = Spoilt(whole)
    attempt(f"the core fails on one rank, {lode}", lambda: far.get_forces(atoms))
    far.potential = whole
    attempt(f"and again, {lode}", lambda: far.get_forces(atoms))

path = f"only-{comm.rank}.mlcalc"
if comm.rank != 1:
    model.save(path)
attempt("no model on one rank", lambda: MLCalculator(path, comm=comm))
other = linear_model(4) if comm.rank == 1 else model
attempt("another model on one rank", lambda: MLCalculator(other, comm=comm))
attempt("pickle", lambda: pickle.dumps(calc))
attempt("uncertain", lambda: MLCalculator(model, comm=comm, uncertainty=0.0, on_uncertainty="raise").get_forces(atoms))

parallel.PATIENCE = 0.2
if comm.rank == 0:
    import time
    time.sleep(0.5)
attempt("waiting", lambda: calc.get_potential_energy(atoms))
say(said)
"""


def test_a_failure_on_one_rank_is_an_exception_on_all(tmp_path):
    said, done = run_ranks(FAILURES, 3, tmp_path)
    assert done.returncode == 0, done.stderr

    def on_every_rank(name, *expected):
        for rank in range(3):
            text = expected[rank] if len(expected) > 1 else expected[0]
            assert text in said[rank][name], f"{name} on rank {rank}"

    on_every_rank("the same atoms", "ok")
    on_every_rank("atoms moved on one rank", "ParallelError: the atoms or the property (forces) on rank 1 of 3 differ")
    on_every_rank("atoms moved on one rank, from calculate", "ParallelError: the atoms on rank 1 of 3 differ")
    on_every_rank("another property", "on rank 2 of 3 differ from rank 0's")
    on_every_rank("cached on some ranks only", "ok")
    on_every_rank("unknown property", "PropertyNotImplementedError")
    on_every_rank("broken on all ranks", "ValueError: the position of atom 2 is [nan nan nan]")
    failed = "ParallelError: rank 1 of 3 failed with MemoryError: no memory left here"
    for name in ("neighbors fail on one rank", "engine fails on one rank"):
        on_every_rank(name, failed, "MemoryError: no memory left here", failed)
    on_every_rank("and again", "ok")
    for lode in ("ksum", "mesh"):
        on_every_rank(f"the core fails on one rank, {lode}", "Error: ")
        on_every_rank(f"and again, {lode}", "ok")
    missing = "there is no model file only-1.mlcalc"
    on_every_rank("no model on one rank", "ParallelError: rank 1", "FileNotFoundError", "ParallelError: rank 1")
    on_every_rank("no model on one rank", missing)
    on_every_rank("another model on one rank", "ParallelError: the model or the options on rank 1 of 3 differ")
    on_every_rank("uncertain", "UncertaintyError: forces_uncertainty is above 0 for atoms 0, 1")
    on_every_rank("pickle", "TypeError: a calculator with an MPI communicator cannot be pickled")
    on_every_rank("waiting", "ok")
    assert "rank 1 of 3 has waited" in done.stderr and "rank 2 of 3 has waited" in done.stderr


UNHANDLED = """
from test_calculator import linear_model, salt
from mlcalc.calculator import MLCalculator

calc = MLCalculator(linear_model(), comm=comm)
atoms = salt()
calc.get_forces(atoms)
if comm.rank == 1:
    atoms.positions[0] += 0.1
calc.get_forces(atoms)
say("not reached")
"""


def test_an_error_that_nobody_handles_ends_all_ranks(tmp_path):
    said, done = run_ranks(UNHANDLED, 2, tmp_path, timeout=60)
    assert done.returncode != 0 and said == [None, None]
    assert done.stderr.count("ParallelError: the atoms or the property (forces) on rank 1 of 2 differ") >= 1


SLABS = """
import numpy as np
from mlcalc.parallel import Ranks

ranks = Ranks(comm)
below, above = 3, 4
differences = []
for shape in ((6, 5, 4), (3, 2, 8), (2, 12, 1)):
    mesh = ranks.mesh(shape, below, above)
    x, y = (slice(brick[0][k], brick[1][k]) for k, brick in enumerate((mesh.owned, mesh.spectral)))
    rng = np.random.default_rng(0)
    grids = rng.standard_normal((2, *shape)) + 1j * rng.standard_normal((2, *shape))
    expected = np.fft.fftn(grids, axes=(1, 2, 3))[:, :, y]
    spectrum = np.empty_like(expected)
    mesh.forward(np.ascontiguousarray(grids[:, x]), spectrum, 2)
    again = np.empty_like(grids[:, x])
    mesh.inverse(spectrum, again, 2)
    differences += [abs(spectrum - expected).max(initial=0), abs(again - grids[:, x] * np.prod(shape)).max(initial=0)]
    images = np.ix_(*(np.arange(-below, m + above) % m for m in shape))
    extent = [m + below + above for m in shape]
    everyones = [np.random.default_rng(rank).standard_normal((*extent, 2)) for rank in range(comm.size)]
    total = np.zeros((*shape, 2))
    for grid in everyones:
        np.add.at(total, images, grid)
    mine = everyones[comm.rank].copy()
    mesh.add_halo(mine, 2)
    owned = mine[below:-above, below:-above, below:-above][x]
    differences.append(abs(owned - total[x]).max(initial=0))
    mesh.fill_halo(mine, 2)
    differences.append(abs(mine - total[images]).max())
say(max(differences))
"""


def test_slab_mesh_is_one_periodic_mesh(tmp_path):
    said, done = run_ranks(SLABS, 4, tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(said) < 1e-12
