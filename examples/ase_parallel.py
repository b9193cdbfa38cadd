# SPDX-License-Identifier: BSD-3-Clause
"""One trajectory on several MPI ranks.

    mpirun -np 4 python -m mpi4py examples/ase_parallel.py model.mlcalc start.xyz --steps 1000

Every rank runs the same script. ASE sees mpi4py, hence files are written by rank 0 and random numbers are the same
everywhere; the calculator divides the work and gives every rank the same result. ``-m mpi4py`` ends all ranks if the
script itself fails on one of them.
"""

import argparse

from ase import units
from ase.io import read
from ase.md import MDLogger
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from mpi4py import MPI

from mlcalc import MLCalculator


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("start")
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    parser.add_argument("--steps", type=int, default=1000, help="of 1 fs")
    args = parser.parse_args()

    atoms = read(args.start)
    atoms.calc = MLCalculator(args.model, comm=MPI.COMM_WORLD)
    MaxwellBoltzmannDistribution(atoms, temperature_K=args.temperature)
    dynamics = Langevin(
        atoms,
        1 * units.fs,
        temperature_K=args.temperature,
        friction=0.01 / units.fs,
        fixcm=False,
        trajectory="trajectory.traj",
        loginterval=10,
    )
    dynamics.attach(MDLogger(dynamics, atoms, "-"), interval=10)
    dynamics.run(args.steps)


if __name__ == "__main__":
    main()
