# SPDX-License-Identifier: BSD-3-Clause
"""The model file: what is saved is what is loaded, and what is wrong is said."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from models import (
    CHANNELS,
    EVERY_KIND_OF_MODEL,
    POWER,
    RADIAL,
    RHO,
    SALT,
    build,
    energy,
    evaluate,
    kernel_model,
    linear_model,
    mixing,
)

from mlcalc import _engine, info
from mlcalc import model as model_module
from mlcalc.expansions import DensityExpansion, PotentialExpansion, Step, Tabulated
from mlcalc.model import Committee, Invariant, Kernel, Linear, Model, Term, Zbl

every_kind = pytest.mark.parametrize("model", EVERY_KIND_OF_MODEL, indirect=True)


@every_kind
def test_a_saved_and_loaded_model_is_bit_equal(model, small_salt, tmp_path):
    path = tmp_path / "model.mlcalc"
    model.save(path)
    loaded = Model.load(path)
    assert loaded.to_bytes() == path.read_bytes() == model.to_bytes()
    before = evaluate(model.potential(), small_salt)
    for potential in (loaded.potential(), _engine.Potential(path.read_bytes(), str(path))):
        after = evaluate(potential, small_salt)
        for key in ("energies", "forces", "virial"):
            assert np.array_equal(after[key], before[key])


@every_kind
def test_the_safetensors_package_reads_the_same_tensors(model):
    contents = model.to_bytes()
    tensors = safetensors.numpy.load(contents)
    _, ours = model_module._unpack(contents)
    assert set(tensors) == set(ours)
    assert all(np.array_equal(tensors[name], ours[name]) for name in ours)


def test_a_file_of_format_version_1_still_loads(small_salt):
    path = Path(__file__).parent / "data/format_1.mlcalc"
    model = Model.load(path)
    assert model.terms[0].regressor.leverage is None
    assert energy(_engine.Potential(path.read_bytes()), small_salt) == pytest.approx(-11.165310047990314, rel=1e-12)
    # written again it is a file of this version, with the same energy
    assert energy(model.potential(), small_salt) == pytest.approx(-11.165310047990314, rel=1e-12)


def test_the_description_in_the_documentation_is_that_of_a_model(tmp_path):
    text = (Path(__file__).parent.parent / "docs/file-format.md").read_text()
    document = json.loads(text.split("```json\n")[1].split("```")[0])
    rho, v = document["expansions"]
    expansions = [DensityExpansion.from_json(rho), PotentialExpansion.from_json(v)]
    soap, lode = (Term(t["name"], [Invariant(**{**i, "selection": None}) for i in t["invariants"]]) for t in
                  document["terms"])  # fmt: skip
    model = Model(document["species"], expansions, [soap, lode], document["reference_energies"], Zbl(1.0, 2.0),
                  Committee(8, 1.0))  # fmt: skip
    soap.regressor = Linear(np.zeros((8, 2, model.n_features(soap))))
    lode.regressor = Kernel({11: np.ones((3, model.n_features(lode)))}, {11: np.zeros((8, 3))})
    assert model_module._unpack(model.to_bytes())[0] == document


def test_a_newer_format_version_is_refused():
    document, tensors = model_module._unpack(build("linear rho").to_bytes())
    document["format_version"] = model_module.FORMAT_VERSION + 1
    with pytest.raises(RuntimeError, match=r"^new.mlcalc: description.format_version: .* a newer mlcalc is needed$"):
        _engine.Potential(model_module._pack(json.dumps(document), tensors), "new.mlcalc")


def test_a_basis_of_the_user_is_saved_as_its_table(small_salt):
    def functions(r):
        return np.stack([np.exp(-((r - center) ** 2)) for center in (0.5, 2.0, 3.5)], axis=-1)[:, None, :].repeat(
            3, axis=1
        )

    rho = DensityExpansion(
        name="rho", cutoff=4.0, n_max=3, l_max=2, basis=Tabulated(functions), smoothing=Step(), accuracy=1e-6
    )
    model = linear_model([rho], [POWER], 5)
    loaded = Model.from_bytes(model.to_bytes())
    assert loaded.expansions[0].basis == Tabulated(None)
    assert loaded.to_bytes() == model.to_bytes()
    assert energy(loaded.potential(), small_salt) == energy(model.potential(), small_salt)


def test_a_damaged_file_is_refused(tmp_path):
    contents = build("linear rho").to_bytes()
    damaged = bytearray(contents)
    damaged[-5] ^= 4
    path = tmp_path / "damaged.mlcalc"
    path.write_bytes(damaged)
    with pytest.raises(RuntimeError, match=r"damaged.mlcalc: checksum: .* the file is damaged"):
        Model.load(path)
    for n in (0, 7, 8, 100, len(contents) // 2, len(contents) - 1):
        with pytest.raises(RuntimeError, match="^cut.mlcalc: "):
            _engine.Potential(contents[:n], "cut.mlcalc")


CHANGES = {
    "description.species[1]": lambda d, t: d.update(species=[17, 11]),
    "description.units.energy": lambda d, t: d["units"].update(energy="Ry"),
    "description.reference_energies": lambda d, t: d.update(reference_energies=[1.0]),
    "description.boundaries[0]": lambda d, t: d.update(boundaries=["wire"]),
    "description.committee.n_members": lambda d, t: d.update(committee={"n_members": 0, "scale": 1.0}),
    "description.zbl.inner": lambda d, t: d.update(zbl={"inner": 3.0, "outer": 2.0}),
    "description.expansions[0].n_max": lambda d, t: d["expansions"][0].update(n_max=-1),
    "description.expansions[0].smoothing.width": lambda d, t: d["expansions"][0]["smoothing"].update(width=99.0),
    "description.terms[0].invariants[0].b": lambda d, t: d["terms"][0]["invariants"][0].update(b="absent"),
    "description.terms[0].regressor.zeta": lambda d, t: d["terms"][0]["regressor"].update(zeta=7),
    "description.terms[0].regressor": lambda d, t: d["terms"][0]["regressor"].update(extra=1),
    "tensor 'expansions.rho.radial'": lambda d, t: t["expansions.rho.radial"].__setitem__((0, 0, 0, 0), np.nan),
    "tensor 'expansions.rho.radial'.shape": lambda d, t: t.update({"expansions.rho.radial": np.zeros((5, 3, 1, 3))}),
    "tensor 'terms.term0.selection.0'": lambda d, t: t["terms.term0.selection.0"].__setitem__(-1, 10**6),
    "tensor 'terms.term0.points.11'.dtype": lambda d, t: t.update({"terms.term0.points.11": np.zeros(3, np.int32)}),
    "tensor 'terms.term0.weights.17'": lambda d, t: t.pop("terms.term0.weights.17"),
    "tensor 'terms.term0.weights.18'": lambda d, t: t.update({"terms.term0.weights.18": np.zeros(3)}),
}


@pytest.mark.parametrize("field", CHANGES)
def test_what_is_wrong_in_a_file_is_named(field):
    document, tensors = model_module._unpack(build("kernel selected").to_bytes())
    tensors = {name: tensor.copy() for name, tensor in tensors.items()}
    CHANGES[field](document, tensors)
    with pytest.raises(RuntimeError) as error:
        _engine.Potential(model_module._pack(json.dumps(document), tensors), "bad.mlcalc")
    assert str(error.value).startswith(f"bad.mlcalc: {field}: ")
    assert "\n" not in str(error.value)


def test_a_model_that_no_file_can_hold_is_not_written(tmp_path):
    model = linear_model([RHO], [POWER], 1)
    model.terms[0].regressor.weights[0, 3] = np.inf
    with pytest.raises(RuntimeError, match=r"tensor 'terms.term0.weights': entry 3 is not a finite number"):
        model.save(tmp_path / "model.mlcalc")
    assert list(tmp_path.iterdir()) == []
    model.terms[0].regressor = Linear(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"term 'term0': the weights must have the shape"):
        model.to_bytes()


def test_a_normalized_kernel_needs_a_smooth_limit_for_an_isolated_atom():
    hollow = DensityExpansion(name="rho", cutoff=4.0, n_max=2, l_max=1, center_atom_weight=0.0)
    with pytest.raises(RuntimeError, match="no smooth limit for an isolated atom"):
        kernel_model([hollow], [RADIAL], 1, epsilon=0.0).to_bytes()
    kernel_model([hollow], [RADIAL], 1, epsilon=0.1).to_bytes()
    kernel_model([RHO], [RADIAL], 1, epsilon=0.0).to_bytes()
    with pytest.raises(RuntimeError, match="no smooth limit"):  # a layer may mix the center away
        kernel_model([RHO], [CHANNELS], 1, layers=[mixing([RHO], 5, 3, 6)], epsilon=0.0).to_bytes()


def test_a_descriptor_has_features_only(small_salt):
    model = Model(SALT, [RHO], [Term("soap", [Invariant(2, "rho", "rho")])])
    potential = Model.from_bytes(model.to_bytes()).potential()
    assert potential.term_names == ["soap"]
    assert potential.n_features(0) == model.n_features("soap") == 4 * 21
    assert np.array_equal(evaluate(potential, small_salt)["energies"], np.zeros(8))


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.mlcalc"
    build("linear rho").save(path)
    old = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        build("kernel rho").save(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.mlcalc"]


def test_a_kill_in_the_middle_of_a_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.mlcalc"
    build("linear rho").save(path)
    old = path.read_bytes()
    script = (
        "import os, signal, sys\n"
        "from mlcalc.model import Model\n"
        "model = Model.load(sys.argv[1])\n"
        "model.provenance = {'new': True}\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "model.save(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], env={**os.environ, "PYTHONPATH": _root()})
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == old


def _root():
    return str(Path(model_module.__file__).parent.parent)


def test_provenance_survives():
    model = linear_model([RHO], [RADIAL], 1)
    model.provenance = {"data": {"sha256": "0" * 64}, "errors": {"test": {"energy": 1.5}}, "text": "Å \"'\n"}
    assert Model.from_bytes(model.to_bytes()).provenance == model.provenance


def test_names_that_no_tensor_can_have_are_refused():
    model = linear_model([RHO], [RADIAL], 1)
    model.terms[0].name = "a.b"
    with pytest.raises(RuntimeError, match=r"description.terms\[0\].name: must be 1 to 64 letters"):
        model.to_bytes()


@pytest.mark.parametrize("model", ["linear zbl", "linear committee", "kernel two cutoffs", "linear V"], indirect=True)
def test_a_model_is_described_in_words(model, tmp_path):
    path = tmp_path / "model.mlcalc"
    model.save(path)
    text = info.describe(path)
    assert f"cutoff of the short range: {model.potential().cutoff:g} A" in text
    assert "us per atom" in text
    for term in model.terms:
        assert f"term {term.name}: " in text
        assert f"{model.n_features(term)} features" in text
