# SPDX-License-Identifier: BSD-3-Clause
"""The loop: it ends where it would have ended had nobody killed it, and what goes wrong loses nothing."""

import errno
import json
import re

import ase.io
import numpy as np
import pytest
import yaml
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from lammps_runs import needs_lammps
from training_cases import RHO, SOAP, known_model, salt

from mlcalc import MLCalculator
from mlcalc.cli import main
from mlcalc.files import locked
from mlcalc.learn import learn
from mlcalc.learn import loop as loop_module
from mlcalc.learn.calculators import calculator_of
from mlcalc.learn.explore import Exploration
from mlcalc.learn.labels import Waiting, name_of
from mlcalc.learn.loop import parse_learn_options
from mlcalc.learn.options import LearnOptions
from mlcalc.model import Model
from mlcalc.train import DataError, OptionError, design, fit
from mlcalc.train.option_page import groups


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


def options(where, **changes):
    made = {
        "structures": [str(where / "start.xyz")], "folder": str(where / "loop"), "rounds": 3, "threads": 1,
        "explore": {"temperatures": [600.0], "repeats": 1, "steps": 40, "every": 5, "timestep": 2.0, "limit": 0.02},
        "select": {"number": 3, "first": 14, "rattle": 0.1, "closest": 0.3},
        "train": {"expansions": [dict(RHO)], "terms": [dict(SOAP)], "committee": {"members": 4},
                  "solver": {"regularization": 1e-3}, "weights": {"energy": 0.001, "forces": 0.01}},
    }  # fmt: skip
    for key, value in changes.items():
        made[key] = {**made[key], **value} if isinstance(value, dict) and isinstance(made.get(key), dict) else value
    return made


@pytest.fixture
def start(tmp_path):
    ase.io.write(tmp_path / "start.xyz", salt(1, seed=2, amplitude=0.02))
    return tmp_path


def reference():
    return MLCalculator(known_model())


def run(wanted, calculator=None):
    return learn(wanted, calculator or reference(), progress=False)


def weights(path):
    return Model.load(path).terms[0].regressor.weights


def test_a_loop_labels_trains_runs_and_selects(start):
    result = run(options(start))
    assert not result.converged and "3 rounds" in result.reason
    assert [r.labels for r in result.rounds] == [14, 17, 20] and [r.new for r in result.rounds] == [14, 3, 3]
    assert all(r.runs == 1 and r.limit == 0.02 for r in result.rounds)
    assert result.rounds[0].force_error is None
    for entry in result.rounds[1:]:
        assert entry.force_error > 0 and entry.force_uncertainty > 0
        assert entry.ratio == pytest.approx(max(entry.force_error / entry.force_uncertainty,
                                                entry.energy_error / entry.energy_uncertainty))  # fmt: skip
    assert np.array_equal(weights(result.model_path), weights(start / "loop/round-002/model.mlcalc"))
    page = result.report_path.read_text()
    assert page.count("<img") == 1 and "data:image/png;base64," in page and "Ended: after 3 rounds" in page
    reasons = [a.info["selected_because"] for a in ase.io.read(start / "loop/round-001/chosen.xyz", ":")]
    assert all("log det" in reason for reason in reasons)
    # isolated atoms by the reference: those of the model that made the labels
    isolated = json.loads((start / "loop/isolated.json").read_text())
    assert isolated == pytest.approx({"Cl": -3.0, "Na": -1.0}, abs=0.01)


def test_rows_of_old_structures_are_not_computed_again(start, monkeypatch):
    compute, calls = design.RowMaker.__call__, []

    def call(self, target):
        if "labels.xyz" in target.structure.source:
            calls.append(target.structure.index)
        return compute(self, target)

    monkeypatch.setattr(design.RowMaker, "__call__", call)
    run(options(start))
    assert sorted(calls) == list(range(20))


STAGES = {
    "labels": ("mlcalc.learn.labels.Reference", "_one", 16),
    "isolated": ("mlcalc.learn.loop", "isolated_energies", 1),
    "training": ("mlcalc.learn.loop", "fit", 2),
    "a run": ("mlcalc.running.md.Run", "_report", 4),
    "selection": ("mlcalc.learn.loop", "select", 1),
    "page": ("mlcalc.learn.loop", "write_loop_page", 2),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_loop_that_is_killed_goes_on_and_ends_in_the_same_place(start, monkeypatch, stage):
    owner, name, n = STAGES[stage]
    module, _, cls = owner.rpartition(".") if owner[owner.rindex(".") + 1].isupper() else (owner, "", "")
    place = __import__(module, fromlist=["x"])
    place = getattr(place, cls) if cls else place
    original, calls = getattr(place, name), []

    def killed(*args, **kwargs):
        calls.append(1)
        if len(calls) == n:
            raise Killed
        return original(*args, **kwargs)

    wanted = options(start, rounds=2)
    with monkeypatch.context() as patched:
        patched.setattr(place, name, killed)
        with pytest.raises(Killed):
            run(wanted)
    resumed = run(wanted)
    (start / "whole").mkdir()
    whole = run({**wanted, "folder": str(start / "whole")})
    assert np.array_equal(weights(resumed.model_path), weights(whole.model_path))
    assert [r.labels for r in resumed.rounds] == [r.labels for r in whole.rounds]
    again = run(wanted)  # a loop that has ended
    assert [vars(r) for r in again.rounds] == [vars(r) for r in resumed.rounds] and again.reason == resumed.reason


def test_labels_may_be_made_elsewhere(start):
    wanted = options(start, rounds=2, reference={"calculator": "queue"})
    for number, count in ((0, 14), (1, 3)):
        folder = start / f"loop/round-{number:03d}/labels"
        with pytest.raises(Waiting, match=rf"label the {count} structures of {folder}/to-label.xyz .* none are there"):
            learn(wanted, progress=False)
        asked = ase.io.read(folder / "to-label.xyz", ":")
        labeled = []
        for atoms in reversed(asked):
            copy = atoms.copy()
            copy.calc = reference()
            copy.calc = SinglePointCalculator(copy, energy=copy.get_potential_energy(), forces=copy.get_forces())
            labeled.append(copy)
        ase.io.write(folder / "labels.xyz", labeled[1:])
        with pytest.raises(Waiting, match=f"{count - 1} of {count} are there"):
            learn(wanted, progress=False)
        if number == 0:
            (folder / "aside.json").write_text(json.dumps({name_of(asked[-1]): "the code crashed"}))
        else:
            ase.io.write(folder / "labels.xyz", labeled)
    result = learn(wanted, progress=False)
    assert [r.labels for r in result.rounds] == [13, 16] and "the code crashed" in result.report_path.read_text()


class Fickle(Calculator):
    """The known model, that fails or jumps on every third structure."""

    implemented_properties = ["energy", "forces", "stress"]

    def __init__(self, what):
        super().__init__()
        self.inner, self.what, self.n = reference(), what, 0

    def calculate(self, atoms=None, properties=("energy",), changes=()):
        super().calculate(atoms, properties, changes)
        self.n += 1
        results = {p: np.array(self.inner.get_property(p, atoms)) for p in self.implemented_properties}
        if self.what == "all" or self.n % 3 == 0 and len(atoms) > 1:
            if self.what in ("fails", "all"):
                raise RuntimeError("SCF is not converged")
            if self.what == "jumps":
                results["energy"] = results["energy"] + 100.0
            if self.what == "nan":
                results["forces"] = results["forces"] * np.nan
            if self.what == "large":
                results["forces"] = results["forces"] + 80.0
        self.results = results


@pytest.mark.parametrize(
    ("what", "sentence"),
    [("fails", "the reference failed: SCF is not converged"), ("jumps", "from what was expected"),
     ("nan", "labels that are not numbers"), ("large", "above reference.max_force")],
)  # fmt: skip
def test_structures_that_cannot_be_labeled_are_kept_aside(start, what, sentence):
    result = run(options(start, rounds=2, select={"first": 24}, reference={"isolated": False}), Fickle(what))
    entry = result.rounds[-1]
    assert entry.aside == 9 and entry.labels == 24 + 3 - 9
    page = result.report_path.read_text()
    assert page.count(sentence) == 9 and "9 kept aside" in page


def test_a_reference_that_fails_always_is_told_at_once(start):
    with pytest.raises(DataError, match="labels none of the 14 structures .*SCF is not converged"):
        run(options(start, reference={"isolated": False}), Fickle("all"))
    with pytest.raises(DataError, match="the calculator failed: .*reference.isolated: false to do without"):
        run(options(start), Fickle2())


class Fickle2(LennardJones):
    """No isolated atoms."""

    def get_property(self, name, atoms=None, allow_calculation=True):
        if len(atoms) == 1:
            raise RuntimeError("open shell")
        return super().get_property(name, atoms, allow_calculation)


def test_a_limit_that_everything_passes_ends_the_loop(start):
    result = run(options(start, rounds=5, explore={"limit": 1e4}, agree=1e9))
    assert result.converged and "all runs stayed inside 1e+04 eV/Å" in result.reason
    assert len(result.rounds) == 2 and result.rounds[0].inside == 1
    strict = run(options(start, rounds=2, explore={"limit": 1e4}, agree=1e-9, folder=str(start / "strict")))
    assert not strict.converged and strict.reason.startswith("after 2 rounds")


def test_a_limit_that_nothing_passes_is_told(start):
    wanted = options(start, rounds=9, explore={"limit": 1e-9, "repeats": 1})
    with pytest.raises(DataError, match="1 of 1 runs stopped at the limit of 1e-09 eV/Å .* raise explore.limit"):
        run(wanted)
    assert (start / "loop/round-000/model.mlcalc").exists()


def test_labels_may_be_limited(start):
    result = run(options(start, max_labels=17, rounds=9))
    assert not result.converged and result.reason == "17 structures are labeled ('max_labels')"


def test_one_loop_in_one_folder(start):
    wanted = options(start)
    with locked(start / "loop", "held"), pytest.raises(ValueError, match="another loop is running in the folder"):
        run(wanted)
    run({**wanted, "rounds": 1})
    with pytest.raises(DataError, match="holds a loop of other start structures or another seed"):
        run({**wanted, "seed": 2})
    (start / "mine").mkdir()
    (start / "mine/thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"holds other files \(thesis.tex\)"):
        run({**wanted, "folder": str(start / "mine")})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"round": 3}, "unknown option 'round', did you mean 'rounds'"),
        ({"explore": {"limit": -1}}, "explore.limit must be"),
        ({"explore": {"temperatures": []}}, "explore.temperatures"),
        ({"explore": {"engine": "gromacs"}}, "explore.engine must be one of ase, lammps"),
        ({"select": {"labels": ["charges"]}}, "must be one of energy, forces, virial"),
        ({"train": {"model": "x"}}, "'model' is named by the loop"),
        ({"train": {"data": {"files": ["x"]}}}, "'data.files' are those of the loop"),
        ({"train": {"committee": {"members": 0}}}, "needs a committee"),
        ({"train": {"expansion": []}}, "unknown option 'expansion'"),
        ({"structures": []}, "structures must be a list with at least 1"),
    ],
)
def test_mistakes_in_the_options_are_told_before_anything_is_labeled(start, changes, sentence):
    with pytest.raises(OptionError, match=re.escape(sentence)):
        run(options(start, **changes), Fickle("all"))
    assert not (start / "loop/round-000").exists()


def test_pressures_need_periodic_structures(start):
    atoms = salt(1, seed=2, amplitude=0.02)[0]
    atoms.pbc = False
    atoms.cell = np.zeros((3, 3))
    ase.io.write(start / "start.xyz", atoms)
    with pytest.raises(DataError, match="explore.pressures need structures that are periodic"):
        run(options(start, explore={"pressures": [1.0]}))


def test_runs_at_pressures_and_of_displaced_structures(start):
    result = run(options(start, rounds=1, explore={"pressures": [0.0, 1e4], "repeats": 2, "limit": 100.0}))
    assert result.rounds[0].runs == 4
    volumes = {p.name: ase.io.read(p, "-1").get_volume() for p in (start / "loop/round-000/runs").glob("*.xyz")}
    assert len(set(volumes.values())) == 4


@needs_lammps
def test_lammps_runs_the_same_limit(start):
    wanted = options(start, rounds=2, explore={"engine": "lammps", "limit": 1e4, "steps": 20})
    result = run(wanted)
    assert result.rounds[0].inside == 1 and result.rounds[1].labels == 17
    tight = options(start, rounds=1, folder=str(start / "tight"), explore={"engine": "lammps", "limit": 1e-9})
    with pytest.raises(DataError, match="raise explore.limit"):
        run({**tight, "rounds": 9})
    outcome = json.loads(next((start / "tight/round-000/runs").glob("*.json")).read_text())
    assert outcome["steps"] == 0 and "has an uncertainty of" in outcome["reason"]


def test_every_option_is_on_the_page(capsys):
    assert main(["learn", "--options"]) == 0
    page = capsys.readouterr().out
    for option in (option for group in groups(LearnOptions) for option in group.options):
        assert f"| `{option.path.rpartition('.')[2]}` |" in page and option.text
    assert main(["learn"]) == 1 and "name an options file" in capsys.readouterr().err


def test_paths_are_relative_to_the_options_file(start, monkeypatch):
    (start / "loop.yaml").write_text(yaml.safe_dump({"structures": "start.xyz", "folder": "here"}))
    made = parse_learn_options(start / "loop.yaml")
    assert made.structures == [str(start / "start.xyz")] and made.folder == str(start / "here")


def test_a_calculator_may_have_parts_that_are_made_by_their_names():
    made = calculator_of(
        "ase.calculators.espresso:Espresso",
        {"profile": {"class": "ase.calculators.espresso:EspressoProfile",
                     "arguments": {"command": "mpirun -np 4 pw.x", "pseudo_dir": "/tmp"}}},
    )  # fmt: skip
    assert made.profile.command == "mpirun -np 4 pw.x"
    with pytest.raises(ValueError, match="write the calculator as module:Class"):
        calculator_of("x:Y".replace(":", "."), {})


def test_without_options_of_the_training_the_template_is_used(start):
    wanted = options(start, rounds=1, select={"first": 24}, explore={"steps": 5})
    wanted["train"] = {}
    result = run(wanted)
    chosen = yaml.safe_load((start / "loop/train.yaml").read_text())
    assert chosen["committee"]["members"] >= 4 and chosen["keep_checkpoint"] and "files" not in chosen["data"]
    assert Model.load(result.model_path).terms[0].name == "soap"


def test_the_default_reference_is_tblite(start, capsys):
    """The command, two molecules of water, in a short form of benchmarks/validation/learning.py."""
    pytest.importorskip("tblite")
    from ase.build import molecule

    water, other = molecule("H2O"), molecule("H2O")
    other.translate([2.9, 0.3, 0.0])
    ase.io.write(start / "start.xyz", water + other)
    wanted = options(start, rounds=2, explore={"limit": 0.3, "timestep": 0.5}, select={"rattle": 0.05, "closest": 0.6})
    (start / "loop.yaml").write_text(yaml.safe_dump(wanted))
    assert main(["learn", str(start / "loop.yaml"), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "ended without convergence after 2 rounds" in out and "report.html" in out
    labeled = ase.io.read(start / "loop/round-000/labels.xyz", ":")
    energies = np.array([a.get_potential_energy() for a in labeled])
    assert np.all(np.abs(energies + 276.0) < 5.0)


def test_a_run_keeps_what_it_has_done(start):
    """Runs of a round that have ended are read, not run again."""
    result = run(options(start, rounds=1))
    path = next((start / "loop/round-000/runs").glob("*.json"))
    before = path.stat().st_mtime_ns
    model = result.model_path.parent / "round-000/model.mlcalc"
    made = parse_learn_options(options(start)).explore
    outcomes = Exploration(model, path.parent, made, 0).run([ase.io.read(start / "start.xyz")], lambda x, **_: x)
    assert path.stat().st_mtime_ns == before and outcomes[0].name == path.stem


def test_a_full_disk_is_told_and_nothing_is_lost(start, monkeypatch):
    wanted, calls = options(start, rounds=2), []
    write = loop_module.write_frames

    def full(path, frames):
        calls.append(path)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, frames)

    with monkeypatch.context() as patched:
        patched.setattr(loop_module, "write_frames", full)
        with pytest.raises(OSError, match="No space left"):
            run(wanted)
    assert run(wanted).rounds[-1].labels == 17


def test_the_loop_trains_as_mlcalc_train_does(start):
    """The last model is that of its own options and labels."""
    result = run(options(start, rounds=2))
    made = yaml.safe_load((start / "loop/train.yaml").read_text())
    made |= {"model": str(start / "again.mlcalc"), "keep_checkpoint": False}
    made["data"]["files"] = [str(start / "loop/labels.xyz")]
    again = fit(made, progress=False, figures=False)
    difference = np.abs(weights(result.model_path) - again.model.terms[0].regressor.weights).max()
    assert difference <= 1e-10 * np.abs(weights(result.model_path)).max()
