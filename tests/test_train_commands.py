# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc train``, ``mlcalc eval``, templates and estimates."""

import io
import json
import re
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from training_cases import argon, known_data, known_model, options

from mlcalc.cli import main
from mlcalc.demo.salt import FumiTosi
from mlcalc.train import OptionError, evaluate
from mlcalc.train.estimate import dry_run
from mlcalc.train.options import parse_options
from mlcalc.train.progress import Progress
from mlcalc.train.template import template
from mlcalc.train.trial import template_by_trial


def test_from_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ase.io.write("argon.xyz", argon())
    assert main(["train", "--template", "argon.xyz", "-o", "options.yaml", "--no-trial"]) == 0
    text = (tmp_path / "options.yaml").read_text()
    parsed = parse_options("options.yaml")
    assert parsed.data.stress == "stress" and parsed.data.config_type == "config_type"
    assert 4.0 <= parsed.expansions[0]["cutoff"] <= 6.0
    text = text.replace("n_max: 8, l_max: 8", "n_max: 3, l_max: 2").replace("points: 100", "points: 20")
    (tmp_path / "options.yaml").write_text(text)
    capsys.readouterr()
    assert main(["train", "options.yaml", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "rows" in told and "memory" in told and not (tmp_path / "argon.mlcalc").exists()
    assert main(["train", "options.yaml", "--quiet"]) == 0
    assert "force MAE" in capsys.readouterr().out
    assert main(["eval", "argon.mlcalc", "argon.xyz", "--stress", "stress", "--quiet", "--report", "again"]) == 0
    made = ase.io.read("again/predictions.xyz", ":")
    assert len(made) == 40
    assert np.allclose(made[0].arrays["reference_forces"], argon()[0].get_forces(), atol=1e-7)
    report = json.loads((tmp_path / "again/report.json").read_text())
    error = np.concatenate([(a.get_forces() - b.get_forces()).ravel() for a, b in zip(made, argon(), strict=True)])
    assert report["errors"]["test"]["all"]["forces"]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert main(["eval", "argon.mlcalc", "argon.xyz", "--energy", "dft", "--quiet"]) == 1
    assert "Keys found" in capsys.readouterr().err


def test_estimates_are_those_of_the_run(tmp_path):
    estimate = dry_run(options(tmp_path), known_data())
    assert estimate["rows"]["train"] == 18 * (1 + 24 + 6)
    n = known_model().n_features("soap")
    assert estimate["weights"] == {"soap": 2 * n} and estimate["features"] == {"soap": n}


def test_a_template_for_data_with_unusual_names(tmp_path):
    data = [a.copy() for a in known_data()]
    for atoms in data:
        atoms.info["dft_energy"] = -1.0
        atoms.arrays["dft_forces"] = np.zeros((8, 3))
    ase.io.write(tmp_path / "a.xyz", data)
    text = template(str(tmp_path / "a.xyz"))
    (tmp_path / "o.yaml").write_text(text)
    parsed = parse_options(tmp_path / "o.yaml")
    assert (parsed.data.energy, parsed.data.forces, parsed.data.stress) == ("dft_energy", "dft_forces", None)
    # what the template leaves out are lines that train without their "# "
    assert parsed.terms[0].name == "soap" and not parsed.layers
    for form, far in (("bodies", True), ("kernel", True), ("bodies", False)):
        (tmp_path / "far.yaml").write_text(template(str(tmp_path / "a.xyz"), form=form, far=far))
        chosen = parse_options(tmp_path / "far.yaml")
        fine = ["pairs"] if form == "kernel" else []
        assert [e["name"] for e in chosen.expansions] == ["rho", *fine, "V"][: 1 + len(fine) + far]
        near = ["soap" if form == "kernel" else "bodies", *fine]
        assert [t.name for t in chosen.terms] == [*near, "lode"][: len(near) + far]
        assert len(chosen.layers) == (form == "bodies")


def salt_gas(n, rng):
    """Ions far from each other, whose energies only the far field knows."""
    frames = []
    while len(frames) < n:
        atoms = Atoms("Na2Cl2", rng.uniform(0, 11, (4, 3)), cell=[11] * 3, pbc=True)
        distances = atoms.get_all_distances(mic=True)[np.triu_indices(4, 1)]
        if distances.min() > 3.5:
            atoms.calc = FumiTosi()
            atoms.get_forces()
            frames.append(atoms)
    return frames


def test_a_template_by_trial(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ase.io.write("ions.xyz", salt_gas(40, np.random.default_rng(3)))
    ase.io.write("argon.xyz", argon())
    for name, far in (("ions", True), ("argon", False)):
        assert main(["train", "--template", f"{name}.xyz", "-o", f"{name}.yaml", "--quiet"]) == 0
        told = capsys.readouterr().out
        text = Path(f"{name}.yaml").read_text()
        assert all(f"# {line}".rstrip() in text for line in told.splitlines()[:-1])
        parsed = parse_options(f"{name}.yaml")
        assert [e["type"] for e in parsed.expansions if e["name"] != "pairs"] == ["density", "potential"][: 1 + far]
        assert ("so it is in" in text) == far
        rows = [line.split()[-3:] for line in text.splitlines() if re.search(r"(\d+\.\d+ +){2}\d+\.\d$", line)]
        assert len(rows) == (3 if name == "ions" else 2) and all(float(x) > 0 for row in rows for x in row)
    assert main(["train", "--template", "ions.xyz", "-o", "ions.yaml"]) == 1
    assert "exists already" in capsys.readouterr().err


def test_too_few_structures_for_a_trial(tmp_path):
    ase.io.write(tmp_path / "argon.xyz", argon()[:10])
    text, trial = template_by_trial(tmp_path / "argon.xyz", progress=False)
    assert not trial.tried and "# 10 structures are too few" in text


def test_evaluating_a_model_on_unknown_species(tmp_path):
    known_model().save(tmp_path / "salt.mlcalc")
    with pytest.raises(OptionError, match="does not know Ar"):
        evaluate(tmp_path / "salt.mlcalc", argon(), report=tmp_path / "r", progress=False)
    out = evaluate(tmp_path / "salt.mlcalc", known_data(), {"stress": "stress"}, report=tmp_path / "r", progress=False)
    assert out["errors"]["test"]["all"]["forces"]["max"] < 1e-9


def test_progress_tells_the_time_left():
    stream = io.StringIO()
    for _ in Progress(True, stream)(range(3), desc="rows"):
        time.sleep(0.15)
    assert "rows:  33%" in stream.getvalue() and "[00:00<00:00" in stream.getvalue()
    silent = io.StringIO()
    assert list(Progress(False, silent)(range(3))) == [0, 1, 2] and not silent.getvalue()
