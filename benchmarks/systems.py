# SPDX-License-Identifier: BSD-3-Clause
"""Molten NaCl and liquid water of any size, equilibrated with LAMMPS, for benchmarks and proofs.

Made once and kept in ``$MLCALC_CACHE`` (default ``~/.cache/mlcalc``). To make some and print them:

    python benchmarks/systems.py --salt 3 5 10 --water 4 6
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from ase.io.lammpsdata import write_lammps_data

from mlcalc.demo.lammps_runs import read_dump, run_lammps
from mlcalc.demo.salt import lammps_commands, rock_salt

SALT_EDGE = 6.30  # Angstrom per 8 ions: 1.55 g/cm^3, NaCl at its melting point
SALT_TEMPERATURE = 1300.0
SEED_CELLS = 5  # melts of more than 5 cells an edge are repeated from this one and decorrelated

MELT = """units metal
atom_style charge
read_data start.data
mass 1 22.98977
mass 2 35.453
{potential}
timestep 0.002
neighbor 1.0 bin
velocity all create {hot} 4928459 mom yes
fix 1 all nvt temp {hot} {hot} 0.1
run {melting}
unfix 1
fix 1 all nvt temp {temperature} {temperature} 0.1
run {cooling}
dump 1 all custom 1 frame.dump id type x y z fx fy fz
dump_modify 1 sort id format float %.16g first yes
run 0
"""

# SPC/Fw [Wu, Tepper, Voth, JCP 124, 024503 (2006)]
WATER = """units real
atom_style full
read_data start.data
pair_style lj/cut/coul/long 9.0
pair_coeff 1 1 0.1554253 3.165492
pair_coeff 2 2 0.0 1.0
bond_style harmonic
bond_coeff 1 529.581 1.012
angle_style harmonic
angle_coeff 1 37.95 113.24
kspace_style pppm 1e-4
min_style cg
minimize 1e-4 1e-6 200 2000
timestep 0.5
velocity all create 300 7831 mom yes
fix 1 all nvt temp 300 300 50
run 4000
dump 1 all custom 1 frame.dump id type x y z fx fy fz
dump_modify 1 sort id format float %.16g first yes
run 0
"""


def molten_salt(cells: int) -> Atoms:
    """Molten NaCl of 8 * cells**3 ions at 1300 K in a cubic cell, wrapped; the order of the ions is random."""
    return _cached(f"salt-{cells}", lambda folder: _melt(folder, cells))


def water(molecules_per_edge: int) -> Atoms:
    """Liquid water (flexible SPC) of molecules_per_edge**3 molecules at 300 K and 1 g/cm^3, order O H H."""
    return _cached(f"water-{molecules_per_edge}", lambda folder: _water(folder, molecules_per_edge))


def rattled_silicon(cells: int, amplitude: float = 0.05) -> Atoms:
    """Diamond silicon of 8 * cells**3 atoms with normal displacements of `amplitude` Angstrom."""
    atoms = bulk("Si", "diamond", a=5.431, cubic=True).repeat(cells)
    atoms.rattle(amplitude, seed=42)
    return atoms


def rattled_salt(cells: int, amplitude: float = 0.1) -> Atoms:
    """Rock salt of 8 * cells**3 ions with normal displacements of `amplitude` Angstrom."""
    atoms = rock_salt(cells)
    atoms.rattle(amplitude, seed=42)
    return atoms


def _cached(name: str, make) -> Atoms:
    folder = Path(os.environ.get("MLCALC_CACHE", Path.home() / ".cache/mlcalc"))
    path = folder / f"{name}.extxyz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            atoms = make(Path(scratch))
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        write(partial, atoms, format="extxyz")
        partial.replace(path)
    return read(path)


def _melt(folder: Path, cells: int) -> Atoms:
    if cells <= SEED_CELLS:
        start, hot, melting, cooling = rock_salt(cells, SALT_EDGE), 3000.0, 2000, 2500
    elif cells % SEED_CELLS == 0:
        start, hot, melting, cooling = molten_salt(SEED_CELLS).repeat(cells // SEED_CELLS), 1600.0, 100, 100
    else:
        raise ValueError(f"more than {SEED_CELLS} cells an edge must be a multiple of {SEED_CELLS}, got {cells}")
    write_lammps_data(folder / "start.data", start, specorder=["Na", "Cl"], atom_style="charge")
    potential = lammps_commands(accuracy=1e-5)
    script = MELT.format(potential=potential, hot=hot, temperature=SALT_TEMPERATURE, melting=melting, cooling=cooling)
    (folder / "in.melt").write_text(script)
    run_lammps(folder, "in.melt", ranks=2)
    return _last_frame(folder, ("Na", "Cl"), shuffle=True)


def _water(folder: Path, n: int) -> Atoms:
    spacing = (18.01528 / 0.602214076 / 1.0) ** (1 / 3)
    _write_water_data(folder / "start.data", n, spacing)
    (folder / "in.water").write_text(WATER)
    run_lammps(folder, "in.water", ranks=2)
    return _last_frame(folder, ("O", "H"), shuffle=False)


def _write_water_data(path: Path, n: int, spacing: float) -> None:
    """Randomly turned molecules on a simple cubic lattice."""
    rng = np.random.default_rng(11)
    half = np.deg2rad(113.24) / 2
    molecule = 1.012 * np.array([[0, 0, 0], [np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]])
    atoms, bonds, angles = [], [], []
    for k, site in enumerate(np.ndindex(n, n, n)):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        first = 3 * k + 1
        for a, r in enumerate(np.array(site) * spacing + molecule @ turn.T):
            charge = -0.82 if a == 0 else 0.41
            atoms.append(f"{first + a} {k + 1} {1 if a == 0 else 2} {charge} {r[0]:.6f} {r[1]:.6f} {r[2]:.6f}")
        bonds += [f"{2 * k + b} 1 {first} {first + b}" for b in (1, 2)]
        angles.append(f"{k + 1} 1 {first + 1} {first} {first + 2}")
    edge = n * spacing
    head = [f"{len(atoms)} atoms", f"{len(bonds)} bonds", f"{len(angles)} angles", "2 atom types", "1 bond types"]
    head += ["1 angle types", *(f"0 {edge:.8f} {x}lo {x}hi" for x in "xyz"), "", "Masses", "", "1 15.9994", "2 1.008"]
    sections = [["", "Atoms # full", "", *atoms], ["", "Bonds", "", *bonds], ["", "Angles", "", *angles]]
    path.write_text("\n".join(["water", "", *head, *(line for section in sections for line in section)]) + "\n")


def _last_frame(folder: Path, elements: tuple[str, ...], shuffle: bool) -> Atoms:
    frame = read_dump(folder / "frame.dump", elements)[-1]
    order = np.random.default_rng(0).permutation(len(frame)) if shuffle else np.arange(len(frame))
    return Atoms(frame.symbols[order], frame.positions[order], cell=frame.cell, pbc=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--salt", type=int, nargs="*", default=[], help="conventional cells per edge, 8 ions each")
    parser.add_argument("--water", type=int, nargs="*", default=[], help="molecules per edge")
    options = parser.parse_args()
    for cells in options.salt:
        print(molten_salt(cells))
    for n in options.water:
        print(water(n))


if __name__ == "__main__":
    main()
