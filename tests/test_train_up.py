# SPDX-License-Identifier: BSD-3-Clause
"""More data for a finished run: rows of what is new only, and the model of a run from nothing."""

import shutil

import ase.io
import numpy as np
import pytest
import yaml
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import KERNEL, SOAP, known_data, options

from mlcalc.cli import main
from mlcalc.model import Model
from mlcalc.train import fit

TWO_FACTORS = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}, {"nu": 1, "a": "rho"}],
               "regressor": {"type": "linear"}}  # fmt: skip
#: far from the rounding of the fit, so that 1e-10 is asked of what differs and not of the condition of the problem
SOLVER = {"regularization": 1e-3}


def quiet(wanted, frames):
    return fit(wanted, frames, progress=False, figures=False)


def weights_of(model):
    regressor = model.terms[0].regressor
    if isinstance(regressor.weights, dict):
        return np.concatenate([regressor.weights[z].ravel() for z in sorted(regressor.weights)])
    return regressor.weights.ravel()


def assert_same(a, b):
    x, y = weights_of(a.model), weights_of(b.model)
    assert x.shape == y.shape and np.abs(x - y).max() <= 1e-10 * np.abs(y).max()
    for p, q in zip(a.model.terms[0].invariants, b.model.terms[0].invariants, strict=True):
        assert p.scale == q.scale


def relabeled(atoms, factor):
    copy = atoms.copy()
    results = {k: factor * np.asarray(v) for k, v in atoms.calc.results.items() if k in ("energy", "forces", "stress")}
    copy.calc = SinglePointCalculator(copy, **results)
    return copy


@pytest.mark.parametrize("order", ["behind", "in front"])
@pytest.mark.parametrize("changes", [{}, {"committee": {"members": 4}}, {"solver": {"criterion": "structures"}}])
def test_new_data_cost_their_own_rows_and_give_the_model_of_a_run_from_nothing(tmp_path, computed, changes, order):
    data = known_data()
    data = data if order == "behind" else data[20:] + data[:20]
    wanted = options(tmp_path, TWO_FACTORS, keep_checkpoint=True, **{"solver": SOLVER, **changes})
    # the split is not that of the smaller set either: what was a test structure has no rows yet
    wanted["data"]["split"] = {"validation": 0.2, "test": 0.0}
    quiet(wanted, known_data()[:20])
    assert len(computed) == 20
    computed.clear()
    grown = quiet(wanted, data)
    assert sorted(computed) == list(range(20, 30) if order == "behind" else range(10))
    nothing = quiet({**wanted, "model": str(tmp_path / "nothing.mlcalc")}, data)
    assert_same(grown, nothing)
    errors = [r.report["errors"]["train"]["all"]["forces"]["rmse"] for r in (grown, nothing)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)


def test_a_kernel_that_keeps_its_points_is_that_of_a_run_from_nothing_with_them(tmp_path, computed):
    wanted = options(tmp_path, KERNEL, keep_checkpoint=True, keep_representation=True, solver=SOLVER)
    wanted["data"]["split"] = {"validation": 0.2}
    first = quiet(wanted, known_data()[:20])
    computed.clear()
    grown = quiet(wanted, known_data())
    assert sorted(computed) == list(range(20, 30))
    assert any("that of the run before" in note for note in grown.report["notes"])
    for z in (11, 17):
        assert np.array_equal(grown.model.terms[0].regressor.points[z], first.model.terms[0].regressor.points[z])
    other = {**wanted, "model": str(tmp_path / "other.mlcalc")}
    shutil.copytree(tmp_path / "model-checkpoint", tmp_path / "other-checkpoint")
    shutil.rmtree(tmp_path / "other-checkpoint/rows")
    for factor in (tmp_path / "other-checkpoint").glob("fold*"):
        factor.unlink()
    computed.clear()
    assert_same(grown, quiet(other, known_data()))
    assert len(computed) == 30


def test_a_kernel_chooses_its_points_anew_where_nothing_else_is_asked(tmp_path):
    wanted = options(tmp_path, KERNEL, keep_checkpoint=True, solver=SOLVER)
    kept = {**wanted, "keep_representation": True}
    quiet(kept, known_data()[:20])
    quiet(kept, known_data())
    renewed = quiet(wanted, known_data())  # the same data, but now without what was kept
    assert_same(renewed, quiet({**wanted, "model": str(tmp_path / "nothing.mlcalc")}, known_data()))


def test_a_label_that_has_changed_is_seen_and_costs_no_rows(tmp_path, computed):
    wanted = options(tmp_path, keep_checkpoint=True, solver=SOLVER)
    before = quiet(wanted, known_data())
    computed.clear()
    changed = known_data()
    place = before.model.provenance["data"]["members"]["frames"]["train"]
    changed[int(place.replace("-", ",").split(",")[0])] = relabeled(
        changed[int(place.replace("-", ",").split(",")[0])], 2
    )
    after = quiet(wanted, changed)
    assert not computed
    assert (
        np.abs(weights_of(after.model) - weights_of(before.model)).max() > 1e-4 * np.abs(weights_of(before.model)).max()
    )
    assert_same(after, quiet({**wanted, "model": str(tmp_path / "nothing.mlcalc")}, changed))


def test_a_structure_that_has_moved_is_a_new_one(tmp_path, computed):
    wanted = options(tmp_path, keep_checkpoint=True)
    wanted["data"]["split"] = {"validation": 0.2}
    quiet(wanted, known_data())
    computed.clear()
    moved = known_data()
    results = {k: moved[3].calc.results[k] for k in ("energy", "forces", "stress")}
    moved[3] = moved[3].copy()
    moved[3].positions[0, 0] += 1e-9
    moved[3].calc = SinglePointCalculator(moved[3], **results)
    quiet(wanted, moved)
    assert computed == [3]


def test_rows_of_what_is_not_there_any_more_leave_the_disk(tmp_path):
    wanted = options(tmp_path, keep_checkpoint=True)
    quiet(wanted, known_data()[:15])
    first = {p.stem for p in (tmp_path / "model-checkpoint/rows").glob("*/*.npy")}
    quiet(wanted, known_data()[15:])
    second = {p.stem for p in (tmp_path / "model-checkpoint/rows").glob("*/*.npy")}
    assert first and second and not first & second


@pytest.mark.parametrize("change", ["options", "species"])
def test_what_cannot_be_kept_is_said(tmp_path, change):
    wanted = options(tmp_path, SOAP, keep_checkpoint=True, keep_representation=True)
    quiet(wanted, known_data()[:20])
    data = known_data()
    if change == "options":
        wanted["expansions"][0]["n_max"] = 2
    else:
        for atoms in data[::2]:
            atoms.numbers[0] = 19
    try:
        notes = quiet(wanted, data).report["notes"]
    finally:
        for atoms in data[::2]:
            atoms.numbers[0] = 11
    asked = "options of the representation have changed" if change == "options" else "it is for other species"
    assert any(asked in note for note in notes)


def test_the_data_file_may_grow(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ase.io.write("salt.xyz", known_data()[:20])
    wanted = options(tmp_path, data={"files": ["salt.xyz"]}, keep_checkpoint=True, solver=SOLVER)
    (tmp_path / "options.yaml").write_text(yaml.safe_dump({**wanted, "model": "model.mlcalc"}))
    assert main(["train", "options.yaml", "--quiet"]) == 0
    ase.io.write("salt.xyz", known_data()[20:], append=True)
    assert main(["train", "options.yaml", "--quiet"]) == 0
    nothing = fit({**wanted, "model": "nothing.mlcalc"}, progress=False, figures=False)
    x, y = weights_of(Model.load("model.mlcalc")), weights_of(nothing.model)
    assert np.abs(x - y).max() <= 1e-10 * np.abs(y).max()
