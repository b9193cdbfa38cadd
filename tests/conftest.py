# SPDX-License-Identifier: BSD-3-Clause
import functools
import os
import subprocess
from pathlib import Path

import ase.build
import models
import numpy as np
import pytest
from ase import Atoms

import mlcalc

# on a crowded machine MLCALC_TEST_PATIENCE=5 makes every time-out of a program that a test starts five times as long
PATIENCE = float(os.environ.get("MLCALC_TEST_PATIENCE", 1))


def patient(method):
    """A method of Popen whose time-out is PATIENCE times what is asked."""

    @functools.wraps(method)
    def call(self, *args, timeout=None, **options):
        return method(self, *args, timeout=None if timeout is None else timeout * PATIENCE, **options)

    return call


subprocess.Popen.wait = patient(subprocess.Popen.wait)
subprocess.Popen.communicate = patient(subprocess.Popen.communicate)

# subprocesses import the mlcalc under test, whatever folder they start in
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(mlcalc.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
)


def rattled(atoms, amplitude, seed):
    rng = np.random.default_rng(seed)
    atoms = atoms.copy()
    atoms.positions += rng.uniform(-amplitude, amplitude, atoms.positions.shape)
    atoms.positions += rng.uniform(-20, 20, 3)  # not in the cell, and not around the origin
    return atoms


def triclinic(atoms):
    shear = np.array([[1.0, 0.0, 0.0], [0.12, 0.97, 0.0], [-0.08, 0.15, 1.05]])
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    return atoms


@pytest.fixture
def rattled_salt():
    """NaCl, 64 atoms, triclinic, far from symmetry."""
    salt = ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(2)
    return rattled(triclinic(salt), 0.25, seed=1)


@pytest.fixture
def small_salt():
    """NaCl, 8 atoms in a triclinic cell smaller than the cutoff of most models. No distance is within 0.01 Angstrom of
    a cutoff of models.py: there forces are continuous, but finite differences of them are only of first order."""
    return rattled(triclinic(ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True)), 0.25, seed=11)


@pytest.fixture
def salt_cluster():
    """Na4Cl4 in free space."""
    cluster = rattled(ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True), 0.25, seed=3)
    cluster.pbc = False
    cluster.cell = np.zeros((3, 3))
    return cluster


@pytest.fixture
def isolated_atom():
    """One Na atom in a large periodic cell: no neighbors."""
    return Atoms("Na", positions=[[1.0, 2.0, 3.0]], cell=[20, 21, 22], pbc=True)


@pytest.fixture
def model(request):
    """A random model; parametrize with ``@pytest.mark.parametrize("model", EVERY_KIND_OF_MODEL, indirect=True)``."""
    return models.build(request.param)


@pytest.fixture
def data():
    """The folder of reference data: MLCALC_DATA, or shared/data beside the repository. Skips where there is none."""
    folder = Path(os.environ.get("MLCALC_DATA") or Path(__file__).parents[2] / "shared/data")
    if not folder.is_dir():
        pytest.skip("the reference data are not here; MLCALC_DATA says where they are")
    return folder


ROOT = Path(__file__).parents[1]
BEFORE = set(ROOT.iterdir())
MAY_COME = {".pytest_cache", ".ruff_cache", ".mypy_cache", "build", "mlcalc.egg-info", "__pycache__"}


def pytest_sessionfinish(session):
    """Tests leave nothing in the checkout; what they started and what writes as the interpreter ends is elsewhere."""
    left = sorted(path.name for path in set(ROOT.iterdir()) - BEFORE if path.name not in MAY_COME)
    if left and not hasattr(session.config, "workerinput"):
        print(f"\nthe tests left files in the checkout: {', '.join(left)}")
        session.exitstatus = 1


@pytest.fixture
def computed(monkeypatch):
    """Indices of the structures given to a training for which rows are computed, not those of close pairs."""
    from mlcalc.train.design import RowMaker

    compute, calls = RowMaker.__call__, []

    def call(self, target):
        if target.structure.source == "frames":
            calls.append(target.structure.index)
        return compute(self, target)

    monkeypatch.setattr(RowMaker, "__call__", call)
    return calls
