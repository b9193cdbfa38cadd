# SPDX-License-Identifier: BSD-3-Clause
"""Training runs from data to model file: what must come out when the answer is known."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from mlcalc.calculator import MLCalculator
from mlcalc.cli import main
from mlcalc.expansions import DensityExpansion, Gaussian, MultiWidth, PotentialExpansion, ShiftedCosine
from mlcalc.model import Invariant, Linear, Model, Term, Zbl
from mlcalc.train import OptionError, evaluate, fit
from mlcalc.train import design as design_module
from mlcalc.train.estimate import dry_run
from mlcalc.train.options import parse_options
from mlcalc.train.run import Run
from mlcalc.train.template import template

RHO = {
    "name": "rho", "type": "density", "n_max": 3, "l_max": 2, "cutoff": 4.0,
    "density": {"type": "gaussian", "width": 0.4}, "smoothing": {"type": "shifted_cosine", "width": 0.5},
}  # fmt: skip
SOAP = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}
KERNEL = {**SOAP, "regressor": {"type": "kernel", "zeta": 2, "points": 12}}


def salt(n, seed=0, amplitude=0.15):
    """Rattled and strained rock salt cells of 8 atoms."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(n):
        atoms = bulk("NaCl", "rocksalt", a=5.2 * rng.uniform(0.97, 1.05), cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.rattle(amplitude, seed=100 * seed + k)
        made.append(atoms)
    return made


def labelled(frames, calculator, properties=("energy", "forces", "stress")):
    out = []
    for atoms in frames:
        copy = atoms.copy()
        results = {p: np.array(calculator.get_property(p, copy)) for p in properties}
        copy.calc = SinglePointCalculator(copy, **results)
        out.append(copy)
    return out


def options(tmp_path, term=None, **changes):
    data = {"files": ["frames"], "stress": "stress", "split": {"validation": 0.2, "test": 0.2}}
    data.update(changes.pop("data", {}))
    return {
        "model": str(tmp_path / "model.mlcalc"), "data": data, "expansions": [dict(RHO)],
        "terms": changes.pop("terms", None) or [term or SOAP],
        "weights": {"energy": 0.001, "forces": 0.01, "virial": 0.01}, "budget": {"threads": 1}, **changes,
    }  # fmt: skip


def known_model(seed=1, zbl=None, reference=(-1.0, -3.0)):
    rho = DensityExpansion(
        name="rho", n_max=3, l_max=2, cutoff=4.0, density=Gaussian(0.4), smoothing=ShiftedCosine(0.5)
    )
    model = Model([11, 17], [rho], [Term("soap", [Invariant(2, "rho", "rho")])], list(reference), zbl)
    n = model.n_features("soap")
    model.terms[0].regressor = Linear(np.random.default_rng(seed).normal(size=(2, n)) / n)
    return model


@pytest.fixture(scope="module")
def known_data():
    return labelled(salt(30), MLCalculator(known_model()))


def largest_error(report, split="test"):
    stats = report["errors"][split]["all"]
    return {q: stats[q]["max"] for q in ("energy", "forces", "stress")}


@pytest.mark.parametrize("method", ["qr", "normal"])
def test_a_known_linear_model_is_recovered(tmp_path, known_data, method):
    given = {"Na": -1.0, "Cl": -3.0}
    result = fit(
        options(tmp_path, data={"reference_energies": given}, solver={"method": method, "regularization": 1e-7}),
        known_data, progress=False, figures=False,
    )  # fmt: skip
    errors = largest_error(result.report)
    assert errors["energy"] < 1e-6 and errors["forces"] < 1e-5 and errors["stress"] < 1e-7
    spread = np.std([a.get_forces() for a in known_data])
    assert spread > 1e-2


def test_a_known_kernel_model_is_recovered(tmp_path, known_data):
    # weights drawn for the sparse points that the run will choose from these structures
    wanted = options(tmp_path, KERNEL, solver={"regularization": 1e-9}, data={"reference_energies": "zero"})
    run = Run(parse_options(wanted), known_data, _silent())
    run.prepare()
    model = run._skeleton()
    rng = np.random.default_rng(0)
    for weights in model.terms[0].regressor.weights.values():
        weights[:] = rng.normal(size=weights.shape)
    run.checkpoint.clear()
    result = fit(wanted, labelled(salt(30), MLCalculator(model)), progress=False, figures=False)
    errors = largest_error(result.report)
    assert errors["energy"] < 1e-5 and errors["forces"] < 1e-4


V = {
    "name": "V", "type": "potential", "exponent": 1, "smearing": 1.0, "n_max": 2, "l_max": 1,
    "basis": {"type": "multi_width", "widths": [1.0, 1.8]},
}  # fmt: skip


@pytest.mark.parametrize("boundaries", ["periodic", "free"])
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
    labels = ("energy", "forces", "stress") if boundaries == "periodic" else ("energy", "forces")
    data = labelled(frames, MLCalculator(model), labels)
    soap = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}
    lode = {**soap, "name": "lode", "invariants": [{"nu": 2, "a": "rho", "b": "V"}, {"nu": 1, "a": "V"}]}
    entries = {"reference_energies": "zero", "stress": "stress" if boundaries == "periodic" else None}
    near = {**RHO, "n_max": 2, "l_max": 1, "cutoff": 3.5}
    errors = {}
    for name, used in (("soap", [soap]), ("both", [soap, lode])):
        result = fit(
            options(tmp_path, expansions=[near, V], terms=used, data=entries, solver={"regularization": 1e-9}),
            data, progress=False, figures=False,
        )  # fmt: skip
        errors[name] = result.report["errors"]["test"]["all"]["forces"]["max"]
    assert errors["both"] < 1e-5 < 1e-2 * errors["soap"]
    assert result.model.boundaries == (boundaries,)


def _silent():
    from mlcalc.train.progress import Progress

    return Progress(False)


def test_the_repulsion_is_taken_out_before_the_fit(tmp_path):
    model = known_model(zbl=Zbl(2.0, 3.5))
    data = labelled(salt(30), MLCalculator(model))
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
    data = labelled(frames, MLCalculator(known_model(reference=(0.0, 0.0))))
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


def test_structures_without_some_labels_are_used(tmp_path, known_data):
    data = [a.copy() for a in known_data]
    for k, (atoms, full) in enumerate(zip(data, known_data, strict=True)):
        names = (("energy",), ("forces",), ("energy", "forces", "stress"))[k % 3]
        atoms.calc = SinglePointCalculator(atoms, **{name: full.calc.results[name] for name in names})
    result = fit(
        options(tmp_path, data={"reference_energies": {"Na": -1.0, "Cl": -3.0}}, solver={"regularization": 1e-7}),
        data, progress=False, figures=False,
    )  # fmt: skip
    assert largest_error(result.report)["forces"] < 1e-4


@pytest.fixture(scope="module")
def argon():
    rng = np.random.default_rng(0)
    frames = []
    for k in range(40):
        atoms = bulk("Ar", "fcc", a=5.3 * rng.uniform(0.97, 1.06), cubic=True)
        atoms.rattle(0.12, seed=k)
        atoms.info["config_type"] = "odd" if k % 2 else "even"
        frames.append(atoms)
    # the smooth cutoff: a jump in the labels could not be learnt
    return labelled(frames, LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0, ro=4.0, smooth=True))


ARGON_RHO = {**RHO, "n_max": 5, "l_max": 3, "cutoff": 6.0, "density": {"type": "gaussian", "width": 0.5}}


@pytest.mark.parametrize("term", [SOAP, {**KERNEL, "regressor": {"type": "kernel", "zeta": 2, "points": 60}}])
def test_lennard_jones_is_learnt_with_a_committee_that_knows_its_errors(tmp_path, argon, term):
    result = fit(
        options(tmp_path, term, expansions=[ARGON_RHO], committee={"members": 8}, data={"config_type": "config_type"},
                weights={"energy": 0.0005, "forces": 0.005, "virial": 0.002}),
        argon, progress=False, figures=True,
    )  # fmt: skip
    report = result.report
    forces = np.concatenate([a.get_forces().ravel() for a in argon])
    assert report["errors"]["test"]["all"]["forces"]["rmse"] < 0.08 * forces.std()
    stress = np.concatenate([a.get_stress() for a in argon])
    assert report["errors"]["test"]["all"]["stress"]["rmse"] < 0.08 * stress.std()
    assert set(report["errors"]["test"]) == {"all", "even", "odd"}
    assert report["committee"]["scale"] > 0
    table = report["committee_calibration"]["forces"]
    assert sum(r["n"] for r in table) == 2 * 8 * 12
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


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches SIGKILL."""


@pytest.mark.parametrize("disk", ["1 GB", 0])
def test_a_killed_run_goes_on_where_it_was(tmp_path, known_data, monkeypatch, disk):
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
        fit(wanted, known_data, progress=False, figures=False)
    first = len(calls)
    monkeypatch.setattr(design_module.RowMaker, "__call__", killed_after(1000))
    resumed = fit(wanted, known_data, progress=False, figures=False)
    repeated = len(calls) - 24  # 18 training and 6 validation structures
    assert first == 14 and 0 <= repeated <= 4
    whole = fit({**wanted, "model": str(tmp_path / "whole.mlcalc")}, known_data, progress=False, figures=False)
    for a, b in zip(resumed.model.terms, whole.model.terms, strict=True):
        assert np.array_equal(a.regressor.weights, b.regressor.weights)
    assert not (tmp_path / "model-checkpoint").exists()


def test_a_checkpoint_of_other_data_is_not_used(tmp_path, known_data):
    wanted = options(tmp_path, keep_checkpoint=True)
    first = fit(wanted, known_data, progress=False, figures=False)
    changed = [a.copy() for a in known_data]
    for atoms, full in zip(changed, known_data, strict=True):
        results = {**full.calc.results, "forces": 2 * full.get_forces(), "energy": 2 * full.get_potential_energy()}
        atoms.calc = SinglePointCalculator(atoms, **{k: results[k] for k in ("energy", "forces", "stress")})
    second = fit(wanted, changed, progress=False, figures=False)
    assert not np.allclose(first.model.terms[0].regressor.weights, second.model.terms[0].regressor.weights)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        fit({**wanted, "checkpoint": str(tmp_path / "mine")}, known_data, progress=False, figures=False)
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_blocks_threads_and_disk_do_not_change_the_model(tmp_path, known_data, monkeypatch):
    plain = fit(options(tmp_path), known_data, progress=False, figures=False)
    monkeypatch.setattr("mlcalc.train.run.block_bytes", lambda options, n: 50_000)
    other = fit(options(tmp_path, budget={"threads": 2, "disk": 0}), known_data, progress=False, figures=False)
    a, b = (r.model.terms[0].regressor.weights for r in (plain, other))
    assert np.allclose(a, b, rtol=1e-4, atol=1e-6 * np.abs(a).max())


def test_too_little_memory_is_said_before_anything_is_computed(tmp_path, known_data):
    with pytest.raises(ValueError, match="raise budget.memory"):
        fit(options(tmp_path, budget={"memory": "0.3 MB", "threads": 1}), known_data, progress=False, figures=False)


def test_every_way_to_reference_energies(tmp_path, known_data):
    from ase import Atoms

    single = []
    for symbol, e in (("Na", -1.0), ("Cl", -3.0)):
        atoms = Atoms(symbol, cell=[20.0] * 3, pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=e)
        single.append(atoms)
    data = known_data + single
    isolated = fit(options(tmp_path, data={"reference_energies": "isolated"}), data, progress=False, figures=False)
    assert isolated.model.reference_energies == [-1.0, -3.0]
    with pytest.raises(ValueError, match="no single-atom structure with an energy of Na, Cl"):
        fit(options(tmp_path, data={"reference_energies": "isolated"}), known_data, progress=False, figures=False)
    with pytest.raises(ValueError, match="lacks Cl"):
        fit(options(tmp_path, data={"reference_energies": {"Na": 1.0}}), known_data, progress=False, figures=False)
    fitted = fit(options(tmp_path), known_data, progress=False, figures=False)
    mean = np.mean([a.get_potential_energy() for a in known_data])
    assert 4 * sum(fitted.model.reference_energies) == pytest.approx(mean, abs=0.5)


def test_feature_selection_and_species_coupling(tmp_path, known_data):
    term = {**SOAP, "invariants": [{"nu": 2, "a": "rho", "select": {"n": 20, "method": "cur"}}]}
    coupled = {**RHO, "mixing": {"method": "pca", "channels": 1}}
    result = fit(options(tmp_path, term, expansions=[coupled]), known_data, progress=False, figures=False)
    invariant = result.model.terms[0].invariants[0]
    assert invariant.selection is None  # one channel: 18 features, fewer than asked for
    assert result.model.n_features("soap") == 18
    result = fit(options(tmp_path, term), known_data, progress=False, figures=False)
    assert result.model.n_features("soap") == 20
    assert Model.load(result.model_path).n_features("soap") == 20


def test_optimised_couplings_beat_their_start(tmp_path, known_data):
    """Labels that come from one pseudo-species density: the coupling it is made of is found again."""
    truth = np.array([[0.9, -np.sqrt(1 - 0.81)]])
    rho = DensityExpansion(
        name="rho", n_max=3, l_max=2, cutoff=4.0, density=Gaussian(0.4), smoothing=ShiftedCosine(0.5),
        mixing=((0.9, -float(np.sqrt(1 - 0.81))),),
    )  # fmt: skip
    model = Model([11, 17], [rho], [Term("soap", [Invariant(2, "rho", "rho")])])
    n = model.n_features("soap")
    model.terms[0].regressor = Linear(np.random.default_rng(4).normal(size=(2, n)) / n)
    data = labelled(salt(20), MLCalculator(model))
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
def test_the_model_knows_what_it_was_trained_on(tmp_path, known_data, term):
    result = fit(options(tmp_path, term), known_data, progress=False, figures=False)
    calculator = MLCalculator(result.model_path)
    inside = max(calculator.get_property("extrapolation", a.copy()).max() for a in known_data[:10])
    crushed = known_data[0].copy()
    crushed.set_cell(0.8 * crushed.cell, scale_atoms=True)
    assert calculator.get_property("extrapolation", crushed).min() > 2 * inside


def test_stress_labels_of_the_wrong_sign_are_noticed(tmp_path, known_data):
    data = [a.copy() for a in known_data]
    for atoms, full in zip(data, known_data, strict=True):
        results = {k: full.calc.results[k] for k in ("energy", "forces")}
        atoms.calc = SinglePointCalculator(atoms, **results, stress=-full.calc.results["stress"])
    # stresses with hardly any weight: energies and forces decide, and contradict the labels
    weights = {"energy": 1e-4, "forces": 0.001, "virial": 1e3}
    report = fit(
        options(tmp_path, weights=weights, solver={"regularization": 1e-6}), data, progress=False, figures=False
    ).report
    assert any("opposite sign" in note for note in report["notes"])


def test_refitting_with_the_validation_set(tmp_path, known_data):
    result = fit(options(tmp_path, solver={"refit": True}), known_data, progress=False, figures=False)
    assert any("not held out" in note for note in result.report["notes"])
    with pytest.raises(OptionError, match="nothing held out"):
        fit(
            options(tmp_path, solver={"refit": True}, committee={"members": 4}),
            known_data,
            progress=False,
            figures=False,
        )


def test_from_the_command_line(tmp_path, argon, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ase.io.write("argon.xyz", argon)
    assert main(["train", "--template", "argon.xyz", "-o", "options.yaml"]) == 0
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
    assert np.allclose(made[0].arrays["reference_forces"], argon[0].get_forces(), atol=1e-7)
    report = json.loads((tmp_path / "again/report.json").read_text())
    error = np.concatenate([(a.get_forces() - b.get_forces()).ravel() for a, b in zip(made, argon, strict=True)])
    assert report["errors"]["test"]["all"]["forces"]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert main(["eval", "argon.mlcalc", "argon.xyz", "--energy", "dft", "--quiet"]) == 1
    assert "Keys found" in capsys.readouterr().err


def test_estimates_are_those_of_the_run(tmp_path, known_data):
    estimate = dry_run(options(tmp_path), known_data)
    assert estimate["rows"]["train"] == 18 * (1 + 24 + 6)
    n = known_model().n_features("soap")
    assert estimate["weights"] == {"soap": 2 * n} and estimate["features"] == {"soap": n}


def test_a_template_for_data_with_unusual_names(tmp_path, known_data):
    data = [a.copy() for a in known_data]
    for atoms in data:
        atoms.info["dft_energy"] = -1.0
        atoms.arrays["dft_forces"] = np.zeros((8, 3))
    ase.io.write(tmp_path / "a.xyz", data)
    text = template(str(tmp_path / "a.xyz"))
    (tmp_path / "o.yaml").write_text(text)
    parsed = parse_options(tmp_path / "o.yaml")
    assert (parsed.data.energy, parsed.data.forces, parsed.data.stress) == ("dft_energy", "dft_forces", None)
    # the far field that the template suggests for ions is one that trains
    lines = [line.replace("  # ", "  ", 1) if line.startswith("  # ") and line[4] in "-  " else line
             for line in text.splitlines()]  # fmt: skip
    (tmp_path / "far.yaml").write_text("\n".join(lines))
    assert [e["type"] for e in parse_options(tmp_path / "far.yaml").expansions] == ["density", "potential"]


def test_evaluating_a_model_on_unknown_species(tmp_path, argon, known_data):
    known_model().save(tmp_path / "salt.mlcalc")
    with pytest.raises(OptionError, match="does not know Ar"):
        evaluate(tmp_path / "salt.mlcalc", argon, report=tmp_path / "r", progress=False)
    out = evaluate(tmp_path / "salt.mlcalc", known_data, {"stress": "stress"}, report=tmp_path / "r", progress=False)
    assert out["errors"]["test"]["all"]["forces"]["max"] < 1e-9
