# SPDX-License-Identifier: BSD-3-Clause
"""Options: mistakes are told in one sentence that names the entry."""

from pathlib import Path

import ase.io
import pytest
from training_cases import known_data

from mlcalc.model import DensityExpansion, PotentialExpansion
from mlcalc.train.option_page import all_options, page
from mlcalc.train.options import OptionError, TrainOptions, WeightOptions, parse_bytes, parse_options, read_yaml
from mlcalc.train.plan import build_expansions
from mlcalc.train.template import template


def options(**changes):
    entry = {
        "data": {"files": ["train.xyz"]},
        "expansions": [{"name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 4.0}],
        "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}],
    }
    return {**entry, **changes}


def test_defaults_are_filled_in():
    parsed = parse_options(options())
    assert parsed.data.energy == "energy" and parsed.data.forces == "forces" and parsed.data.stress is None
    assert parsed.terms[0].invariants[0].b == "rho"
    assert parsed.report == "model-report"


def test_parsing_leaves_the_callers_dictionary_alone():
    mine = options()
    parse_options(mine)
    assert mine == options()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modle": "x"}, "unknown option 'modle', did you mean 'model'"),
        ({"data": {"files": ["a"], "force": "f"}}, "data: unknown option 'force', did you mean 'forces'"),
        ({"data": {"files": ["a"], "split": {"methd": "file"}}}, r"data.split: unknown option 'methd'"),
        ({"weights": {"forces": -1}}, "weights.forces must be above 0"),
        ({"weights": {"forces": "strong"}}, "weights.forces must be a number"),
        ({"solver": {"criterion": "aic"}}, "solver.criterion must be one of"),
        ({"committee": {"members": 2}}, "at least 4"),
        ({"budget": {"memory": "lots"}}, "budget.memory must be a size"),
        ({"data": {"files": ["a"], "stress": "s", "virial": "v"}}, "not both"),
        ({"data": {"files": ["a"], "zbl": {"inner": 2, "outer": 1}}}, "inner must be below outer"),
        ({"data": {"files": ["a"], "split": {"method": "group"}}}, "needs 'group'"),
        ({"terms": []}, "'terms' must be a list"),
        ({"expansions": [{"name": "rho", "type": "density", "n_max": 4}]}, "'l_max' is missing"),
        ({"expansions": [{"name": "rho", "type": "densty", "n_max": 4}]}, "type must be one of density, potential"),
        (
            {"expansions": [{"name": "roh", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 4.0}]},
            "uses expansion 'rho', did you mean 'roh'",
        ),
        ({"solver": {"criterion": "none"}}, "needs a number"),
        ({"weights": {"energy": float("inf")}}, "weights.energy must be a finite number"),
        ({"data": {"files": ["a"], "reference_energies": {"Qq": 1}}}, "'Qq' is not a chemical symbol"),
        ({"data": {"files": ["a"], "reference_energies": {"Na": None}}}, "reference_energies.Na must be a number"),
        ({"model": None}, "model must be the path of a file"),
        ({"model": "/"}, "model must be the path of a file"),
        ({"report": __file__}, "report must be a folder"),
        ({"checkpoint": __file__}, "checkpoint must be a folder"),
    ],
)
def test_a_mistake_is_named(changes, message):
    with pytest.raises(OptionError, match=message):
        parse_options(options(**changes))


def test_a_file_of_options(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text("data: {files: [a.xyz]}\nweights: {energy: 1e-3}\n" + OPTIONS_TAIL)
    assert parse_options(path).weights.energy == 1e-3
    path.write_text("data: {files: [a.xyz")
    with pytest.raises(OptionError, match="not valid YAML"):
        parse_options(path)
    with pytest.raises(OptionError, match="cannot read the options file"):
        parse_options(tmp_path / "missing.yaml")


OPTIONS_TAIL = """
expansions: [{name: rho, type: density, n_max: 4, l_max: 3, cutoff: 4.0}]
terms: [{name: soap, invariants: [{nu: 2, a: rho}], regressor: {type: linear}}]
"""


@pytest.mark.parametrize(("text", "size"), [("2 GB", 2e9), ("500MB", 5e8), (1024, 1024), ("1.5 kB", 1500)])
def test_sizes(text, size):
    assert parse_bytes(text, "here") == size


def test_paths_are_relative_to_the_options_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/o.yaml").write_text("data: {files: [a.xyz, {path: b.xyz}, /c.xyz]}\n" + OPTIONS_TAIL)
    parsed = parse_options("runs/o.yaml")
    assert [f.path for f in parsed.data.files] == ["runs/a.xyz", "runs/b.xyz", "/c.xyz"]
    assert (parsed.model, parsed.report) == ("runs/model.mlcalc", "runs/model-report")
    assert parse_options(options()).data.files[0].path == "train.xyz"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-8", 1e-8),
        ("1E-8", 1e-8),
        ("-1e+3", -1e3),
        (".5", 0.5),
        ("5.", 5.0),
        ("1:30", "1:30"),
        ("010", 10),
        ("1", 1),
    ],
)
def test_numbers_are_those_of_yaml_1_2(tmp_path, text, value):
    path = tmp_path / "o.yaml"
    path.write_text(f"x: {text}\n")
    read = read_yaml(path)["x"]
    assert read == value and type(read) is type(value)


def test_numbers_in_options_files(tmp_path):
    path = tmp_path / "o.yaml"
    tail = OPTIONS_TAIL.replace("cutoff: 4.0", "cutoff: 4.0, accuracy: 1e-8")
    path.write_text("data: {files: [{path: a.xyz, index: 1:30}]}\nengine: {accuracy: 1e-4}\n" + tail)
    parsed = parse_options(path)
    assert parsed.expansions[0].accuracy == 1e-8 and parsed.engine.accuracy == 1e-4
    assert parsed.data.files[0].index == "1:30"
    path.write_text("data: {files: [a.xyz]}\ndata: {files: [b.xyz]}\n" + OPTIONS_TAIL)
    with pytest.raises(OptionError, match="'data' is written twice"):
        parse_options(path)


def test_the_page_of_all_options_is_complete_and_current():
    """Every field of every class is on the page, and the page in docs/ is the one that the program prints."""
    text = (Path(__file__).parents[1] / "docs/options.md").read_text()
    assert text == page()
    named = {o.path for o in all_options()}
    assert len(named) > 100
    for name in ("energy_offset", "max_force", "units.stress_order", "solver.refit", "budget.disk", "keep_checkpoint",
                 "engine.lode", "committee.calibrate", "scaling", "center_atom_weight"):  # fmt: skip
        assert any(p == name or p.endswith("." + name) for p in named), name
    for option in all_options():
        assert option.text or option.path.endswith((".type", ".method")), f"{option.path} is not explained"
        assert f"`{option.path.rpartition('.')[2]}`" in text

    def fields(schema, seen):
        for definition in schema["$defs"].values():
            seen |= set(definition.get("properties", ()))
        return seen | set(schema["properties"])

    assert fields(TrainOptions.model_json_schema(), set()) == {p.rpartition(".")[2] for p in named}


def test_defaults_are_those_of_the_classes_and_of_the_template(tmp_path):
    parsed = parse_options(options())
    rho = build_expansions(parsed, [11, 17])[0]
    assert rho == DensityExpansion(name="rho", n_max=4, l_max=3, cutoff=4.0)
    field = {"name": "V", "type": "potential", "n_max": 2, "l_max": 1, "smearing": 1.5}
    terms = [{"name": "lode", "invariants": [{"nu": 1, "a": "V"}], "regressor": {"type": "linear"}}]
    (v,) = build_expansions(parse_options(options(expansions=[field], terms=terms)), [11, 17])
    assert v == PotentialExpansion(name="V", n_max=2, l_max=1, smearing=1.5)
    ase.io.write(tmp_path / "salt.xyz", known_data()[:5])
    (tmp_path / "o.yaml").write_text(template(str(tmp_path / "salt.xyz")))
    assert parse_options(tmp_path / "o.yaml").weights == WeightOptions()
