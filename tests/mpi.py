# SPDX-License-Identifier: BSD-3-Clause
"""Runs a piece of Python on several MPI ranks and returns what each of them printed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlcalc
from mlcalc import lammps

HEADER = """
import sys, json
from mpi4py import MPI
comm = MPI.COMM_WORLD
def say(value):
    open(f"said-{comm.rank}.json", "w").write(json.dumps(value))
"""


def mpi_library():
    """The MPI library of the mpich package; a test is skipped where it is not installed."""
    # not imported: ASE would then look for MPI in this process, too
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed")
    try:
        return lammps.mpi_library()
    except RuntimeError as missing:
        pytest.skip(str(missing))


def mpi_environment():
    """The environment in which mpi4py finds that library and scripts find this package and the tests."""
    environment = dict(os.environ, MPI4PY_LIBMPI=mpi_library(), OMP_NUM_THREADS="1")
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(Path(mlcalc.__file__).parents[1])])
    return environment


def mpirun_command(n_ranks):
    mpirun = Path(sys.executable).parent / "mpirun"
    return [str(mpirun) if mpirun.exists() else "mpirun", "-np", str(n_ranks)]


def run_ranks(code, n_ranks, directory, timeout=120):
    """What ``say`` was called with on every rank (None: it was not), and the CompletedProcess."""
    script = Path(directory) / "ranks.py"
    script.write_text(HEADER + code)
    done = subprocess.run(
        [*mpirun_command(n_ranks), sys.executable, str(script)],
        cwd=directory,
        env=mpi_environment(),
        timeout=timeout,
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    said = []
    for rank in range(n_ranks):
        path = Path(directory) / f"said-{rank}.json"
        said.append(json.loads(path.read_text()) if path.exists() else None)
    return said, done
