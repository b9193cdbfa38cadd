# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc check``: sound models pass, models with holes do not."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from matplotlib.colors import to_rgb
from training_cases import SOAP, known_data, known_model, options

from mlcalc import MLCalculator
from mlcalc.checks.curves import check_cold_curve, check_dimers, dimer_curve, distance_histograms
from mlcalc.checks.dynamics import check_conservation, check_heating
from mlcalc.checks.page import figure_of
from mlcalc.checks.verdict import worst
from mlcalc.cli import main
from mlcalc.model import Model, Zbl
from mlcalc.train import fit


@pytest.fixture(scope="module")
def salt_model(tmp_path_factory):
    """Trained with what is asked outside of the data."""
    wanted = options(tmp_path_factory.mktemp("checks"), SOAP)
    del wanted["outside"]
    return fit(wanted, known_data(), progress=False, figures=False).model_path


def with_a_hole(depth=40.0):
    """Any two atoms attract each other without end."""
    model = known_model()
    model.terms[0].regressor.weights = -depth * np.abs(model.terms[0].regressor.weights)
    return model


def test_pairs_of_a_sound_model_pass_and_those_of_one_with_holes_fail(salt_model):
    sound, holes = Model.load(salt_model), with_a_hole()
    assert check_dimers(sound, MLCalculator(sound)).verdict == "pass"
    check = check_dimers(holes, MLCalculator(holes))
    assert check.verdict == "fail" and "has a well of" in check.reason
    assert {c.label for c in check.curves} == {"Na-Na", "Na-Cl", "Cl-Cl"}


def test_a_dimer_curve_is_beside_both_atoms_alone():
    model = Model([11, 17], [], [], [-3.0, -5.0], Zbl(1.0, 2.0))
    curve = dimer_curve(model, MLCalculator(model), 0, 1)
    assert (np.abs(curve.y[curve.x > 2.0]) < 1e-9).all()
    assert (np.diff(curve.y[curve.x < 2.0]) < 0).all()


def test_distances_of_the_data_are_counted_as_ase_counts_them_and_drawn_below_the_curves(salt_model):
    frames, reach = known_data()[:3], 6.0
    histograms = distance_histograms(frames, [11, 17], reach, 24)
    for (i, j), histogram in histograms.items():
        expected = np.zeros(24)
        for atoms in frames:
            first, second, d = neighbor_list("ijd", atoms, reach)
            a, b = atoms.numbers[first], atoms.numbers[second]
            of_pair = (np.minimum(a, b) == [11, 17][i]) & (np.maximum(a, b) == [11, 17][j])
            expected += np.histogram(d[of_pair], 24, (0, reach))[0] / 2
        assert expected.sum() > 0 and np.array_equal(histogram.y, expected)
    model = Model.load(salt_model)
    check = check_dimers(model, MLCalculator(model), frames)
    curves, below = figure_of([check]).axes
    assert len(curves.lines) == len(below.collections) == 3
    for line, filled in zip(curves.lines, below.collections, strict=True):
        assert np.allclose(filled.get_facecolor()[0, :3], to_rgb(line.get_color()))


def test_the_cold_curve_has_one_minimum_and_cohesion(salt_model):
    sound = Model.load(salt_model)
    atoms = known_data()[0].copy()
    check = check_cold_curve(sound, MLCalculator(sound), atoms)
    assert check.verdict in ("pass", "suspect") and check.curves[0].y.min() == 0.0
    holes = with_a_hole()
    check = check_cold_curve(holes, MLCalculator(holes), atoms)
    assert check.verdict == "fail" and "at the end, at 0.60 of the volume" in check.reason
    repulsive = Model([11, 17], [], [], [0.0, 0.0], Zbl(3.0, 6.0))
    check = check_cold_curve(repulsive, MLCalculator(repulsive), atoms)
    assert check.verdict == "fail" and "nothing holds it together" in check.reason


def test_short_runs_tell_what_breaks(salt_model):
    atoms = known_data()[0].copy()
    assert check_conservation(atoms, MLCalculator(salt_model)).verdict == "pass"
    sound = check_heating(atoms, MLCalculator(salt_model), seconds=10.0)
    assert sound.verdict in ("pass", "suspect")
    broken = check_heating(atoms, MLCalculator(with_a_hole()), seconds=10.0)
    assert broken.verdict == "fail" and "at 300 K; whole up to 0 K" in broken.reason


def test_the_command_draws_and_tells(salt_model, tmp_path, capsys):
    atoms = known_data()[0].copy()
    atoms.write(tmp_path / "salt.xyz")
    command = ["check", str(salt_model), str(tmp_path / "salt.xyz"), "-o", str(tmp_path / "check.png")]
    status = main([*command, "--json", str(tmp_path / "check.json"), "--seconds", "5"])
    shown, found = capsys.readouterr().out, json.loads((tmp_path / "check.json").read_text())
    names = ["close pairs", "compression and expansion", "energy conservation", "heating"]
    assert [name for name in found["checks"] if name in names] == names and all(name in shown for name in names)
    assert status == int(worst(c["verdict"] for c in found["checks"].values()) == "fail")
    assert (tmp_path / "check.png").stat().st_size > 10_000
    with_a_hole().save(tmp_path / "hole.mlcalc")
    assert main(["check", str(tmp_path / "hole.mlcalc"), "-o", str(tmp_path / "hole.png")]) == 1
    assert "fail     close pairs" in capsys.readouterr().out


def test_a_structure_that_the_model_does_not_know_is_one_sentence(salt_model, tmp_path, capsys):
    Atoms("Cu4", np.eye(4, 3) * 2, cell=[9, 9, 9], pbc=True).write(tmp_path / "copper.xyz")
    assert main(["check", str(salt_model), str(tmp_path / "copper.xyz")]) == 1
    assert "the structure has Cu, which the model does not know" in capsys.readouterr().err
