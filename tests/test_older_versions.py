# SPDX-License-Identifier: BSD-3-Clause
"""Files written by version 0.1.0 are read and give the numbers that it gave, which stand beside them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lammps_runs import needs_lammps
from models import evaluate

from mlcalc import Model, lammps

OLD = Path(__file__).parent / "data/version_0_1_0"
EXPECTED = json.loads((OLD / "expected.json").read_text())


def old_atoms():
    return Atoms(EXPECTED["numbers"], positions=EXPECTED["positions"], cell=EXPECTED["cell"], pbc=True)


@pytest.mark.parametrize("name", ["linear", "kernel"])
@pytest.mark.parametrize("rewritten", [False, True], ids=["as it is", "written anew"])
def test_models(name, rewritten, tmp_path):
    """A committee of rho x rho, rho x V and a kernel, all with a far field."""
    model = Model.load(OLD / f"{name}.mlcalc")
    if rewritten:
        model.save(tmp_path / "new.mlcalc")
        model = Model.load(tmp_path / "new.mlcalc")
    out = evaluate(model.potential(lode="ksum"), old_atoms(), members=True)
    for key, expected in EXPECTED[name].items():
        error = np.abs(out[key] - np.array(expected)).max()
        assert error <= 1e-13 * max(1.0, np.abs(expected).max()), f"{key} differs by {error:.1e}"


@needs_lammps
def test_restart_files(tmp_path):
    for name in ("salt.restart", "linear.mlcalc"):
        shutil.copy(OLD / name, tmp_path)
    script = 'read_restart salt.restart\nthermo_style custom step pe\nrun 0\nprint "$(pe:%.17g)" file energy\n'
    (tmp_path / "in.old").write_text(script)
    done = lammps.run("in.old", ranks=1, directory=tmp_path, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    expected = np.sum(EXPECTED["linear"]["energies"])
    assert float((tmp_path / "energy").read_text()) == pytest.approx(expected, rel=1e-12)
