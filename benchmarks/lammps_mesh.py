# SPDX-License-Identifier: BSD-3-Clause
"""Cost and traffic of the far field by particle mesh in LAMMPS, beside born/coul/long + pppm in the same run.

    python benchmarks/lammps_mesh.py [--sizes 4000 32000] [--steps 5] [--repeat 1] [--traffic] [--crossover] [--slab]

Molten NaCl (1000 ions repeated), p = 1, l_max 2, n_max 1, smearing 1.2 Angstrom, accuracy 1e-4, term rho x V. CPU time
per atom and step on one core, the far field alone and the whole step; wall time of two ranks against one. ``--traffic``
counts what MPI sends (needs a C compiler): bytes per step that the busiest rank sends to others, in messages and in
reductions. ``--slab`` opens the box along z, with 1 Angstrom above and below the melt, beside ``kspace_modify slab 3``.
``--crossover`` compares k-sum and mesh for small systems and nothing else: wall time of the far field.
"""

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from ase.io.lammpsdata import write_lammps_data
from systems import molten_salt
from training import machine

from mlcalc import lammps
from mlcalc._engine import instruction_set
from mlcalc.demo.salt import lammps_commands
from mlcalc.expansions import DensityExpansion, MultiWidth, PotentialExpansion
from mlcalc.model import Invariant, Linear, Model, Term

SIZES = {1000: (1, 1, 1), 4000: (2, 2, 1), 8000: (2, 2, 2), 16000: (4, 2, 2), 32000: (4, 4, 2), 64000: (4, 4, 4)}
SLAB = "change_box all boundary p p f z delta -1 1 units box\n"
DYNAMICS = "velocity all create 1300 1\nfix 1 all nve\ntimestep 0.001\nneighbor 1.0 bin\nrun 1\nrun {steps}\n"


def write_model(path, n_max=1):
    rho = DensityExpansion(name="rho", cutoff=4.0, n_max=2, l_max=2)
    basis = MultiWidth(tuple(np.geomspace(0.84, 2.4, n_max))) if n_max > 1 else MultiWidth((1.2,))
    field = PotentialExpansion(name="V", n_max=n_max, l_max=2, smearing=1.2, basis=basis)
    model = Model([11, 17], [rho, field], [Term("lode", [Invariant(2, "rho", "V")])], reference_energies=[0.0, 0.0])
    rng = np.random.default_rng(0)
    model.terms[0].regressor = Linear(1e-3 * rng.normal(size=(1, 2, model.n_features("lode"))))
    model.save(path)


def simulate(directory, size, potential, steps, ranks, preload=None, slab=False):
    """The text of a run; ``potential`` are input lines."""
    start = "units metal\natom_style charge\nread_data melt.data\nmass 1 22.98977\nmass 2 35.453\n"
    copies = "{} {} {}".format(*SIZES.get(size, (1, 1, 1)))
    script = start + f"replicate {copies}\n" + (SLAB if slab else "") + potential + DYNAMICS.format(steps=steps)
    (directory / "in.bench").write_text(script)
    environment = dict(os.environ, OMP_NUM_THREADS="1", **({"LD_PRELOAD": str(preload)} if preload else {}))
    done = subprocess.run(
        [*lammps.command(ranks), "-in", "in.bench"], cwd=directory, env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(done.stdout[-2000:])
    return done.stdout


def times(text):
    """Wall seconds, CPU use, and seconds in the far field (largest of the ranks) of the last run in the text."""
    loop = float(re.findall(r"Loop time of (\S+)", text)[-1])
    use = float(re.findall(r"([\d.]+)% CPU use", text)[-1]) / 100
    far = re.findall(r"far field \S+ (\S+)$", text, re.M)
    return loop, use, float(far[-1]) if far else 0.0


def traffic(directory, size, potential, ranks):
    """Bytes and messages per step of the busiest rank: (point to point, messages, reduced, reductions)."""
    library = directory / "mpi_bytes.so"
    mpi = subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", f"-I{include()}", "-o", library, Path(__file__).parent / "mpi_bytes.c"],
        check=False,
    )
    if mpi.returncode != 0:
        raise SystemExit("the counter of MPI traffic could not be compiled")
    counts = []
    for steps in (2, 6):
        text = simulate(directory, size, potential, steps, ranks, library)
        counts.append(np.array(re.findall(r"MPIBYTES (.*)", text)[-1].split(), dtype=float))
    return (counts[1] - counts[0]) / 4


def include():
    import importlib.metadata

    return next(f for f in importlib.metadata.files("mpich") if f.name == "mpi.h").locate().resolve().parent


def crossover(directory, repeat):
    """Microseconds per step of the far field, wall time, by k-sum and mesh, and what is chosen."""
    print("| n_max | ions | ranks | k-sum | mesh | auto takes the |")
    print("|---|---|---|---|---|---|")
    for n_max in (1, 4):
        write_model(directory / "model.mlcalc", n_max)
        for cells in (2, 3, 4, 5):
            size = 8 * cells**3
            write_lammps_data(directory / "melt.data", molten_salt(cells), specorder=["Na", "Cl"], atom_style="charge")
            for ranks in (1, 2):
                costs, steps = [], 20000 // size
                for lode in ("ksum", "mesh"):
                    style = f"pair_style mlcalc lode {lode} accuracy 1e-4\npair_coeff * * model.mlcalc Na Cl\n"
                    runs = [times(simulate(directory, size, style, steps, ranks))[2] for _ in range(repeat)]
                    costs.append(1e6 * min(runs) / steps)
                text = simulate(directory, size, style.replace("lode mesh", "lode auto"), 1, ranks)
                chosen = "mesh" if "particle mesh" in text else "k-sum"
                print(f"| {n_max} | {size} | {ranks} | {costs[0]:.0f} | {costs[1]:.0f} | {chosen} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000, 32000], choices=list(SIZES))
    parser.add_argument("--steps", type=int, default=5, help="for 16000 atoms and more; small systems run longer")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--traffic", action="store_true")
    parser.add_argument("--slab", action="store_true", help="of a melt that is open along z")
    parser.add_argument("--crossover", action="store_true", help="k-sum and mesh for small systems, nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        if options.crossover:
            print(f"{machine()}, {instruction_set()}\n")
            return crossover(directory, options.repeat)
        write_model(directory / "model.mlcalc")
        write_lammps_data(directory / "melt.data", molten_salt(5), specorder=["Na", "Cl"], atom_style="charge")
        ours = "pair_style mlcalc lode mesh accuracy 1e-4\npair_coeff * * model.mlcalc Na Cl\n"
        peer = lammps_commands(accuracy=1e-4) + ("kspace_modify slab 3.0\n" if options.slab else "")
        print(f"{machine()}, {instruction_set()}\n")
        print("| atoms | far field us/atom/step | whole step | born/coul/long + pppm | two ranks / one (wall) |")
        print("|---|---|---|---|---|")
        for size in options.sizes:
            best = np.full(5, np.inf)
            steps = max(options.steps, options.steps * 16000 // size)
            for _ in range(options.repeat):
                one, two = (simulate(directory, size, ours, steps, ranks, slab=options.slab) for ranks in (1, 2))
                pppm = simulate(directory, size, peer, steps, 1, slab=options.slab)
                loop, use, far = times(one)
                peer_loop, peer_use, _ = times(pppm)
                row = [far * use, loop * use, peer_loop * peer_use, loop, times(two)[0]]
                best = np.minimum(best, row)
            cost = 1e6 * best / steps / size
            print(f"| {size} | {cost[0]:.1f} | {cost[1]:.1f} | {cost[2]:.1f} | {best[3] / best[4]:.2f} |", flush=True)
        if options.traffic:
            print("\n| atoms | ranks | style | sent bytes/atom of a rank | messages | reduced bytes | reductions |")
            print("|---|---|---|---|---|---|---|")
            for ranks in (2, 4, 8):
                for name, potential in (("mlcalc mesh", ours), ("pppm", peer)):
                    size = options.sizes[0]
                    t = traffic(directory, size, potential, ranks)
                    print(
                        f"| {size} | {ranks} | {name} | {t[0] / size * ranks:.0f} | {t[1]:.0f} | {t[2]:.0f} "
                        f"| {t[3]:.0f} |"
                    )


if __name__ == "__main__":
    main()
