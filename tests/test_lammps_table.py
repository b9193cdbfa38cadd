# SPDX-License-Identifier: BSD-3-Clause
"""Files of LAMMPS's pair_style table as models: LAMMPS's numbers, every keyword, what is refused."""

import numpy as np
import pytest
from ase import Atoms
from lammps_runs import Job, needs_lammps, run
from models import evaluate, morse

from mlcalc.cli import main
from mlcalc.model import Model
from mlcalc.model.lammps_table import read_sections

N, LOW, HIGH = 400, 1.2, 6.0


def section(name, parameters="N {N} R {LOW} {HIGH}", r=None, scale=1.0, shift=0.0, rows=None):
    r = np.linspace(LOW, HIGH, N) if r is None else r
    e, slope, _ = scale * morse(r - shift)
    lines = [f"{k + 1} {x:.12g} {a:.15g} {-b:.15g}" for k, (x, a, b) in enumerate(zip(r, e, slope, strict=True))]
    parameters = parameters.format(N=len(r), LOW=LOW, HIGH=HIGH)
    return f"\n# {name}\n{name}\n{parameters}\n\n" + "\n".join(lines[:rows]) + "\n"


def convert(tmp_path, text, *words):
    (tmp_path / "pair.table").write_text(text)
    arguments = ["convert", str(tmp_path / "pair.table"), "-o", str(tmp_path / "m.mlcalc"), *words]
    return main(arguments)


ALL = ["--pairs", "Na-Na=A", "Na-Cl=B", "Cl-Cl=C"]
SQUARES = np.sqrt(np.linspace(LOW**2, HIGH**2, N))


@needs_lammps
@pytest.mark.parametrize("smoothing", [None, 1.0])
def test_the_numbers_are_those_of_lammps(small_salt, tmp_path, smoothing):
    """Its own interpolation, a spline of a spline, is what limits the agreement."""
    first, last = -morse(np.array([LOW, HIGH]))[2]
    text = "# UNITS: metal\n" + section("A") + section("B", "RSQ {LOW} {HIGH} N {N}", SQUARES, 2.0, 0.3)
    text += section("C", f"N {{N}} FPRIME {0.5 * first:.15g} {0.5 * last:.15g}", scale=0.5)
    words = [] if smoothing is None else ["--smoothing", str(smoothing)]
    assert convert(tmp_path, text, *ALL, *words) == 0
    small_salt.set_cell(small_salt.cell.cellpar(), scale_atoms=True)
    types = "\n".join(f"pair_coeff {pair} {tmp_path}/pair.table {name}" for pair, name in
                      (("1 1", "A"), ("1 2", "B"), ("2 2", "C")))  # fmt: skip
    style = f"pair_style table spline 20000\n{types}"
    atoms = Atoms("Na2Cl", positions=[[0, 0, 0], [0, 0, 2.2], [0, 2.5, 1.1]]) if smoothing else small_salt
    expected, _ = run(tmp_path, [Job(atoms, None, style=style, elements=["Na", "Cl"])])
    results = evaluate(Model.load(tmp_path / "m.mlcalc").potential(), atoms)
    assert results["energies"].sum() == pytest.approx(expected[0]["energy"], rel=1e-6)
    scale = np.abs(expected[0]["forces"]).max()
    np.testing.assert_allclose(results["forces"], expected[0]["forces"], rtol=0, atol=1e-5 * scale)


def test_units_of_the_file_and_of_the_option(tmp_path):
    (tmp_path / "t").write_text("# DATE: 2026 UNITS: real\n" + section("A"))
    real = read_sections(tmp_path / "t")["A"]
    metal = read_sections(tmp_path / "t", "metal")["A"]
    np.testing.assert_allclose(real.energies * 23.0605, metal.energies, rtol=1e-5)
    np.testing.assert_allclose(real.forces * 23.0605, metal.forces, rtol=1e-5)
    (tmp_path / "t").write_text("# UNITS: lj\n" + section("A"))
    with pytest.raises(ValueError, match="tables in units lj cannot be converted"):
        read_sections(tmp_path / "t")


def test_distances_of_r_replace_those_of_the_rows(tmp_path):
    (tmp_path / "t").write_text(section("A").replace("\n7 ", "\n7 9"))
    np.testing.assert_allclose(read_sections(tmp_path / "t")["A"].r, np.linspace(LOW, HIGH, N))


def test_an_end_that_is_not_zero_is_told(tmp_path, capsys):
    assert convert(tmp_path, section("A"), "--pairs", "Na-Cl=A") == 0
    assert "WARNING: Na-Cl ends at" in capsys.readouterr().out
    assert convert(tmp_path, section("A"), "--pairs", "Na-Cl=A", "--smoothing", "0.5", "--species", "K") == 0
    assert "WARNING" not in capsys.readouterr().out
    assert Model.load(tmp_path / "m.mlcalc").species == [11, 17, 19]
    assert main(["info", str(tmp_path / "m.mlcalc")]) == 0
    told = capsys.readouterr().out
    assert "converted from a table of LAMMPS, Na-Cl A" in told and "pair table table: Na-Cl, 400 knots" in told


WRONG = {
    "BITMAP tables cannot be converted": (section("A", "N {N} BITMAP {LOW} {HIGH}"), "Na-Cl=A"),
    "the parameter 'RR' is not known": (section("A", "N {N} RR 1 2"), "Na-Cl=A"),
    "FPRIME needs 2 numbers": (section("A", "N {N} FP 1"), "Na-Cl=A"),
    "how many rows": (section("A", "R 1 2"), "Na-Cl=A"),
    "R and RSQ exclude": (section("A", "N {N} R 1 2 RSQ 1 2"), "Na-Cl=A"),
    "ends after 50 of 400 rows": (section("A", rows=50), "Na-Cl=A"),
    "must hold index, distance, energy and force": (section("A").replace("\n9 ", "\n9  0 1\n9 "), "Na-Cl=A"),
    "'nan' is no finite number": (section("A").replace("\n9 ", "\n9 1.0 nan 1.0\n9 "), "Na-Cl=A"),
    "must be above 0 and ascend": (section("A", "N {N} R 0.0 5.0"), "Na-Cl=A"),
    "two sections A": (section("A") + section("A"), "Na-Cl=A"),
    "there is no table in it": ("# nothing\n\n", "Na-Cl=A"),
    "the file ends before its parameters": ("A\n", "Na-Cl=A"),
    "there is no section 'B'; the sections of": (section("A"), "Na-Cl=B"),
    "words like Na-Cl=SECTION, got 'Na=A'": (section("A"), "Na=A"),
    "'Xx' is no chemical symbol": (section("A"), "Na-Xx=A"),
    "must not exceed the cutoff": (section("A"), "Na-Cl=A", "--smoothing", "9.0"),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_cannot_be_is_refused_with_a_sentence(sentence, tmp_path, capsys):
    text, pair, *words = WRONG[sentence]
    assert convert(tmp_path, text, "--pairs", pair, *words) == 1
    told = capsys.readouterr().err
    assert sentence in told and told.count("\n") == 1
    assert not (tmp_path / "m.mlcalc").exists()


def test_pairs_must_be_named(tmp_path, capsys):
    assert convert(tmp_path, section("A") + section("B")) == 1
    assert "say with --pairs A-B=SECTION" in (told := capsys.readouterr().err) and "A, B" in told
    assert convert(tmp_path, section("A"), "--pairs", "Na-Cl=A", "Cl-Na=A") == 1
    assert "has two sections" in capsys.readouterr().err
    (tmp_path / "gap.xml").write_text("<P></P>")
    assert main(["convert", str(tmp_path / "gap.xml"), "-o", "m", "--pairs", "Na-Cl=A"]) == 1
    assert "--pairs is for tables of LAMMPS" in capsys.readouterr().err
