# SPDX-License-Identifier: BSD-3-Clause
"""Cost of pair_style mlcalc in LAMMPS, in microseconds per atom and step, beside LAMMPS's own potentials in one run.

    python benchmarks/lammps.py [--cells 10] [--steps 20] [--repeat 3] [--points 1000]

Crystalline silicon at 300 K, 8 cells^3 atoms: linear SOAP and a sparse kernel (n_max 8, l_max 6, cutoff 5 Angstrom)
against Stillinger-Weber, Tersoff and SNAP; POD with the tantalum file that LAMMPS ships. CPU time of the whole step on
one rank (the loop time of the log times its CPU use, which other processes on the machine do not disturb), the smallest
of the repetitions; and the wall time of two ranks against one.
"""

import argparse
import importlib.metadata
import re
import shutil
import tempfile
from pathlib import Path

import ase.build
import numpy as np

from mlcalc import lammps
from mlcalc.expansions import DensityExpansion
from mlcalc.model import Invariant, Kernel, Linear, Model, Term
from mlcalc.neighbors import full_neighbor_list

RHO = DensityExpansion(name="rho", cutoff=5.0, n_max=8, l_max=6)
BOX = "region box block 0 {0} 0 {0} 0 {0}\ncreate_box 1 box\ncreate_atoms 1 box\n"
SILICON = "lattice diamond 5.43\n" + BOX.format("{n}") + "mass 1 28.0855\n"
TANTALUM = "lattice bcc 3.316\n" + BOX.format("{m}") + "mass 1 180.95\n"
POTENTIALS = {
    "linear SOAP": (SILICON, "pair_style mlcalc\npair_coeff * * linear.mlcalc Si\n"),
    "kernel SOAP": (SILICON, "pair_style mlcalc\npair_coeff * * kernel.mlcalc Si\n"),
    "SNAP": (SILICON, "include Si_Zuo_JPCA2020.snap\n"),
    "Stillinger-Weber": (SILICON, "pair_style sw\npair_coeff * * Si.sw Si\n"),
    "Tersoff": (SILICON, "pair_style tersoff\npair_coeff * * Si.tersoff Si\n"),
    "POD (Ta)": (TANTALUM, "pair_style pod\npair_coeff * * Ta_param.pod Ta_coeff.pod Ta\n"),
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


def time_of(directory, name, cells, steps, ranks=1):
    """Atoms, and CPU and wall seconds of the last run in the log."""
    system, potential = POTENTIALS[name]
    script = "units metal\n" + system.format(n=cells, m=round(cells * 4 ** (1 / 3))) + potential
    (directory / "in.bench").write_text(script + DYNAMICS.format(steps=steps))
    done = lammps.run("in.bench", ranks, directory, timeout=1800)
    if done.returncode != 0:
        raise SystemExit(f"{name}: LAMMPS failed\n" + done.stdout[-1500:])
    loop, atoms = re.findall(r"Loop time of (\S+) on .* with (\d+) atoms", done.stdout)[-1]
    use = float(re.findall(r"([\d.]+)% CPU use", done.stdout)[-1])
    return int(atoms), float(loop) * use / 100, float(loop)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10, help="cubic cells along each edge (8 atoms each)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--points", type=int, default=1000, help="sparse points of the kernel")
    options = parser.parse_args()
    # this file, too, is called lammps
    shipped = Path(importlib.metadata.distribution("lammps").locate_file("lammps/share/lammps/potentials"))
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        write_models(directory, options.points)
        for pattern in ("Si_Zuo_JPCA2020.snap*", "Si.sw", "Si.tersoff", "Ta_*.pod"):
            for file in shipped.glob(pattern):
                shutil.copy(file, directory)
        best = {}
        for _ in range(options.repeat):
            for name in POTENTIALS:
                steps = options.steps * (1 if "SOAP" in name or name == "SNAP" else 5)
                atoms, cpu, _ = time_of(directory, name, options.cells, steps)
                best[name] = min(best.get(name, np.inf), 1e6 * cpu / steps / atoms)
        print("| potential | us/atom/step | linear SOAP / it |\n|---|---|---|")
        for name, cost in best.items():
            print(f"| {name} | {cost:.2f} | {best['linear SOAP'] / cost:.2f} |")
        walls = {}
        for _ in range(options.repeat):
            for ranks in (1, 2):
                wall = time_of(directory, "linear SOAP", options.cells, options.steps, ranks)[2]
                walls[ranks] = min(walls.get(ranks, np.inf), wall)
        print(f"\ntwo ranks against one, linear SOAP, wall time: {walls[1] / walls[2]:.2f} times as fast")


if __name__ == "__main__":
    main()
