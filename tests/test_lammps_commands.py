# SPDX-License-Identifier: BSD-3-Clause
"""Commands, fixes and computes of LAMMPS beside pair_style mlcalc: each gives what ASE gives, or one refusal."""

import re

import models
import numpy as np
import pytest
from lammps_commands import (
    HYBRID,
    KINDS,
    MESH,
    NEAR_AND_FAR,
    NVE,
    PAIR,
    assert_as_in_ase,
    check_as_in_ase,
    last,
    run_command,
)
from lammps_runs import engine, needs_lammps
from test_lammps_manners import numbers

pytestmark = needs_lammps


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return models.saved(KINDS | {"committee": "linear committee"}, tmp_path_factory.mktemp("commands"))


BONDS = {"style": "bond", "box": "bond/types 1 extra/bond/per/atom 8 extra/special/per/atom 60"}
KEPT = "special_bonds lj/coul 1 1 1\nbond_style zero\nbond_coeff 1"
MOLECULES = {"style": "molecular", "before": "group few id 1:6\nset group all mol 1\nset group few mol 2"}
OMP = {"arguments": ("-pk", "omp", "2", "-sf", "omp")}
MOVED = "fix d all deform 1 xy erate {} remap x\n"

#: commands, and what of the frame they need
AS_IN_ASE = {
    # Monte Carlo
    "atom/swap": ("fix s all atom/swap 1 5 777 3000 ke no types 1 2\nrun 3", {}),
    "semi-grand": ("fix s all atom/swap 1 5 777 30000 ke no types 1 2 semi-grand yes mu 0 0.1\nrun 3", {}),
    "mol/swap": ("fix s all mol/swap 1 5 1 2 777 30000\nrun 3", MOLECULES),
    "neighbor/swap": ("compute v all voronoi/atom neighbors yes\n"
                      "fix s all neighbor/swap 1 5 777 300000 3.0 v types 1 2\nrun 3", {}),
    "charge/regulation": ("fix c all charge/regulation 1 2 acid_type 1 pH 7 pKa 5 pIp 1 pIm 1 temp 30000 nmc 10 "
                          "seed 777\nrun 3", {"style": "charge", "before": "set type 2 charge -1"}),
    "gcmc of atoms": ("fix g all gcmc 1 5 5 1 777 3000 -4 0.2 full_energy overlap_cutoff 1.5\nrun 3", {}),
    "hmc": ("fix h all hmc 5 777 300\n" + NVE + "run 12", {}),
    # what moves, and under which constraint
    "rigid": (NVE.replace("all nve", "all rigid molecule") + "run 4", MOLECULES),
    "rigid/small": (NVE.replace("all nve", "few rigid/nvt/small molecule temp 300 300 0.1") + "run 4",
                    MOLECULES | {"head": "comm_modify cutoff 12"}),
    "bonds that appear": (NVE + "fix b all bond/create 1 1 2 3.0 1\nrun 4", BONDS | {"before": KEPT}),
    "sllod": ("change_box all triclinic\n" + MOVED.format(5).replace("remap x", "remap v")
              + "fix m all nvt/sllod temp 300 300 0.1\nrun 4\nrun 0", {}),
    "flips": ("change_box all triclinic\n" + MOVED.format(60) + "fix m all nve\nrun 25\nrun 0", {}),
    "npt tri": ("change_box all triclinic\nfix m all npt temp 300 300 0.1 tri 0 0 0.5\nrun 10\nrun 0", {}),
    "box/relax": ("fix b all box/relax aniso 0 vmax 0.002\nminimize 0 1e-3 10 30", {}),
    "box/relax tri": ("change_box all triclinic\nfix b all box/relax tri 0 vmax 0.002\nminimize 0 1e-3 10 30", {}),
    **{f"min {s}": (f"min_style {s}\nminimize 0 1e-3 10 30", {}) for s in ("fire", "sd", "quickmin", "hftn")},
    # what is there
    "replicate": ("replicate 2 1 1\nrun 1", {}),
    "replicate bbox": ("replicate 1 1 2 bbox\nrun 1", {}),
    "overlaps": ("delete_atoms overlap 2.7 all all\nrun 1", {}),
    "reset_atoms": ("delete_atoms random fraction 0.2 yes all NULL 777\nreset_atoms id\nrun 1", {}),
    "create_atoms": ("create_atoms 1 random 6 777 NULL overlap 1.5 maxtry 900\nrun 0", {}),
    "evaporate": ("region r block EDGE EDGE EDGE EDGE EDGE EDGE\nfix e all evaporate 1 3 r 777\nrun 3\nrun 0", {}),
    "read_dump": ("write_dump all custom d.dump id type x y z modify format float %.17g\n"
                  "delete_atoms random fraction 0.3 yes all NULL 777\nrun 0\n"
                  "read_dump d.dump 0 x y z box yes add keep\nrun 0", {}),
    "rerun in a sheared box": ("change_box all triclinic\n" + MOVED.format(20) + "fix m all nve\n"
                               "dump d all custom 2 t.dump id type x y z\ndump_modify d format float %.17g\nrun 10\n"
                               "undump d\nunfix d\nunfix m\nrerun t.dump first 4 last 8 dump x y z box yes", {}),
    # who is whose neighbor
    "multi": ("neighbor 1.0 multi\ncomm_modify mode multi\n" + NVE + "run 3", {}),
    "multi/old": ("neighbor 1.0 multi/old\n" + NVE + "run 3", {}),
    "nsq": ("neighbor 1.0 nsq\n" + NVE + "run 3", {}),
    "a wider style": ("neighbor 1.0 multi\ncomm_modify mode multi\n" + NVE + "run 3",
                      {"pair": HYBRID.replace("zero 5", "zero 8")}),
    "exclusions that go": ("group few id 1:4\nneigh_modify exclude group few all\nrun 1\n"
                           "neigh_modify exclude none\nrun 1", {}),
    "hash": (NVE + "run 3", {"map": "hash"}),
    "tiled": (NVE + "run 3", {"head": "comm_style tiled"}),
    "processors": (NVE + "run 3", {"head": "processors 1 * 1 map zyx"}),
    "newton on off": (NVE + "run 3", {"head": "newton on off"}),
    "omp": (NVE + "run 3", OMP),
    "omp under hybrid": (NVE + "run 3", OMP | {"pair": HYBRID}),
    "compute no": ("pair_modify compute no\nrun 1\npair_modify compute yes\nrun 1", {}),
    # what else calls the pair style
    "numdiff": ("fix n all numdiff 1 1e-5\nrun 1", {}),
    "dynamical_matrix": ("dynamical_matrix all eskm 1e-4 file d.dat\nrun 0", {}),
    "born/matrix": ("compute v all pressure NULL virial\ncompute b all born/matrix numdiff 1e-4 v\nrun 1", {}),
    "adapt": ("variable s equal ramp(0.5,1.0)\nfix a all adapt 1 pair mlcalc scale * * v_s\n" + NVE + "run 3", {}),
    # what atoms are
    **{style: ("run 1", {"style": style}) for style in ("full", "dipole", "dielectric", "spin", "electron")},
    **{style: ("run 1", {"style": style, "mass": "set group all mass 20"}) for style in ("sphere", "ellipsoid")},
}  # fmt: skip


@NEAR_AND_FAR
@pytest.mark.parametrize("case", AS_IN_ASE)
def test_as_in_ase(paths, tmp_path, case, name, ranks):
    commands, frame = AS_IN_ASE[case]
    check_as_in_ase(tmp_path, commands, paths, name, ranks, **frame)


#: commands, what of the frame they need, and the sentence
REFUSED = {
    **{name: (f"compute t all {name} all\nthermo_style custom step c_t\nrun 1", {}, "computes of package TALLY cannot")
       for name in ("force/tally", "pe/tally", "stress/tally")},
    "pe/tally under hybrid": ("compute t all pe/tally all\nthermo_style custom step c_t\nrun 1", {"pair": HYBRID},
                              "computes of package TALLY cannot be used"),
    "heat/flux/tally": ("compute t all heat/flux/tally all\nthermo_style custom step c_t[1]\nrun 1", {},
                        "computes of package TALLY cannot be used"),
    "pe/mol/tally": ("compute t all pe/mol/tally all\nthermo_style custom step c_t[1]\nrun 1", {"style": "molecular"},
                     "computes of package TALLY cannot be used"),
    "group/group": ("compute g all group/group all\nthermo_style custom step c_g\nrun 1", {},
                    "does not support compute group/group"),
    "stress/cartesian": ("compute q all stress/cartesian x 1.0 NULL 0\nrun 1", {}, "does not support compute stress/"),
    "pair/local": ("compute q all pair/local eng\ncompute r all reduce sum c_q inputs local\n"
                   "thermo_style custom step c_r\nrun 1", {}, "does not support compute pair/local"),
    "pair_write": ("pair_write 1 1 100 r 1 3 t.txt A", {}, "does not support pair_write"),
    "hybrid/molecular": ("run 1", MOLECULES | {"pair": HYBRID.replace("overlay", "molecular")},
                         "not compatible with manybody potentials"),
    "ghosts of a group": ("comm_modify group few\nrun 1", {"before": "group few id 1:40\natom_modify first few"},
                          "needs all neighbors, but comm_modify group leaves some out"),
    "newton off on": ("run 1", {"head": "newton off on"}, "needs newton pair on"),
    "respa of bonds": ("run_style respa 2 2 bond 1 pair 2\nrun 1", {"style": "bond", "box": "bond/types 1"},
                       "has no inner and outer forces for run_style respa"),
    "scale of one pair": ("variable s equal ramp(0.5,1.0)\nfix a all adapt 1 pair mlcalc scale 1 2 v_s\nrun 3", {},
                          "is scaled as a whole, but types 1 and 2 have a scale of 0.5 and others 1"),
    "perturbation of one pair": ("variable s equal 0.1\ncompute f all fep 300 pair mlcalc scale 1 1 v_s\n"
                                 "thermo_style custom step c_f[1]\nrun 1", {}, "is scaled as a whole"),
    "bonds that appear": (NVE + "fix b all bond/create 1 1 2 3.0 1\nrun 4",
                          BONDS | {"before": "bond_style zero\nbond_coeff 1"}, "set special_bonds lj/coul 1.0 1.0 1.0"),
    "tune/kspace": ("fix t all tune/kspace 1\nrun 2", {}, "Cannot use fix tune/kspace without a kspace style"),
}  # fmt: skip


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_sentence(paths, tmp_path, case, ranks):
    commands, frame, sentence = REFUSED[case]
    status, text = run_command(tmp_path, commands, paths["near"], ranks=ranks, **frame)
    assert status != 0
    errors = [line for line in text.splitlines() if "ERROR" in line]
    assert len(errors) == 1 and sentence in errors[0], text[-1500:]


# -------------------------------------------------------------------------------------- numbers of single commands


@pytest.mark.parametrize("name, options", [("near", ""), ("both", MESH), ("both", "lode ksum accuracy 1e-8")])
@pytest.mark.parametrize("ranks", [1, 2])
def test_widom_measures_the_energy_of_an_insertion(paths, tmp_path, name, options, ranks):
    """Into a vacancy so small that one energy is all: mu = E(N + 1) - E(N)."""
    place = "region here block 0.3 0.300001 0.1 0.100001 0.2 0.200001\ngroup one id 1\ndelete_atoms group one"
    insert = 'fix w all widom 1 3 1 777 300 region here full_energy\nrun 2\nprint "MU $(f_w[1]:%.12g)"'
    status, text = run_command(tmp_path, insert, paths[name], options, ranks=ranks, before=place)
    assert status == 0, text[-1500:]
    far = {"accuracy": 1e-9} if name == "both" else {}
    _, atoms = assert_as_in_ase(tmp_path, text, paths[name], 1e-5 if far else 1e-11, **far)
    more = atoms.copy()
    more.append("Na")
    more.positions[-1] = (0.3, 0.1, 0.2)
    expected = engine(more, paths[name], **far)["energy"] - engine(atoms, paths[name], **far)["energy"]
    assert numbers(text, "MU ")[0][0] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("name, ranks", [("near", 1), ("both", 2)])
@pytest.mark.parametrize("ensemble", ["", "semi-grand yes mu 0 0"])
def test_without_temperature_every_swap_lowers_the_energy(paths, tmp_path, name, ranks, ensemble):
    """What the fix compares are true energies."""
    swap = f"fix s all atom/swap 1 20 777 1e-3 ke no types 1 2 {ensemble}\nrun 4"
    status, text = run_command(tmp_path, swap, paths[name], MESH if name == "both" else "", ranks=ranks)
    assert status == 0
    steps = np.array([row.split()[2] for row in re.findall(r"^ +[0-4] +.* 64 .*$", text, re.M)], dtype=float)
    assert len(steps) == 5 and (np.diff(steps) <= 0).all() and steps[-1] < steps[0] - 0.1


@pytest.mark.parametrize("pair", [PAIR, HYBRID], ids=["alone", "hybrid"])
def test_perturbation_of_the_whole_model(paths, tmp_path, pair):
    """compute fep takes the same parameter as fix adapt; both want numbers by pairs of types."""
    perturb = "variable s equal 0.1\ncompute f all fep 300 pair mlcalc scale * * v_s\n"
    perturb += 'thermo_style custom step pe c_pv[1] c_f[1]\nrun 1\nprint "F $(c_f[1]:%.14g) $(pe:%.14g)"'
    status, text = run_command(tmp_path, perturb, paths["near"], ranks=2, pair=pair)
    assert status == 0, text[-1500:]
    change, energy = numbers(text, "F ")[0]
    assert change == pytest.approx(0.1 * energy, rel=1e-10)


@pytest.mark.parametrize("name, options", [("near", ""), ("both", MESH)])
@pytest.mark.parametrize("ranks", [1, 2])
def test_kspace_of_lammps_beside_a_mesh_of_ours(paths, tmp_path, name, options, ranks):
    """Energy and pressure add up, at the second run too."""
    coulomb = "pair_coeff * * {}\nkspace_style pppm 1e-5"
    pairs = {
        "all": HYBRID.replace("zero 5.0", "coul/long 5.0").replace("pair_coeff * * zero", coulomb.format("coul/long")),
        "coulomb": "pair_style coul/long 5.0\n" + coulomb.format(""),
        "model": PAIR,
    }
    charged = {"style": "charge", "before": "set type 1 charge 1\nset type 2 charge -1"}
    more = "compute all all pressure NULL virial\nthermo_style custom step pe c_pv[1] c_all[1]\nrun 0\nrun 2\nrun 0\n"
    got = {}
    for kind, pair in pairs.items():
        status, text = run_command(tmp_path, more + 'print "SUM $(pe:%.15g) $(c_all[1]:%.15g)"', paths[name], options,
                                   ranks=ranks, pair=pair, **charged)  # fmt: skip
        assert status == 0, text[-1500:]
        got[kind] = numbers(text, "SUM ")[0]
    np.testing.assert_allclose(got["all"], got["coulomb"] + got["model"], rtol=1e-12)


@pytest.mark.parametrize("fix", ["gcmc 1 30 0 1 777 300 -400 0.2 full_energy", "widom 1 30 1 777 300 full_energy"])
def test_rejected_trials_do_not_stop_the_run(paths, tmp_path, fix):
    """Insertions at random places are uncertain; the atoms of the run are not."""
    model = paths["committee"]
    quiet = "fix u all pair 1 mlcalc force_uncertainty 1\ncompute m all reduce max f_u\n"
    quiet += 'thermo_style custom step pe c_pv[1] c_m\nrun 0\nprint "MOST $(c_m)"'
    status, text = run_command(tmp_path, quiet, model, "uncertainty yes", ranks=2)
    limit = 1.001 * numbers(text, "MOST ")[0][0]
    insert = f"group gas empty\nfix f gas {fix}\nrun 3"  # nothing can be deleted
    for action in ("warn", "stop"):
        status, text = run_command(tmp_path, insert, model, f"max_uncertainty {limit} {action}", ranks=2)
        assert status == 0 and "has an uncertainty of" not in text
        assert re.search(r"^ +3 +\S+ +-", text, re.M), text[-1500:]
        assert len(last(tmp_path, text)[1]) == 64
    # the atoms of the run still do
    status, text = run_command(tmp_path, insert, model, f"max_uncertainty {0.9 * limit} stop", ranks=2)
    assert text.count("has an uncertainty of") == 1 and "the run stops here" in text


# ---------------------------------------------------------------------------------------- molecules, two dimensions

DIMER = "# a pair\n\n2 atoms\n\nCoords\n\n1 0 0 0\n2 2.4 0 0\n\nTypes\n\n1 1\n2 2\n"
GAS = """
clear
units metal
atom_style molecular
atom_modify map array
region b block 0 30 0 30 0 30
create_box 2 b
molecule d dimer.mol
create_atoms 0 random 3 777 b overlap 8 maxtry 500 mol d 777
mass * 20
neigh_modify every 1 delay 0
{pair}
compute pv all pressure NULL pair
{columns}
{commands}
"""


@pytest.mark.parametrize("name", ["near", "both"])
def test_monte_carlo_of_molecules(paths, tmp_path, monkeypatch, name):
    """LAMMPS itself refuses it on more than one rank."""
    (tmp_path / "dimer.mol").write_text(DIMER)
    monkeypatch.setattr("lammps_commands.FRAME", GAS)
    far = {"accuracy": 1e-9} if name == "both" else {}
    for fix in ("gcmc 1 20 10 0 1234 30000 -5 1.0", "widom 1 5 0 1234 300"):
        move = f"fix f all {fix} mol d full_energy\nrun 3"
        status, text = run_command(tmp_path, move, paths[name], MESH if far else "")
        assert status == 0, text[-1500:]
        _, atoms = assert_as_in_ase(tmp_path, text, paths[name], 1e-5 if far else 1e-11, **far)
        assert (len(atoms) > 6) == ("gcmc" in fix)
        status, text = run_command(tmp_path, move, paths[name], MESH if far else "", ranks=2)
        assert status != 0 and "on more than 1 MPI process" in text


FLAT = """
clear
units metal
dimension 2
atom_modify map array
lattice sq 3.0
region b block 0 4 0 4 -0.25 0.25
create_box 2 b
create_atoms 1 box
set type 1 type/fraction 2 0.5 777
mass * 20
displace_atoms all random 0.2 0.2 0 7
{pair}
compute pv all pressure NULL pair
{columns}
{commands}
"""


@pytest.mark.parametrize("ranks", [1, 2])
def test_two_dimensions(paths, tmp_path, monkeypatch, ranks):
    """There are no neighbors above and below, and no far field."""
    monkeypatch.setattr("lammps_commands.FRAME", FLAT)
    flat = "fix m all nve\nfix z all enforce2d\nrun 3"
    status, text = run_command(tmp_path, flat, paths["near"], ranks=ranks)
    assert status == 0, text[-1500:]
    got, atoms = last(tmp_path, text)
    atoms.pbc = (True, True, False)
    expected = engine(atoms, paths["near"])
    assert got["energy"] == pytest.approx(expected["energy"], rel=1e-12)
    np.testing.assert_allclose(got["forces"], expected["forces"], atol=1e-11)
    for options in ("", "lode ksum", "lode mesh"):
        status, text = run_command(tmp_path, flat, paths["both"], options, ranks=ranks)
        assert status != 0 and "ERROR: pair_style mlcalc has no far field in two dimensions" in text


# ------------------------------------------------------------------------------------------------ skewed boxes


@pytest.mark.parametrize("tilt", ["xy final 11.2", "xy final 30.8", "xy final 16.8 xz final -11.2 yz final 13.4"])
@pytest.mark.parametrize("accuracy", [1e-3, 1e-5])
def test_a_mesh_in_a_box_of_large_tilt_keeps_its_accuracy(paths, tmp_path, tilt, accuracy):
    """Bricks cannot follow a reduced basis, so the mesh itself has to be fine enough."""
    skew = f"change_box all triclinic\nchange_box all {tilt} remap units box\nrun 0"
    for ranks in (1, 2):
        options = f"lode mesh accuracy {accuracy}"
        status, text = run_command(tmp_path, skew, paths["both"], options, ranks=ranks)
        assert status == 0, text[-1500:]
        assert_as_in_ase(tmp_path, text, paths["both"], accuracy, accuracy=1e-9)


# ----------------------------------------------------------------------------------------------- what is counted


def test_a_mesh_that_cannot_be_counted_is_refused_before_it_is_made(paths, tmp_path):
    """In a cell of a few Angstrom, with memory that nobody has."""
    for points in ("1100 1100 1100", "2000 2000 2000", "2000 1999 2048"):
        options = f"lode mesh mesh {points} order 8 memory 100000"
        status, text = run_command(tmp_path, "run 0", paths["both"], options, ranks=2)
        assert status != 0
        assert text.count("ERROR") == 1 and "has more than 2^29 points on one rank, which MPI cannot count" in text
