"""The mesh spread over MPI domains by LAMMPS's grids and FFTs is the serial mesh."""

import re
import shutil
import subprocess

import models
import numpy as np
import pytest
from lammps_runs import Job, assert_same, engine, needs_lammps, run, write_data
from test_lammps_agreement import droplet, salt, triclinic
from test_lammps_manners import numbers, script_run, start

pytestmark = needs_lammps
TILED = "comm_style tiled\ncomm_modify cutoff 5.0\nneighbor 0.5 bin"


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    directory = tmp_path_factory.mktemp("mesh")
    out = {}
    for name in ("linear V", "linear soap + lode", "linear far committee", "linear p=6"):
        out[name] = directory / f"{len(out)}.mlcalc"
        models.build(name).save(out[name])
    return out


def large_salt():
    atoms = salt() * (1, 1, 2)
    atoms.rattle(0.05, seed=5)
    return atoms


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 6, 8])
def test_mesh_over_ranks_is_the_serial_mesh(paths, tmp_path, ranks):
    mesh = "lode mesh accuracy 1e-4"
    jobs = [
        Job(large_salt(), paths["linear soap + lode"], mesh),
        Job(triclinic(salt()), paths["linear V"], mesh),
        Job(triclinic(salt()), paths["linear p=6"], "lode mesh mesh 15 16 9 order 8"),  # unequal, ranks share a plane
        Job(droplet(), paths["linear soap + lode"], mesh),  # ranks without atoms
    ]
    if ranks in (6, 8):  # many ranks on few cores are slow
        jobs = jobs[1:2] + jobs[3:]
    if ranks > 1:
        jobs.append(Job(large_salt(), paths["linear soap + lode"], mesh, before=TILED, after="balance 1.0 rcb"))
        jobs.append(Job(large_salt(), paths["linear V"], mesh, after="balance 1.0 shift xyz 5 1.0"))
    results, text = run(tmp_path, jobs, ranks)
    assert text.count("particle mesh") >= len(jobs)
    for job, got in zip(jobs, results, strict=True):
        options = {"accuracy": 1e-4} if "order" not in job.options else {"mesh": (15, 16, 9), "order": 8}
        assert_same(got, engine(job.atoms, job.model, lode="mesh", **options))


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
    model, mesh = paths["linear soap + lode"], "lode mesh accuracy 1e-4"
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
    first = start(model, "lode mesh accuracy 1e-4") + shrink + "run 30\nunfix 1\nwrite_restart now.restart\nrun 0\n"
    before = script_run(tmp_path, first + energy + "write_data now.data\n", 2)
    after = script_run(tmp_path, "read_restart now.restart\nrun 0\n" + energy, 3)
    fresh = script_run(tmp_path, start(model, "lode mesh accuracy 1e-4", data="now.data") + "run 0\n" + energy)
    mesh = [set(re.findall(r"particle mesh (\d+ x \d+ x \d+)", text)) for text in (before, after, fresh)]
    assert mesh[0] == mesh[1] != mesh[2]
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


def test_mesh_error_against_the_ksum_is_below_the_request(paths, tmp_path):
    model = paths["linear V"]
    jobs = [Job(large_salt(), model, "lode ksum accuracy 1e-8")]
    jobs += [Job(large_salt(), model, f"lode mesh accuracy {accuracy}") for accuracy in (1e-3, 1e-4, 1e-5)]
    (exact, *meshes), _ = run(tmp_path, jobs, 2)
    for accuracy, got in zip((1e-3, 1e-4, 1e-5), meshes, strict=True):
        error = np.linalg.norm(got["forces"] - exact["forces"]) / np.linalg.norm(exact["forces"])
        assert error < accuracy


def test_check_measures_the_error_of_the_mesh(paths, tmp_path):
    _, text = run(tmp_path, [Job(large_salt(), paths["linear V"], "lode mesh accuracy 1e-4 check yes")], 2)
    error = float(re.search(r"check against the k-sum: .*, (\S+) of the rms force", text).group(1))
    assert 0 < error < 1e-4


BROKEN = {
    "single-precision FFTs": "int _ZN9LAMMPS_NS4Info22has_fft_single_supportEv(void) { return 1; }",
    "do not return what was put into them": "void _ZN9LAMMPS_NS6Grid3d12forward_commEiPviiiS1_S1_i() {}",
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is missing")
@pytest.mark.parametrize("sentence", BROKEN)
def test_where_grids_or_ffts_do_not_serve_the_ksum_does(paths, tmp_path, monkeypatch, sentence):
    """A library loaded before LAMMPS answers in its place."""
    (tmp_path / "host.c").write_text(BROKEN[sentence])
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "host.so", "host.c"], cwd=tmp_path, check=True)
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
