# SPDX-License-Identifier: BSD-3-Clause
"""The command line as a user meets it."""

import subprocess
import sys

import pytest

from mlcalc import lammps
from mlcalc.cli import main, sentence


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from mlcalc.cli import make_parser; make_parser().format_help();"
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
