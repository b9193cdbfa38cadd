# SPDX-License-Identifier: BSD-3-Clause
"""The most common mistakes of `mlcalc train`: one sentence each that names the thing, and nothing half made is left."""

import copy

import ase.io
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import RHO, SOAP, known_data

from mlcalc.cli import main

GOOD = {
    "model": "m.mlcalc",
    "data": {"files": ["salt.xyz"], "stress": "stress", "split": {"validation": 0.2, "test": 0.2}},
    "expansions": [RHO], "terms": [SOAP], "budget": {"threads": 1},
}  # fmt: skip
V = {"name": "V", "type": "potential", "n_max": 1, "l_max": 1}
V_TERM = {"name": "lode", "invariants": [{"nu": 1, "a": "V"}], "regressor": {"type": "linear"}}


def changed(path, value):
    """The good options with one entry changed, or removed for ``...``."""

    def change(options):
        *parents, last = path.split("/")
        for name in parents:
            options = options.setdefault(name, {}) if not isinstance(options, list) else options[int(name)]
        key = int(last) if isinstance(options, list) else last
        if value is ...:
            del options[key]
        else:
            options[key] = value

    return change


def frames(change):
    """The data with something done to each of its frames (k, atoms)."""

    def act(_):
        made = []
        for k, atoms in enumerate(known_data()):
            copied = atoms.copy()
            copied.calc = SinglePointCalculator(copied, **{n: np.copy(v) for n, v in atoms.calc.results.items()})
            result = change(k, copied)
            made += [copied] if result is None else result
        ase.io.write("salt.xyz", made)

    return act


def both(*steps):
    return lambda options: [step(options) for step in steps]


def nan_force(k, atoms):
    if k == 3:
        atoms.calc.results["forces"][2, 1] = np.nan


def twice_there(k, atoms):
    if k == 7:
        atoms.positions[1] = atoms.positions[0]


def potassium(k, atoms):
    atoms.info["set"] = "test" if k == 9 else "train"
    if k == 9:
        atoms.symbols[0] = "K"


def slab(k, atoms):
    atoms.pbc = (True, True, False)


def wire(k, atoms):
    atoms.pbc = (False, True, False)


MISTAKES = {
    "a wrong key": (changed("data/force", "forces"), "data: unknown option 'force', did you mean 'forces'?"),
    "a wrong group": (changed("modle", "m"), "options: unknown option 'modle', did you mean 'model'?"),
    "a wrong type": (changed("weights/forces", "strong"), "weights.forces must be a number, got 'strong'"),
    "a truth value for a number": (changed("weights/forces", True), "weights.forces must be a number, got True"),
    "a list for a name": (changed("data/energy", ["a"]), "data.energy must be text, got ['a']"),
    "a word for a truth value": (
        changed("terms/0/regressor", {"type": "kernel", "normalize": "no"}),
        "terms[0].regressor.normalize must be true or false, got 'no'",
    ),
    "a fraction of a count": (
        changed("expansions/0/n_max", 3.5),
        "expansions[0].n_max must be a whole number, got 3.5",
    ),
    "a negative cutoff": (changed("expansions/0/cutoff", -4), "expansions[0].cutoff must be above 0, got -4"),
    "no cutoff": (changed("expansions/0/cutoff", ...), "expansions[0]: 'cutoff' is missing"),
    "a smoothing wider than the cutoff": (
        changed("expansions/0/smoothing/width", 9.0),
        "the smoothing width must not exceed the cutoff 4.0, got 9.0",
    ),
    "featomic's names of smoothing": (
        changed("expansions/0/smoothing/type", "ShiftedCosine"),
        "expansions[0].smoothing.type must be one of shifted_cosine, step, got 'ShiftedCosine', did you mean",
    ),
    "a misspelled density": (
        changed("expansions/0/density", "gausian"),
        "expansions[0].density.type must be one of gaussian, delta, got 'gausian', did you mean 'gaussian'?",
    ),
    "an unknown basis": (
        changed("expansions/0/basis", {"type": "bogus"}),
        "expansions[0].basis.type must be one of gto, laplacian_eigenstates, legendre, got 'bogus'",
    ),
    "an option of another type": (
        changed("terms/0/regressor", {"type": "linear", "zeta": 2}),
        "unknown option 'zeta', which belongs to kernel",
    ),
    "an unknown regressor": (
        changed("terms/0/regressor", {"type": "neural"}),
        "terms[0].regressor.type must be one of linear, kernel",
    ),
    "an expansion that is not there": (
        changed("terms/0/invariants/0/a", "roh"),
        "term 'soap' uses expansion 'roh', did you mean 'rho'?",
    ),
    "body order 9": (changed("terms/0/invariants/0/nu", 9), "terms[0].invariants[0].nu must be one of 1, 2, got 9"),
    "no terms": (changed("terms", []), "'terms' must be a list with at least one entry"),
    "no data": (changed("data", ...), "options: 'data' is missing"),
    "a missing file": (changed("data/files", ["slat.xyz"]), "data file slat.xyz does not exist"),
    "a folder": (changed("data/files", ["."]), ". is a folder, not a file with structures"),
    "no such frames": (
        changed("data/files", [{"path": "salt.xyz", "index": "100:"}]),
        "has no structures at index '100:'",
    ),
    "an empty file": (lambda _: open("salt.xyz", "w").close(), "salt.xyz"),
    "an unknown unit": (changed("data/units/energy", "Ry"), "data.units.energy must be one of eV, meV, hartree"),
    "another name of the forces": (
        changed("data/forces", "dft_forces"),
        "no structure has 'dft_forces', named as the forces key. Keys found: energy",
    ),
    "nothing to fit": (both(changed("data/energy", None), changed("data/forces", None)), "there is nothing to fit"),
    "stress and virial": (changed("data/virial", "virial"), "data: name either stress or virial, not both"),
    "a force that is no number": (frames(nan_force), "salt.xyz, structure 3: a force contains NaN or infinity"),
    "atoms at one place": (frames(twice_there), "structure 7: atoms 0 and 1 are at the same place"),
    "a forgotten split": (
        changed("data/split", {"method": "key", "key": "set"}),
        "structure 0: no 'set', named for the split",
    ),
    "everything held out": (changed("data/split", {"validation": 0.6, "test": 0.4}), "leave nothing to train on"),
    "another element in the test set": (
        both(frames(potassium), changed("data/split", {"method": "key", "key": "set"})),
        "salt.xyz, structure 9 (test set): K is in no training structure",
    ),
    "no isolated atoms": (
        changed("data/reference_energies", "isolated"),
        "no single-atom structure with an energy of Na, Cl",
    ),
    "an element that does not exist": (
        changed("data/reference_energies", {"Nq": 1.0}),
        "data.reference_energies: 'Nq' is not a chemical symbol",
    ),
    "too few references": (changed("data/reference_energies", {"Na": 1.0}), "data.reference_energies lacks Cl"),
    "a far field of wires": (
        both(
            frames(wire),
            changed("expansions", [RHO, V]),
            changed("terms", [SOAP, V_TERM]),
            changed("data/stress", None),
        ),
        "is a wire, periodic in one direction, for which no far field is defined; give it vacuum",
    ),
    "an exponent that slabs do not have": (
        both(
            frames(slab),
            changed("expansions", [RHO, {**V, "exponent": 6}]),
            changed("terms", [SOAP, V_TERM]),
            changed("data/stress", None),
        ),
        "expansions[1].exponent: salt.xyz, structure 0 is a slab, and the far field of slabs is defined for exponent 1 "
        "(and 0), got 6",
    ),
    "a committee of two": (changed("committee/members", 2), "committee.members must be 0 or at least 4"),
    "more members than structures": (
        changed("committee/members", 32),
        "18 training structures are too few for 64 folds",
    ),
    "memory without a unit": (
        changed("budget/memory", "lots"),
        "budget.memory must be a size such as '2 GB', got 'lots'",
    ),
    "too little memory": (changed("budget/memory", "1 kB"), "raise budget.memory"),
    "a config type that is not there": (
        changed("weights/config_types", {"liquid": 2}),
        "weights.config_types: unknown option 'liquid'",
    ),
    "an evaluator that does not exist": (
        changed("engine/lode", "pppm"),
        "engine.lode must be one of auto, ksum, mesh, free",
    ),
    "a number for nothing": (changed("solver", {"criterion": "none"}), "criterion none needs a number"),
    "a max_force below all": (changed("data/max_force", 1e-9), "data.max_force 1e-09 leaves no structure"),
    "a folder for the model": (changed("model", "."), "model must be the path of a file to write, got '.'"),
    "a file for the report": (changed("report", "salt.xyz"), "report must be a folder, salt.xyz is a file"),
    "a folder that is not writable": (
        changed("model", "/proc/m.mlcalc"),
        "model: nothing can be written to the folder /proc",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(mistake, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ase.io.write("salt.xyz", known_data())
    options = copy.deepcopy(GOOD)
    change, sentence = MISTAKES[mistake]
    change(options)
    with open("o.yaml", "w") as file:
        yaml.safe_dump(options, file)
    assert main(["train", "o.yaml", "--quiet"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("mlcalc train: error: ") and error.count("\n") == 1 and len(error) < 600
    assert sentence in error
    assert not list(tmp_path.glob("**/*.mlcalc")) and not list(tmp_path.glob("**/report.json"))


TYPES = {
    "expansions[0]": {"name": "rho", "type": "wrong", "n_max": 2, "l_max": 1, "cutoff": 4.0},
    "expansions[0].smoothing": {**RHO, "smoothing": {"type": "wrong"}},
    "expansions[0].density": {**RHO, "density": {"type": "wrong"}},
    "expansions[0].basis": {**RHO, "basis": {"type": "wrong"}},
    "expansions[0].mixing": {**RHO, "mixing": {"method": "wrong"}},
    "expansions[1].basis": {**V, "basis": {"type": "wrong"}},
    "expansions[1].mixing": {**V, "mixing": "wrong"},
}


@pytest.mark.parametrize("written", ["wrong", "Gaussian", "", 3, None, ["step"]])
@pytest.mark.parametrize("place", TYPES)
def test_no_nested_type_is_taken_for_another(place, written):
    from mlcalc.train import OptionError, parse_options

    expansions = [dict(RHO), dict(V)]
    k = int(place[11])
    entry = copy.deepcopy(TYPES[place])
    group = entry if place.endswith("]") else entry.get(place.rpartition(".")[2])
    if isinstance(group, dict):
        group["method" if place.endswith("mixing") else "type"] = written
    else:
        entry[place.rpartition(".")[2]] = written
        if written is None:
            pytest.skip("null is no mixing")
    expansions[k] = entry
    with pytest.raises(OptionError, match=r"(type|method) must be one of|must be a mapping with|'type' is missing"):
        parse_options({**GOOD, "expansions": expansions, "terms": [SOAP, V_TERM]})


def test_several_mistakes_are_said_at_once():
    from mlcalc.train import OptionError, parse_options

    with pytest.raises(OptionError) as caught:
        parse_options({**GOOD, "weights": {"energy": "a", "forces": -1}, "seed": -2})
    text = str(caught.value)
    assert (
        "weights.energy must be a number" in text and "weights.forces must be above 0" in text and "seed must" in text
    )


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_few_structures_train_with_the_defaults(n, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ase.io.write("salt.xyz", known_data()[:n])
    options = {**GOOD, "data": {"files": ["salt.xyz"]}}
    with open("o.yaml", "w") as file:
        yaml.safe_dump(options, file)
    assert main(["train", "o.yaml", "--quiet"]) == 0, capsys.readouterr().err


def test_isolated_atoms_are_alone(tmp_path):
    """A primitive cell has one atom, too."""
    from test_train_signs import copper, label

    from mlcalc.train import DataError, fit

    crystal = label(bulk("Cu", "fcc", 3.6))
    alone = label(Atoms("Cu", cell=[12, 12, 12], pbc=True))
    options = {**GOOD, "model": str(tmp_path / "m.mlcalc"),
               "data": {"files": ["frames"], "reference_energies": "isolated"}}  # fmt: skip
    frames = [crystal, *copper(12), alone]
    model = fit(options, frames, progress=False, figures=False).model
    assert model.reference_energies[0] == pytest.approx(alone.get_potential_energy(), abs=1e-12)
    assert abs(alone.get_potential_energy() - crystal.get_potential_energy()) > 1
    with pytest.raises(DataError, match="of Cu that is alone within 5 Å .Cu has an image at 2.55 Å"):
        fit(options, frames[:-1], progress=False, figures=False)
