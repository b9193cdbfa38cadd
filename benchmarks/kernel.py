# SPDX-License-Identifier: BSD-3-Clause
"""Cost of sparse-kernel and linear models, energy + forces + virial, in microseconds per atom on one core.

    OMP_NUM_THREADS=1 python benchmarks/kernel.py [--gap] [--atoms 1000]

Rattled silicon, n_max 8, l_max 6, cutoff 5 Angstrom, zeta 4, neighbor list given unless said. The smallest CPU time of
several repetitions; memory is the growth of the peak resident set over the interpreter with its imports, in a fresh
process.
``--gap`` adds GAP with the same settings from the quippy-ase package, fitted by its own gap_fit, and prints the ratio.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ase.build
import ase.io
import numpy as np

from mlcalc.expansions import DensityExpansion
from mlcalc.model import Committee, Invariant, Kernel, Linear, Model, Term
from mlcalc.neighbors import full_neighbor_list

RHO = DensityExpansion(name="rho", cutoff=5.0, n_max=8, l_max=6)
POWER = [Invariant(2, "rho", "rho")]


def silicon(n_atoms):
    cells = round((n_atoms / 8) ** (1 / 3))
    atoms = ase.build.bulk("Si", cubic=True).repeat(cells)
    atoms.rattle(0.1, seed=1)
    return atoms


def model(regressor=None, n_members=None):
    committee = None if n_members is None else Committee(n_members)
    return Model([14], [RHO], [Term("soap", list(POWER), regressor)], reference_energies=[0.0], committee=committee)


def arguments(potential, atoms):
    species = np.zeros(len(atoms), np.int32)
    return species, atoms.positions, atoms.cell.array, atoms.pbc, *full_neighbor_list(atoms, potential.cutoff)


def environments(n):
    """Features of n different environments, to be sparse points."""
    potential = model().potential()
    features = []
    for seed in range(n // 200 + 1):
        atoms = ase.build.bulk("Si", cubic=True).repeat(3)
        atoms.rattle(0.05 + 0.01 * (seed % 20), seed=seed)
        features.append(potential.features(*arguments(potential, atoms)))
    return np.concatenate(features)[:n]


def kernel(points, n_members=None, precision="double", seed=0):
    rng = np.random.default_rng(seed)
    shape = (len(points),) if n_members is None else (n_members, len(points))
    regressor = Kernel({14: points}, {14: rng.normal(size=shape)}, zeta=4, normalize=True, precision=precision)
    return model(regressor, n_members)


def linear(n_members=None, seed=0):
    rng = np.random.default_rng(seed)
    shape = (1, 252) if n_members is None else (n_members, 1, 252)
    return model(Linear(rng.normal(size=shape)), n_members)


def best(function, repetitions=7):
    times = []
    for _ in range(repetitions + 1):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times[1:])


def cost(model_, atoms, **options):
    potential = model_.potential()
    structure = arguments(potential, atoms)
    return best(lambda: potential.compute(*structure, **options)) / len(atoms) * 1e6


def single_precision_error(points, atoms):
    forces = []
    for precision in ("double", "single"):
        potential = kernel(points, precision=precision).potential()
        forces.append(potential.compute(*arguments(potential, atoms))["forces"])
    return np.abs(forces[1] - forces[0]).max() / np.abs(forces[0]).max()


def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory(n_atoms, path):
    """In a fresh process: MB above the interpreter with its imports, neighbor list included."""
    before = peak()
    loaded = Model.load(path)
    potential = loaded.potential()
    atoms = silicon(n_atoms)
    potential.compute(*arguments(potential, atoms))
    print(f"{peak() - before:.0f}")


def gap_cost(atoms, n_points):
    from quippy.potential import Potential

    with tempfile.TemporaryDirectory() as folder:
        frames = []
        for seed in range(6):
            frame = ase.build.bulk("Si", cubic=True).repeat(3)
            frame.rattle(0.1, seed=seed)
            frame.info["energy"] = -1000.0 + 0.1 * seed
            frames.append(frame)
        ase.io.write(f"{folder}/train.xyz", frames, format="extxyz")
        soap = (
            f"soap n_max=8 l_max=6 cutoff=5.0 cutoff_transition_width=0.5 atom_sigma=0.5 zeta=4 delta=1.0 "
            f"n_sparse={n_points} sparse_method=random covariance_type=dot_product"
        )
        subprocess.run(
            [
                str(Path(sys.executable).parent / "gap_fit"),
                f"at_file={folder}/train.xyz",
                f"gap={{{soap}}}",
                "default_sigma={0.01 0.1 0.1 0.1}",
                "e0=-1.0",
                "energy_parameter_name=energy",
                f"gp_file={folder}/gap.xml",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        calculator = Potential(param_filename=f"{folder}/gap.xml")

        def evaluate():
            moved = atoms.copy()
            calculator.reset()
            calculator.calculate(moved, properties=["energy", "forces", "stress"])

        return best(evaluate, 2) / len(atoms) * 1e6


def beside_gap(atoms, n_points=1000):
    """Both make the neighbor list anew in each call, and compute energy, forces and stress."""
    potential = kernel(environments(n_points)).potential()
    ours = best(lambda: potential.compute(*arguments(potential, atoms))) / len(atoms) * 1e6
    gap = gap_cost(atoms, n_points)
    print(f"with the neighbor list of each call: kernel {n_points} points {ours:.2f}, GAP {gap:.2f}", end="")
    print(f", ratio {gap / ours:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--atoms", type=int, default=1000)
    parser.add_argument("--gap", action="store_true", help="compare with GAP (quippy-ase)")
    parser.add_argument("--memory", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        return memory(options.atoms, options.memory)
    atoms = silicon(options.atoms)
    print(f"{len(atoms)} Si, energy + forces + virial, us/atom")
    if options.gap:
        beside_gap(atoms)
    print(f"linear                       {cost(linear(), atoms):8.2f}")
    formed = cost(linear(2), atoms, forces=False, members=True)
    many = cost(linear(16), atoms, forces=False, members=True)
    print(f"linear, energies of committees of 2 and 16: {formed:.2f} {many:.2f}, ratio {many / formed:.2f}")
    for n_points in (1000, 2000, 5000):
        points = environments(n_points)
        double = cost(kernel(points), atoms)
        print(f"kernel {n_points} points           {double:8.2f}")
        error = single_precision_error(points, atoms)
        print(f"kernel {n_points} points, single   {cost(kernel(points, precision='single'), atoms):8.2f}", end="")
        print(f"   force error {error:.0e} of the largest force")
    points = environments(1000)
    one = cost(kernel(points), atoms, forces=False)
    many = cost(kernel(points, 16), atoms, forces=False, members=True)
    print(f"kernel energies, committee of 16 over one: {many:.2f} / {one:.2f} = {many / one:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        kernel(points).save(f"{folder}/kernel.mlcalc")
        command = [sys.executable, __file__, "--atoms", str(options.atoms), "--memory", f"{folder}/kernel.mlcalc"]
        grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        print(f"kernel 1000 points, peak memory above the interpreter: {grown} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
