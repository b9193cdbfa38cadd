"""The mesh spread over MPI domains is the serial mesh."""

import importlib.metadata
import re
import shutil
import subprocess
from pathlib import Path

import models
import numpy as np
import pytest
from far_fields import liquid
from lammps_runs import Job, assert_error_below_request, assert_same, engine, needs_lammps, run, write_data
from test_lammps_agreement import droplet, salt, triclinic
from test_lammps_manners import numbers, script_run, start

from mlcalc.model import Invariant
from mlcalc.model.expansions import MultiWidth, PotentialExpansion

pytestmark = needs_lammps
COUNTER = Path(__file__).parents[1] / "benchmarks" / "mpi_bytes.c"
TILED = "comm_style tiled\ncomm_modify cutoff 5.0\nneighbor 0.5 bin"


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    kinds = ("linear V", "linear soap + lode", "linear far committee", "linear p=6")
    return models.saved(dict(zip(kinds, kinds, strict=True)), tmp_path_factory.mktemp("mesh"))


def large_salt():
    atoms = salt() * (1, 1, 2)
    atoms.rattle(0.05, seed=5)
    return atoms


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 6, 8])
def test_mesh_over_ranks_is_the_serial_mesh(paths, tmp_path, ranks):
    mesh = "lode mesh accuracy 1e-4"
    jobs = [
        Job(large_salt(), paths["linear soap + lode"], mesh),
        Job(triclinic(salt()), paths["linear V"], mesh + " split 5.0"),
        Job(triclinic(salt()), paths["linear p=6"], "lode mesh mesh 15 16 9 order 8"),  # unequal, ranks share a plane
        Job(droplet(), paths["linear soap + lode"], mesh),  # ranks without atoms
    ]
    if ranks in (6, 8):  # many ranks on few cores are slow
        jobs = jobs[1:2] + jobs[3:]
    if ranks > 1:
        tiled = "lode mesh mesh 20 20 40 order 8"
        jobs.append(Job(large_salt(), paths["linear soap + lode"], tiled, before=TILED, after="balance 1.0 rcb"))
        jobs.append(Job(large_salt(), paths["linear V"], mesh, after="balance 1.0 shift xyz 5 1.0"))
    results, text = run(tmp_path, jobs, ranks)
    assert text.count("particle mesh") >= len(jobs)
    for job, got in zip(jobs, results, strict=True):
        words = job.options.split()
        options = {"accuracy": 1e-4} if "order" not in words else {"mesh": tuple(map(int, words[3:6])), "order": 8}
        options["split"] = 5.0 if "split" in words else "auto"
        assert_same(got, engine(job.atoms, job.model, lode="mesh", **options))


@pytest.mark.parametrize("method", ["mesh split no", "mesh split 6.0", "ksum split 6.0"])
def test_energy_is_conserved_on_two_ranks(method, paths, tmp_path):
    """To 1e-7 eV/atom/ps, through rebuilt neighbor lists, while kinetic and potential energy exchange far more."""
    write_data(tmp_path / "salt.data", large_salt(), ["Na", "Cl"])
    script = (
        start(paths["linear soap + lode"], f"lode {method} accuracy 1e-4")
        + """
velocity all create 300 1
fix 1 all nve
timestep 0.00004
neigh_modify every 20 delay 0 check no
run 0
print "E $(etotal:%.17g) $(pe:%.17g)"
run 500
print "E $(etotal:%.17g) $(pe:%.17g)"
"""
    )
    before, after = numbers(script_run(tmp_path, script, 2), "E ")
    assert abs(after[0] - before[0]) / 64 < 1e-7 * 0.02
    assert abs(after[1] - before[1]) / 64 > 1e-5


def test_more_ranks_than_planes_of_the_mesh(paths, tmp_path):
    """A rank may own no point of a coarse mesh."""
    options = "lode mesh mesh 8 8 4 order 8"
    jobs = [
        Job(salt(), paths["linear V"], options, before="processors 1 1 8"),
        Job(salt(), paths["linear V"], options, before="processors 8 1 1"),
        Job(salt(), paths["linear V"], options, before="processors 2 2 2"),
    ]
    results, _ = run(tmp_path, jobs, 8)
    expected = engine(salt(), paths["linear V"], lode="mesh", mesh=(8, 8, 4), order=8)
    for got in results:
        assert_same(got, expected)


@pytest.mark.parametrize("ranks", [2, 6])
def test_halos_that_meet_around_the_box(paths, tmp_path, ranks):
    """Of bricks and of tiles: points that are several images of one, and halos of ranks that are no neighbors."""
    mesh = {"mesh": (10, 10, 12), "order": 9}
    options = "lode mesh mesh 10 10 12 order 9"
    jobs = [
        Job(salt(), paths["linear V"], options, before=TILED, after="balance 1.0 rcb"),
        Job(salt(), paths["linear V"], options, before=f"processors 1 {ranks} 1"),
        Job(triclinic(salt()), paths["linear V"], options, before=f"processors {ranks} 1 1"),
    ]
    results, _ = run(tmp_path, jobs, ranks)
    for job, got in zip(jobs, results, strict=True):
        assert_same(got, engine(job.atoms, job.model, lode="mesh", **mesh))


def test_balance_during_a_run_changes_nothing(paths, tmp_path):
    write_data(tmp_path / "salt.data", large_salt(), ["Na", "Cl"])
    dynamics = """
fix 1 all npt temp 1200 1200 0.1 iso 0 0 0.5
velocity all create 1200 1
thermo 10
run 20
print "LAST $(pe:%.17g) $(pxx:%.17g) $(vol:%.17g)"
"""
    # three unlike ways of dividing the box; forces sum in another order, which dynamics amplifies a little
    model, mesh = paths["linear soap + lode"], "lode mesh mesh 18 18 18 order 8"
    one = script_run(tmp_path, start(model, mesh) + dynamics)
    bricks = script_run(tmp_path, start(model, mesh) + "fix b all balance 7 1.0 shift xyz 5 1.0\n" + dynamics, 3)
    tiles = script_run(tmp_path, TILED + start(model, mesh) + "fix b all balance 9 1.0 rcb\n" + dynamics, 3)
    for text in (bricks, tiles):
        np.testing.assert_allclose(numbers(text, "LAST ")[0], numbers(one, "LAST ")[0], rtol=1e-8)


def test_mesh_integers_survive_a_restart(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    model = paths["linear soap + lode"]
    shrink = "fix 1 all deform 1 x final 0 10.3 y final 0 10.3 remap x\nfix 2 all nve\n"
    energy = 'print "PE $(pe:%.17g) $(pxx:%.17g)"\n'
    options = "lode mesh accuracy 3e-5"
    first = start(model, options) + shrink + "run 30\nunfix 1\nwrite_restart now.restart\nrun 0\n"
    before = script_run(tmp_path, first + energy + "write_data now.data\n", 2)
    after = script_run(tmp_path, "read_restart now.restart\nrun 0\n" + energy, 3)
    fresh = script_run(tmp_path, start(model, options, data="now.data") + "run 0\n" + energy)
    mesh = [set(re.findall(r"particle mesh (\d+ x \d+ x \d+)", text)) for text in (before, after, fresh)]
    assert mesh[0] == mesh[1] != mesh[2] and mesh[0]
    np.testing.assert_allclose(numbers(after, "PE ")[0], numbers(before, "PE ")[-1], rtol=1e-10)


def test_uncertainty_of_forces_through_the_mesh(paths, tmp_path):
    from mlcalc.calculator import MLCalculator

    atoms = salt()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    script = (
        start(paths["linear far committee"], "lode mesh accuracy 1e-4")
        + """
fix sigma all pair 1 mlcalc uncertainty 1 force_uncertainty 1
compute total all reduce sum f_sigma[1] f_sigma[2]
thermo_style custom step pe c_total[1] c_total[2]
run 0
print "SIGMA $(c_total[1]:%.17g) $(c_total[2]:%.17g)"
"""
    )
    got = numbers(script_run(tmp_path, script, 3), "SIGMA ")[0]
    atoms.calc = MLCalculator(paths["linear far committee"], lode="mesh", accuracy=1e-4)
    per_force = np.linalg.norm(atoms.calc.get_property("forces_uncertainty", atoms), axis=1)
    expected = [atoms.calc.get_property("energies_uncertainty", atoms).sum(), per_force.sum()]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def field_model(species):
    """A quadratic form of the field with random weights, in which every coefficient counts."""
    return models.linear_model([models.V], [models.FIELD + models.FIELD_POWER], 3, species=species)


@pytest.mark.parametrize("name", ["molten_salt", "water"])
def test_error_through_lammps_is_below_the_request(tmp_path, name):
    """Forces and virial on liquids, against a k-sum of much higher accuracy."""
    atoms = liquid(name)
    field_model(sorted(set(atoms.numbers.tolist()))).save(tmp_path / "field.mlcalc")
    meshes, exact = assert_error_below_request(tmp_path, atoms, tmp_path / "field.mlcalc", 1e-9, 1e-9)
    for accuracy, got in meshes.items():
        assert abs(got["energy"] - exact["energy"]) < accuracy * np.linalg.norm(exact["forces"])  # eV and eV/Angstrom


def test_every_kind_of_far_field_through_the_mesh(tmp_path):
    jobs = []
    for k, kind in enumerate(models.FAR_FIELDS):
        models.build(kind).save(tmp_path / f"{k}.mlcalc")
        jobs.append(Job(triclinic(salt()), tmp_path / f"{k}.mlcalc", "lode mesh accuracy 1e-4"))
    results, _ = run(tmp_path, jobs, 2)
    for job, got in zip(jobs, results, strict=True):
        assert_same(got, engine(job.atoms, job.model, lode="mesh", accuracy=1e-4))


@pytest.mark.parametrize("method", ["ksum", "mesh"])
def test_atoms_of_null_types_have_no_field(paths, tmp_path, method):
    """They are neither centers nor sources."""
    atoms = large_salt()
    atoms.numbers[::5] = 18
    model = paths["linear soap + lode"]
    style = f"""pair_style hybrid/overlay mlcalc lode {method} mesh 20 20 20 order 8 lj/cut 5.0
pair_coeff * * mlcalc {model} Na Cl NULL
pair_coeff * 3 lj/cut 0.0 3.0
"""
    (got,), _ = run(tmp_path, [Job(atoms, model, style=style, elements=["Na", "Cl", "Ar"])], 3)
    ions = atoms.numbers != 18
    expected = engine(atoms[ions], model, lode=method, mesh=(20, 20, 20), order=8)
    forces = np.zeros((len(atoms), 3))
    forces[ions] = expected["forces"]
    assert_same(got, {"energy": expected["energy"], "virial": expected["virial"], "forces": forces})


def test_two_far_fields_under_hybrid_overlay(paths, tmp_path):
    """Two pair styles with a mesh each, whose halos must not mix."""
    atoms = large_salt()
    first, second = paths["linear V"], paths["linear soap + lode"]
    style = f"""pair_style hybrid/overlay mlcalc lode mesh accuracy 1e-4 mlcalc lode mesh accuracy 1e-3
pair_coeff * * mlcalc 1 {first} Na Cl
pair_coeff * * mlcalc 2 {second} Na Cl
"""
    (got,), _ = run(tmp_path, [Job(atoms, first, style=style)], 3)
    one, two = engine(atoms, first, lode="mesh", accuracy=1e-4), engine(atoms, second, lode="mesh", accuracy=1e-3)
    assert_same(got, {name: one[name] + two[name] for name in one})


def test_restart_continues_the_unbroken_run_through_the_mesh(paths, tmp_path):
    """At a step that builds neighbor lists; 100 steps at constant pressure in a triclinic box."""
    write_data(tmp_path / "salt.data", triclinic(salt()), ["Na", "Cl"])
    model = paths["linear soap + lode"]
    ensemble = "fix 1 all npt temp 300 300 0.1 tri 0 0 1\ntimestep 0.0005\n"
    dump = "dump d all custom 20 {} id x y z vx vy vz\ndump_modify d sort id format float %.17g\n"
    unbroken = "velocity all create 300 1\nrun 20\nwrite_restart half.restart\n" + dump.format("a") + "run 100\n"
    script_run(tmp_path, start(model, "lode mesh accuracy 1e-4") + ensemble + unbroken, 2)
    script_run(tmp_path, "read_restart half.restart\n" + ensemble + dump.format("b") + "run 100\n", 2)
    a, b = (frames(tmp_path / name, 32) for name in "ab")
    assert a.shape == (6, 32, 7)
    assert np.abs(a - b).max() < 1e-8
    assert np.abs(a[-1] - a[0]).max() > 0.1


def frames(path, n_atoms):
    """The numbers of a custom dump, (frames, atoms, columns)."""
    lines = path.read_text().splitlines()
    starts = range(9, len(lines), n_atoms + 9)
    return np.array([[row.split() for row in lines[k : k + n_atoms]] for k in starts], dtype=float)


@pytest.mark.parametrize("method", ["ksum", "mesh"])
def test_integers_stay_while_the_cell_drifts_and_are_chosen_anew_for_the_next_run(paths, tmp_path, method):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    pull = """
fix 1 all deform 1 x final 0 13.5 remap x
fix 2 all nve
run 40
unfix 1
print "NEXT"
write_data wide.data nocoeff
run 0
print "PE $(pe:%.17g) $(pxx:%.17g)"
"""
    model, options = paths["linear soap + lode"], f"lode {method} accuracy 1e-3"
    text = script_run(tmp_path, start(model, options) + pull, 2)
    during, after = text.split("\nNEXT")
    warning = "the cell has drifted by more than 10 %"
    assert during.count(warning) == 1 and warning not in after
    chosen = [re.findall(r"V: (?:particle mesh|k-sum, ).*", part) for part in (during, after)]
    assert len(chosen[0]) == len(chosen[1]) == 1 and chosen[0] != chosen[1]
    fresh = script_run(tmp_path, start(model, options, data="wide.data") + "run 0\n" + pull[pull.rindex("print") :])
    np.testing.assert_allclose(numbers(fresh, "PE ")[0], numbers(after, "PE ")[0], rtol=1e-9)


@pytest.mark.parametrize("options", ["lode mesh accuracy 1e-4 check yes", "accuracy 1e-4 lode check"])
def test_check_measures_the_error_of_the_mesh(paths, tmp_path, options):
    _, text = run(tmp_path, [Job(salt() * (2, 2, 4), paths["linear V"], options)], 2)
    estimate = float(re.search(r"particle mesh .*, estimated relative force error ([\d.e-]+)", text).group(1))
    error = float(re.search(r"check against the k-sum: .*, (\S+) of the rms force", text).group(1))
    assert 0 < error < 1e-4
    assert 1e-6 < estimate <= 1e-4
    assert "mlcalc instruction set" in text


# A library that is loaded before LAMMPS and loses what the mesh sends.
LOSES = r"""
#include <mpi.h>
#include <stdlib.h>
#include <unistd.h>
int MPI_Isend(const void *data, int n, MPI_Datatype type, int to, int tag, MPI_Comm world, MPI_Request *request) {
    if (tag == 7119 && access("broken", F_OK) == 0) data = calloc(n, 8);
    return PMPI_Isend(data, n, type, to, tag, world, request);
}
"""
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is missing")


def compiled(folder, code):
    """The path of a library to be loaded before that of MPI."""
    header = next(f for f in importlib.metadata.files("mpich") if f.name == "mpi.h").locate().resolve()
    (folder / "host.c").write_text(code)
    command = ["cc", "-shared", "-fPIC", f"-I{header.parent}", "-o", "host.so", "host.c"]
    subprocess.run(command, cwd=folder, check=True)
    return str(folder / "host.so")


def loser(folder):
    """The path of that library; messages are lost once there is a file ``broken`` in the folder of the run."""
    return compiled(folder, LOSES)


def messages(folder, model, options, ranks):
    """What the busiest rank sends per step, bytes and messages; counted by the library of benchmarks/lammps_mesh.py."""
    counts = []
    for steps in (2, 6):
        script = start(model, options) + f"neigh_modify delay 50\nfix 1 all nve\ntimestep 1e-4\nrun {steps}\n"
        text = script_run(folder, script, ranks)
        counts.append(np.array(re.findall(r"MPIBYTES (\S+) (\S+)", text)[-1], dtype=float))
    return (counts[1] - counts[0]) / 4


@needs_cc
@pytest.mark.parametrize("ranks", [2, 8])
def test_several_small_grids_go_in_one_message(tmp_path, monkeypatch, ranks):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    counter = compiled(tmp_path, COUNTER.read_text())
    small, large = "lode mesh mesh 12 12 12 order 9 split no", "lode mesh mesh 48 48 48 order 9 split no"
    sent = {}
    for n_max in (1, 4):
        widths = MultiWidth(tuple(np.linspace(1.0, 2.5, n_max)))
        field = PotentialExpansion(name="V", n_max=n_max, l_max=1, smearing=1.0, basis=widths)
        model = models.linear_model([field], [[Invariant(2, "V", "V")]], 3)
        model.save(tmp_path / f"{n_max}.mlcalc")
        monkeypatch.setenv("LD_PRELOAD", counter)
        sent[n_max] = messages(tmp_path, tmp_path / f"{n_max}.mlcalc", small, ranks)
        if ranks == 2:
            sent[n_max, "large"] = messages(tmp_path, tmp_path / f"{n_max}.mlcalc", large, ranks)
        monkeypatch.delenv("LD_PRELOAD")
        (got,), _ = run(tmp_path, [Job(salt(), tmp_path / f"{n_max}.mlcalc", small)], ranks)
        assert_same(got, engine(salt(), tmp_path / f"{n_max}.mlcalc", lode="mesh", mesh=(12, 12, 12), order=9, split=0))
    assert sent[4][1] == sent[1][1] and sent[4][0] > 2 * sent[1][0]
    if ranks == 2:  # they would leave the cache
        assert sent[4, "large"][1] > sent[1, "large"][1]


@needs_cc
def test_where_the_mesh_cannot_be_divided_the_ksum_serves(paths, tmp_path, monkeypatch):
    sentence = "the ranks do not get what others send them"
    monkeypatch.setenv("LD_PRELOAD", loser(tmp_path))
    (tmp_path / "broken").touch()
    atoms = salt() * (2, 2, 4)
    jobs = [Job(atoms, paths["linear V"], "lode auto accuracy 1e-4")]
    monkeypatch.setenv("LD_PRELOAD", str(tmp_path / "host.so"))
    (got,), text = run(tmp_path, jobs, 2)
    assert sentence in text and "falls back to the k-sum" in text and "k-sum, " in text
    jobs[0].options = "lode mesh accuracy 1e-4"
    _, text = run(tmp_path, jobs, 2, check=False)
    assert text.count("ERROR") == 1 and sentence in text.split("ERROR")[1]
    monkeypatch.delenv("LD_PRELOAD")
    (expected,), text = run(tmp_path, jobs, 2)
    assert "particle mesh" in text
    assert np.linalg.norm(got["forces"] - expected["forces"]) < 1e-4 * np.linalg.norm(expected["forces"])
