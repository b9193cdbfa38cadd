# SPDX-License-Identifier: BSD-3-Clause
"""What commands, fixes and reactions change between two evaluations takes effect at once, or is refused at once."""

import re

import models
import numpy as np
import pytest
from ase.build import bulk
from lammps_runs import Job, assert_same, engine, needs_lammps, run, write_data
from test_lammps_checks import MOLECULES
from test_lammps_manners import numbers, salt, script_run, start, with_salt

from mlcalc.model import Invariant, Linear, Model, Term
from mlcalc.model.expansions import DensityExpansion

pytestmark = needs_lammps
KINDS = {
    "near": "linear rho x rho",
    "zbl": "linear zbl",
    "committee": "linear committee",
    "both": "linear soap + lode",
    "V": "linear V",
    "far committee": "linear far committee",
    "kernel": "kernel zeta 2",
}
PE = 'print "PE $(pe:%.17g)"\n'


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return models.saved(KINDS, tmp_path_factory.mktemp("life"))


@pytest.fixture
def folder(tmp_path):
    return with_salt(tmp_path)


# ------------------------------------------------------------------------------------ pair_style, pair_coeff again


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_second_pair_style_has_its_settings_at_once(paths, folder, ranks):
    """Each evaluation is that of a run that had these settings from the beginning."""
    options = [
        "lode ksum accuracy 1e-2",
        "lode ksum accuracy 1e-8",
        "lode mesh accuracy 1e-3",
        "lode mesh mesh 12 12 12 order 8",
        "lode mesh mesh 12 12 12 order 8",
        "threads 2",
    ]
    script = start(paths["V"], options[0]) + "run 0\n" + PE
    script += "".join(f"pair_style mlcalc {option}\nrun 0\n{PE}" for option in options[1:])
    one = np.concatenate(numbers(script_run(folder, script, ranks), "PE "))
    each = [numbers(script_run(folder, start(paths["V"], option) + "run 0\n" + PE, ranks), "PE ")[0][0]
            for option in options]  # fmt: skip
    np.testing.assert_allclose(one, each, rtol=1e-13)
    assert len(set(np.round(each[:5], 9))) >= 4


REFUSED_AGAIN = {
    "no committee": ("near", "max_uncertainty 1 stop", "has no committee, so there is no uncertainty to watch"),
    "uncertainty": ("near", "uncertainty yes", "has no committee, so there is no uncertainty to watch"),
    "order": ("V", "lode mesh mesh 2 2 2 order 99", "order of the mesh windows must be from 4 to 12.* got 99"),
    "low order": ("V", "lode mesh order 4", r"order of the mesh windows must be at least \d+ for l_max"),
    "accuracy": ("V", "accuracy 1e-13", "accuracy of the far field must be from 1e-12 to 0.1, got 1e-13"),
    "accuracy without a far field": ("near", "accuracy 1e-13", "must be from 1e-12 to 0.1, got 1e-13"),
    "accuracy nan": ("V", "accuracy nan", "accuracy|nan"),
    "mesh": ("V", "mesh 2 0 2", "mesh needs three positive integers"),
    "huge mesh": ("V", "mesh 2 2 2000000", "mesh needs three positive integers, at most"),
    "memory": ("V", "memory 0", "memory is the limit of each rank in GiB, from 0.001 to"),
    "threads": ("V", "threads 0", "threads must be from 1 to 4096, got 0"),
    "keyword": ("V", "cutoff 3", "unknown keyword cutoff; known are accuracy, lode, .*memory"),
}


@pytest.mark.parametrize("case", REFUSED_AGAIN)
@pytest.mark.parametrize("before_model", [True, False])
def test_settings_that_cannot_be_are_refused_when_they_are_given(paths, folder, case, before_model):
    model, options, sentence = REFUSED_AGAIN[case]
    if before_model:
        script = start(paths[model], options)
    else:
        script = start(paths[model]) + f'run 0\nprint "SECOND"\npair_style mlcalc {options}\nprint "PASSED"\n'
    text = script_run(folder, script, 2, check=False)
    assert re.search(f"ERROR: .*({sentence})", text), text[-800:]
    assert text.count("ERROR") == 1 and "PASSED" not in text.splitlines()


def test_a_committee_of_one_has_no_uncertainty_to_watch(folder):
    rng = np.random.default_rng(1)
    from mlcalc.model import Committee

    model = Model([11, 17], [DensityExpansion(cutoff=4.0, n_max=3, l_max=2)],
                  [Term("t", [Invariant(2, "rho", "rho")])], committee=Committee(1, 1.0))  # fmt: skip
    try:
        model.terms[0].regressor = Linear(rng.normal(size=(1, 2, model.n_features("t"))))
        model.save(folder / "one.mlcalc")
    except (ValueError, RuntimeError):
        pytest.skip("a model file cannot hold a committee of one")
    for options in ("uncertainty yes", "max_uncertainty 1 warn"):
        text = script_run(folder, start("one.mlcalc", options) + "run 0\n", 2, check=False)
        assert "has one member, so there is no uncertainty to watch" in text
    fix = "fix s all pair 1 mlcalc uncertainty 1\nrun 0\n"
    assert "ERROR" in script_run(folder, start("one.mlcalc") + fix, 2, check=False)


@pytest.mark.parametrize("hybrid", [False, True])
def test_another_pair_coeff_between_runs(paths, folder, hybrid):
    """Another model, another map of species, and back."""
    atoms = salt()
    swapped = atoms.copy()
    swapped.numbers = np.where(atoms.numbers == 11, 17, 11)
    word = "mlcalc " if hybrid else ""
    style = "pair_style hybrid/overlay mlcalc zero 3.0\npair_coeff * * zero" if hybrid else "pair_style mlcalc"
    script = start(paths["near"]).split("pair_style")[0] + f"{style}\nthermo_modify format float %.17g\n"
    expected = []
    for model, elements in (
        ("near", "Na Cl"),
        ("V", "Na Cl"),
        ("kernel", "Cl Na"),
        ("zbl", "Na Cl"),
        ("near", "Cl Na"),
    ):
        script += f"pair_coeff * * {word}{paths[model]} {elements}\nrun 0\n{PE}"
        expected.append(engine(atoms if elements == "Na Cl" else swapped, paths[model])["energy"])
    got = np.concatenate(numbers(script_run(folder, script, 2), "PE "))
    np.testing.assert_allclose(got, expected, rtol=1e-11)


def test_a_new_model_needs_a_new_setup(paths, folder):
    script = start(paths["near"]) + f"run 0\npair_coeff * * {paths['V']} Na Cl\nrun 1 pre no\n"
    assert "ERROR: pair_style mlcalc was given another model" in script_run(folder, script, 2, check=False)


def test_a_refused_pair_coeff_leaves_the_old_model(paths, tmp_path):
    """With LAMMPS as a library, whose user may go on after an exception."""
    from mpi import run_ranks

    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    code = f"""
import mlcalc.lammps
mlcalc.lammps.enable()
from lammps import lammps
lmp = lammps(comm=comm, cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string({start(paths["near"]) + "run 0"!r})
before = lmp.get_thermo("pe")
caught = []
for command in ["pair_coeff * * none.mlcalc Na Cl", "pair_coeff * * {paths["V"]} Na K", "pair_style mlcalc order 99",
                "pair_style mlcalc uncertainty yes"]:
    try:
        lmp.command(command)
    except Exception as error:
        caught.append(str(error))
lmp.command("run 0")
say([before, lmp.get_thermo("pe"), caught])
"""
    said, done = run_ranks(code, 2, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    for before, after, caught in said:
        assert before == after and len(caught) == 4


# ------------------------------------------------------------------------------------------------- restart files


def test_a_restart_can_be_read_after_its_model_has_gone(paths, folder):
    """Moved, retrained in place; positions are kept, and pair_coeff brings a model."""
    (folder / "m.mlcalc").write_bytes(paths["near"].read_bytes())
    script_run(folder, start("m.mlcalc") + "run 0\nwrite_restart a.restart\n")
    expected = {name: engine(salt(), paths[name])["energy"] for name in ("near", "V")}
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    # the folder of the restart file is searched
    text = script_run(elsewhere, "read_restart ../a.restart\nrun 0\n" + PE, 2)
    assert numbers(text, "PE ")[0][0] == pytest.approx(expected["near"], rel=1e-12)
    (folder / "m.mlcalc").unlink()
    text = script_run(folder, "read_restart a.restart\nrun 0\n", 2, check=False)
    assert "WARNING: the model file m.mlcalc of the restart file cannot be opened" in text
    assert re.search("ERROR: All pair coeffs are not set: .*pair_coeff.*m.mlcalc of the restart file cannot", text)
    (folder / "m.mlcalc").write_bytes(paths["V"].read_bytes())
    text = script_run(folder, "read_restart a.restart\npair_coeff * * m.mlcalc Na Cl\nrun 0\n" + PE, 2)
    assert re.search("WARNING: The restart file was written with m.mlcalc of checksum .* but the file now has", text)
    assert numbers(text, "PE ")[0][0] == pytest.approx(expected["V"], rel=1e-10)
    again = "read_restart a.restart\npair_style mlcalc accuracy 1e-4\npair_coeff * * m.mlcalc Na Cl\nrun 0\n"
    assert "PE" in script_run(folder, again + PE, 2)


def test_models_are_found_as_other_potentials_are(paths, folder, monkeypatch):
    library = folder / "potentials"
    library.mkdir()
    (library / "only_here.mlcalc").write_bytes(paths["near"].read_bytes())
    script = start("only_here.mlcalc") + "run 0\nwrite_restart here.restart\n" + PE
    text = script_run(folder, script, 2, check=False)
    assert "ERROR: pair_style mlcalc cannot open the model file only_here.mlcalc" in text
    monkeypatch.setenv("LAMMPS_POTENTIALS", str(library))
    expected = engine(salt(), paths["near"])["energy"]
    assert numbers(script_run(folder, script, 2), "PE ")[0][0] == pytest.approx(expected, rel=1e-12)
    again = script_run(folder, "read_restart here.restart\nrun 0\n" + PE, 2)
    assert numbers(again, "PE ")[0][0] == pytest.approx(expected, rel=1e-12)


# ---------------------------------------------------------------------------------- exclusions, bonds, Monte Carlo


@pytest.mark.parametrize("name", ["zbl", "both", "kernel"])
@pytest.mark.parametrize("ranks", [1, 3])
def test_atoms_that_are_excluded_from_all_pairs_are_absent(paths, tmp_path, name, ranks):
    atoms = salt()
    out = "group gone id 3 17 18 40\nneigh_modify exclude group gone all\n"
    back = "run 0\nneigh_modify exclude none\n"
    jobs = [Job(atoms, paths[name], "lode ksum", after=out), Job(atoms, paths[name], "lode ksum", after=out + back)]
    results, _ = run(tmp_path, jobs, ranks)
    stay = np.setdiff1d(np.arange(len(atoms)), [2, 16, 17, 39])
    expected = engine(atoms[stay], paths[name], lode="ksum")
    forces = np.zeros((len(atoms), 3))
    forces[stay] = expected["forces"]
    assert_same(results[0], {"energy": expected["energy"], "forces": forces, "virial": expected["virial"]})
    assert_same(results[1], engine(atoms, paths[name], lode="ksum"))


def ideal_gas(path, energy):
    model = Model([18], [DensityExpansion(cutoff=3.0, n_max=2, l_max=1)], [Term("t", [Invariant(1, "rho")])],
                  reference_energies=[energy])  # fmt: skip
    model.terms[0].regressor = Linear(np.zeros((1, model.n_features("t"))))
    model.save(path)


@pytest.mark.parametrize("ranks", [1, 2])
def test_monte_carlo_of_an_ideal_gas_has_its_density(tmp_path, ranks):
    """z V = 20 atoms, whatever the energy of a single one; a second run goes on."""
    ideal_gas(tmp_path / "e0.mlcalc", -0.05)
    script = """
units metal
atom_modify map yes
region b block 0 20 0 20 0 20
create_box 1 b
create_atoms 1 random 20 4321 NULL
mass 1 39.95
pair_style mlcalc
pair_coeff * * e0.mlcalc Ar
fix g all gcmc 1 100 0 1 29494 300 -0.3472760200 0.1 full_energy
variable n equal atoms
fix av all ave/time 1 1 1 v_n ave running start 20
thermo_style custom step atoms pe f_av
thermo 150
run 150
run 150
print "MEAN $(f_av) $(pe/atoms:%.12g)"
"""
    mean, per_atom = numbers(script_run(tmp_path, script, ranks), "MEAN ")[0]
    assert 17.0 < mean < 23.0  # 7.9 if a deletion keeps the energy of the atom
    assert per_atom == pytest.approx(-0.05, rel=1e-9)


GROWING = """fix b all bond/create 1 1 2 3.3 1 iparam 6 1 jparam 6 2
fix 1 all nve
timestep 1e-9
neigh_modify every 1 delay 0 check no
thermo_style custom step pe bonds
thermo_modify format float %.17g
thermo 1
run 3
"""


@pytest.mark.parametrize("ranks", [1, 2])
def test_bonds_that_appear_during_a_run_do_not_take_pairs_away(paths, tmp_path, ranks):
    script = MOLECULES.split("run 0")[0].replace("atom_style molecular", "atom_style bond").replace("2.0 3.3", "9 9.1")
    bonds = "bond_style zero\nbond_coeff 1\n"
    grow = script.format(model=paths["near"], bonds=bonds, special="{}") + GROWING
    text = script_run(tmp_path, grow.format(""), ranks, check=False)
    assert "ERROR: pair_style mlcalc needs all neighbors: set special_bonds lj/coul 1.0 1.0 1.0" in text
    text = script_run(tmp_path, grow.format("special_bonds lj/coul 1 1 1"), ranks)
    rows = np.array(re.findall(r"^ +[0-3] +(-\d\S+) +(\d+)", text, re.M), dtype=float)
    assert rows[-1, 1] > 0
    np.testing.assert_allclose(rows[:, 0], rows[0, 0], rtol=1e-9)


# ----------------------------------------------------------------------------------- computes, uncertainty, messages

PARTS = "compute ke all ke/atom\ncompute pe all pe/atom\ncompute s1 all stress/atom NULL virial\n"
PARTS += "compute s2 all centroid/stress/atom NULL virial\n"


def test_the_heat_flux_is_judged_by_the_stress_that_it_uses(paths, folder):
    show = (
        "velocity all create 1000 4\nthermo_style custom step c_J[1] c_J[2]\nrun 0\n"
        + 'print "J $(c_J[1]) $(c_J[2])"\n'
    )
    wrong = script_run(
        folder, start(paths["near"]) + PARTS + "compute J all heat/flux ke pe s1\n" + show, 2, check=False
    )
    assert "ERROR: compute heat/flux needs centroid/stress/atom instead of stress/atom" in wrong
    both = "compute J all heat/flux ke pe s2\n"
    right = script_run(folder, start(paths["near"]) + PARTS + both + show, 2)
    alone = script_run(folder, start(paths["near"]) + PARTS.replace("compute s1", "# ") + both + show, 1)
    np.testing.assert_allclose(numbers(right, "J ")[0], numbers(alone, "J ")[0], rtol=1e-9)
    two = "run 0\ncompute K all heat/flux ke pe s1\n"
    later = script_run(folder, start(paths["near"]) + PARTS + both + two + show, 2, check=False)
    assert "change compute K" in later


def test_heat_flux_under_hybrid(paths, folder):
    show = (
        PARTS + "compute J all heat/flux ke pe s2\nvelocity all create 1000 4\nthermo_style custom step c_J[1]\nrun 0\n"
    )
    show += 'print "J $(c_J[1]) $(c_J[2])"\n'
    head = start(paths["near"]).split("pair_style")[0]
    style = "pair_style hybrid/overlay mlcalc zero 5\npair_coeff * * mlcalc {} Na Cl\npair_coeff * * zero\n"
    hybrid = script_run(folder, head + style.format(paths["near"]) + show, 2)
    alone = script_run(folder, start(paths["near"]) + show, 2)
    np.testing.assert_allclose(numbers(hybrid, "J ")[0], numbers(alone, "J ")[0], rtol=1e-9)
    far = script_run(folder, head + style.format(paths["both"]) + show, 2, check=False)
    assert "ERROR" in far and "far field" in far


def test_an_uncertainty_is_that_of_its_step_or_zero(paths, folder):
    dynamics = "fix 1 all nve\nvelocity all create 30000 4\nthermo_style custom step c_p[4]\nthermo 1\nrun 6\n"
    asked = "fix s all pair 4 mlcalc uncertainty 1\ncompute p all pair mlcalc\n"
    some = script_run(folder, start(paths["committee"]) + asked + dynamics, 2)
    always = script_run(folder, start(paths["committee"], "uncertainty yes") + asked + dynamics, 2)
    rows = [np.array(re.findall(r"^ +([0-6]) +([\d.e-]+) *$", text, re.M), dtype=float) for text in (some, always)]
    assert rows[0].shape == rows[1].shape == (7, 2)
    assert (rows[1][:, 1] > 0).all()
    expected = np.where(np.isin(rows[1][:, 0], [0, 4]), rows[1][:, 1], 0.0)
    np.testing.assert_allclose(rows[0][:, 1], expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["near", "both", "kernel", "zbl"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_messages_name_atoms_by_their_ids(paths, tmp_path, name, ranks):
    atoms = salt()
    atoms.positions[40] = atoms.positions[17]
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    text = script_run(tmp_path, start(paths[name]) + "run 0\n", ranks, check=False)
    assert re.search("ERROR.*atoms 18 and 41 are at the same place", text), text[-600:]


def test_a_null_type_needs_hybrid(paths, folder):
    script = start(paths["near"]).replace("Na Cl", "Na NULL") + "run 0\n"
    text = script_run(folder, script, 2, check=False)
    assert "ERROR: All pair coeffs are not set: pair_coeff of mlcalc has NULL for atom type 2" in text


def test_growth_is_told_once(paths, tmp_path):
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True)[:2]
    atoms.set_cell(np.diag([24.0, 24.0, 24.0]))
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    grow = "region b block 2 22 2 22 2 22\nfix d all deposit 40 1 1 777 region b near 2.5\nrun 45\n"
    text = script_run(tmp_path, start(paths["both"], "lode ksum accuracy 1e-2") + grow, 2)
    assert (
        len(re.findall("WARNING: mlcalc: on step .* there are .* atoms, and the evaluator .* chosen for 2;", text)) == 1
    )
    lines = [line for line in text.splitlines() if "mlcalc instruction set" in line]
    assert len(lines) == 1  # nothing is told again because a buffer has grown


@pytest.mark.parametrize("name", ["near", "both"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_boundaries_that_change_between_runs(paths, folder, name, ranks):
    """From periodic to free: the next evaluation is that of free atoms, and back it is the first one again."""
    free = "change_box all boundary f f f\nrun 0\n" + PE
    periodic = "change_box all boundary p p p\nrun 0\n" + PE
    script = start(paths[name], "lode auto accuracy 1e-8" if name == "both" else "") + "run 0\n" + PE + free + periodic
    found = numbers(script_run(folder, script, ranks), "PE")
    atoms = salt()
    atoms.wrap()  # as LAMMPS does: it matters once they are free
    around = engine(atoms, paths[name], accuracy=1e-8)["energy"]
    atoms.pbc = False
    alone = engine(atoms, paths[name], accuracy=1e-8)["energy"]
    assert found == pytest.approx([around, alone, around], rel=1e-8)
    assert abs(around - alone) > 1e-3
