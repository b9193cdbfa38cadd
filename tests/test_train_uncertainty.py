# SPDX-License-Identifier: BSD-3-Clause
"""Committees of a training run: members, their gauge, calibration, limits, and what is written about them."""

import warnings

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from test_train_signs import copper, label
from training_cases import KERNEL, SOAP, known_data, options, pushed

from mlcalc import MLCalculator, UncertaintyError
from mlcalc.cli import main
from mlcalc.train import fit
from mlcalc.train.committee import member_subsets


def noisy(n=30, noise=0.02):
    rng, made = np.random.default_rng(1), []
    for atoms in known_data()[:n]:
        copied = atoms.copy()
        results = {k: v + noise * np.std(v) * rng.normal(size=np.shape(v)) for k, v in atoms.calc.results.items()}
        copied.calc = SinglePointCalculator(copied, **{k: results[k] for k in ("energy", "forces", "stress")})
        made.append(copied)
    return made


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    folder = tmp_path_factory.mktemp("committee")
    wanted = options(folder, committee={"members": 8}, data={"reference_energies": "fit"})
    return fit(wanted, noisy(), progress=False, figures=False)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize(("n_folds", "members"), [(10, 4), (10, 5), (16, 8), (24, 12), (11, 4)])
def test_every_fold_is_in_some_members_and_not_in_others(n_folds, members, fraction):
    for seed in range(50):
        subsets = member_subsets(n_folds, members, fraction, seed)
        membership = np.array([[k in s for k in range(n_folds)] for s in subsets])
        assert len(subsets) == members and (membership.sum(axis=1) == len(subsets[0])).all()
        count = membership.sum(axis=0)
        assert count.min() >= 1 and count.max() <= members - 1 and np.ptp(count) <= 1


@pytest.mark.parametrize("seed", [2, 3, 7])
def test_what_only_one_structure_has_is_uncertain(tmp_path, seed):
    frames = copper(20)
    rare = frames[3]
    rare.symbols[:2] = "Au"
    label(rare)
    wanted = options(tmp_path, data={"stress": None, "split": {"validation": 0.2, "test": 0.0}}, seed=seed,
                     committee={"members": 4})  # fmt: skip
    wanted["data"]["split"] = {"method": "key", "key": "set"}
    for k, atoms in enumerate(frames):
        atoms.info["set"] = "validation" if k % 5 == 4 else "train"
    model = fit(wanted, frames, progress=False, figures=False).model
    gold = bulk("Au", cubic=True)
    gold.rattle(0.1, seed=1)
    calc = MLCalculator(model)
    known = calc.get_property("forces_uncertainty", frames[0].copy())
    assert calc.get_property("energy_uncertainty", gold) > 0.1
    assert np.abs(calc.get_property("forces_uncertainty", gold)).max() > 3 * np.abs(known).max()


@pytest.mark.parametrize("term", [SOAP, KERNEL])
def test_members_agree_on_the_mean_energy_of_an_atom_of_each_species(tmp_path, term):
    """One composition: nothing else says how the energy is divided between Na and Cl."""
    result = fit(options(tmp_path, term, committee={"members": 8}), noisy(), progress=False, figures=False)
    calc = MLCalculator(result.model)
    calc._spread_scale = 1.0
    splits = result.model.provenance["data"]["members"]["frames"]["train"]
    train = [k for part in splits.split(", ") for k in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)]
    energies = {11: [], 17: []}
    for k in train:
        members = calc.get_property("committee_energies", noisy()[k].copy())
        for z in energies:
            energies[z].append(members[:, noisy()[k].numbers == z])
    for z in energies:
        means = np.concatenate(energies[z], axis=1).mean(axis=1)
        assert means.std(ddof=1) < 0.004  # weights.energy is 0.001


def test_the_mean_of_the_members_is_the_fit_to_all_structures(tmp_path, committee):
    strength = committee.report["regularization"]["lam"]
    wanted = options(tmp_path, solver={"regularization": strength}, data={"reference_energies": "fit"})
    single = fit(wanted, noisy(), progress=False, figures=False).model
    a, b = (m.terms[0].regressor.weights for m in (committee.model, single))
    assert a.shape[0] == 8 and np.ptp(a, axis=0).max() > 0
    np.testing.assert_allclose(a.mean(axis=0), b[0], atol=1e-6 * np.abs(b).max())


@pytest.mark.parametrize("kind", ["energy", "forces"])
def test_the_calibration_is_of_what_was_asked_for(tmp_path, kind):
    wanted = options(tmp_path, committee={"members": 4, "calibrate": kind})
    result = fit(wanted, noisy(), progress=False, figures=False)
    found = result.report["committee"]
    assert found["energy"]["scale"] != pytest.approx(found["forces"]["scale"], rel=1e-3)
    assert found["used"] == kind and result.model.committee.scale == found[kind]["scale"]
    assert f"calibrated on the {kind} of the validation set" in result.report["text"]


def test_written_predictions_are_those_of_the_calculator(committee):
    made = ase.io.read(committee.report_path / "predictions.xyz", ":")
    assert [a.info["split"] for a in made].count("train") == 18 and len(made) == 30
    calc = MLCalculator(committee.model)
    for atoms, original in list(zip(made, noisy(), strict=True))[::7]:
        plain = original.copy()
        assert atoms.get_potential_energy() == pytest.approx(calc.get_potential_energy(plain), abs=1e-6)
        np.testing.assert_allclose(atoms.get_forces(), calc.get_forces(plain), atol=1e-6)
        np.testing.assert_allclose(atoms.get_stress(), calc.get_stress(plain), atol=1e-7)
        np.testing.assert_allclose(atoms.info["reference_stress"][0, 0], original.get_stress()[0], atol=1e-7)
        spread = calc.get_property("forces_uncertainty", plain)
        np.testing.assert_allclose(atoms.arrays["forces_uncertainty"], spread, atol=1e-6)
        assert atoms.info["energy_uncertainty"] == pytest.approx(
            calc.get_property("energy_uncertainty", plain), rel=1e-4
        )


def test_the_limit_of_the_training_set_lets_it_pass_and_stops_what_is_pushed(committee):
    largest = committee.report["force_uncertainty"]["train"]["max"]
    for limit in ("auto", 3 * largest):
        calc = MLCalculator(committee.model_path, uncertainty=limit, on_uncertainty="raise")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            for atoms in noisy()[:10]:
                calc.get_potential_energy(atoms.copy())
        with pytest.raises(UncertaintyError, match="forces_uncertainty is above"):
            calc.get_potential_energy(pushed(noisy()[0], 0.5))


def test_the_documented_command_runs_on_the_training_distribution(committee, tmp_path, capsys):
    noisy()[0].write(tmp_path / "a.xyz")
    command = ["md", str(tmp_path / "a.xyz"), "-m", str(committee.model_path), "--max-uncertainty", "auto"]
    assert main([*command, "-T", "50", "-n", "20", "-o", str(tmp_path / "run")]) == 0
    pushed(noisy()[0], 0.5).write(tmp_path / "b.xyz")
    command[1] = str(tmp_path / "b.xyz")
    assert main([*command, "-n", "20", "-o", str(tmp_path / "stop")]) == 1
    assert "not trained for such an environment" in capsys.readouterr().err
    assert main(["info", str(committee.model_path)]) == 0
    assert "uncertainty of the force on an atom in training" in capsys.readouterr().out


def test_a_model_that_does_not_know_its_training_set_has_no_automatic_limit(committee):
    model = committee.model
    kept, model.provenance = model.provenance, {}
    try:
        with pytest.raises(ValueError, match="there is no limit 'auto'"):
            MLCalculator(model, uncertainty="auto")
    finally:
        model.provenance = kept
    with pytest.raises(ValueError, match="uncertainty must be a number, 'auto' or a dict"):
        MLCalculator(model, uncertainty="automatic")
