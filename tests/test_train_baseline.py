# SPDX-License-Identifier: BSD-3-Clause
"""Learning what other models leave: the sum is one file, with the numbers of its parts."""

from dataclasses import replace

import numpy as np
import pytest
from lammps_runs import Job, needs_lammps, run
from models import COMPACT, EVERY_KIND_OF_MODEL, PAIRS, TRIPLES, build, evaluate
from training_cases import known_data, known_model, labeled, options, salt

from mlcalc.calculator import MLCalculator
from mlcalc.model import Model, TabulatedPairs, Zbl, combined, with_species
from mlcalc.train import OptionError, fit


@pytest.mark.parametrize("kind", EVERY_KIND_OF_MODEL)
def test_a_sum_of_models_has_the_sum_of_their_numbers(kind, small_salt):
    other = build(kind)
    mine = build("linear rho")
    if other.zbl is None:
        mine = replace(mine, zbl=Zbl(2.0, 3.5))
    results = evaluate(Model.from_bytes(combined(mine, other, "base-").to_bytes()).potential(lode="ksum"), small_salt)
    parts = [evaluate(model.potential(lode="ksum"), small_salt) for model in (mine, other)]
    for key in ("energies", "forces", "virial"):
        expected = parts[0][key] + parts[1][key]
        np.testing.assert_allclose(results[key], expected, rtol=0, atol=1e-10 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("kind", EVERY_KIND_OF_MODEL)
def test_more_species_change_nothing_for_those_that_were_there(kind, small_salt):
    model = replace(build(kind), zbl=None)
    more = Model.from_bytes(with_species(model, [1, 11, 15, 17]).to_bytes())
    less = Model.from_bytes(with_species(more, [11, 17]).to_bytes())
    expected = evaluate(model.potential(lode="ksum"), small_salt)
    for other in (more, less):
        results = evaluate(other.potential(lode="ksum"), small_salt)
        for key in ("energies", "forces", "virial"):
            np.testing.assert_allclose(results[key], expected[key], rtol=0, atol=1e-10 * np.abs(expected[key]).max())


def test_new_species_are_not_seen(small_salt):
    """Not by densities, layers, tables or triples, not even by those that are for any species."""
    model = replace(build("linear channels"), pairs=[PAIRS], triples=[*TRIPLES, *COMPACT])
    strangers = small_salt.copy()
    strangers.numbers[::3] = 15
    there = strangers.numbers != 15
    results = evaluate(with_species(model, [11, 15, 17]).potential(), strangers)
    expected = evaluate(model.potential(), strangers[there])
    np.testing.assert_allclose(results["energies"][there], expected["energies"], atol=1e-11)
    np.testing.assert_allclose(results["forces"][there], expected["forces"], atol=1e-11)
    assert np.all(results["energies"][~there] == 0)


def base_of(tmp_path):
    """A model that knows more than the data: its pairs are a part of the labels."""
    base = replace(known_model(seed=5), pairs=[PAIRS], triples=[TRIPLES[0]], boundaries=("periodic", "free"))
    base.save(tmp_path / "base.mlcalc")
    return base


@pytest.mark.parametrize("members", [0, 4])
def test_the_rest_is_learned_and_the_sum_is_one_file(members, tmp_path):
    base = base_of(tmp_path)
    truth = combined(known_model(), base, "b-")
    data = labeled(salt(30), MLCalculator(truth))
    entries = {"baseline": [str(tmp_path / "base.mlcalc")], "reference_energies": {"Na": -1.0, "Cl": -3.0}}
    more = {"committee": {"members": members}} if members else {}
    result = fit(options(tmp_path, data=entries, solver={"regularization": 1e-7}, **more), data, progress=False,
                 figures=False)  # fmt: skip
    loaded = Model.load(result.model_path)
    assert [t.name for t in loaded.terms] == ["soap", "base-soap"] and loaded.provenance["data"]["baseline"]
    assert loaded.reference_energies == pytest.approx(truth.reference_energies)
    calculator = MLCalculator(result.model_path)
    for atoms in data[:5]:
        forces = calculator.get_property("forces", atoms.copy())
        np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-4)
    without = fit(options(tmp_path, solver={"regularization": 1e-7}), data, progress=False, figures=False)
    assert np.abs(MLCalculator(without.model_path).get_property("forces", data[0]) - data[0].get_forces()).max() > 1e-2


@needs_lammps
def test_a_sum_runs_in_lammps(tmp_path, small_salt):
    path = tmp_path / "sum.mlcalc"
    combined(build("kernel soap + lode"), replace(base_of(tmp_path), zbl=Zbl(1.5, 3.0)), "base-").save(path)
    small_salt.set_cell(small_salt.cell.cellpar(), scale_atoms=True)
    results, _ = run(tmp_path, [Job(small_salt, path, options="lode ksum accuracy 1e-8")], 2)
    expected = evaluate(Model.load(path).potential(lode="ksum", accuracy=1e-8), small_salt)
    assert results[0]["energy"] == pytest.approx(expected["energies"].sum(), rel=1e-10)
    np.testing.assert_allclose(results[0]["forces"], expected["forces"], rtol=0, atol=1e-7)


def test_what_cannot_be_a_baseline_is_refused(tmp_path):
    def wrong(sentence, *paths, **data):
        entries = {"baseline": [str(tmp_path / p) for p in paths], **data}
        with pytest.raises(OptionError, match=sentence):
            fit(options(tmp_path, data=entries), known_data(), progress=False, figures=False)

    wrong("data.baseline: .*none.mlcalc: no such file", "none.mlcalc")
    (tmp_path / "text.mlcalc").write_text("text")
    wrong("data.baseline: .*text.mlcalc", "text.mlcalc")
    described = known_model()
    described.terms[0].regressor = None
    described.save(tmp_path / "features.mlcalc")
    wrong("only describes features", "features.mlcalc")
    sodium = Model([11], [], [], zbl=Zbl(1.0, 2.0))
    sodium.save(tmp_path / "sodium.mlcalc")
    wrong("Cl is none of them", "sodium.mlcalc")
    for k in range(2):
        replace(known_model(), zbl=Zbl(1.0, 2.0)).save(tmp_path / f"{k}.mlcalc")
    wrong("both models have a ZBL", "0.mlcalc", "1.mlcalc")


def test_a_baseline_that_does_not_know_an_element_is_told(tmp_path):
    table = {pair: t for pair, t in PAIRS.tables.items() if pair == (17, 17)}
    Model([17], [], [], pairs=[TabulatedPairs("t", table)]).save(tmp_path / "cl.mlcalc")
    result = fit(options(tmp_path, data={"baseline": str(tmp_path / "cl.mlcalc")}), known_data(), progress=False,
                 figures=False)  # fmt: skip
    assert any("does not know Na" in note for note in result.report["notes"])
    assert [entry.name for entry in result.model.pairs] == ["base-t"]
