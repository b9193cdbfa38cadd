"""The example inputs run; their model of smeared charges is electrostatics."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from far_fields import liquid
from lammps_runs import Job, needs_lammps, run

import mlcalc
from mlcalc import lammps

pytestmark = needs_lammps
EXAMPLES = Path(__file__).parents[1] / "examples/lammps"
sys.path.insert(0, str(EXAMPLES))
CASES = {
    "in.salt": (("-var", "steps", "10", "-var", "cells", "2"), "particle mesh|k-sum"),
    "in.cluster": (("-var", "steps", "10"), "free boundaries"),
    "in.slab": (("-var", "steps", "10", "-var", "cells", "2"), "slab padded to"),
    "in.committee": (("-var", "steps", "500", "-var", "limit", "0.03"), "the run stops here"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("examples")
    for name in CASES:
        shutil.copy(EXAMPLES / name, path)
    run_python(path, "make_model.py")
    return path


def run_python(directory, name, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(mlcalc.__file__).parents[1])}
    command = [sys.executable, EXAMPLES / name, *arguments]
    subprocess.run(command, cwd=directory, env=environment, check=True, timeout=60)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_example_runs(directory, name, ranks):
    arguments, sentence = CASES[name]
    done = lammps.run(name, ranks, directory, arguments=arguments, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert re.search(sentence, done.stdout)
    assert "Loop time" in done.stdout


def test_the_log_of_an_example_is_drawn(directory):
    arguments, _ = CASES["in.committee"]
    lammps.run("in.committee", 1, directory, arguments=[*arguments, "-log", "halt.log"], timeout=120)
    run_python(directory, "plot_log.py", "halt.log", "Temp", "Density", "c_worst", "--limit", "0.03", "-o", "halt.png")
    assert (directory / "halt.png").stat().st_size > 0


PPPM = """set type 1 charge 1
set type 2 charge -1
pair_style coul/long 9.0
pair_coeff * *
pair_modify table 0
kspace_style pppm {accuracy}
"""
FORCE_UNIT = 14.399645  # eV/Angstrom, of two charges at 1 Angstrom: what the accuracy of kspace_style refers to


@pytest.mark.parametrize("method, accuracy", [("ksum", 1e-4), ("mesh", 1e-4), ("mesh", 1e-6)])
def test_fixed_charges_reproduce_coul_long_and_pppm(tmp_path, method, accuracy):
    """Energy, forces and pressure of a melt of point charges, to the accuracy asked of pppm."""
    from make_model import salt_model

    # smeared twice with 0.3 Angstrom: erfc(2.3 / (sqrt(2) 0.42)) = 5e-8 of an ion pair is missing
    salt_model(smearing=0.3, width=0.3, zbl=None, members=None).save(tmp_path / "charges.mlcalc")
    atoms = liquid("molten_salt")
    pppm = Job(atoms, "", before="atom_style charge", style=PPPM.format(accuracy=accuracy))
    ours = Job(atoms, tmp_path / "charges.mlcalc", f"lode {method} accuracy 1e-7")
    (expected, got), _ = run(tmp_path, [pppm, ours], 2)
    error = got["forces"] - expected["forces"]
    assert np.sqrt((error**2).mean()) < accuracy * FORCE_UNIT
    # both are sums over pairs of ions with errors of either sign, of which the energy has less than the forces
    assert abs(got["energy"] - expected["energy"]) < accuracy * FORCE_UNIT * len(atoms)
    assert got["energy"] == pytest.approx(expected["energy"], rel=10 * accuracy)
    # for 1/r the trace of the virial is the energy, and every component agrees
    np.testing.assert_allclose(got["virial"], expected["virial"], atol=accuracy * FORCE_UNIT * len(atoms))
    assert got["virial"][:3].sum() == pytest.approx(got["energy"], rel=1e-5)
