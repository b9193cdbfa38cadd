# SPDX-License-Identifier: BSD-3-Clause
"""Training of tensors: known models are found again, conventions, derivatives, committees, evaluation, mistakes."""

import functools
import shutil

import ase.io
import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError
from ase.units import Bohr, Debye
from training_cases import known_data, known_model, options, salt

from mlcalc import MLCalculator, Model
from mlcalc.cli import main
from mlcalc.model import Equivariant, Linear, TensorOutput, TensorPart
from mlcalc.train import DataError, OptionError, fit
from mlcalc.train.evaluation import evaluate
from mlcalc.train.tensor_rows import PartRows

DIPOLE = {"name": "dipole", "key": "mu", "type": "vector", "products": ["rho"], "unit": "e*Angstrom", "error": 1e-3}
ALPHA = {"name": "alpha", "key": "alpha", "type": "symmetric", "products": ["rho"], "unit": "Angstrom^3",
         "baseline": "fit", "error": 1e-3}  # fmt: skip


@functools.cache
def truth():
    """The known model with a dipole and a polarizability, of few weights."""
    model, rng = known_model(), np.random.default_rng(4)
    parts = {"dipole": {1: [Equivariant(1, "rho", None, 1)]}}
    parts["alpha"] = {o3_lambda: [Equivariant(1, "rho", None, o3_lambda)] for o3_lambda in (0, 2)}
    for name, kind in (("dipole", "vector"), ("alpha", "symmetric")):
        made = []
        for equivariants in parts[name].values():
            n = sum(map(model.n_selected, equivariants))
            made.append(TensorPart(equivariants, Linear(rng.normal(size=(2, n)) / n)))
        model.outputs.append(TensorOutput(name, kind, made, baseline=[1.0, 3.0] if name == "alpha" else None))
    return model


@functools.cache
def _data():
    frames, calc = [], MLCalculator(truth())
    for atoms in known_data():
        copy = atoms.copy()
        copy.calc = atoms.calc
        n, volume = len(atoms), atoms.get_volume()
        copy.info["mu"] = calc.get_property("polarization", atoms) * volume
        copy.info["p"] = copy.info["mu"] / volume * Bohr**2
        copy.info["debye"] = -copy.info["mu"] / Debye
        alpha = calc.get_property("alpha", atoms)
        copy.info["alpha"] = alpha
        copy.info["voigt"] = alpha[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] / Bohr**3
        copy.arrays["born"] = calc.get_property("born_effective_charges", atoms).reshape(n, 9)
        copy.arrays["born_t"] = copy.arrays["born"].reshape(n, 3, 3).transpose(0, 2, 1).reshape(n, 9)
        copy.arrays["mu_i"] = calc.get_property("dipole_atoms", atoms)
        frames.append(copy)
    return tuple(frames)


def data():
    return list(_data())


def train(tmp_path, *targets, frames=None, **changes):
    settings = options(tmp_path, targets=list(targets), **changes)
    return fit(settings, data() if frames is None else frames, progress=False, figures=False)


def alone(tmp_path, *targets, frames=None, **changes):
    """Without an energy."""
    tmp_path.mkdir(exist_ok=True)
    settings = options(tmp_path, targets=list(targets), **changes)
    del settings["terms"]
    return fit(settings, data() if frames is None else frames, progress=False, figures=False)


def check_against_truth(model, tolerance=1e-4, names=("polarization", "alpha")):
    calc, exact = MLCalculator(model), MLCalculator(truth())
    for atoms in salt(3, seed=9):
        for name in names:
            expected = exact.get_property(name, atoms)
            assert np.abs(calc.get_property(name, atoms) - expected).max() < tolerance * np.abs(expected).max(), name


def test_known_tensors_are_found_beside_the_energy(tmp_path):
    result = train(tmp_path, DIPOLE, ALPHA)
    model = Model.load(result.model_path)
    check_against_truth(model)
    assert result.report["tensors"]["dipole"]["errors"]["test"]["value"]["relative"] < 1e-6
    assert result.report["tensors"]["alpha"]["baseline"] is not None
    assert "alpha (Angstrom^3)" in result.report["text"] and model.has_energy
    assert "polarization" in MLCalculator(model).implemented_properties
    first = ase.io.read(result.report_path / "predictions.xyz")
    assert np.allclose(first.info["predicted_dipole"], first.info["reference_dipole"], atol=1e-6)


def test_tensors_alone(tmp_path):
    result = alone(tmp_path, DIPOLE)
    check_against_truth(Model.load(result.model_path), 1e-6, ("polarization",))
    with pytest.raises(PropertyNotImplementedError, match="this model has no energy"):
        MLCalculator(result.model_path).get_property("energy", data()[0])


CONVENTIONS = {
    "polarization per bohr^2": {"key": "p", "unit": "e/bohr^2", "per": "volume"},
    "Debye of the other sign": {"key": "debye", "unit": "Debye", "sign": -1},
    "per atom": {"key": "mu_i", "per": "atom"},
    "Born charges": {"derivative": {"key": "born", "error": 0.01}, "products": ["rho rho", "rho"]},
    "Born charges, displacement first": {"derivative": {"key": "born_t", "first": "displacement"}},
    "kernel": {"regressor": {"type": "kernel", "points": 60}, "products": ["rho rho"]},
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_conventions_of_labels(convention, tmp_path):
    target = {**DIPOLE, **CONVENTIONS[convention]}
    result = alone(tmp_path, target)
    if convention == "kernel":  # the truth is linear
        assert result.report["tensors"]["dipole"]["errors"]["test"]["value"]["relative"] < 0.3
    else:
        check_against_truth(Model.load(result.model_path), 1e-5, ("polarization", "born_effective_charges"))
    if "derivative" in target:
        assert result.report["tensors"]["dipole"]["errors"]["test"]["derivative"]["relative"] < 1e-5


LAYER = {"name": "A", "inputs": ["rho"], "channels": 8, "l_max": 2}
BODIES = {"a": "A", "l_max": [2, 2, 1]}


@pytest.mark.parametrize("mixing", ["random", "pca"])
def test_products_of_many_factors_are_trained_alone(mixing, tmp_path):
    """As many channels as columns: one factor alone is the truth. The scalars have few labels and many features."""
    layers = [{**LAYER, "channels": 6, "mixing": mixing}]
    dipole = {**DIPOLE, "products": [BODIES], "derivative": {"key": "born", "error": 0.01}}
    result = alone(tmp_path, dipole, {**ALPHA, "products": [BODIES]}, layers=layers)
    model = Model.load(result.model_path)
    assert model.layers[0].matrices.any()
    check_against_truth(model, 1e-4, ("polarization", "born_effective_charges"))
    check_against_truth(model, 1e-2, ("alpha",))
    assert result.report["tensors"]["dipole"]["errors"]["test"]["derivative"]["relative"] < 1e-3


def test_products_of_many_factors_share_the_layer_of_the_energy(tmp_path):
    term = {"name": "bodies", "invariants": [{"a": "A", "l_max": [2, 2]}], "regressor": {"type": "linear"}}
    kernel = {**ALPHA, "products": [{"a": "A", "l_max": [2, 2]}], "regressor": {"type": "kernel", "points": 60}}
    dipole = {**DIPOLE, "products": [BODIES, "rho"]}
    result = train(tmp_path, dipole, kernel, layers=[LAYER], terms=[term])
    model = Model.load(result.model_path)
    assert [layer.name for layer in model.layers] == ["A"] and model.has_energy
    check_against_truth(model, 1e-3, ("polarization",))
    assert result.report["tensors"]["alpha"]["errors"]["test"]["value"]["relative"] < 0.3
    restarted = train(tmp_path, dipole, kernel, layers=[LAYER], terms=[term])
    assert Model.load(restarted.model_path).output("dipole").parts[0].regressor.weights.tolist() == (
        model.output("dipole").parts[0].regressor.weights.tolist()
    )


@pytest.mark.parametrize(
    ("product", "sentence"),
    [({"a": "B", "l_max": [2]}, "uses expansion 'B', did you mean|uses expansion 'B'"),
     ({"a": "rho", "l_max": [2]}, "l_max is for layers, 'rho' is an expansion"),
     ({"a": "A", "l_max": [3, 1]}, "l_max must be at most 2, that of layer 'A'"),
     ({"a": "A", "l_max": [0]}, "no product of l up to"), ({"a": "A", "l_max": [1, 2]}, "grow with the body order"),
     ({"a": "A"}, "'l_max' is missing"), ({"a": "A", "lmax": [2]}, "unknown option 'lmax'"),
     (3, "uses expansion '3'"), ([2], "must be a mapping or text")],
)  # fmt: skip
def test_products_that_cannot_be_are_refused(product, sentence, tmp_path):
    with pytest.raises(OptionError, match=sentence):
        alone(tmp_path, {**DIPOLE, "products": [product]}, layers=[LAYER])


def test_six_numbers_of_a_symmetric_matrix(tmp_path):
    result = alone(tmp_path, {**ALPHA, "key": "voigt", "unit": "bohr^3"})
    check_against_truth(Model.load(result.model_path), names=("alpha",))


def test_born_charges_alone_determine_the_model(tmp_path):
    frames = data()
    for k, atoms in enumerate(frames):
        frames[k] = atoms.copy()
        if k:
            del frames[k].info["mu"]
    result = alone(tmp_path, {**DIPOLE, "derivative": {"key": "born"}}, frames=frames)
    check_against_truth(Model.load(result.model_path), 1e-5, ("born_effective_charges",))


def test_charges_of_a_baseline_are_part_of_the_model(tmp_path):
    frames = []
    for atoms in salt(12, seed=3):
        atoms.set_pbc(False)
        atoms.set_cell(None)
        charges = np.where(atoms.numbers == 11, 0.7, -0.7)
        atoms.info["mu"] = charges @ atoms.positions
        atoms.arrays["born"] = np.einsum("i,ab->iab", charges, np.eye(3)).reshape(-1, 9)
        frames.append(atoms)
    target = {**DIPOLE, "baseline": {"Na": 0.7, "Cl": -0.7}, "derivative": {"key": "born"}}
    result = alone(tmp_path, target, frames=frames, data={"stress": None})
    moved = frames[0].copy()
    moved.positions[0] += 0.3
    dipole = MLCalculator(result.model_path).get_property("dipole", moved)
    assert np.allclose(dipole, frames[0].info["mu"] + 0.7 * 0.3, atol=1e-8)


def test_charged_clusters_state_their_origin(tmp_path):
    """Labels about the origin of the coordinates are turned into those about the center of mass."""
    frames, exact = [], MLCalculator(truth())
    for k, atoms in enumerate(salt(12, seed=3)):
        atoms = atoms[:7]
        atoms.set_pbc(False)
        atoms.set_cell(None)
        atoms.positions += k
        atoms.info["charge"] = 0
        atoms.info["mu"] = exact.get_property("dipole", atoms) + atoms.get_center_of_mass()
        atoms.info["charge"] = 1
        frames.append(atoms)
    with pytest.raises(DataError, match="the structure has the charge 1, so that its 'mu' depends on the origin"):
        alone(tmp_path, DIPOLE, frames=frames, data={"stress": None})
    result = alone(tmp_path, {**DIPOLE, "origin": "coordinates"}, frames=frames, data={"stress": None})
    assert result.report["tensors"]["dipole"]["errors"]["train"]["value"]["relative"] < 1e-3
    dipole = MLCalculator(result.model_path).get_property("dipole", frames[0])
    assert np.allclose(dipole, frames[0].info["mu"] - frames[0].get_center_of_mass(), atol=1e-2)


def test_a_committee_is_calibrated_for_each_tensor(tmp_path):
    rng, frames = np.random.default_rng(0), data()
    for k, atoms in enumerate(frames):
        frames[k] = atoms.copy()
        frames[k].calc = atoms.calc
        frames[k].info["mu"] = atoms.info["mu"] + 0.01 * rng.normal(size=3)
    result = train(tmp_path, {**DIPOLE, "error": 0.01}, frames=frames, committee={"members": 5})
    output = Model.load(result.model_path).output("dipole")
    assert (
        output.committee_scale != 1.0
        and output.committee_scale == result.report["tensors"]["dipole"]["committee_scale"]
    )
    calc = MLCalculator(result.model_path)
    cluster = frames[0].copy()
    cluster.set_pbc(False)
    assert np.all(calc.get_property("dipole_uncertainty", cluster) > 0)
    assert calc.get_property("committee_dipole", cluster).shape == (5, 3)


def test_a_jump_of_the_polarization_is_reported(tmp_path):
    frames = [frame.copy() for frame in data()[:1] * 8]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.01, seed=k)
        atoms.info["mu"] = np.full(3, 0.01 * k) + (atoms.cell[1] if k >= 5 else 0)
    result = alone(tmp_path, DIPOLE, frames=frames, data={"stress": None})
    (note,) = [n for n in result.report["notes"] if "jumps between frames of one trajectory" in n]
    assert "structure 5: by [0.0, 1.0, 0.0] quanta e R" in note and "more" not in note


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    """What was computed is not computed again, and the model is the same."""
    target = {**DIPOLE, "derivative": {"key": "born"}}
    whole = alone(tmp_path / "whole", target)
    calls = []
    derivatives = PartRows.derivatives

    def counted(self, s):
        calls.append(s.index)
        return derivatives(self, s)

    monkeypatch.setattr(PartRows, "derivatives", counted)
    monkeypatch.setattr("mlcalc.train.final.write_report", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        alone(tmp_path / "killed", target)
    assert calls
    monkeypatch.undo()
    monkeypatch.setattr(PartRows, "derivatives", counted)
    calls.clear()
    again = alone(tmp_path / "killed", target)
    assert not calls
    assert again.model.outputs[0].parts[0].regressor.weights.tobytes() == (
        whole.model.outputs[0].parts[0].regressor.weights.tobytes()
    )


def test_evaluation_of_other_data(tmp_path, capsys, monkeypatch):
    result = train(tmp_path, {**DIPOLE, "derivative": {"key": "born"}}, ALPHA)
    others = [atoms for atoms in data()[:4]]
    for k, atoms in enumerate(others):
        others[k] = atoms.copy()
        others[k].calc = atoms.calc
        others[k].info["moment"] = others[k].info.pop("mu")
    ase.io.write(tmp_path / "other.xyz", others)
    table = evaluate(result.model, others, {"stress": "stress"}, report=tmp_path / "r", progress=False)["tensors"]
    assert list(table) == ["alpha"] and table["alpha"]["errors"]["test"]["value"]["rmse"] < 1e-3
    monkeypatch.chdir(tmp_path)
    arguments = ["eval", str(result.model_path), "other.xyz", "--target", "dipole=moment", "--quiet"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "dipole (e*Angstrom)" in said and "derivative" in said and "alpha" in said
    assert (tmp_path / "other-report/tensors.png").exists()
    for given, sentence in (("quadrupole=q", "the model has no output 'quadrupole'; it has dipole, alpha"),
                            ("dipole", "--target takes NAME=KEY, got dipole"),
                            ("dipole=p", "no structure has 'p' named|has 'mu'|no structure has")):  # fmt: skip
        if given != "dipole=p":
            assert main([*arguments[:3], "--target", given, "--quiet"]) != 0
            assert sentence in capsys.readouterr().err
    shutil.rmtree(tmp_path / "other-report")
    only = alone(tmp_path / "alone", DIPOLE)
    with pytest.raises(OptionError, match=r"no labels of the outputs of the model \(dipole\)"):
        evaluate(only.model, others, progress=False)
    table = evaluate(only.model, others, targets={"dipole": "moment"}, report=tmp_path / "r", progress=False)
    assert table["tensors"]["dipole"]["errors"]["test"]["value"]["relative"] < 1e-6


MISTAKES = {
    "targets 'dipole': no structure has 'nu'. Keys found: ": {"key": "nu"},
    "'energy' has 1 numbers, a vector tensor has 3": {"key": "energy"},
    "'alpha' has 9 numbers, a vector tensor has 3": {"key": "alpha"},
    "'born' has 72 numbers, a vector tensor has 3": {"key": "born"},
    "'mu' has 3 numbers for 8 atoms": {"per": "atom"},
    "'mu_i' has 24 numbers, 72 are needed": {"derivative": {"key": "mu_i"}},
    "unit e*Angstrom does not go with per: volume": {"per": "volume"},
    "unit e/bohr^2 does not go with per: structure": {"unit": "e/bohr^2"},
    "unit bohr^3 is not one of a vector output": {"unit": "bohr^3"},
    "a dipole is a vector with one of the units": {"unit": "esu cm"},
    "type must be one of scalar, vector, symmetric, got 'tensor'": {"type": "tensor"},
    "derivatives are trained for vectors with a linear regressor": {
        "derivative": {"key": "born"},
        "regressor": {"type": "kernel"},
    },
    "the charges of a vector must be given as {symbol: number}": {"baseline": "fit"},
    "labels of atoms have no derivative": {"per": "atom", "key": "mu_i", "derivative": {"key": "born"}},
    "'rho rho rho' must be the names of one or two expansions": {"products": ["rho rho rho"]},
    "target 'dipole' uses expansion 'roh', did you mean 'rho'?": {"products": ["rho roh"]},
    "'stress' cannot be the name of an output": {"name": "stress"},
    "'a b' cannot be the name of an output": {"name": "a b"},
    "charges times positions, the baseline of 'dipole', need free boundaries": {"baseline": {"Na": 1.0}},
    "products must be a list with at least 1 entries": {"products": []},
    "unknown option 'weight'": {"weight": 1.0},
    "regularization must be auto or must be above 0|regularization must be": {"regularization": -1},
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_mistakes_are_named(sentence, tmp_path):
    with pytest.raises((OptionError, DataError)) as error:
        alone(tmp_path, {**DIPOLE, **MISTAKES[sentence]})
    assert any(part in str(error.value) for part in sentence.split("|")), error.value


def test_other_mistakes(tmp_path):
    with pytest.raises(OptionError, match="targets: the name 'dipole' is used twice"):
        alone(tmp_path, DIPOLE, DIPOLE)
    frames = [atoms.copy() for atoms in data()]
    frames[3].info["alpha"] = frames[3].info["alpha"] + [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    with pytest.raises(DataError, match="structure 3: 'alpha' is not symmetric"):
        alone(tmp_path, ALPHA, frames=frames)
    frames[3].info["mu"] = [0, np.nan, 0]
    with pytest.raises(DataError, match="structure 3: 'mu' contains NaN or infinity"):
        alone(tmp_path, DIPOLE, frames=frames)
    with pytest.raises(OptionError, match="'terms' is missing"):
        alone(tmp_path)
    with pytest.raises(OptionError, match="neither energy nor forces is named"):
        train(tmp_path, DIPOLE, data={"energy": None, "forces": None, "stress": None})
    clusters = [atoms.copy() for atoms in data()]
    for atoms in clusters:
        atoms.set_cell(None)
        atoms.set_pbc(False)
    with pytest.raises(DataError, match="'p' is per volume and needs a three-dimensional cell"):
        alone(tmp_path, {**DIPOLE, "key": "p", "unit": "e/bohr^2", "per": "volume"}, frames=clusters)
    with pytest.raises(DataError, match="the charges of the baseline of 'dipole' sum to 4, not to 0"):
        alone(tmp_path, {**DIPOLE, "baseline": {"Na": 1.0}}, frames=clusters)


def test_commands_know_tensors(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    truth().save("m.mlcalc")
    ase.io.write("a.xyz", [atoms.copy() for atoms in data()[:2]])
    assert main(["info", "m.mlcalc"]) == 0
    said = capsys.readouterr().out
    assert "tensor dipole, vector: linear in rho of lambda 1" in said
    assert main(["features", "m.mlcalc", "a.xyz"]) == 0
    with np.load("features.npz") as arrays:
        assert arrays["dipole-lambda1"].shape == (16, 18) and arrays["alpha-lambda2"].shape == (16, 30)
    assert main(["predict", "m.mlcalc", "a.xyz", "--quiet"]) == 0
    atoms = ase.io.read("predictions.xyz")
    exact = MLCalculator(truth())
    assert np.allclose(atoms.info["predicted_polarization"], exact.get_property("polarization", atoms), atol=1e-7)
    assert "predicted_dipole" not in atoms.info and atoms.info["predicted_alpha"].shape == (3, 3)


def test_a_model_of_tensors_is_a_baseline(tmp_path):
    """What the baseline has, the new model has too; an output of both is an error."""
    truth().save(tmp_path / "base.mlcalc")
    settings = {"data": {"baseline": [str(tmp_path / "base.mlcalc")]}}
    result = train(tmp_path, {**ALPHA, "name": "other"}, committee={"members": 4}, **settings)
    assert [output.name for output in result.model.outputs] == ["other", "dipole", "alpha"]
    check_against_truth(Model.load(result.model_path), 1e-10, ("polarization",))
    with pytest.raises((ValueError, OptionError), match="both models have an output 'alpha'"):
        train(tmp_path / "twice", ALPHA, **settings)
