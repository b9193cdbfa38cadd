# SPDX-License-Identifier: BSD-3-Clause
"""Examples that are Python programs of their own, in a reduced form."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mpi import mpi_environment, mpirun_command

from mlcalc import DensityExpansion, Invariant, Linear, Model, Term

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(directory, *command):
    done = subprocess.run(
        command, cwd=directory, env=mpi_environment(), text=True, capture_output=True, stdin=subprocess.DEVNULL,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_molecules_are_followed_beyond_the_training_distances(tmp_path):
    pytest.importorskip("tblite")
    run(tmp_path, sys.executable, EXAMPLES / "dimers.py", "--frames", "24", "--members", "4")
    beyond = json.loads((tmp_path / "dimers" / "dimers.json").read_text())["rms_beyond_training"]
    for pair, row in beyond.items():
        # SOAP misses all of the energy; between a charge and a dipole, which decays faster, there is less to win
        neutral = pair.endswith("H2O")
        assert row["SOAP + LODE"] < (0.5 if neutral else 0.1) * min(row["SOAP"], row["energy"]), pair
    assert (tmp_path / "dimers" / "dimers.png").stat().st_size > 0


def test_lammps_from_python_gives_the_same_on_one_and_two_ranks(tmp_path):
    pytest.importorskip("lammps")
    rho = DensityExpansion(name="rho", n_max=3, l_max=2, cutoff=4.0)
    term = Term("soap", [Invariant(2, "rho", "rho")])
    model = Model([11, 17], [rho], [term])
    weights = np.random.default_rng(0).normal(scale=0.01, size=(2, model.n_features(term)))
    term.regressor = Linear(weights)
    model.save(tmp_path / "model.mlcalc")
    script = [sys.executable, EXAMPLES / "lammps_from_python.py", "model.mlcalc", "--cells", "2"]
    printed = [
        run(tmp_path, *mpirun_command(ranks), *script, "--pieces", "2", "--steps", "5").splitlines() for ranks in (1, 2)
    ]
    assert printed[0][:2] == printed[1][:2]
    assert printed[1][2] == "64 ions on 2 ranks"
