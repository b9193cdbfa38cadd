# SPDX-License-Identifier: BSD-3-Clause
"""LAMMPS looks now and then whether a run is where its model was trained, on any number of ranks."""

import dataclasses
import re

import numpy as np
import pytest
from lammps_runs import Job, needs_lammps, run
from models import RHO, SALT, build, linear_model

from mlcalc import MLCalculator
from mlcalc.model import Invariant, Outermost

pytestmark = needs_lammps
SAID = r"WARNING: mlcalc: the run has left .*: on step (\d+) atom (\d+) of type (\d) has an extrapolation of (\S+), "
SAID_OF_MEAN = r"the run has left .*: on step (\d+) the mean extrapolation of all atoms is (\S+), (\S+) times"
LARGEST = r"mlcalc extrapolation, largest of the run: (\S+) on step (\d+), atom (\d+) of type (\d)"


def measure(model, atoms):
    return MLCalculator(model, extrapolation=False).get_property("extrapolation", atoms.copy())


def scaled(model, largest, atoms):
    """The model with leverages that give the outermost of these atoms the measure ``largest``."""
    factor = np.sqrt(largest / measure(model, atoms).max())
    for term in model.terms:
        leverage = {z: factor * rows for z, rows in term.regressor.leverage.items()}
        term.regressor = dataclasses.replace(term.regressor, leverage=leverage)
    return model


def salt_model(largest, atoms):
    return scaled(linear_model([RHO], [[Invariant(2, "rho", "rho")]], 5, scale=1e-6, leverage=True), largest, atoms)


def saved(model, folder):
    folder.mkdir(exist_ok=True)
    model.save(folder / "m.mlcalc")
    return folder / "m.mlcalc"


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_run_that_leaves_the_training_set_warns_once(rattled_salt, tmp_path, ranks):
    model = salt_model(11.0, rattled_salt)
    job = Job(rattled_salt, saved(model, tmp_path), after="velocity all create 300 1\nfix 1 all nve", run="run 200")
    _, text = run(tmp_path, [job], ranks=ranks)
    [(step, atom, kind, value)] = re.findall(SAID, text)
    expected = measure(model, rattled_salt)
    worst = int(np.argmax(expected))
    assert int(step) == 0 and int(atom) == worst + 1 and float(value) == pytest.approx(expected.max(), rel=1e-3)
    assert SALT[int(kind) - 1] == rattled_salt.numbers[worst]


@pytest.mark.parametrize(("value", "said"), [(4.0, [100]), (2.0, [])])
def test_one_look_may_be_a_fluctuation_and_two_are_not(rattled_salt, tmp_path, value, said):
    job = Job(rattled_salt, saved(salt_model(value, rattled_salt), tmp_path), after="fix 1 all nve", run="run 300")
    assert [int(found[0]) for found in re.findall(SAID, run(tmp_path, [job])[1])] == said


@pytest.mark.parametrize(("ratio", "more", "ranks"), [(1.2, 0, 1), (1.2, 0, 2), (1.2, 0, 3), (1.05, 0, 2), (1.2, 1, 2)])
def test_the_mean_of_all_atoms_is_beside_that_of_the_outermost_structure(rattled_salt, tmp_path, ratio, more, ranks):
    model = salt_model(0.5, rattled_salt)
    mean = measure(model, rattled_salt).mean()
    model.outermost = Outermost(mean / ratio, len(rattled_salt) + more)
    job = Job(rattled_salt, saved(model, tmp_path), after="fix 1 all nve", run="run 300")
    text = run(tmp_path, [job], ranks=ranks)[1]
    found = re.findall(SAID_OF_MEAN, text)
    if ratio < 1.1 or more:
        assert not found
    else:
        [(step, value, times)] = found
        assert int(step) == 100
        assert float(value) == pytest.approx(mean, rel=1e-2) and float(times) == pytest.approx(ratio, rel=1e-2)


def test_the_largest_of_the_steps_that_were_looked_at_is_told(rattled_salt, tmp_path):
    model = salt_model(0.5, rattled_salt)
    after = "velocity all create 3000 1\nfix 1 all nve\ndump 1 all custom 100 all.dump id x y z\n"
    after += "dump_modify 1 sort id format float %.17g"
    job = Job(rattled_salt, saved(model, tmp_path), after=after, run="run 0\nrun 300")
    _, text = run(tmp_path, [job])
    frames = []
    rows = np.array([line.split() for line in (tmp_path / "all.dump").read_text().splitlines() if len(line.split()) == 4
                     and not line.startswith("ITEM")], dtype=float)  # fmt: skip
    for block in rows.reshape(-1, len(rattled_salt), 4):
        frames.append(rattled_salt.copy())
        frames[-1].positions = block[:, 1:]
    values = [measure(model, atoms).max() for atoms in frames]
    told = re.findall(LARGEST, text)
    assert len(told) == 2 and float(told[0][0]) == pytest.approx(values[0], rel=1e-3)
    found = values[-4:]  # of the second run: steps 0, 100, 200, 300
    assert float(told[1][0]) == pytest.approx(max(found), rel=1e-3)
    assert int(told[1][1]) == 100 * int(np.argmax(found))


@pytest.mark.parametrize(("options", "quiet"), [("extrapolation no", True), ("extrapolation off", True), ("", False)])
def test_looking_can_be_switched_off(rattled_salt, tmp_path, options, quiet):
    job = Job(rattled_salt, saved(salt_model(11.0, rattled_salt), tmp_path), options)
    _, text = run(tmp_path, [job])
    assert quiet != bool(re.search(SAID, text)) and quiet != bool(re.search(LARGEST, text))


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_limit_of_ones_own_ends_the_run(rattled_salt, tmp_path, ranks):
    """Within ten steps."""
    path = saved(salt_model(0.5, rattled_salt), tmp_path)
    after = "velocity all create 8000 1\nfix 1 all nve\nthermo 10"
    job = Job(rattled_salt, path, "max_extrapolation 0.51 stop", after=after, run='run 1000\nprint "LAST $(step)"')
    _, text = run(tmp_path, [job], ranks=ranks)
    last = int(re.search(r"^LAST (\d+)", text, re.M)[1])
    assert last % 10 == 0 and 0 < last < 1000 and int(re.search(SAID, text)[1]) == last
    assert "the run stops here" in text


def test_a_limit_of_ones_own_can_be_told_only(rattled_salt, tmp_path):
    job = Job(rattled_salt, saved(salt_model(0.5, rattled_salt), tmp_path), "max_extrapolation 0.4 warn", run="run 20")
    assert len(re.findall(SAID, run(tmp_path, [job])[1])) == 1


def test_a_model_that_does_not_know_its_edge_is_not_looked_at(rattled_salt, tmp_path):
    _, text = run(tmp_path, [Job(rattled_salt, saved(build("kernel zeta 2"), tmp_path))])
    assert "extrapolation" not in text
    _, text = run(tmp_path, [Job(rattled_salt, saved(build("kernel edges"), tmp_path))])
    assert re.search(LARGEST, text)
    _, text = run(tmp_path, [Job(rattled_salt, saved(build("kernel zeta 2"), tmp_path), "max_extrapolation 1e-9 warn")])
    assert re.search(SAID, text)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("max_extrapolation 3 stop", "has no extrapolation measure, so there is nothing to compare with"),
        ("max_extrapolation 0 stop", "max_extrapolation must be positive, got 0"),
        ("max_extrapolation 3 halt", "max_extrapolation must end with warn or stop, got halt"),
        ("max_extrapolation 3", "max_extrapolation needs 2 value"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(rattled_salt, tmp_path, options, sentence):
    path = saved(build("linear rho x rho"), tmp_path)
    _, text = run(tmp_path, [Job(rattled_salt, path, options)], check=False)
    assert text.count("ERROR") == 1 and sentence in text


def test_a_restart_keeps_the_limit(rattled_salt, tmp_path):
    path = saved(salt_model(0.5, rattled_salt), tmp_path)
    again = "write_restart now.restart\nclear\nread_restart now.restart\ncompute e all pe/atom\n"
    again += "compute w all stress/atom NULL virial\ncompute pv all pressure NULL virial\nrun 0"
    job = Job(rattled_salt, path, "max_extrapolation 0.4 warn", run="run 0\n" + again)
    assert len(re.findall(SAID, run(tmp_path, [job])[1])) == 2
    job = dataclasses.replace(job, options="extrapolation no")
    assert not re.search(LARGEST, run(tmp_path, [job])[1])


@pytest.mark.parametrize("ranks", [1, 2])
def test_looks_as_a_part_of_a_hybrid_style(rattled_salt, tmp_path, ranks):
    path = saved(salt_model(11.0, rattled_salt), tmp_path)
    style = f"pair_style hybrid/overlay mlcalc zero 4.0\npair_coeff * * mlcalc {path} Na Cl\npair_coeff * * zero"
    _, text = run(tmp_path, [Job(rattled_salt, path, style=style)], ranks=ranks)
    assert len(re.findall(SAID, text)) == 1 and len(re.findall(LARGEST, text)) == 1


def test_a_second_pair_style_has_its_own_limit(rattled_salt, tmp_path):
    path = saved(salt_model(0.5, rattled_salt), tmp_path)
    again = "run 0\npair_style mlcalc extrapolation no\nrun 0\npair_style mlcalc max_extrapolation 0.1 warn\nrun 0"
    _, text = run(tmp_path, [Job(rattled_salt, path, run=again)])
    assert len(re.findall(SAID, text)) == 1 and len(re.findall(LARGEST, text)) == 2
