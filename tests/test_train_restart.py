# SPDX-License-Identifier: BSD-3-Clause
"""Runs that are killed, run out of memory, or are done in other portions: the same model in the end."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest
import yaml
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import known_data, options

from mlcalc.model import Model
from mlcalc.train import design as design_module
from mlcalc.train import fit, parse_options
from mlcalc.train import mixing as mixing_module


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches SIGKILL."""


@pytest.mark.parametrize("disk", ["1 GB", 0])
def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch, disk):
    # a block holds few structures, so that there is something to lose
    monkeypatch.setattr("mlcalc.train.run.block_bytes", lambda options, n: 60_000)
    compute, calls = design_module.RowMaker.__call__, []

    def killed_after(limit):
        def call(self, target):
            if len(calls) >= limit:
                raise Killed
            calls.append(target.structure.index)
            return compute(self, target)

        return call

    wanted = options(tmp_path, budget={"threads": 1, "disk": disk}, solver={"folds": 5, "criterion": "folds"})
    monkeypatch.setattr(design_module.RowMaker, "__call__", killed_after(14))
    with pytest.raises(Killed):
        fit(wanted, known_data(), progress=False, figures=False)
    first = len(calls)
    monkeypatch.setattr(design_module.RowMaker, "__call__", killed_after(1000))
    resumed = fit(wanted, known_data(), progress=False, figures=False)
    repeated = len(calls) - 24  # 18 training and 6 validation structures
    assert first == 14 and 0 <= repeated <= 4
    whole = fit({**wanted, "model": str(tmp_path / "whole.mlcalc")}, known_data(), progress=False, figures=False)
    for a, b in zip(resumed.model.terms, whole.model.terms, strict=True):
        assert np.array_equal(a.regressor.weights, b.regressor.weights)
    assert not (tmp_path / "model-checkpoint").exists()


@pytest.mark.parametrize("memory", ["1 GB", "4 GB", "64 GB"])
@pytest.mark.parametrize("n_columns", [30, 400, 2000])
def test_a_run_that_is_killed_loses_little_whatever_memory_it_has(tmp_path, memory, n_columns):
    """A block is lost: 64 MB at most, however much the budget is, and rows of large sets are many blocks."""
    parsed = parse_options(options(tmp_path, budget={"memory": memory, "threads": 1}))
    size = design_module.block_bytes(parsed, n_columns)
    assert 1e6 < size <= 64e6
    rows = SimpleNamespace(n_columns=n_columns)
    targets = [SimpleNamespace(n_rows=200) for _ in range(2000)]
    blocks = design_module.Design._partition(SimpleNamespace(maker=rows), targets, size)
    assert sum(len(block) for block in blocks) == len(targets)
    row_bytes = 8 * (n_columns + 1)
    assert all(sum(t.n_rows for t in block) * row_bytes <= size for block in blocks)
    assert len(blocks) >= 400_000 * row_bytes / 64e6


def test_a_checkpoint_of_other_data_is_not_used(tmp_path):
    wanted = options(tmp_path, keep_checkpoint=True)
    first = fit(wanted, known_data(), progress=False, figures=False)
    changed = [a.copy() for a in known_data()]
    for atoms, full in zip(changed, known_data(), strict=True):
        results = {**full.calc.results, "forces": 2 * full.get_forces(), "energy": 2 * full.get_potential_energy()}
        atoms.calc = SinglePointCalculator(atoms, **{k: results[k] for k in ("energy", "forces", "stress")})
    second = fit(wanted, changed, progress=False, figures=False)
    assert not np.allclose(first.model.terms[0].regressor.weights, second.model.terms[0].regressor.weights)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        fit({**wanted, "checkpoint": str(tmp_path / "mine")}, known_data(), progress=False, figures=False)
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_blocks_threads_and_disk_do_not_change_the_model(tmp_path, monkeypatch):
    plain = fit(options(tmp_path), known_data(), progress=False, figures=False)
    monkeypatch.setattr("mlcalc.train.run.block_bytes", lambda options, n: 50_000)
    other = fit(options(tmp_path, budget={"threads": 2, "disk": 0}), known_data(), progress=False, figures=False)
    a, b = (r.model.terms[0].regressor.weights for r in (plain, other))
    assert np.allclose(a, b, rtol=1e-4, atol=1e-6 * np.abs(a).max())


def test_too_little_memory_is_said_before_anything_is_computed(tmp_path):
    with pytest.raises(ValueError, match="raise budget.memory"):
        fit(options(tmp_path, budget={"memory": "0.3 MB", "threads": 1}), known_data(), progress=False, figures=False)


def test_a_run_ended_by_sigkill_keeps_its_blocks(tmp_path, monkeypatch):
    """The command itself, killed as a batch system kills it, and started again."""
    monkeypatch.chdir(tmp_path)
    ase.io.write("salt.xyz", 4 * known_data())
    # little memory: blocks of a few structures
    wanted = options(tmp_path, data={"files": ["salt.xyz"]}, keep_checkpoint=True,
                     budget={"threads": 2, "memory": "1.3 MB"})  # fmt: skip
    (tmp_path / "options.yaml").write_text(yaml.safe_dump(wanted))
    code = "import sys; from mlcalc.cli import main; sys.exit(main(['train', 'options.yaml', '--quiet']))"
    command = [sys.executable, "-c", code]
    blocks = tmp_path / "model-checkpoint"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(blocks.glob("rows/*/*.json"))) < 4 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {p: p.stat().st_mtime_ns for p in blocks.rglob("*.json")}
    assert len(kept) >= 4 and not (tmp_path / "model.mlcalc").exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert len(list(blocks.glob("rows/*/*.npy"))) > len(kept)
    whole = fit({**wanted, "model": "whole.mlcalc", "checkpoint": "other"}, progress=False, figures=False).model
    resumed = Model.load(tmp_path / "model.mlcalc")
    assert np.array_equal(resumed.terms[0].regressor.weights, whole.terms[0].regressor.weights)


@pytest.mark.parametrize("killed_after", [1, 4])
def test_a_killed_optimization_of_the_mixing_goes_on_where_it_was(tmp_path, monkeypatch, killed_after):
    layer = {"name": "A", "inputs": ["rho"], "channels": 3, "l_max": 2,
             "mixing": {"method": "optimize", "iterations": 7, "structures": 12, "patience": 7}}  # fmt: skip
    term = {"name": "bodies", "invariants": [{"a": "A", "l_max": [2, 2, 2]}], "regressor": {"type": "linear"}}
    wanted = options(tmp_path, term, layers=[layer])
    add, steps = mixing_module.Progression.add, []

    def recorded(limit):
        def call(self, x, seen, score):
            if len(steps) > limit:
                raise Killed
            add(self, x, seen, score)
            steps.append((self.loss[-1], score))

        return call

    monkeypatch.setattr(mixing_module.Progression, "add", recorded(killed_after))
    with pytest.raises(Killed):
        fit(wanted, known_data(), progress=False, figures=False)
    assert len(steps) == killed_after + 1  # the start is one of them
    monkeypatch.setattr(mixing_module.Progression, "add", recorded(100))
    result = fit(wanted, known_data(), progress=False, figures=False)
    assert len(steps) == 8 and all(b[0] < a[0] for a, b in zip(steps, steps[1:], strict=False))
    note = next(n for n in result.report["notes"] if n.startswith("layer A"))
    first, last = steps[0][1], min(score for _, score in steps)
    assert f"validation loss {first:.3g} -> {last:.3g} (7 steps)" in note


def test_an_optimization_that_had_ended_is_not_repeated(tmp_path, monkeypatch):
    """The run was killed between the last step and the plan."""
    layer = {"name": "A", "inputs": ["rho"], "channels": 3, "l_max": 2,
             "mixing": {"method": "optimize", "iterations": 3, "structures": 12}}  # fmt: skip
    term = {"name": "bodies", "invariants": [{"a": "A", "l_max": [2, 2, 2]}], "regressor": {"type": "linear"}}
    wanted = options(tmp_path, term, layers=[layer])

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("mlcalc.train.job.make_plan", killed)
        fit(wanted, known_data(), progress=False, figures=False)
    with monkeypatch.context() as patch:
        patch.setattr(mixing_module.Progression, "add", killed)
        resumed = fit(wanted, known_data(), progress=False, figures=False)
    whole = fit({**wanted, "model": str(tmp_path / "whole.mlcalc")}, known_data(), progress=False, figures=False)
    a, b = (Model.load(r.model_path).layers[0].matrices for r in (resumed, whole))
    assert np.array_equal(a, b)
