# SPDX-License-Identifier: BSD-3-Clause
"""One frame for any command of LAMMPS: 64 ions, the pair style, the command, and what the last evaluation gave."""

import numpy as np
import pytest
from lammps_lives import read_dump
from lammps_runs import PRESSURE_UNIT, engine

from mlcalc import lammps

FRAME = """
units metal
boundary p p p
atom_style {style}
{head}
atom_modify map {map}
region box block 0 11.2 0 11.2 0 11.2
create_box 2 box {box}
lattice custom 5.6 a1 1 0 0 a2 0 1 0 a3 0 0 1 &
    basis 0 0 0 basis 0.5 0.5 0 basis 0.5 0 0.5 basis 0 0.5 0.5 &
    basis 0.5 0 0 basis 0 0.5 0 basis 0 0 0.5 basis 0.5 0.5 0.5
create_atoms 1 box basis 5 2 basis 6 2 basis 7 2 basis 8 2
lattice none 1.0
{mass}
displace_atoms all random 0.1 0.1 0.1 5
neigh_modify every 1 delay 0 check yes
timestep 0.0005
{before}
{pair}
compute pv all pressure NULL pair
{columns}
{commands}
"""
COLUMNS = """thermo_style custom step temp pe c_pv[1] c_pv[2] c_pv[3] c_pv[4] c_pv[5] c_pv[6] atoms vol {}
thermo_modify format float %.17g
thermo 1
"""
END = """
print "LAST $(pe:%.17g) $(c_pv[1]:%.17g) $(c_pv[2]:%.17g) $(c_pv[3]:%.17g) $(c_pv[4]:%.17g) $(c_pv[5]:%.17g) $(c_pv[6]:%.17g) $(vol:%.17g)"
write_dump all custom last.dump id type x y z fx fy fz modify sort id format float %.17g
"""  # noqa: E501
PAIR = "pair_style mlcalc {options}\npair_coeff * * {model} Na Cl"
HYBRID = "pair_style hybrid/overlay mlcalc {options} zero 5.0\npair_coeff * * mlcalc {model} Na Cl\npair_coeff * * zero"
FRAMES = {"style": "atomic", "head": "", "map": "array", "box": "", "before": "", "mass": "mass * 20"}


#: kinds of models: near-sighted, and with a far field, which MESH computes
KINDS = {"near": "linear zbl", "both": "linear soap + lode"}
MESH = "lode mesh accuracy 1e-5"
NVE = "fix move all nve\nvelocity all create 600 7 loop geom\n"
NEAR_AND_FAR = pytest.mark.parametrize("name, ranks", [("near", 1), ("both", 2)])


def run_command(directory, commands, model, options="", *, ranks=1, pair=PAIR, show="", arguments=(), **frame):
    """Runs the commands in the frame, whose holes are ``FRAMES``. Returns the status and the output of LAMMPS."""
    words = FRAMES | frame | {"pair": pair.format(options=options, model=model), "columns": COLUMNS.format(show)}
    (directory / "in.command").write_text(FRAME.format(**words, commands=commands + END))
    done = lammps.run("in.command", ranks, directory, arguments=arguments, timeout=120)
    return done.returncode, done.stdout


def last(directory, text):
    """Energy, virial, forces and atoms of the last evaluation; eV and Angstrom."""
    row = next(line for line in reversed(text.splitlines()) if line.startswith("LAST"))
    numbers = np.array(row.split()[1:], dtype=float)
    forces = np.loadtxt(directory / "last.dump", skiprows=9, ndmin=2)[:, 5:8]
    atoms = read_dump(directory / "last.dump", ("Na", "Cl"), ())
    virial = numbers[1:7] * numbers[7] / PRESSURE_UNIT["metal"]
    return {"energy": numbers[0], "forces": forces, "virial": virial}, atoms


def assert_as_in_ase(directory, text, model, tolerance, **options):
    """Energy, forces and virial of the last evaluation are those of the same atoms in ASE."""
    got, atoms = last(directory, text)
    expected = engine(atoms, model, **options)
    for name, value in got.items():
        error = np.abs(value - expected[name]).max() / np.abs(expected[name]).max()
        assert error < tolerance, f"{name} differs by {error:.1e}"
    return got, atoms


def check_as_in_ase(directory, commands, paths, name, ranks, **frame):
    """What the last evaluation of these commands gave is what ASE gives, with the model ``paths[name]`` of KINDS."""
    far = {"accuracy": 1e-9} if name == "both" else {}
    status, text = run_command(directory, commands, paths[name], MESH if far else "", ranks=ranks, **frame)
    assert status == 0, text[-2500:]
    assert_as_in_ase(directory, text, paths[name], 1e-5 if far else 1e-11, **far)
