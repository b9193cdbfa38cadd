# SPDX-License-Identifier: BSD-3-Clause
"""The page of a report: its numbers are those of the data and the predictions, it opens by itself, it harms nothing."""

import copy
import json
import re
from html.parser import HTMLParser

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import KERNEL, SOAP, argon, known_data, known_model, labeled, options, salt

from mlcalc import MLCalculator
from mlcalc.cli import main
from mlcalc.train import OptionError, fit
from mlcalc.train.data import Structure
from mlcalc.train.errors import Prediction
from mlcalc.train.review.breakdown import cumulative, errors_by_element, errors_by_force
from mlcalc.train.review.outliers import duplicates, notes_of, outliers
from mlcalc.train.review.similarity import similarity
from mlcalc.train.review.statistics import measured, statistics


def structures(n=30, seed=0, **changes):
    """Copper cells whose energies grow with the volume."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(n):
        atoms = bulk("Cu", "fcc", a=3.6 * rng.uniform(0.98, 1.02), cubic=True)
        atoms.rattle(0.05, seed=seed + k)
        s = Structure(atoms, -3.5 * 4 + 0.01 * rng.normal(), rng.normal(size=(4, 3)), source="cu.xyz", index=k)
        s.config_type = "solid"
        made.append(s)
    for name, value in changes.items():
        setattr(made[7], name, value)
    return made


def found_in(made):
    return outliers(made, [measured(s) for s in made])


def test_statistics_are_those_of_the_structures():
    made = structures()
    row = statistics(made)["sets"]["all"]
    volumes = [s.atoms.get_volume() / 4 for s in made]
    assert row["structures"] == 30 and row["atoms"] == 120 and row["compositions"] == {"Cu4": 30}
    assert row["volume"] == pytest.approx({"min": min(volumes), "median": np.median(volumes), "max": max(volumes)})
    assert row["force"]["max"] == pytest.approx(max(np.linalg.norm(s.forces, axis=1).max() for s in made))
    distances = []
    for s in made:
        d = s.atoms.repeat(2).get_all_distances(mic=True)
        distances.append(d[d > 0].min())
    assert row["distance"]["min"] == pytest.approx(min(distances))
    assert row["closeness"]["min"] == pytest.approx(min(distances) / 2.64)
    assert found_in(made) == [] and statistics(made)["duplicates"] == []


def moved(atoms, factor):
    out = atoms.copy()
    out.set_cell(out.cell * factor ** (1 / 3), scale_atoms=True)
    return out


def pressed(atoms):
    out = atoms.copy()
    out.positions[1] = out.positions[0] + [0.9, 0.3, 0.0]
    return out


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("energy", {"energy": -3.5 * 4 + 1.5}),
        ("energy", {"energy": -3.5 * 4 / 27.2}),
        ("force", {"forces": np.full((4, 3), 60.0)}),
        ("volume", {"atoms": moved(structures()[7].atoms, 2.5)}),
        ("distance", {"atoms": pressed(structures()[7].atoms)}),
    ],
)
def test_a_structure_unlike_the_others_is_named(what, changes):
    rows = found_in(structures(**changes))
    assert {(row["what"], row["index"]) for row in rows} >= {(what, 7)} and {row["index"] for row in rows} == {7}
    assert "cu.xyz, structure 7 (" in notes_of(rows, [])[0]


def test_two_phases_and_compositions_are_not_outliers_of_each_other():
    made = structures(40)
    for s in made[:12]:  # a melt: higher, thinner, larger forces
        s.energy += 3.0
        s.atoms, s.forces = moved(s.atoms, 1.2), 6 * s.forces
    assert found_in(made) == []
    salts = [Structure(a, -10.0 * k, source="x", index=k) for k in (1, 2) for a in salt(12)]
    for s, (n_na, n_cl) in zip(salts, [(1, 1), (1, 2), (2, 1)] * 8, strict=True):
        s.atoms = Atoms(f"Na{n_na}Cl{n_cl}", positions=3.0 * np.arange(3 * (n_na + n_cl)).reshape(-1, 3))
        s.energy = -1.0 * n_na - 30.0 * n_cl
    assert [row for row in found_in(salts) if row["what"] == "energy"] == []
    salts[5].energy += 20.0
    assert [row["index"] for row in found_in(salts) if row["what"] == "energy"] == [salts[5].index]


def test_structures_that_are_there_twice_are_named_and_other_labels_are_a_warning():
    made = structures()
    made[9].atoms, made[9].energy, made[9].forces = made[3].atoms.copy(), made[3].energy, made[3].forces
    made[11].atoms = made[4].atoms.copy()
    twins = duplicates(made)
    assert [(t["index"], t["of_index"], t["same_labels"]) for t in twins] == [(9, 3, True), (11, 4, False)]
    same, other = notes_of([], twins)
    assert same.startswith("1 structure repeats another one: cu.xyz, structure 9 (as cu.xyz, 3)")
    assert other.startswith("WARNING: 1 structure repeats another one with other labels: cu.xyz, structure 11")


@pytest.fixture
def predictions():
    rng = np.random.default_rng(3)
    made = []
    for k, s in enumerate(labeled(salt(12), MLCalculator(known_model()))):
        forces = 5.0 * s.get_forces()
        structure = Structure(s, s.get_potential_energy(), forces, source="a.xyz", index=k)
        structure.split = "test" if k % 3 == 0 else "train"
        error = rng.normal(size=(8, 3)) * (1 + (s.numbers == 17))[:, None]
        made.append(Prediction(structure, structure.energy + rng.normal(), forces + error, np.zeros((3, 3))))
    return made


def test_errors_in_parts_are_those_of_their_atoms(predictions):
    table = errors_by_element(predictions)
    test = [p for p in predictions if p.structure.split == "test"]
    errors = np.concatenate([(p.forces - p.structure.forces)[p.structure.atoms.numbers == 17] for p in test])
    assert table["test"]["Cl"]["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert table["test"]["Cl"]["atoms"] == len(errors) and table["train"]["Cl"]["mae"] > table["train"]["Na"]["mae"]
    sizes = errors_by_force(predictions)["test"]
    norms = np.concatenate([np.linalg.norm(p.structure.forces, axis=1) for p in test])
    for row in sizes:
        assert row["atoms"] == np.sum((norms >= row["above"]) & (norms < (row["below"] or np.inf)))
    assert sum(row["atoms"] for row in sizes) == len(norms) and len(sizes) > 1
    curve = cumulative(predictions)["forces"]["train"]
    all_errors = np.abs(np.concatenate([(p.forces - p.structure.forces).ravel() for p in predictions
                                        if p.structure.split == "train"]))  # fmt: skip
    at = curve["share"].index(50.0)
    assert curve["error"][at] == pytest.approx(np.median(all_errors)) and curve["error"][-1] == all_errors.max()


def test_the_map_puts_a_foreign_structure_far_from_the_training_set(predictions):
    atoms = predictions[0].structure.atoms.copy()
    atoms.set_cell(1.4 * atoms.cell, scale_atoms=True)
    predictions[0].structure.atoms = atoms
    points = similarity(known_model(), predictions)["points"]
    nearest = [p["nearest"] for p in points]
    assert int(np.argmax(nearest)) == 0 and nearest[0] > 2 * np.sort(nearest)[-2]
    assert len(points) == 12 and all(p["force_error"] > 0 for p in points)
    assert similarity(known_model(), predictions[:2]) == {}


def copies(frames):
    """Frames that may be changed."""
    out = [atoms.copy() for atoms in frames]
    for mine, atoms in zip(out, frames, strict=True):
        mine.calc = SinglePointCalculator(mine, **copy.deepcopy(atoms.calc.results))
    return out


class Page(HTMLParser):
    """The tags of a page and where they point to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]


def test_the_page_is_one_file_with_everything_of_the_json(tmp_path):
    data = copies(argon())
    data[5].info["config_type"] = "<script>alert('x')</script>"
    wanted = options(tmp_path, data={"config_type": "config_type"}, learning_curve=[5, 24], committee={"members": 4})
    wanted["expansions"][0]["cutoff"] = 6.0
    result = fit(wanted, data, progress=False)
    text = (result.report_path / "report.html").read_text()
    report = json.loads((result.report_path / "report.json").read_text())
    page = Page(text)
    assert "script" not in page.tags and "alert(" in text  # what comes from data is shown, not run
    assert page.sources and all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert len(page.sources) == len(report["figures"]) == len(list(result.report_path.glob("*.png")))
    for title in ("Summary", "The data", "Errors", "Errors in parts", "Worst structures", "Uncertainty", "Options",
                  "Training and test structures", "Learning curve", "Where there are no data"):  # fmt: skip
        assert f"<h2>{title}</h2>" in text, title
    for key in ("statistics", "errors_by_element", "errors_by_force", "cumulative_errors", "similarity",
                "learning_curve", "worst", "committee_calibration", "options"):  # fmt: skip
        assert report[key], key
    first = report["worst"]["forces"][0]
    worst = ase.io.read(result.report_path / "worst.xyz", ":")
    mine = next(a for a in worst if a.info["index"] == first["index"] and a.info["source"] == first["file"])
    error = mine.get_forces() - mine.arrays["reference_forces"]
    assert np.abs(error).max() == pytest.approx(abs(first["error"]), rel=1e-3)
    assert re.search(rf"<td>{first['index']}</td>", text)


def test_what_cannot_be_drawn_is_a_warning_and_the_model_is_there(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no ink")

    monkeypatch.setattr("mlcalc.train.review.page.figures.worst", fail)
    monkeypatch.setattr("mlcalc.train.run.fit_curve", fail)
    result = fit(options(tmp_path, learning_curve=[2, 4]), known_data(), progress=False)
    assert result.model_path.exists() and (result.report_path / "report.html").exists()
    warnings = [note for note in result.report["notes"] if "no ink" in note]
    assert len(warnings) == 2 and all(w.startswith("WARNING: ") and "could not be made" in w for w in warnings)
    assert "learning curve" in warnings[0] and "no ink" in (result.report_path / "report.txt").read_text()


@pytest.mark.parametrize("term", [SOAP, KERNEL])
@pytest.mark.parametrize(
    "changes", [{}, {"solver": {"regularization": 1e-3}}, {"data": {"split": {"validation": 0.0}}}]
)
def test_a_learning_curve_ends_at_the_model_and_computes_no_row_again(tmp_path, computed, term, changes):
    wanted = options(tmp_path, term, learning_curve=[3, 18], **{"data": {"split": {"validation": 0.2, "test": 0.2}},
                                                               "solver": {"criterion": "gcv"}} | changes)  # fmt: skip
    wanted["data"]["split"] = {"test": 0.2} | wanted["data"]["split"]
    n_train = 30 - round(30 * wanted["data"]["split"]["validation"]) - 6
    wanted["learning_curve"][1] = n_train
    if "solver" not in changes and n_train == 18:
        wanted["solver"] = {"criterion": "validation"}
    result = fit(wanted, known_data(), progress=False, figures=False)
    first, last = result.report["learning_curve"]["points"]
    assert len(computed) == len(set(computed)) > 0
    assert (first["structures"], last["structures"]) == (3, n_train)
    assert last["lam"] == pytest.approx(result.report["regularization"]["lam"], rel=1e-6)
    for kind in ("energy", "forces"):
        rmse = last["errors"]["test"][kind]["rmse"]
        assert rmse == pytest.approx(result.report["errors"]["test"]["all"][kind]["rmse"], rel=1e-3, abs=1e-9)
        if term is SOAP:  # few points of a kernel do not fit these labels, however many there are
            assert first["errors"]["test"][kind]["rmse"] > rmse
    assert "Learning curve" in result.report["text"]


def test_offsets_of_groups_that_a_subset_has_not_seen_are_not_counted(tmp_path):
    data = copies(known_data())
    for k, atoms in enumerate(data):
        atoms.info["series"] = f"s{k % 2}"
        atoms.calc.results["energy"] += 7.0 * (k % 2)
    wanted = options(
        tmp_path, data={"energy_offset": "series"}, learning_curve=[2, 18], solver={"regularization": 1e-4}
    )
    points = fit(wanted, data, progress=False, figures=False).report["learning_curve"]["points"]
    assert points[-1]["errors"]["test"]["energy"]["rmse"] < 0.1
    assert points[0]["errors"]["test"]["energy"]["max"] < 7.0 / 8


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ([5, 5], "learning_curve must be numbers that increase, got [5, 5]"),
        ([10, 4], "learning_curve must be numbers that increase"),
        ([1, 4], "learning_curve[0] must be at least 2, got 1"),
        ([5, 500], "learning_curve: 500 is more than the 18 training structures"),
        ([2.5], "learning_curve[0] must be a whole number"),
        (7, "learning_curve must be a list, got 7"),
    ],
)
def test_sizes_that_cannot_be_are_said_before_any_work(tmp_path, monkeypatch, sizes, sentence):
    monkeypatch.setattr("mlcalc.train.run.plan_of", lambda *a: pytest.fail("work has begun"))
    with pytest.raises(OptionError, match=re.escape(sentence)):
        fit(options(tmp_path, learning_curve=sizes), known_data(), progress=False)


def test_the_data_are_shown_before_anything_is_fitted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = known_data()
    data.append(data[0].copy())
    data[-1].calc = data[0].calc
    ase.io.write("salt.xyz", data)
    assert main(["train", "--template", "salt.xyz", "--no-trial", "-o", "o.yaml"]) == 0
    assert main(["train", "o.yaml", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "Cl4Na4 (31)" in shown and "shortest distance" in shown
    assert "1 structure repeats another one: salt.xyz, structure 30 (as salt.xyz, 0)" in shown
