# SPDX-License-Identifier: BSD-3-Clause
"""Training runs from data to model file: what must come out when the answer is known."""

import json

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import ARGON_RHO, KERNEL, RHO, SOAP, argon, known_data, known_model, labeled, options, salt

from mlcalc.calculator import MLCalculator
from mlcalc.expansions import DensityExpansion, Gaussian, MultiWidth, PotentialExpansion, ShiftedCosine
from mlcalc.model import Invariant, Linear, Model, Term, Zbl
from mlcalc.train import DataError, OptionError, fit
from mlcalc.train.checkpoint import Checkpoint
from mlcalc.train.job import data_of, plan_of
from mlcalc.train.options import parse_options


def largest_error(report, split="test"):
    stats = report["errors"][split]["all"]
    return {q: stats[q]["max"] for q in ("energy", "forces", "stress")}


@pytest.mark.parametrize("method", ["qr", "normal"])
def test_a_known_linear_model_is_recovered(tmp_path, method):
    given = {"Na": -1.0, "Cl": -3.0}
    result = fit(
        options(tmp_path, data={"reference_energies": given}, solver={"method": method, "regularization": 1e-7}),
        known_data(), progress=False, figures=False,
    )  # fmt: skip
    errors = largest_error(result.report)
    assert errors["energy"] < 1e-6 and errors["forces"] < 1e-5 and errors["stress"] < 1e-7
    spread = np.std([a.get_forces() for a in known_data()])
    assert spread > 1e-2


def test_a_known_kernel_model_is_recovered(tmp_path):
    # weights drawn for the sparse points that the run will choose from these structures
    wanted = options(tmp_path, KERNEL, solver={"regularization": 1e-9}, data={"reference_energies": "zero"})
    job = data_of(parse_options(wanted), known_data(), _silent())
    with Checkpoint(tmp_path / "plan", "key") as checkpoint:
        case = plan_of(job, checkpoint)
    model = case.maker.engine.model
    rng = np.random.default_rng(0)
    for weights in model.terms[0].regressor.weights.values():
        weights[:] = rng.normal(size=weights.shape)
    result = fit(wanted, labeled(salt(30), MLCalculator(model)), progress=False, figures=False)
    errors = largest_error(result.report)
    assert errors["energy"] < 1e-5 and errors["forces"] < 1e-4


V = {
    "name": "V", "type": "potential", "exponent": 1, "smearing": 1.0, "n_max": 2, "l_max": 1,
    "basis": {"type": "multi_width", "widths": [1.0, 1.8]},
}  # fmt: skip


@pytest.mark.parametrize("boundaries", ["periodic", "slab", "free"])
def test_a_known_far_field_is_recovered(tmp_path, boundaries):
    rho = DensityExpansion(
        name="rho", n_max=2, l_max=1, cutoff=3.5, density=Gaussian(0.4), smoothing=ShiftedCosine(0.5)
    )
    field = PotentialExpansion(name="V", n_max=2, l_max=1, smearing=1.0, basis=MultiWidth((1.0, 1.8)))
    terms = [Term("soap", [Invariant(2, "rho", "rho")]), Term("lode", [Invariant(2, "rho", "V"), Invariant(1, "V")])]
    model = Model([11, 17], [rho, field], terms, boundaries=(boundaries,))
    for k, term in enumerate(terms):
        n = model.n_features(term)
        term.regressor = Linear(np.random.default_rng(k).normal(size=(2, n)) / n)
    frames = salt(24)
    if boundaries == "free":
        for atoms in frames:
            atoms.pbc = False
            atoms.cell = None
    if boundaries == "slab":
        for atoms in frames:
            atoms.pbc = [True, False, True]
            atoms.cell[1] *= 3.0
    labels = ("energy", "forces", "stress") if boundaries != "free" else ("energy", "forces")
    data = labeled(frames, MLCalculator(model), labels)
    soap = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}
    lode = {**soap, "name": "lode", "invariants": [{"nu": 2, "a": "rho", "b": "V"}, {"nu": 1, "a": "V"}]}
    entries = {"reference_energies": "zero", "stress": "stress" if boundaries != "free" else None}
    near = {**RHO, "n_max": 2, "l_max": 1, "cutoff": 3.5}
    errors = {}
    for name, used in (("soap", [soap]), ("both", [soap, lode])):
        result = fit(
            options(tmp_path, expansions=[near, V], terms=used, data=entries, solver={"regularization": 1e-9}),
            data, progress=False, figures=False,
        )  # fmt: skip
        errors[name] = result.report["errors"]["test"]["all"]["forces"]["max"]
    assert errors["both"] < 1e-5 < 1e-2 * errors["soap"]
    if boundaries != "free":
        assert largest_error(result.report)["stress"] < 1e-7
    assert result.model.boundaries == (boundaries,)


def _silent():
    from mlcalc.train.progress import Progress

    return Progress(False)


def test_the_repulsion_is_taken_out_before_the_fit(tmp_path):
    model = known_model(zbl=Zbl(2.0, 3.5))
    data = labeled(salt(30), MLCalculator(model))
    entries = {"zbl": {"inner": 2.0, "outer": 3.5}, "reference_energies": {"Na": -1.0, "Cl": -3.0}}
    result = fit(options(tmp_path, data=entries, solver={"regularization": 1e-7}), data, progress=False, figures=False)
    assert largest_error(result.report)["forces"] < 1e-5
    assert Model.load(result.model_path).zbl == Zbl(2.0, 3.5)
    entries["zbl"] = None
    without = fit(options(tmp_path, data=entries, solver={"regularization": 1e-7}), data, progress=False, figures=False)
    assert largest_error(without.report)["forces"] > 1e-2


def test_offsets_of_groups_are_found(tmp_path):
    frames = salt(30)
    for k, atoms in enumerate(frames):
        atoms.info["code"] = "a" if k % 2 else "b"
    data = labeled(frames, MLCalculator(known_model(reference=(0.0, 0.0))))
    for atoms in data:
        atoms.calc.results["energy"] += 700.0 if atoms.info["code"] == "a" else -20.0
    entries = {"energy_offset": "code", "reference_energies": "zero"}
    result = fit(options(tmp_path, data=entries, solver={"regularization": 1e-7}), data, progress=False, figures=False)
    assert result.report["offsets"] == pytest.approx({"a": 700.0, "b": -20.0}, abs=1e-3)
    assert largest_error(result.report)["energy"] < 1e-5
    # dynamics must not see the offsets
    atoms = data[0].copy()
    atoms.calc = MLCalculator(result.model_path)
    offset = 700.0 if data[0].info["code"] == "a" else -20.0
    assert atoms.get_potential_energy() == pytest.approx(data[0].get_potential_energy() - offset, abs=2e-3)


def test_structures_without_some_labels_are_used(tmp_path):
    data = [a.copy() for a in known_data()]
    for k, (atoms, full) in enumerate(zip(data, known_data(), strict=True)):
        names = (("energy",), ("forces",), ("energy", "forces", "stress"))[k % 3]
        atoms.calc = SinglePointCalculator(atoms, **{name: full.calc.results[name] for name in names})
    result = fit(
        options(tmp_path, data={"reference_energies": {"Na": -1.0, "Cl": -3.0}}, solver={"regularization": 1e-7}),
        data, progress=False, figures=False,
    )  # fmt: skip
    assert largest_error(result.report)["forces"] < 1e-4


@pytest.mark.parametrize("term", [SOAP, {**KERNEL, "regressor": {"type": "kernel", "zeta": 2, "points": 60}}])
def test_lennard_jones_is_learned_with_a_committee_that_knows_its_errors(tmp_path, term):
    result = fit(
        options(tmp_path, term, expansions=[ARGON_RHO], committee={"members": 8}, data={"config_type": "config_type"},
                weights={"energy": 0.0005, "forces": 0.005, "virial": 0.002}),
        argon(), progress=False, figures=True,
    )  # fmt: skip
    report = result.report
    forces = np.concatenate([a.get_forces().ravel() for a in argon()])
    assert report["errors"]["test"]["all"]["forces"]["rmse"] < 0.08 * forces.std()
    stress = np.concatenate([a.get_stress() for a in argon()])
    assert report["errors"]["test"]["all"]["stress"]["rmse"] < 0.08 * stress.std()
    assert set(report["errors"]["test"]) == {"all", "even", "odd"}
    assert report["committee"]["scale"] > 0
    table = report["committee_calibration"]["forces"]
    assert sum(r["n"] for r in table) == 8 * 12
    # where the committee expects larger errors there are larger errors
    half = len(table) // 2
    assert np.mean([r["rmse"] for r in table[half:]]) > np.mean([r["rmse"] for r in table[:half]])
    folder = result.report_path
    assert json.loads((folder / "report.json").read_text())["errors"].keys() == report["errors"].keys()
    for name in ("parity.png", "uncertainty.png", "regularization.png", "report.txt"):
        assert (folder / name).stat().st_size > 100
    model = Model.load(result.model_path)
    assert model.committee.n_members == 8
    assert model.committee.scale == report["committee"]["scale"]
    assert model.provenance["data"]["splits"]["train"]["structures"] == 24
    assert model.provenance["options"]["seed"] == 1


def test_every_way_to_reference_energies(tmp_path):
    from ase import Atoms

    single = []
    for symbol, e in (("Na", -1.0), ("Cl", -3.0)):
        atoms = Atoms(symbol, cell=[20.0] * 3, pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=e)
        single.append(atoms)
    data = known_data() + single
    isolated = fit(options(tmp_path, data={"reference_energies": "isolated"}), data, progress=False, figures=False)
    assert isolated.model.reference_energies == [-1.0, -3.0]
    with pytest.raises(ValueError, match="no single-atom structure with an energy of Na, Cl"):
        fit(options(tmp_path, data={"reference_energies": "isolated"}), known_data(), progress=False, figures=False)
    with pytest.raises(ValueError, match="lacks Cl"):
        fit(options(tmp_path, data={"reference_energies": {"Na": 1.0}}), known_data(), progress=False, figures=False)
    fitted = fit(options(tmp_path, data={"reference_energies": "fit"}), known_data(), progress=False, figures=False)
    mean = np.mean([a.get_potential_energy() for a in known_data()])
    assert 4 * sum(fitted.model.reference_energies) == pytest.approx(mean, abs=0.5)


def test_feature_selection_and_species_coupling(tmp_path):
    term = {**SOAP, "invariants": [{"nu": 2, "a": "rho", "select": {"n": 20, "method": "cur"}}]}
    coupled = {**RHO, "mixing": {"method": "pca", "channels": 1}}
    result = fit(options(tmp_path, term, expansions=[coupled]), known_data(), progress=False, figures=False)
    invariant = result.model.terms[0].invariants[0]
    assert invariant.selection is None  # one channel: 18 features, fewer than asked for
    assert result.model.n_features("soap") == 18
    result = fit(options(tmp_path, term), known_data(), progress=False, figures=False)
    assert result.model.n_features("soap") == 20
    assert Model.load(result.model_path).n_features("soap") == 20


def test_optimized_couplings_beat_their_start(tmp_path):
    """Labels that come from one pseudo-species density: the coupling it is made of is found again."""
    truth = np.array([[0.9, -np.sqrt(1 - 0.81)]])
    rho = DensityExpansion(
        name="rho", n_max=3, l_max=2, cutoff=4.0, density=Gaussian(0.4), smoothing=ShiftedCosine(0.5),
        mixing=((0.9, -float(np.sqrt(1 - 0.81))),),
    )  # fmt: skip
    model = Model([11, 17], [rho], [Term("soap", [Invariant(2, "rho", "rho")])])
    n = model.n_features("soap")
    model.terms[0].regressor = Linear(np.random.default_rng(4).normal(size=(2, n)) / n)
    data = labeled(salt(20), MLCalculator(model))
    errors = {}
    for method in ("pca", "optimize"):
        coupled = {**RHO, "mixing": {"method": method, "channels": 1, "evaluations": 30}}
        result = fit(
            options(tmp_path, expansions=[coupled], data={"reference_energies": "zero"}), data,
            progress=False, figures=False,
        )  # fmt: skip
        errors[method] = result.report["errors"]["test"]["all"]["forces"]["rmse"]
    assert errors["optimize"] < 0.2 * errors["pca"]
    found = np.array(result.model.expansions[0].mixing)
    assert abs(found @ truth.T) > 0.995


@pytest.mark.parametrize("term", [SOAP, KERNEL])
def test_the_model_knows_what_it_was_trained_on(tmp_path, term):
    result = fit(options(tmp_path, term), known_data(), progress=False, figures=False)
    calculator = MLCalculator(result.model_path)
    inside = max(calculator.get_property("extrapolation", a.copy()).max() for a in known_data()[:10])
    crushed = known_data()[0].copy()
    crushed.set_cell(0.8 * crushed.cell, scale_atoms=True)
    assert calculator.get_property("extrapolation", crushed).min() > 2 * inside


def test_stress_labels_of_the_wrong_sign_are_noticed(tmp_path):
    data = [a.copy() for a in known_data()]
    for atoms, full in zip(data, known_data(), strict=True):
        results = {k: full.calc.results[k] for k in ("energy", "forces")}
        atoms.calc = SinglePointCalculator(atoms, **results, stress=-full.calc.results["stress"])
    # stresses with hardly any weight: energies and forces decide, and contradict the labels
    weights = {"energy": 1e-4, "forces": 0.001, "virial": 1e3}
    report = fit(
        options(tmp_path, weights=weights, solver={"regularization": 1e-6}), data, progress=False, figures=False
    ).report
    assert any("opposite sign" in note for note in report["notes"])


def test_refitting_with_the_validation_set(tmp_path):
    result = fit(options(tmp_path, solver={"refit": True}), known_data(), progress=False, figures=False)
    assert any("not held out" in note for note in result.report["notes"])
    with pytest.raises(OptionError, match="nothing held out"):
        fit(
            options(tmp_path, solver={"refit": True}, committee={"members": 4}),
            known_data(),
            progress=False,
            figures=False,
        )


def test_what_cannot_be_trained_on_is_named(tmp_path):
    data = [a.copy() for a in known_data()]
    for atoms, full in zip(data, known_data(), strict=True):
        atoms.calc = full.calc
    with pytest.raises(OptionError, match="unknown option 'liquid'.*Known here: all"):
        fit(options(tmp_path, weights={"config_types": {"liquid": 2}}), data, progress=False)
    coupled = {**RHO, "mixing": {"method": "pca", "channels": 3}}
    with pytest.raises(OptionError, match="3 channels of 2 species"):
        fit(options(tmp_path, expansions=[coupled]), data, progress=False)
    without = {k: v for k, v in RHO.items() if k != "cutoff"}
    with pytest.raises(OptionError, match="'cutoff' is missing"):
        fit(options(tmp_path, expansions=[without]), data, progress=False)
    data[7] = data[7].copy()
    data[7].positions[1] = data[7].positions[0]
    data[7].calc = SinglePointCalculator(data[7], energy=0.0)
    with pytest.raises(DataError, match="frames, structure 7: atoms 0 and 1 are at the same place"):
        fit(options(tmp_path), data, progress=False)


def test_weights_of_config_types_decide_what_is_fitted(tmp_path):
    """Half of the labels are wrong: with a large sigma they hardly matter."""
    data = [a.copy() for a in known_data()]
    for k, (atoms, full) in enumerate(zip(data, known_data(), strict=True)):
        atoms.info["kind"] = "wrong" if k % 2 else "right"
        forces = full.get_forces() * (3 if k % 2 else 1)
        atoms.calc = SinglePointCalculator(atoms, energy=full.get_potential_energy(), forces=forces)
    entries = {"config_type": "kind", "stress": None, "reference_energies": {"Na": -1.0, "Cl": -3.0}}
    error = {}
    for factor in (1, 1000):
        weights = {"energy": 0.001, "forces": 0.01, "config_types": {"wrong": factor}}
        report = fit(options(tmp_path, data=entries, weights=weights, solver={"regularization": 1e-6}), data,
                     progress=False, figures=False).report  # fmt: skip
        error[factor] = report["errors"]["test"]["right"]["forces"]["rmse"]
    assert error[1000] < 0.02 * error[1]
