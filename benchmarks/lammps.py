# SPDX-License-Identifier: BSD-3-Clause
"""Cost of pair_style mlcalc in LAMMPS, in microseconds per atom and step, beside LAMMPS's own potentials in one run.

    python benchmarks/lammps.py [--cells 10] [--seconds 2] [--repeat 3] [--points 1000]

Crystalline silicon at 300 K, 8 cells^3 atoms: linear SOAP and a sparse kernel (n_max 8, l_max 6, cutoff 5 Angstrom)
against every kind of learned potential that LAMMPS ships a file for and can run (SNAP, also through ML-IAP, POD, UF3;
in crystals of the files' own elements) and the classical Stillinger-Weber and Tersoff. CPU time of the whole step on
one rank (the loop time of the log times its CPU use, which other processes on the machine do not disturb), the smallest
of interleaved repetitions of about ``--seconds`` each; and the wall time of two ranks against one.
"""

import argparse
import importlib.metadata
import re
import shutil
import tempfile
from pathlib import Path

import ase.build
import numpy as np
from training import machine

from mlcalc import lammps
from mlcalc._engine import instruction_set
from mlcalc.expansions import DensityExpansion
from mlcalc.model import Invariant, Kernel, Linear, Model, Term
from mlcalc.neighbors import full_neighbor_list

RHO = DensityExpansion(name="rho", cutoff=5.0, n_max=8, l_max=6)
BOX = "region box block 0 {0} 0 {0} 0 {0}\ncreate_box 1 box\ncreate_atoms 1 box\n"
SILICON = "lattice diamond 5.43\n" + BOX.format("{n}") + "mass 1 28.0855\n"
BCC = "lattice bcc {a}\n" + BOX.format("{{m}}") + "mass 1 {mass}\n"
TANTALUM = BCC.format(a=3.316, mass=180.95)
NIOBIUM = BCC.format(a=3.32, mass=92.906)
# system, commands, files, and a guess of the cost in us/atom/step that only sets the number of steps
POTENTIALS = {
    "linear SOAP": (SILICON, "pair_style mlcalc\npair_coeff * * linear.mlcalc Si\n", "", 10),
    "kernel SOAP": (SILICON, "pair_style mlcalc\npair_coeff * * kernel.mlcalc Si\n", "", 40),
    "SNAP": (SILICON, "include Si_Zuo_JPCA2020.snap\n", "Si_Zuo_JPCA2020.snap*", 300),
    "SNAP by ML-IAP (Ta)": (TANTALUM, "include Ta06A.mliap\n", "Ta06A.mliap*", 300),
    "POD (Ta)": (TANTALUM, "pair_style pod\npair_coeff * * Ta_param.pod Ta_coeff.pod Ta\n", "Ta_*.pod", 50),
    "UF3 (Nb)": (NIOBIUM, "pair_style uf3 3\npair_coeff * * Nb.uf3 Nb\n", "Nb.uf3", 30),
    "Tersoff": (SILICON, "pair_style tersoff\npair_coeff * * Si.tersoff Si\n", "Si.tersoff", 3),
    "Stillinger-Weber": (SILICON, "pair_style sw\npair_coeff * * Si.sw Si\n", "Si.sw", 1.5),
}
DYNAMICS = "velocity all create 300 1\nfix 1 all nve\nneighbor 1.0 bin\nthermo {steps}\nrun 2\nrun {steps}\n"


def write_models(directory, n_points):
    """Weak random weights: the cost does not depend on them and the crystal stays what it is."""
    rng = np.random.default_rng(0)
    model = Model([14], [RHO], [Term("soap", [Invariant(2, "rho", "rho")])], reference_energies=[0.0])
    n = model.n_features("soap")
    features = []
    while sum(map(len, features)) < n_points:
        atoms = ase.build.bulk("Si", cubic=True).repeat(3)
        atoms.rattle(0.05 + 0.02 * len(features), seed=len(features))
        potential = model.potential()
        neighbors = full_neighbor_list(atoms, potential.cutoff)
        species = np.zeros(len(atoms), np.int32)
        features.append(potential.features(species, atoms.positions, atoms.cell.array, atoms.pbc, *neighbors))
    model.terms[0].regressor = Linear(1e-4 * rng.normal(size=(1, n)))
    model.save(directory / "linear.mlcalc")
    points = np.concatenate(features)[:n_points]
    model.terms[0].regressor = Kernel({14: points}, {14: 1e-4 * rng.normal(size=n_points)}, zeta=4)
    model.save(directory / "kernel.mlcalc")


def time_of(directory, name, cells, seconds, ranks=1):
    """Atoms, steps, and CPU and wall seconds of the last run in the log."""
    system, potential, _, guess = POTENTIALS[name]
    steps = int(np.clip(seconds * 1e6 / (guess * 8 * cells**3), 3, 300))
    script = "units metal\n" + system.format(n=cells, m=round(cells * 4 ** (1 / 3))) + potential
    (directory / "in.bench").write_text(script + DYNAMICS.format(steps=steps))
    done = lammps.run("in.bench", ranks, directory, timeout=1800)
    if done.returncode != 0:
        raise SystemExit(f"{name}: LAMMPS failed\n" + done.stdout[-1500:])
    loop, atoms = re.findall(r"Loop time of (\S+) on .* with (\d+) atoms", done.stdout)[-1]
    use = float(re.findall(r"([\d.]+)% CPU use", done.stdout)[-1])
    return int(atoms), steps, float(loop) * use / 100, float(loop)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10, help="cubic cells along each edge (8 atoms each)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement, about")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--points", type=int, default=1000, help="sparse points of the kernel")
    parser.add_argument(
        "--only", nargs="+", default=list(POTENTIALS), choices=list(POTENTIALS), help="these potentials"
    )
    options = parser.parse_args()
    print(f"{machine()}, {instruction_set()}, {8 * options.cells**3} atoms of silicon\n", flush=True)
    # this file, too, is called lammps
    shipped = Path(importlib.metadata.distribution("lammps").locate_file("lammps/share/lammps/potentials"))
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        write_models(directory, options.points)
        for _, _, pattern, _ in POTENTIALS.values():
            for file in shipped.glob(pattern) if pattern else ():
                shutil.copy(file, directory)
        best, walls = {}, {1: [], 2: []}
        for _ in range(options.repeat):
            for name in options.only:
                atoms, steps, cpu, _ = time_of(directory, name, options.cells, options.seconds)
                best[name] = min(best.get(name, np.inf), 1e6 * cpu / steps / atoms)
        for _ in range(max(6, options.repeat)):
            for ranks, seconds in walls.items():
                _, steps, _, wall = time_of(directory, "linear SOAP", options.cells, 2 * options.seconds, ranks)
                seconds.append(wall / steps)
        print("| potential | us/atom/step | in units of the first |\n|---|---|---|")
        first = best[options.only[0]]
        for name, cost in best.items():
            print(f"| {name} | {cost:.2f} | {cost / first:.2f} |")
        for ranks, seconds in walls.items():
            print(f"linear SOAP on {ranks} ranks, ms per step: " + " ".join(f"{1e3 * t:.1f}" for t in seconds))
        print(f"two ranks against one, all runs together: {sum(walls[1]) / sum(walls[2]):.2f} times as fast")


if __name__ == "__main__":
    main()
