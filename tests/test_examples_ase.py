# SPDX-License-Identifier: BSD-3-Clause
"""The ASE examples, run as a user runs them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from mpi import mpi_environment, mpirun_command
from test_calculator import linear_model, salt

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def folder(tmp_path):
    linear_model(4).save(tmp_path / "model.mlcalc")
    atoms = salt(size=0.05)
    atoms.set_cell([4.95] * 3, scale_atoms=True)
    write(tmp_path / "start.xyz", atoms)
    return tmp_path


def run(folder, name, *arguments, start=(sys.executable,)):
    done = subprocess.run(
        [*start, EXAMPLES / name, "model.mlcalc", "start.xyz", *arguments],
        cwd=folder,
        env=mpi_environment(),
        text=True,
        capture_output=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dynamics_runs_with_its_uncertainty(folder):
    output = run(folder, "ase_dynamics.py", "--steps", "20", "--limit", "1e3")
    assert len(output.splitlines()) == 3 and "worst force" in output
    frames = read(folder / "trajectory.xyz", ":")
    assert len(frames) == 3 and np.isfinite(frames[-1].get_forces()).all()
    assert not (folder / "uncertain.xyz").exists()


def test_dynamics_stops_where_the_uncertainty_is_too_large(folder):
    worst = run(folder, "ase_dynamics.py", "--steps", "0", "--limit", "1e3").split()[-2]
    output = run(
        folder, "ase_dynamics.py", "--steps", "2000", "--temperature", "3000", "--limit", str(1.2 * float(worst))
    )
    assert "stopped at step" in output and "forces_uncertainty is above" in output
    uncertain = read(folder / "uncertain.xyz")
    assert np.linalg.norm(uncertain.arrays["forces_uncertainty"], axis=1).max() > float(worst)


def test_relaxation_gives_a_bulk_modulus_with_its_uncertainty(folder):
    crystal = salt(size=0)  # only the volume is free
    crystal.set_cell([4.95] * 3, scale_atoms=True)
    write(folder / "start.xyz", crystal)
    output = run(folder, "ase_relaxation.py")
    assert "GPa +-" in output
    relaxed = read(folder / "relaxed.xyz")
    assert abs(relaxed.get_stress()[:3].mean()) * relaxed.get_volume() < 1e-2


def test_parallel_dynamics_is_one_trajectory(folder):
    output = run(folder, "ase_parallel.py", "--steps", "10", start=[*mpirun_command(2), sys.executable, "-m", "mpi4py"])
    assert output.count("Etot") == 1
    assert len(read(folder / "trajectory.traj", ":")) == 2


def test_the_loop_as_a_script(tmp_path):
    pytest.importorskip("tblite")
    done = subprocess.run([sys.executable, EXAMPLES / "learn_water.py"], cwd=tmp_path, env=mpi_environment(), text=True,
                          capture_output=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    labels = [int(line.split()[0]) for line in done.stdout.splitlines() if "labels" in line]
    assert len(labels) == 4 and labels == sorted(set(labels)) and (tmp_path / "water.mlcalc").exists()


def test_an_infrared_spectrum_from_nothing(tmp_path):
    pytest.importorskip("tblite")
    small = ["--n-max", "4", "--frames", "60", "--steps", "400", "--folder", "out"]
    command = [sys.executable, str(EXAMPLES / "infrared.py"), *small]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    x, y = (np.array([pair.split() for pair in line.split(": ")[1].split(", ")], dtype=float).T
            for line in done.stdout.splitlines() if "harmonic (1/cm, intensity)" in line)  # fmt: skip
    stretches = [lines[0][lines[0] > 3000] for lines in (x, y)]
    assert np.allclose(*stretches, atol=100) and len(stretches[0]) == 4
    table = np.loadtxt(tmp_path / "out/infrared.csv", delimiter=",")
    assert table.shape[1] in (2, 4) and np.isfinite(table).all() and (tmp_path / "out/infrared.png").exists()
