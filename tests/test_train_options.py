# SPDX-License-Identifier: BSD-3-Clause
"""Options: mistakes are told in one sentence that names the entry."""

import pytest

from mlcalc.train.options import OptionError, parse_bytes, parse_options


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
