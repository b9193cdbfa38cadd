# SPDX-License-Identifier: BSD-3-Clause
"""Every command that reads a model, on every kind of model that there is."""

import re

import ase.build
import ase.io
import numpy as np
import pytest
from models import EVERY_KIND_OF_MODEL, build

from mlcalc import MLCalculator
from mlcalc.cli import main
from mlcalc.model import ChannelProduct

KINDS = [*EVERY_KIND_OF_MODEL, "tensors alone"]
# charges times positions are for free boundaries
FREE = {"tensors charges"}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path, monkeypatch):
    """The name of the kind, m.mlcalc of it and f.xyz of two structures in the working folder."""
    monkeypatch.chdir(tmp_path)
    build(request.param).save("m.mlcalc")
    salt = ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    frames = []
    for seed in (1, 2):
        frames.append(salt.copy())
        frames[-1].rattle(0.1, seed=seed)
        if request.param in FREE:
            frames[-1].pbc, frames[-1].cell = False, None
    ase.io.write("f.xyz", frames)
    return request.param


def test_info_names_every_part(kind, capsys):
    model = build(kind)
    assert main(["info", "m.mlcalc"]) == 0
    said = capsys.readouterr().out
    named = {"expansion": model.expansions, "layer": model.layers, "term": model.terms, "tensor": model.outputs,
             "pair table": model.pairs, "triples": model.triples}  # fmt: skip
    for word, parts in named.items():
        for part in parts:
            assert re.search(rf"^{word} {part.name}\b", said, re.MULTILINE), f"{word} {part.name}"
    for layer in model.layers:
        assert f"{layer.n_channels} channels mixed of {' and '.join(layer.inputs)}" in said
    for product in (i for term in model.terms for i in term.invariants if isinstance(i, ChannelProduct)):
        assert f"factors of {product.a} ({len(product.paths)} couplings" in said
    assert main(["info", "m.mlcalc", "--json"]) == 0
    assert main(["info", "m.mlcalc", "--provenance"]) == 0


def test_features_have_a_label_for_every_column(kind):
    assert main(["features", "m.mlcalc", "f.xyz"]) == 0
    with np.load("features.npz") as arrays:
        names = [name for name in arrays if f"{name}-columns" in arrays]
        parts = [part for output in build(kind).outputs for part in output.parts]
        assert len(names) == len(build(kind).terms) + len(parts)
        for name in names:
            columns = arrays[f"{name}-columns"]
            assert arrays[name].shape == (16, len(columns))
            assert len(np.unique(columns, axis=0)) == len(columns), "two columns have one label"


def test_predict_writes_what_the_calculator_gives(kind):
    assert main(["predict", "m.mlcalc", "f.xyz", "--quiet"]) == 0
    calculator = MLCalculator("m.mlcalc")
    for atoms in ase.io.read("predictions.xyz", ":"):
        if build(kind).has_energy:
            assert atoms.get_potential_energy() == pytest.approx(calculator.get_property("energy", atoms), abs=1e-6)
        for output in build(kind).outputs:
            # a dipole per volume where there is one
            name = "polarization" if output.name == "dipole" and atoms.pbc.all() else output.name
            values = np.ravel(atoms.info[f"predicted_{name}"])
            assert values == pytest.approx(np.ravel(calculator.get_property(name, atoms)), abs=1e-6)


def test_select_chooses_or_says_why_not(kind, capsys):
    code = main(["select", "m.mlcalc", "f.xyz", "-n", "1", "--quiet"])
    if build(kind).has_energy:
        assert code == 0 and len(ase.io.read("selected.xyz", ":")) == 1
    else:
        assert code == 1 and "the model has none" in capsys.readouterr().err
