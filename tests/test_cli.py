# SPDX-License-Identifier: BSD-3-Clause
"""The command line as a user meets it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from mlcalc import lammps
from mlcalc.cli import COMMANDS, main, sentence
from mlcalc.demo.salt import rock_salt
from mlcalc.expansions import DensityExpansion
from mlcalc.features import Descriptor
from mlcalc.model import Invariant, Linear, Model, Term


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command):
    code = (
        f"import sys; from mlcalc.cli import make_parser; make_parser('{command}').format_help();"
        "print([m for m in ('numpy', 'ase', 'scipy', 'matplotlib', 'mlcalc._engine') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_error_is_one_sentence_and_a_traceback_only_on_request(monkeypatch, capsys):
    def fail():
        raise ValueError("cutoff must be positive,\n  got -1")

    monkeypatch.setattr(lammps, "plugin_path", fail)
    assert main(["lammps"]) == 1
    assert capsys.readouterr().err == "mlcalc lammps: error: cutoff must be positive, got -1\n"
    with pytest.raises(ValueError):
        main(["lammps", "--debug"])


@pytest.mark.parametrize(
    "error, text",
    [
        (FileNotFoundError(2, "No such file or directory", "a.xyz"), "a.xyz: no such file or directory"),
        (KeyError("energy is absent"), "energy is absent"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "x is needed for this and is not installed"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_errors_without_a_message_of_ours_become_sentences(error, text):
    assert text in sentence(error)


def test_lammps_prints_the_folder_of_the_plugin(capsys):
    assert main(["lammps"]) == 0
    assert capsys.readouterr().out.strip() == lammps.plugin_path()


def test_lammps_check_explains_a_plugin_that_is_not_one(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lammps, "plugin_path", lambda: str(tmp_path))
    assert main(["lammps", "check"]) == 1
    assert "was not built" in capsys.readouterr().out
    (tmp_path / "mlcalcplugin.so").write_text("not a library")
    assert main(["lammps", "check", "--lmp", "/nonexistent/lmp"]) == 1
    assert "not a program" in capsys.readouterr().out


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A committee with random weights."""
    rho = DensityExpansion(name="rho", n_max=3, l_max=2, cutoff=4.0)
    term = Term("soap", [Invariant(2, "rho", "rho")])
    model = Model([11, 17], [rho], [term], reference_energies=[-1.0, -2.0], committee=(4, 1.3))
    shape = (4, 2, model.n_features(term))
    term.regressor = Linear(np.random.default_rng(0).normal(scale=0.05, size=shape))
    path = tmp_path_factory.mktemp("model") / "model.mlcalc"
    model.save(path)
    return path


def test_info_says_what_is_in_the_file(model, capsys):
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    for part in ("Na -1, Cl -2", "neighbor density, cutoff 4 A", "rho x rho", "committee: 4 members"):
        assert part in text
    assert main(["info", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["committee"] == {"n_members": 4, "scale": 1.3}
    assert main(["info", str(model), "--provenance"]) == 0
    assert json.loads(capsys.readouterr().out) == Model.load(model).provenance


def test_an_interrupted_training_says_how_to_go_on(monkeypatch, capsys):
    from mlcalc import cli

    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "train", cli.COMMANDS["train"]._replace(run=interrupted))
    assert main(["train", "o.yaml"]) == 130
    assert capsys.readouterr().err == "mlcalc: interrupted; the same command continues where it was\n"


def test_a_file_that_is_no_model_is_named(tmp_path, capsys):
    (tmp_path / "a.mlcalc").write_text("no model at all")
    assert main(["info", str(tmp_path / "a.mlcalc")]) == 1
    assert "a.mlcalc" in capsys.readouterr().err


@pytest.fixture(scope="module")
def bad(model, tmp_path_factory):
    """A folder of things that can be given by mistake."""
    path = tmp_path_factory.mktemp("bad")
    (path / "folder").mkdir()
    contents = model.read_bytes()
    (path / "model.mlcalc").write_bytes(contents)
    (path / "half.mlcalc").write_bytes(contents[: len(contents) // 2])
    (path / "empty.mlcalc").write_bytes(b"")
    (path / "flipped.mlcalc").write_bytes(contents[:-9] + bytes([contents[-9] ^ 1]) + contents[-8:])
    (path / "bad.xyz").write_text("3\nfoo\nNa 0 0\n")
    (path / "empty.xyz").write_text("")
    (path / "list.yaml").write_text("- 1\n")
    (path / "open.yaml").write_text("data: [1,\n")
    salt = rock_salt(1)
    write(path / "salt.xyz", salt)
    write(path / "cluster.xyz", Atoms(salt.symbols, salt.positions))
    salt.symbols[0] = "K"
    write(path / "potassium.xyz", salt)
    return path


BAD = {
    "info absent.mlcalc": "absent.mlcalc: no such file or directory",
    "info folder": "folder: is a directory",
    "info half.mlcalc": "half.mlcalc: ",
    "info empty.mlcalc": "the file has only 0 bytes",
    "info flipped.mlcalc": "the file is damaged",
    "info salt.xyz": "this is not a model file, or it is cut off",
    "eval model.mlcalc absent.xyz": "absent.xyz does not exist",
    "eval model.mlcalc folder": "folder is a folder, not a file with structures",
    "eval model.mlcalc salt.xyz": "no structure has 'energy', named as the energy key",
    "eval salt.xyz model.mlcalc": "this is not a model file",
    "train absent.yaml": "cannot read the options file absent.yaml",
    "train open.yaml": "open.yaml is not valid YAML",
    "train list.yaml": "must be a mapping of option names to values, got [1]",
    "train salt.xyz": "must be a mapping of option names to values, got ",
    "train": "name an options file, or make one with --template DATA",
    "train --template bad.xyz": "cannot read bad.xyz",
    "features model.mlcalc absent.xyz": "absent.xyz does not exist",
    "features model.mlcalc folder": "folder is a folder",
    "features model.mlcalc empty.xyz": "cannot read empty.xyz",
    "features model.mlcalc salt.xyz --index 9": "salt.xyz has no structures at index '9'",
    "features model.mlcalc salt.xyz -o absent/f.npz": "absent/f.npz: no such file or directory",
    "features model.mlcalc potassium.xyz": "has K, which model.mlcalc does not know",
    "md absent.xyz -m model.mlcalc": "absent.xyz does not exist",
    "md salt.xyz -m absent.mlcalc": "no model file absent.mlcalc",
    "md salt.xyz -m half.mlcalc": "half.mlcalc: ",
    "md potassium.xyz -m model.mlcalc": "is K, which the model model.mlcalc does not have",
    "md cluster.xyz -m model.mlcalc --ensemble npt": "constant pressure needs a cell that is periodic",
    "md salt.xyz -m model.mlcalc -P inf": "pressure must be finite",
    "md salt.xyz -m model.mlcalc -o absent/run": "absent/run.csv: no such file or directory",
    "md salt.xyz -m model.mlcalc -n -5": "steps must not be negative, got -5",
    "md salt.xyz -m model.mlcalc -t 0": "timestep must be positive and finite, got 0",
    "md salt.xyz -m model.mlcalc -T nan": "temperature must be finite and not negative",
    "md salt.xyz -m model.mlcalc --repeat 0 1 1": "repeat takes three positive numbers, got 0 1 1",
    "md salt.xyz -m model.mlcalc --restart": "md.checkpoint: no such file or directory",
    "md salt.xyz -m model.mlcalc --threads 0": "threads must be an integer of at least 1",
    "demo -o salt.xyz": "salt.xyz: not a directory",
    "demo -o folder --ranks 0": "ranks must be at least 1, got 0",
}


@pytest.mark.parametrize("command", BAD)
def test_bad_input_is_answered_with_one_sentence(bad, monkeypatch, capsys, command):
    monkeypatch.chdir(bad)
    before = set(bad.rglob("*"))
    assert main(command.split()) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"mlcalc {command.split()[0]}: error: ") and printed.err.count("\n") == 1
    assert BAD[command] in printed.err
    assert len(printed.err) < 400
    assert set(bad.rglob("*")) == before  # nothing half made is left


def test_md_continues_stops_and_refuses(model, tmp_path, capsys):
    rock_salt(1).write(tmp_path / "salt.xyz")
    run = ["md", str(tmp_path / "salt.xyz"), "-m", str(model), "-T", "100", "-o", str(tmp_path / "run")]
    assert main([*run, "-n", "20"]) == 0
    assert main([*run, "-n", "30", "--restart"]) == 0
    table = np.genfromtxt(tmp_path / "run.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(table["step"], [0, 10, 20, 30])
    assert (table["uncertainty_eV"] > 0).all()
    assert len(read(tmp_path / "run.xyz", ":")) == 4
    capsys.readouterr()
    assert main([*run, "-n", "30"]) == 1
    assert "--restart" in capsys.readouterr().err
    assert main([*run[:-1], str(tmp_path / "other"), "--max-uncertainty", "1e-6"]) == 1
    assert "not trained for such an environment" in capsys.readouterr().err


def test_features_are_written_for_every_atom(model, tmp_path, capsys):
    salt = rock_salt(1)
    salt.rattle(0.1, seed=2)
    write(tmp_path / "salt.xyz", [salt, salt[:4]])
    out = tmp_path / "f.npz"
    assert main(["features", str(model), str(tmp_path / "salt.xyz"), "-o", str(out)]) == 0
    arrays = np.load(out)
    assert arrays["soap"].shape == (12, Model.load(model).n_features("soap"))
    np.testing.assert_array_equal(arrays["structure"], [0] * 8 + [1] * 4)
    np.testing.assert_array_equal(arrays["numbers"], [*salt.numbers, *salt.numbers[:4]])
    values = Descriptor(["Na", "Cl"], DensityExpansion(name="rho", n_max=3, l_max=2, cutoff=4.0))(
        read(tmp_path / "salt.xyz", 0)
    ).values
    np.testing.assert_allclose(arrays["soap"][:8], values, atol=1e-12)
    capsys.readouterr()
    assert main(["features", str(model), str(tmp_path / "salt.xyz"), "--term", "tail"]) == 1
    assert "has no term tail; it has soap" in capsys.readouterr().err
    salt.symbols[0] = "K"
    salt.write(tmp_path / "k.xyz")
    assert main(["features", str(model), str(tmp_path / "k.xyz"), "-o", str(out)]) == 1
    assert "has K" in capsys.readouterr().err
