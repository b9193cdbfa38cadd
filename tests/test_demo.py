# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc demo`` in its small form, with LAMMPS and without."""

import functools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mlcalc.cli import main
from mlcalc.demo.run import why_no_lammps
from mlcalc.model import Model


@pytest.mark.parametrize("with_lammps", [True, False])
def test_demo_from_nothing(tmp_path, monkeypatch, capsys, with_lammps):
    if with_lammps and why_no_lammps(2):
        pytest.skip(why_no_lammps(2))
    monkeypatch.chdir(tmp_path)  # outside a checkout
    assert main(["demo", "--quick", "-o", "demo"] + ([] if with_lammps else ["--no-lammps"])) == 0
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "demo" / "results.json").read_text())
    errors = {name: results["errors"][name]["test"]["all"]["forces"]["rmse"] for name in ("soap", "soap-lode")}
    assert errors["soap-lode"] < 0.1 * errors["soap"]  # the reference has charges, which SOAP alone cannot see
    assert Model.load(tmp_path / "demo" / "soap-lode.mlcalc").committee.n_members == 4
    spreads = [json.loads((tmp_path / f"demo/{name}-report/report.json").read_text()) for name in ("soap", "soap-lode")]
    near, far = (r["tensors"]["induced"]["errors"]["test"]["value"]["relative"] for r in spreads)
    assert far < 0.3 and far < 0.7 * near  # induced by fields of all ions
    for name in ("rdf.png", "forces.png", "induced.png", "salt.xyz", "soap-lode.yaml", "soap-lode-report/report.json"):
        assert (tmp_path / "demo" / name).stat().st_size > 0
    curves = np.load(tmp_path / "demo" / "rdf.npz")
    assert 2.0 < curves["reference r"][np.argmax(curves["reference Na-Cl"])] < 3.2
    assert ("Without LAMMPS" in printed) is not with_lammps
    if with_lammps:
        same = results["lammps_minus_ase"]
        assert max(same["energy"], same["forces"], same["virial"]) < 1e-10
        assert same["positions"] < 1e-10
        assert results["induced_dipole_error"] < 0.3
    assert main(["demo", "--quick", "-o", "demo"]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_demo_ends_at_once_when_it_is_interrupted(tmp_path):
    command = [sys.executable, "-m", "mlcalc.cli", "demo", "-o", "demo"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    # jobs in the background of a shell ignore Ctrl-C, and so would their children
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    demo = subprocess.Popen(command, cwd=tmp_path, preexec_fn=heed, **pipes)
    deadline = time.monotonic() + 120
    while not (tmp_path / "demo/data").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert errors.strip().endswith("mlcalc: interrupted") and "Traceback" not in errors
