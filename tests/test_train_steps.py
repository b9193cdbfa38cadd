# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a training run, each for itself: rows, checkpoints, locks, sampling, criteria, files."""

import errno
import fcntl
import json

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import RHO, SOAP, known_data, options

from mlcalc.cli import main
from mlcalc.model import Model
from mlcalc.running.features import Descriptor
from mlcalc.train import design as design_module
from mlcalc.train import fit, parse_options
from mlcalc.train.checkpoint import Checkpoint
from mlcalc.train.data import Structure
from mlcalc.train.design import sigmas
from mlcalc.train.job import data_of
from mlcalc.train.progress import Progress
from mlcalc.train.regularize import Problem, score_curve
from mlcalc.train.select import choose
from mlcalc.train.solve import Prior, PriorBlock


def weights(result):
    return result.model.terms[0].regressor.weights


@pytest.fixture
def counted(monkeypatch):
    """The structures whose rows are computed, in order."""
    compute, calls = design_module.RowMaker.__call__, []

    def call(self, target):
        calls.append(target.structure.index)
        return compute(self, target)

    monkeypatch.setattr(design_module.RowMaker, "__call__", call)
    return calls


CHANGES = {
    "weights": {"weights": {"energy": 0.1, "forces": 0.5, "virial": 0.7}},
    "reference energies": {"data": {"reference_energies": {"Na": -2.0, "Cl": -4.0}}},
    "calibration": {"committee": {"calibrate": "energy"}},
    "memory": {"budget": {"threads": 1, "memory": "1 GB"}},
    "solver": {"solver": {"regularization": 1e-3}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_shape_the_rows_computes_none_again(tmp_path, counted, change):
    base = options(tmp_path, keep_checkpoint=True, solver={"regularization": 1e-5})
    fit(base, known_data(), progress=False, figures=False)
    assert len(counted) == 24
    changed = options(tmp_path, keep_checkpoint=True, **{"solver": {"regularization": 1e-5}, **CHANGES[change]})
    again = fit(changed, known_data(), progress=False, figures=False)
    assert len(counted) == 24
    fresh = fit({**changed, "checkpoint": str(tmp_path / "fresh")}, known_data(), progress=False, figures=False)
    assert np.array_equal(weights(again), weights(fresh))


@pytest.mark.parametrize("change", [{"expansions": [{**RHO, "cutoff": 3.5}]}, {"expansions": [{**RHO, "l_max": 3}]}])
def test_what_shapes_the_rows_computes_them_again(tmp_path, counted, change):
    base = options(tmp_path, keep_checkpoint=True, solver={"regularization": 1e-5})
    fit(base, known_data(), progress=False, figures=False)
    again = fit({**base, **change}, known_data(), progress=False, figures=False)
    assert len(counted) == 48
    changed = {**base, **change, "checkpoint": str(tmp_path / "fresh")}
    assert np.array_equal(weights(again), weights(fit(changed, known_data(), progress=False, figures=False)))


def test_another_split_computes_only_the_rows_that_were_of_the_test_set(tmp_path, counted):
    base = options(tmp_path, keep_checkpoint=True, solver={"regularization": 1e-5})
    first = fit(base, known_data(), progress=False, figures=False)
    again = fit({**base, "seed": 4}, known_data(), progress=False, figures=False)
    tested = [{s.index for s in data_of(parse_options(o), known_data(), Progress(False)).data.of("test")}
              for o in (base, {**base, "seed": 4})]  # fmt: skip
    assert set(counted[24:]) == tested[0] - tested[1]
    fresh = fit({**base, "seed": 4, "model": str(tmp_path / "f.mlcalc")}, known_data(), progress=False, figures=False)
    assert np.array_equal(weights(again), weights(fresh)) and not np.array_equal(weights(again), weights(first))


def test_two_runs_never_share_a_checkpoint_folder(tmp_path):
    with Checkpoint(tmp_path / "model-checkpoint", "first"):
        with pytest.raises(ValueError, match="another run is using the checkpoint folder .*model-checkpoint"):
            fit(options(tmp_path), known_data(), progress=False, figures=False)
        assert json.loads((tmp_path / "model-checkpoint/run.json").read_text())["key"] == "first"
    fit(options(tmp_path), known_data(), progress=False, figures=False)
    assert not (tmp_path / "model-checkpoint").exists()
    Checkpoint(tmp_path / "model-checkpoint", "next").__exit__()


def test_a_run_that_failed_holds_no_lock(tmp_path):
    broken = options(tmp_path, terms=[{**SOAP, "regressor": {"type": "linear"}}], solver={"criterion": "validation"},
                     data={"split": {"validation": 0.0}})  # fmt: skip
    with pytest.raises(ValueError, match="leaves no validation structures"):
        fit(broken, known_data(), progress=False, figures=False)
    with open(tmp_path / "model-checkpoint/mlcalc.lock") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_costs_time_and_not_the_run(tmp_path, monkeypatch):
    plain = fit(options(tmp_path), known_data(), progress=False, figures=False)

    def full(path, write):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mlcalc.train.row_store.write_atomically", full)
    result = fit(options(tmp_path), known_data(), progress=False, figures=False)
    assert any("no space left for" in note for note in result.report["notes"])
    assert np.array_equal(weights(plain), weights(result))


def test_expected_errors_grow_with_the_root_of_the_number_of_atoms():
    parsed = parse_options({**options_of("weights"), "weights": {"energy": 0.002, "forces": 0.3, "virial": 0.07}})
    atoms = known_data()[0]
    one, eight = (sigmas(parsed, Structure(a)) for a in (atoms, atoms.repeat(2)))
    assert one == pytest.approx({"energy": 0.002 * 8**0.5, "forces": 0.3, "virial": 0.07 * 8**0.5})
    assert eight["energy"] / one["energy"] == pytest.approx(8**0.5)
    assert eight["virial"] / one["virial"] == pytest.approx(8**0.5)
    assert eight["forces"] == one["forces"]


def options_of(_):
    return {"data": {"files": ["a.xyz"]}, "expansions": [RHO], "terms": [SOAP]}


def test_farthest_points_are_far_from_each_other():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(400, 2))
    chosen = x[choose(x, 12)]
    others = x[rng.choice(400, 12, replace=False)]

    def nearest(points):
        d = np.linalg.norm(points[:, None] - points, axis=-1)
        return d[~np.eye(len(points), dtype=bool)].min()

    assert nearest(chosen) > 3 * nearest(others) and nearest(chosen) > 0.2
    covered = np.linalg.norm(x[:, None] - chosen, axis=-1).min(axis=1).max()
    assert covered <= nearest(chosen) * 1.0001  # what is left is nearer to them than they to each other


def test_the_validation_score_is_the_geometric_mean_over_the_kinds_of_labels():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 6))
    kinds = {kind: (rng.normal(size=(n, 6)), n) for kind, n in (("energy", 7), ("forces", 20), ("virial", 12))}
    prior = Prior([PriorBlock(0, 5)])

    def scores(validation):
        return score_curve(Problem([rows], validation, 30, 5), prior, "validation", 5)[1]

    alone = [scores({kind: part}) for kind, part in kinds.items()]
    np.testing.assert_allclose(scores(kinds), np.exp(np.mean(np.log(alone), axis=0)), rtol=1e-12)
    assert not np.allclose(alone[0], alone[1])


def test_the_worst_structures_are_named(tmp_path):
    data = []
    for k, atoms in enumerate(known_data()):
        copied = atoms.copy()
        results = {n: np.copy(v) for n, v in atoms.calc.results.items()}
        results["energy"] = results["energy"] + (5.0 if k == 11 else 0.0)
        copied.calc = SinglePointCalculator(copied, **{n: results[n] for n in ("energy", "forces", "stress")})
        data.append(copied)
    result = fit(options(tmp_path), data, progress=False, figures=False)
    first = result.report["worst"]["energy"][0]
    assert first["index"] == 11 and first["file"] == "frames"
    sigma = 0.001 / 8**0.5  # of the energy per atom of 8 atoms
    assert first["error_over_sigma"] == pytest.approx(first["error"] / sigma)
    assert "frames, structure 11" in (result.report_path / "report.txt").read_text()


@pytest.mark.parametrize("solver", [{"regularization": 1e-3}, {"criterion": "gcv"}])
def test_the_report_is_json(tmp_path, solver):
    result = fit(options(tmp_path, solver=solver), known_data(), progress=False, figures=False)

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    written = json.loads((result.report_path / "report.json").read_text(), parse_constant=refuse)
    assert list(written["errors"]) == ["train", "validation", "test"]


def test_features_of_every_term_are_its_own(tmp_path):
    rho = {**RHO, "name": "rho"}
    terms = [SOAP, {"name": "pairs", "invariants": [{"nu": 1, "a": "rho"}], "regressor": {"type": "linear"}}]
    result = fit(options(tmp_path, expansions=[rho], terms=terms), known_data(), progress=False, figures=False)
    known_data()[0].write(tmp_path / "a.xyz")
    out = tmp_path / "f.npz"
    assert main(["features", str(result.model_path), str(tmp_path / "a.xyz"), "-o", str(out)]) == 0
    arrays = np.load(out)
    model = Model.load(result.model_path)
    for k, name in enumerate(("soap", "pairs")):
        values = Descriptor.from_model(model, k)(known_data()[0]).values
        np.testing.assert_allclose(arrays[name], values, rtol=1e-6, atol=1e-9)


def test_predict_needs_no_labels(tmp_path, capsys):
    result = fit(options(tmp_path, committee={"members": 4}), known_data(), progress=False, figures=False)
    import ase.io

    from mlcalc import MLCalculator

    bare = [a.copy() for a in known_data()[:4]]
    ase.io.write(tmp_path / "bare.xyz", bare)
    out = tmp_path / "p.xyz"
    command = ["predict", str(result.model_path), str(tmp_path / "bare.xyz"), "-o", str(out), "--quiet"]
    assert main([*command, "--index", "1:"]) == 0
    made = ase.io.read(out, ":")
    assert len(made) == 3
    calc = MLCalculator(result.model_path)
    for got, atoms in zip(made, bare[1:], strict=True):
        assert got.get_potential_energy() == pytest.approx(calc.get_potential_energy(atoms), abs=1e-6)
        np.testing.assert_allclose(got.get_forces(), calc.get_forces(atoms), atol=1e-6)
        np.testing.assert_allclose(got.get_stress(), calc.get_stress(atoms), atol=1e-7)
        spread = calc.get_property("forces_uncertainty", atoms)
        np.testing.assert_allclose(got.arrays["forces_uncertainty"], spread, atol=1e-6)
        np.testing.assert_allclose(
            got.arrays["extrapolation"], calc.get_property("extrapolation", atoms), rtol=1e-4, atol=1e-6
        )
    bare[2].symbols[0] = "K"
    ase.io.write(tmp_path / "bare.xyz", bare)
    assert main(command) == 1
    assert "bare.xyz, structure 2: the model does not know K" in capsys.readouterr().err
