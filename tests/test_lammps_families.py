# SPDX-License-Identifier: BSD-3-Clause
"""Families of LAMMPS's commands beside pair_style mlcalc, each as in ASE: reactions, constraints, walls, styles of
atoms, data that are added, tilted boxes."""

import models
import pytest
from lammps_commands import KINDS, NEAR_AND_FAR, NVE, check_as_in_ase
from lammps_runs import needs_lammps

pytestmark = [needs_lammps, pytest.mark.filterwarnings("ignore:this system has slab boundaries")]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return models.saved(KINDS, tmp_path_factory.mktemp("families"))


BONDS = {"style": "molecular", "box": "bond/types 1 extra/bond/per/atom 8 extra/special/per/atom 60"}
HARMONIC = "special_bonds lj/coul 1 1 1\nbond_style harmonic\nbond_coeff 1 0.0 2.8"
PAIRS = "".join(f"\ncreate_bonds single/bond 1 {k} {k + 4} special no" for k in range(1, 60, 8))
SHAKE = BONDS | {"before": HARMONIC + PAIRS + "\ncreate_bonds single/bond 1 6 2 special yes"}
SPHERES = {"style": "sphere", "mass": "set group all diameter 2.0\nset group all mass 20"}
OPEN = "change_box all boundary p p f z delta -1 2\n"
REACT = "molecule pre pre.mol\nmolecule post post.mol\nfix r all bond/react {} react one all 1 0 3.2 pre post map\n"
TILTED = {"before": "change_box all triclinic\nchange_box all xy final 3.1 xz final -2.2 yz final 1.7 remap units box"}

#: commands, and what of the frame they need
AS_IN_ASE = {
    # bonds that come by reactions, types that change with them, and what is fixed
    "bond/react": (NVE + REACT.format("") + "run 4", BONDS | {"before": HARMONIC}),
    "bond/break": (NVE + "fix b all bond/break 1 1 2.7\nrun 4", SHAKE),
    "shake": (NVE + "fix s all shake 1e-6 50 0 b 1\nrun 5\nunfix s\nrun 0", SHAKE),
    "rattle": (NVE + "fix s all rattle 1e-6 50 0 b 1\nrun 5\nunfix s\nrun 0", SHAKE),
    "shake and minimize": ("fix s all shake 1e-6 50 0 b 1\nminimize 0 1e-2 5 20\nunfix s\nrun 0", SHAKE),
    "freeze": ("group few id 1:9\nfix f few setforce 0 0 0\n" + NVE + "run 4\nunfix f\nrun 0", {}),
    "spring": ("group few id 1:9\nfix f few spring/self 0.3\n" + NVE + "run 4\nunfix f\nrun 0", {}),
    "move": ("group few id 1:9\ngroup rest subtract all few\nfix m few move linear 3 1 2\nfix n rest nve\nrun 20", {}),
    "lineforce": ("fix f all lineforce 1 1 0\n" + NVE + "run 4\nunfix f\nrun 0", {}),
    "recenter": (NVE + "fix r all recenter 2 3 INIT\nrun 4\nrun 0", {}),
    "momentum": (NVE + "fix r all momentum 1 linear 1 1 1 angular\nrun 4", {}),
    "thermal/conductivity": (NVE + "fix r all thermal/conductivity 1 z 4\nrun 4", {}),
    # walls
    **{f"wall/{s}": (OPEN + f"fix w all wall/{s} zhi EDGE 0.05 1.0 2.5 zlo EDGE 0.05 1.0 2.5\n" + NVE
                     + "run 4\nunfix w\nrun 0", {}) for s in ("lj93", "lj126", "lj1043")},
    "wall/reflect": (OPEN + "fix w all wall/reflect zlo EDGE zhi EDGE\n" + NVE + "run 10", {}),
    "wall/region": ("region r sphere 5.6 5.6 5.6 20\nfix w all wall/region r harmonic 0.1 0 30\n" + NVE
                    + "run 4\nunfix w\nrun 0", {}),
    # ensembles
    "nph": ("velocity all create 600 7\nfix m all nph aniso 0 0 0.5\nrun 10\nrun 0", {}),
    "nph/sphere": ("velocity all create 600 7\nfix m all nph/sphere iso 0 0 0.5\nrun 10\nrun 0", SPHERES),
    "npt/sphere": ("velocity all create 600 7\nfix m all npt/sphere temp 300 300 0.1 iso 0 0 0.5\nrun 10\nrun 0",
                   SPHERES),
    "langevin": (NVE + "fix l all langevin 300 300 0.1 777\nrun 5\nunfix l\nrun 0", {}),
    "csvr": (NVE + "fix l all temp/csvr 300 300 0.1 777\nrun 5", {}),
    "nve/limit": ("velocity all create 600 7\nfix m all nve/limit 0.01\nrun 5", {}),
    "dt/reset": (NVE + "fix d all dt/reset 1 NULL NULL 0.01 units box\nrun 5", {}),
    "verlet of a group": ("group few id 1:30\nvelocity all create 600 7\nfix m few nve\nrun 5", {}),
    "msst": ("velocity all create 600 7\nfix m all msst z 20 q 100 tscale 0.01\nrun 5\nrun 0", {}),
    "nphug": ("velocity all create 600 7\nfix m all nphug temp 300 300 0.1 iso 0 0 0.5\nrun 5\nrun 0", {}),
    # atoms and boxes
    "displace": ("displace_atoms all move 1.7 20.3 -0.4 units box\ngroup few id 1:9\n"
                 "displace_atoms few ramp x 0 0.3 y 0 11 units box\n"
                 "displace_atoms few rotate 5 5 5 0 0 1 4\nrun 0", {}),
    "velocity": ("velocity all create 900 7 dist gaussian mom yes rot yes\nvelocity all ramp vx 0 2 y 0 11\n"
                 "fix m all nve\nrun 4\nvelocity all scale 300\nvelocity all set 1 NULL NULL sum yes\nrun 4", {}),
    "read_data add": ("write_data d.data nocoeff\nread_data d.data add append shift 11.2 0 0 group new\nrun 1", {}),
    "read_restart": ("run 0\nwrite_restart r.restart\nclear\nread_restart r.restart\nneigh_modify every 1 delay 0\n"
                     "compute pv all pressure NULL pair\nthermo_style custom step pe c_pv[1]\nrun 0", {}),
    "replicate tilted": ("replicate 1 2 1\nrun 1", TILTED),
    "tilted npt": ("velocity all create 600 7\nfix m all npt temp 300 300 0.1 tri 0 0 0.5\nrun 6\nrun 0", TILTED),
    "box/relax tilted": ("fix b all box/relax tri 0 vmax 0.002\nminimize 0 1e-3 10 30", TILTED),
    "ortho again": ("change_box all triclinic\nrun 0\nchange_box all ortho\nrun 1", {}),
    "scaled": ("change_box all x scale 1.02 y scale 0.98 z final 0 11.5 remap units box\nrun 1", {}),
    "delete_atoms variable": ("variable v atom x>8\ngroup g variable v\ndelete_atoms group g\nrun 1", {}),
    "delete_atoms partial": ("delete_atoms random count 7 no all NULL 777\n"
                             "delete_atoms overlap 2.75 all all\nrun 1", {}),
    "change_types by group": ("group few id 1:9\nset group few type 2\nrun 1", {}),
    # what atoms are
    **{style: ("run 1", {"style": style}) for style in
       ("charge", "molecular", "bond", "angle", "amoeba", "hybrid charge molecular", "hybrid full dipole",
        "hybrid spin charge", "dpd")},
    **{style: ("run 1", {"style": style, "mass": "set group all mass 20"}) for style in
       ("hybrid sphere charge", "hybrid sphere molecular", "bpm/sphere", "hybrid ellipsoid full")},
}  # fmt: skip
TEMPLATE = """# {name}

2 atoms
{bonds}

Types

1 {types[0]}
2 {types[1]}

Coords

1 0 0 0
2 2.8 0 0
{section}"""
MAP = "# one\n\n2 equivalences\n\nInitiatorIDs\n\n1\n2\n\nEquivalences\n\n1 1\n2 2\n"


def write_reaction(directory):
    """Na and Cl become a pair with a bond, and change places."""
    pre = TEMPLATE.format(name="before", bonds="", types=(1, 2), section="")
    post = TEMPLATE.format(name="after", bonds="1 bonds", types=(2, 1), section="\nBonds\n\n1 1 1 2\n")
    for name, text in (("pre.mol", pre), ("post.mol", post), ("map", MAP)):
        (directory / name).write_text(text)


@NEAR_AND_FAR
@pytest.mark.parametrize("case", AS_IN_ASE)
def test_as_in_ase(paths, tmp_path, case, name, ranks):
    commands, frame = AS_IN_ASE[case]
    write_reaction(tmp_path)
    check_as_in_ase(tmp_path, commands, paths, name, ranks, **frame)
