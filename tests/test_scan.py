# SPDX-License-Identifier: BSD-3-Clause
"""Scans: every combination once, rows shared, errors and costs that are true, and a front that nothing beats."""

import json
import re

import ase.io
import numpy as np
import pytest
import yaml
from training_cases import KERNEL, RHO, SOAP, known_data, options

from mlcalc.cli import main
from mlcalc.model import Model
from mlcalc.scan import scan
from mlcalc.scan.combinations import combinations, put
from mlcalc.scan.report import describe, short_names, text_of
from mlcalc.scan.speed import cost_of, front
from mlcalc.train import OptionError, fit
from mlcalc.train.data import Structure


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("mlcalc.scan.speed.SECONDS", 0.05)


def run(wanted):
    return scan(wanted, known_data(), progress=False)


def test_combinations_that_have_the_same_rows_compute_them_once_and_are_those_of_single_trainings(tmp_path, computed):
    values = {"expansions.rho.n_max": [2, 3], "weights.forces": [0.01, 0.1]}
    result = run(options(tmp_path, scan=values))
    assert len(computed) == 2 * 24  # training and validation structures, of two representations
    rows = result.report["combinations"]
    assert [row["values"]["expansions.rho.n_max"] for row in rows] == [2, 2, 3, 3]
    wanted = options(tmp_path)
    wanted["model"] = str(tmp_path / "single.mlcalc")
    wanted["expansions"][0]["n_max"], wanted["weights"]["forces"] = 2, 0.1
    single = fit(wanted, known_data(), progress=False, figures=False)
    mine = rows[1]["errors"]
    for split in ("validation", "test"):
        assert mine[split]["forces"] == pytest.approx(single.report["errors"][split]["all"]["forces"]["rmse"], rel=1e-6)
    stored = Model.load(result.folder / rows[1]["model"])
    assert np.allclose(stored.terms[0].regressor.weights, single.model.terms[0].regressor.weights, rtol=1e-6)
    assert not list(result.folder.glob("rows-*"))
    assert json.loads((result.folder / "scan.json").read_text()) == json.loads(json.dumps(result.report))
    assert (result.folder / "scan.png").read_bytes() and "data:image/png" in (result.folder / "scan.html").read_text()


def test_a_killed_scan_goes_on_where_it_was(tmp_path, computed, monkeypatch):
    from mlcalc.scan import run as module

    wanted = options(tmp_path, scan={"expansions.rho.n_max": [2, 3, 4]})
    trained, kept = [], module.fit

    def killed(chosen, *args, **kwargs):
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(chosen.expansions[0].n_max)
        return kept(chosen, *args, **kwargs)

    monkeypatch.setattr(module, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        run(wanted)
    monkeypatch.setattr(module, "fit", lambda c, *a, **k: trained.append(c.expansions[0].n_max) or kept(c, *a, **k))
    first = run(wanted)
    assert trained == [2, 3, 4] and len(computed) == 3 * 24
    again = run({**wanted, "scan": {"expansions.rho.n_max": [4, 2, 3]}})  # nothing is left to do
    assert trained == [2, 3, 4]
    assert [r["model"] for r in again.report["combinations"]] == [
        first.report["combinations"][k]["model"] for k in (2, 0, 1)
    ]
    other = known_data()[:25]
    scan(wanted, other, progress=False)  # other data are another scan
    assert trained == [2, 3, 4, 2, 3, 4]


def test_a_combination_that_fails_is_named_and_counted_and_the_others_go_on(tmp_path):
    many = {"terms.soap.regressor.points": [6, -2], "budget.memory": ["2 GB", "1 kB"]}
    result = run(options(tmp_path, KERNEL, scan=many))
    failed = {row["number"]: row["failed"] for row in result.report["combinations"] if "failed" in row}
    assert list(failed) == [2, 3, 4] and "raise budget.memory" in failed[2] and "points" in failed[3]
    assert "3 of 4 combinations failed" in result.text and failed[2] in result.text
    assert "3 of 4 combinations failed" in (result.folder / "scan.html").read_text()


def test_the_choice_is_by_validation_errors_and_test_errors_play_no_part():
    def row(number, cost, validation, test):
        errors = {"validation": {"energy": validation, "forces": None}, "test": {"energy": test, "forces": None}}
        return {"number": number, "values": {"seed": number}, "errors": errors, "speed": {"us_per_atom": cost},
                "validation": "a", "model": "m"}  # fmt: skip

    rows = [row(1, 1.0, 9.0, 1.0), row(2, 2.0, 9.5, 0.1), row(3, 3.0, 4.0, 8.0), row(4, 3.0, 5.0, 0.2)]
    report = describe(["seed"], rows)
    assert report["front"] == {"energy": [1, 3], "forces": []}
    assert "test set are shown and were not used" in text_of(report)
    assert not any("do not compare" in note for note in report["notes"])
    rows[1]["validation"] = "b"
    assert any("do not compare" in note for note in describe(["seed"], rows)["notes"])


def test_nothing_beats_the_front():
    rng = np.random.default_rng(0)
    costs, errors = rng.integers(1, 20, 60), rng.integers(1, 20, 60)
    chosen = front(costs, errors)
    for k in range(60):
        beaten = (costs <= costs[k]) & (errors <= errors[k]) & ((costs < costs[k]) | (errors < errors[k]))
        on = any(costs[c] == costs[k] and errors[c] == errors[k] for c in chosen)
        assert on != beaten.any()


def test_cost_is_measured_on_a_supercell_of_the_data(tmp_path):
    small = fit(options(tmp_path), known_data(), progress=False, figures=False)
    wanted = options(tmp_path)
    wanted["model"], wanted["expansions"][0] = str(tmp_path / "large.mlcalc"), {**RHO, "n_max": 9, "l_max": 7}
    large = fit(wanted, known_data(), progress=False, figures=False)
    structures = [Structure(a) for a in known_data()]
    costs = [cost_of(r.model_path, structures) for r in (small, large)]
    assert costs[0]["atoms"] == 512 and costs[0]["formula"] == "Cl4Na4"
    assert costs[1]["us_per_atom"] > 2 * costs[0]["us_per_atom"] > 0


def test_values_are_put_where_their_path_says():
    made = {"expansions": [{"name": "rho", "smoothing": {"width": 1}}, {"name": "V"}], "terms": [{"invariants": [{}]}]}
    put(made, "expansions.V.n_max", 3)
    put(made, "expansions.0.smoothing.width", 2)
    put(made, "terms[0].invariants[0].nu", 1)
    put(made, "solver.regularization", 0.1)
    assert made["expansions"] == [{"name": "rho", "smoothing": {"width": 2}}, {"name": "V", "n_max": 3}]
    assert made["terms"] == [{"invariants": [{"nu": 1}]}] and made["solver"] == {"regularization": 0.1}
    assert short_names(["expansions.a.n_max", "expansions.b.n_max", "seed"]) == ["a.n_max", "b.n_max", "seed"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"weights.force": [1]}, "unknown option 'force', did you mean 'forces'?"),
        ({"weight.forces": [1]}, "unknown option 'weight', did you mean 'weights'?"),
        ({"expansions.roh.n_max": [1]}, "'expansions.roh.n_max': there is no 'roh' in expansions, did you mean 'rho'?"),
        ({"expansions.3.n_max": [1]}, "there is no '3' in expansions"),
        ({"expansions.rho.name.x": [1]}, "expansions.rho.name is 'rho', which has no options of its own"),
        ({"weights.forces": []}, "scan.weights.forces must be a list with at least 1 entries, got []"),
        ({"weights.forces": 0.1}, "scan.weights.forces must be a list, got 0.1"),
        ({"weights.forces": [0.1, 0.1]}, "'weights.forces' has the value 0.1 twice"),
        ({"weights.forces": ["much"]}, "weights.forces must be a number, got 'much'"),
        ({"model": ["a.mlcalc"]}, "'model' is set by the scan, leave it out"),
        ({"seed": list(range(30)), "weights.forces": list(range(1, 31))}, "900 combinations, at most 500"),
        ([1, 2], "scan must be a mapping, got [1, 2]"),
    ],
)  # fmt: skip
def test_a_scan_that_cannot_be_is_one_sentence_before_any_work(tmp_path, monkeypatch, values, sentence):
    monkeypatch.setattr("mlcalc.scan.run.fit", lambda *a, **k: pytest.fail("work has begun"))
    with pytest.raises(OptionError, match=re.escape(sentence)):
        run(options(tmp_path, scan=values))
    assert not (tmp_path / "model-scan").exists()


def test_data_without_a_validation_set_and_a_failure_of_all_are_said(tmp_path):
    wanted = options(tmp_path, scan={"weights.forces": [0.1, 0.2]})
    with pytest.raises(OptionError, match="data.split leaves none"):
        run({**wanted, "data": {**wanted["data"], "split": {"validation": 0.0}}})
    with pytest.raises(OptionError, match=r"all 2 combinations failed; the first: .*budget.memory"):
        run({**wanted, "budget": {"memory": "1 kB"}})


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ase.io.write("salt.xyz", known_data())
    wanted = {"model": "salt.mlcalc", "data": {"files": ["salt.xyz"], "stress": "stress", "split": {"validation": 0.2}},
              "expansions": [RHO], "terms": [SOAP], "budget": {"threads": 1},
              "scan": {"expansions.rho.cutoff": [3.0, 4.0], "solver.regularization": [1e-3, 1e-2]}}  # fmt: skip
    (tmp_path / "o.yaml").write_text(yaml.safe_dump(wanted))
    assert main(["train", "o.yaml", "--dry-run"]) == 0
    assert "4 such trainings; rows are computed for 2 representations" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path.parent)
    assert main(["train", str(tmp_path / "o.yaml"), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "cutoff" in shown and "µs/atom" in shown and "salt-scan/scan.html" in shown
    assert len(list((tmp_path / "salt-scan").glob("*.mlcalc"))) == 4
    with pytest.raises(OptionError, match="run it with mlcalc train"):
        fit(str(tmp_path / "o.yaml"), progress=False)


def test_a_value_that_is_possible_only_with_others_is_no_mistake(tmp_path):
    values = {"expansions.rho.basis": [{"type": "gto", "radius": 9.0}, "gto"], "expansions.rho.cutoff": [3.0, 4.0]}
    _, made, _ = combinations(options(tmp_path, scan=values))
    assert len(made) == 4 and any(c.options is not None for c in made)
