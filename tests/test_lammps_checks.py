# SPDX-License-Identifier: BSD-3-Clause
"""LAMMPS's own checks of a pair style, and what else a production user relies on."""

import json
import re

import models
import numpy as np
import pytest
from lammps_runs import Job, assert_same, engine, needs_lammps, run, write_data
from mpi import run_ranks
from test_lammps_agreement import salt as small_salt
from test_lammps_manners import numbers, salt, script_run, start

pytestmark = needs_lammps


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    kinds = ("linear zbl", "linear soap + lode", "linear committee", "linear V")
    return models.saved(dict(zip(kinds, kinds, strict=True)), tmp_path_factory.mktemp("models"))


@pytest.mark.filterwarnings("ignore:this system has free boundaries")
@pytest.mark.parametrize("kind", ["linear zbl", "linear soap + lode"])
def test_virial_of_a_cluster_is_that_of_its_forces(paths, tmp_path, kind):
    """Without a cell W = sum_i r_i (x) f_i, whatever the energy; pair_modify nofdotr does not change it."""
    atoms = salt()[:30]
    atoms.pbc = False
    jobs = [Job(atoms, paths[kind]), Job(atoms, paths[kind], after="pair_modify nofdotr")]
    results, _ = run(tmp_path, jobs, 3)
    for got in results:
        w = got["positions"].T @ got["forces"]
        np.testing.assert_allclose(got["virial"], w[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]], atol=1e-10 * abs(w).max())
    assert_same(results[1], results[0], 1e-13)


def test_data_file_written_by_lammps_gives_the_same_energy(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    model = paths["linear soap + lode"]
    energy = 'run 0\nprint "PE $(pe:%.17g) $(pxx:%.17g) $(pxy:%.17g)"\n'
    dynamics = "velocity all create 2000 1\nfix 1 all nve\nrun 15\n"
    write = "write_data later.data nocoeff\n"
    first = script_run(tmp_path, start(model, "lode ksum") + dynamics + energy + write, 3)
    text = start(model, "lode ksum", data="later.data") + "velocity all set 0 0 0\n"
    second = script_run(tmp_path, text + "compute pv all pressure NULL virial\n" + energy, 1)
    assert numbers(second, "PE ")[0][0] == pytest.approx(numbers(first, "PE ")[0][0], rel=1e-13)


MOLECULES = """
units metal
atom_style molecular
atom_modify map array
region box block 0 11.2 0 11.2 0 11.2
create_box 2 box bond/types 1 extra/bond/per/atom 8 extra/special/per/atom 64
lattice custom 5.6 a1 1 0 0 a2 0 1 0 a3 0 0 1 &
    basis 0 0 0 basis 0.5 0.5 0 basis 0.5 0 0.5 basis 0 0.5 0.5 &
    basis 0.5 0 0 basis 0 0.5 0 basis 0 0 0.5 basis 0.5 0.5 0.5
create_atoms 1 box basis 5 2 basis 6 2 basis 7 2 basis 8 2
mass * 20
displace_atoms all random 0.1 0.1 0.1 5
pair_style mlcalc
pair_coeff * * {model} Na Cl
{bonds}
{special}
run 0
print "PE $(pe:%.17g) $(pxx:%.17g)"
"""
BONDS = "bond_style zero\nbond_coeff 1\ncreate_bonds many all all 1 2.0 3.3\nset group all mol 1\n"


@pytest.mark.parametrize("ranks", [1, 3])
def test_bonds_must_leave_the_neighbors_in_place(paths, tmp_path, ranks):
    model = paths["linear zbl"]
    kept = "special_bonds lj/coul 1 1 1"
    plain = script_run(tmp_path, MOLECULES.format(special="", model=model, bonds=""), ranks)
    bonded = script_run(tmp_path, MOLECULES.format(special=kept, model=model, bonds=BONDS), ranks)
    np.testing.assert_allclose(numbers(bonded, "PE ")[0], numbers(plain, "PE ")[0], rtol=1e-12)
    for special in ("", "special_bonds lj 1 0.5 1"):
        text = script_run(tmp_path, MOLECULES.format(special=special, model=model, bonds=BONDS), ranks, check=False)
        assert "ERROR: pair_style mlcalc needs all neighbors: set special_bonds lj/coul 1.0 1.0 1.0" in text
    excluded = MOLECULES.format(special=kept, model=model, bonds=BONDS + "neigh_modify exclude molecule/intra all")
    assert "neigh_modify exclude takes pairs away" in script_run(tmp_path, excluded, ranks, check=False)


def test_memory_of_the_run_counts_the_style(paths, tmp_path):
    """Member energies of 1000 atoms more, in LAMMPS's own account."""
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    used = []
    for options in ("", "uncertainty yes"):
        script = start(paths["linear committee"], options) + "replicate 4 4 4\nrun 2\nrun 0\n"
        text = script_run(tmp_path, script)
        used.append(float(re.findall(r"Per MPI rank memory allocation .* = ([\d.]+) \|", text)[-1]))
    members = 4 * 8 * 4096 / 2**20  # MBytes
    assert members < used[1] - used[0] < 4 * members


def test_lammps_in_python_on_two_ranks(paths, tmp_path):
    """from lammps import lammps, with mpi4py."""
    atoms = small_salt()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    code = f"""
import mlcalc.lammps
mlcalc.lammps.enable()
from lammps import lammps
lmp = lammps(comm=comm, cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string({start(paths["linear soap + lode"], "lode mesh accuracy 1e-4") + "run 0"!r})
forces = lmp.gather_atoms("f", 1, 3)
say([lmp.extract_setting("world_size"), lmp.get_thermo("pe"), list(forces)])
"""
    said, done = run_ranks(code, 2, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert said[0] == said[1], json.dumps(said)[:200]
    expected = engine(atoms, paths["linear soap + lode"], lode="mesh", accuracy=1e-4)
    assert said[0][0] == 2
    assert_same({"energy": said[0][1], "forces": np.reshape(said[0][2], (-1, 3))}, expected, names=["energy", "forces"])


@pytest.mark.parametrize("ranks", [2, 8])
@pytest.mark.parametrize("options", ["lode ksum", "lode mesh accuracy 1e-3"])
def test_a_bad_coordinate_on_one_rank_ends_the_run_on_all(paths, tmp_path, ranks, options):
    """The ranks are in the midst of sums and transforms over all of them."""
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    break_it = """
fix 1 all nve
neigh_modify delay 1000 check no
run 0
variable bad atom exp(1000)
set atom 3 x v_bad
run 1 pre no post no
"""
    text = script_run(tmp_path, start(paths["linear soap + lode"], options) + break_it, ranks, check=False)
    assert text.count("ERROR") == 1 and "A coordinate of atom 3 is not a number" in text


def test_minimization_stops_where_the_uncertainty_is_too_large(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    script = start(paths["linear committee"], "max_uncertainty 1e-9 stop") + "minimize 0 1e-8 100 100\n"
    text = script_run(tmp_path, script, 2)
    assert "the run stops here" in text
    assert int(re.search(r"Iterations, force evaluations = +(\d+)", text)[1]) < 3


def test_partitions_with_a_mesh_each(paths, tmp_path):
    from mlcalc import lammps

    for k, seed in enumerate((1, 2)):
        write_data(tmp_path / f"{k}.data", salt(seed), ["Na", "Cl"])
    script = "variable k world 0 1\n" + start(paths["linear V"], "lode mesh accuracy 1e-4", data="${k}.data")
    (tmp_path / "in.test").write_text(script + 'run 0\nprint "PE $(pe:%.17g)" file ${k}.pe\n')
    done = lammps.run("in.test", 3, tmp_path, partitions="1 2", timeout=60)
    assert done.returncode == 0, done.stdout
    for k, seed in enumerate((1, 2)):
        energy = float((tmp_path / f"{k}.pe").read_text().split()[1])
        expected = engine(salt(seed), paths["linear V"], lode="mesh", accuracy=1e-4)["energy"]
        assert energy == pytest.approx(expected, rel=1e-12)
