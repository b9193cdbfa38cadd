# SPDX-License-Identifier: BSD-3-Clause
"""Training on several ranks: the model of one process, and one sentence if a rank fails."""

import json
import subprocess
import sys

import ase.io
import numpy as np
import pytest
import yaml
from mpi import mpi_environment, mpirun_command, run_ranks
from training_cases import KERNEL, SOAP, known_data, options

from mlcalc.model import Model
from mlcalc.train import fit
from mlcalc.train.solve import Factor
from mlcalc.train.team import ALONE, Team, communicator

CASES = {
    "linear": {"solver": {"regularization": 1e-3}},
    "folds and a committee": {"solver": {"criterion": "folds"}, "committee": {"members": 4}},
    "leave-one-out": {"solver": {"criterion": "structures"}},
    "kernel": {"terms": [KERNEL], "solver": {"regularization": 1e-3}},
    "sums of squares": {"solver": {"regularization": 1e-3, "method": "normal"}},
    "rows not stored": {"solver": {"regularization": 1e-3}, "budget": {"threads": 1, "disk": 0}},
}


@pytest.fixture
def folder(tmp_path):
    ase.io.write(tmp_path / "salt.xyz", known_data())
    return tmp_path


def command(folder, n_ranks, *arguments):
    return subprocess.run(
        [*mpirun_command(n_ranks), sys.executable, "-m", "mlcalc.cli", "train", *arguments],
        cwd=folder, env=mpi_environment(), text=True, capture_output=True, timeout=240, stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip


def write_options(folder, name, **changes):
    data = {"files": ["salt.xyz"], **changes.pop("data", {})}
    made = options(folder, changes.pop("term", SOAP), data=data, **changes)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**made, "model": f"{name}.mlcalc"}))
    return {**made, "model": str(folder / f"{name}.mlcalc")}


def all_weights(path):
    weights = Model.load(path).terms[0].regressor.weights
    return np.concatenate([w.ravel() for w in weights.values()]) if isinstance(weights, dict) else weights.ravel()


@pytest.mark.parametrize(("case", "n_ranks"), [("linear", 4), *((case, 2 + k % 2) for k, case in enumerate(CASES))])
def test_ranks_find_the_model_of_one_process(folder, case, n_ranks, monkeypatch):
    monkeypatch.chdir(folder)
    changes = CASES[case]
    wanted = write_options(folder, "many", **changes)
    done = command(folder, n_ranks, "many.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model many.mlcalc") == 1 and f"rows on {n_ranks} ranks" in done.stderr
    one = fit({**wanted, "model": "one.mlcalc"}, progress=False, figures=False)
    x, y = all_weights("many.mlcalc"), all_weights("one.mlcalc")
    digits = 1e-5 if case == "sums of squares" else 1e-10  # they lose half of the digits, in whatever order
    assert np.abs(x - y).max() <= digits * np.abs(y).max()
    a, b = (Model.load(f"{name}.mlcalc").information.matrix() for name in ("many", "one"))
    assert np.abs(a.T @ a - b.T @ b).max() <= 1e-10 * np.abs(b.T @ b).max()
    report = json.loads((folder / "many-report/report.json").read_text())
    for kind in ("energy", "forces", "stress"):
        errors = report["errors"]["test"]["all"][kind]["rmse"], one.report["errors"]["test"]["all"][kind]["rmse"]
        assert errors[0] == pytest.approx(errors[1], rel=1e-6, abs=1e-12)


def test_a_checkpoint_is_shared_by_runs_of_any_number_of_ranks(folder, monkeypatch):
    """Rows that ranks have stored are found by one process, and the other way round."""
    monkeypatch.chdir(folder)
    wanted = write_options(folder, "many", keep_checkpoint=True, solver={"regularization": 1e-3})
    assert command(folder, 3, "many.yaml", "--quiet").returncode == 0
    files = {p: p.stat().st_mtime_ns for p in (folder / "many-checkpoint/rows").glob("*/*.npy")}
    assert len(files) >= 4
    again = fit({**wanted, "model": "many.mlcalc", "weights": {"energy": 0.1}}, progress=False, figures=False)
    assert {p: p.stat().st_mtime_ns for p in (folder / "many-checkpoint/rows").glob("*/*.npy")} == files
    assert again.report["errors"]["test"]


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_a_rank_that_fails_ends_all_with_its_sentence(folder, n_ranks):
    write_options(folder, "many", data={"energy": "dft_energy"})
    done = command(folder, n_ranks, "many.yaml", "--quiet")
    assert done.returncode != 0 and "no structure has 'dft_energy'" in done.stderr
    assert f"error on rank 0 of {n_ranks}" in done.stderr


def test_a_rank_other_than_the_first_that_fails(folder):
    code = """
from training_cases import known_data, options
from mlcalc.train import design, fit
from pathlib import Path
compute = design.RowMaker.__call__
def broken(self, target):
    if comm.rank == 1:
        raise ValueError("salt.xyz, structure 7: the card is on fire")
    return compute(self, target)
design.RowMaker.__call__ = broken
fit(options(Path(".")), known_data() if comm.rank == 0 else None, progress=False, figures=False, comm=comm)
say("went on")
"""
    said, done = run_ranks(code, 2, folder)
    assert said == [None, None] and done.returncode != 0
    assert "error on rank 1 of 2: salt.xyz, structure 7: the card is on fire" in done.stderr


def test_from_python_only_rank_0_has_the_result(folder):
    code = """
from training_cases import known_data, options
from mlcalc.train import fit
from pathlib import Path
result = fit(options(Path(".")), known_data() if comm.rank == 0 else None, progress=False, figures=False, comm=comm)
say(None if result is None else result.report["errors"]["test"]["all"]["forces"]["rmse"])
"""
    said, done = run_ranks(code, 2, folder)
    assert done.returncode == 0, done.stderr
    assert said[0] >= 0 and said[1] is None


@pytest.mark.parametrize("method", ["qr", "normal"])
@pytest.mark.parametrize("few", [False, True])
def test_a_factor_takes_up_what_another_shares(method, few):
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(3 if few else 12, 6)) for _ in range(4)]
    whole, first, second = (Factor(5, method) for _ in range(3))
    for k, block in enumerate(blocks):
        whole.add(block)
        (first if k < 2 else second).add(block)
    first.absorb(*second.share())
    a, b = first.augmented(), whole.augmented()
    assert np.allclose(a.T @ a, b.T @ b, rtol=1e-12, atol=1e-12) and first.n_rows == whole.n_rows


def test_a_process_alone_is_a_team(monkeypatch):
    for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    assert communicator() is None and ALONE.size == 1
    assert Team().call(lambda team, shared, part: [shared * x for x in part], 2, [1, 2, 3]) == [2, 4, 6]
    with pytest.raises(ValueError, match="nothing to do"), ALONE.led():
        raise ValueError("nothing to do")
