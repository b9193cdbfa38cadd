# SPDX-License-Identifier: BSD-3-Clause
"""The far field on molten NaCl, one core: particle mesh and k-sum (values, adjoint forces and virial) beside featomic's
LODE with gradients, LAMMPS's pppm and, where it is installed, torch-pme.

    OMP_NUM_THREADS=1 python benchmarks/far_field.py [--cells 2 3 5 10 20] [--tables mesh direct ..]

Times are CPU times of this process, the smallest of several, in microseconds per atom; l_max 2, p = 1, accuracy 1e-4.
The scalar Coulomb sums beside it: pppm at its accuracy 1e-4, k-space and in all; torch-pme's P3M with gradients of
positions at a cutoff of 7 Angstrom, smearing 1.63, 5 nodes and at most 1 Angstrom between points: the fastest of some
settings whose forces were right to 2e-4 for 1000 ions.
"""

import argparse
import itertools
import os
import re
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase.io.lammpsdata import write_lammps_data
from systems import molten_salt

from mlcalc.demo.lammps_runs import run_lammps
from mlcalc.demo.salt import lammps_commands
from mlcalc.expansions import Gto, MultiWidth, PotentialExpansion
from mlcalc.model import Invariant, Linear, Model, Term
from mlcalc.neighbors import full_neighbor_list

ACCURACY = 1e-4
WIDTHS = {1: (1.5,), 4: (1.0, 1.4, 2.0, 2.8)}

PPPM = """units metal
atom_style charge
read_data start.data
mass 1 22.98977
mass 2 35.453
{potential}
neighbor 1.0 bin
fix 1 all nve
timestep 0.0001
run 10
run {steps}
"""


def expansion(n_max, smearing):
    widths = tuple(smearing * width for width in WIDTHS[n_max])
    return PotentialExpansion(n_max=n_max, l_max=2, smearing=smearing, basis=MultiWidth(widths))


def engine(description, **options):
    n_features = 2 * description.n_max
    term = Term("field", [Invariant(1, "V")], Linear(np.ones((2, n_features))))
    return Model([11, 17], [description], [term]).potential(**options)


def arguments(potential, atoms):
    species = np.searchsorted(potential.species, atoms.numbers).astype(np.int32)
    return species, atoms.positions, atoms.cell.array, atoms.pbc, *full_neighbor_list(atoms, 0.0)


def cpu_time(function, least=3, seconds=0.6):
    """The smallest CPU time of a few calls, after one that is not counted."""
    function()
    times = []
    while len(times) < least or sum(times) < seconds and len(times) < 20:
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def measure(atoms, description, seconds=0.6, **options):
    """Microseconds per atom, kB per atom of the grids and of everything else, and what the engine chose."""
    potential = engine(description, accuracy=options.pop("accuracy", ACCURACY), **options)
    given = arguments(potential, atoms)
    cost = cpu_time(lambda: potential.compute(*given), seconds=seconds)
    chosen = next(line for line in potential.summary().splitlines() if line.startswith("V"))
    chosen, _, memory = chosen.partition("; grids ")
    grids, others = (float(part.split()[0]) for part in memory.split("atoms "))
    return 1e6 * cost / len(atoms), (1e3 * grids / len(atoms), 1e3 * others / len(atoms)), chosen


def speed_up(atoms, description, lode, repeat=5):
    """Wall time on one thread over that on two."""
    seconds = []
    for n_threads in (1, 2):
        potential = engine(description, accuracy=ACCURACY, lode=lode, n_threads=n_threads)
        given = arguments(potential, atoms)
        potential.compute(*given)
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            potential.compute(*given)
            times.append(time.perf_counter() - start)
        seconds.append(min(times))
    return seconds[0] / seconds[1]


def pppm(atoms, steps=40):
    """Microseconds per atom of the k-space part and of the whole force in LAMMPS, relative accuracy 1e-4."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_lammps_data(folder / "start.data", atoms, specorder=["Na", "Cl"], atom_style="charge")
        (folder / "in.pppm").write_text(PPPM.format(potential=lammps_commands(accuracy=1e-4), steps=steps))
        run_lammps(folder, "in.pppm", ranks=1)
        log = (folder / "in.log").read_text().split("MPI task timing breakdown")[-1]
    scale = 1e6 / steps / len(atoms)
    part = {name: float(re.search(rf"{name} +\| [\d.]+ +\| ([\d.]+)", log)[1]) * scale for name in ("Pair", "Kspace")}
    return part["Kspace"], part["Pair"] + part["Kspace"]


def featomic_gradients(atoms, n_max, smearing):
    """Microseconds per atom of LODE with position gradients, at its own k_cutoff."""
    import featomic

    calculator = featomic.LodeSphericalExpansion(
        density={"type": "SmearedPowerLaw", "smearing": smearing, "exponent": 1},
        k_cutoff=1.2 * np.pi / smearing,
        basis={"type": "TensorProduct", "max_angular": 2,
               "radial": {"type": "Gto", "max_radial": n_max - 1, "radius": 3.0}},
    )  # fmt: skip
    calculator.compute(molten_salt(1), gradients=["positions"])  # splines and threads
    start = time.process_time()
    calculator.compute(atoms, gradients=["positions"])
    return 1e6 * (time.process_time() - start) / len(atoms)


def torch_pme(atoms):
    """Microseconds per atom of its P3M with gradients, or None where it is not installed."""
    try:
        import torch
        import torchpme
    except ImportError:
        return None
    torch.set_num_threads(1)
    cutoff, edge = 7.0, atoms.cell.lengths().max()
    first, j, r_ij = full_neighbor_list(atoms, cutoff)
    i = np.repeat(np.arange(len(atoms)), np.diff(first))
    half = i < j
    pairs = torch.tensor(np.stack([i[half], j[half]], axis=1).astype(np.int64))
    shift = torch.tensor(r_ij[half] - atoms.positions[j[half]] + atoms.positions[i[half]])
    # it takes the power of two above 2 L / spacing + 1 points
    points = 2 ** np.ceil(np.log2(edge))
    calculator = torchpme.P3MCalculator(
        torchpme.CoulombPotential(smearing=cutoff / 4.3),
        mesh_spacing=2.01 * edge / points, interpolation_nodes=5, full_neighbor_list=False,
    ).to(torch.float64)  # fmt: skip
    charges = torch.tensor(np.where(atoms.numbers == 11, 1.0, -1.0))[:, None]
    cell = torch.tensor(atoms.cell.array)

    def run():
        positions = torch.tensor(atoms.positions, requires_grad=True)
        between = positions[pairs[:, 1]] - positions[pairs[:, 0]] + shift
        distances = torch.linalg.norm(between, dim=1)
        (calculator(charges, cell, positions, pairs, distances) * charges).sum().backward()

    return 1e6 * cpu_time(run, least=2, seconds=0.3) / len(atoms)


def mesh_table(cells):
    print("us/atom, smearing 1.0: LODE with forces and virial, and scalar Coulomb sums beside it")
    names = ("ions", "mesh n_max 1", "n_max 4", "smearing 1.4: n_max 1", "n_max 4", "k-sum n_max 1", "n_max 4",
             "featomic n_max 1", "n_max 4", "torch-pme P3M", "LAMMPS pppm, k-space", "in all")  # fmt: skip
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    notes = []
    for n in cells:
        atoms = molten_salt(n)
        row = []
        for smearing, n_max in ((1.0, 1), (1.0, 4), (1.4, 1), (1.4, 4)):
            cost, memory, chosen = measure(atoms, expansion(n_max, smearing), lode="mesh")
            row.append(cost)
            notes.append(f"  smearing {smearing} n_max {n_max} {len(atoms):6d} ions: grids {memory[0]:4.1f} kB/atom, "
                         f"all else {memory[1]:4.2f} | {chosen}")  # fmt: skip
        row += [measure(atoms, expansion(k, 1.0), lode="ksum")[0] if len(atoms) <= 1000 else None for k in (1, 4)]
        # its memory and time grow with the square and the cube of the number of atoms
        row += [featomic_gradients(atoms, k, 1.0) if len(atoms) <= 216 else None for k in (1, 4)]
        row += [torch_pme(atoms) if len(atoms) >= 1000 else None]
        row += pppm(atoms) if len(atoms) >= 1000 else (None, None)
        print(f"| {len(atoms)} | " + " | ".join("" if x is None else f"{x:.1f}" for x in row) + " |", flush=True)
    print("memory of the grids, and of V, dE/dV and what the mesh keeps per atom", *notes, sep="\n", flush=True)


def direct_table():
    atoms, smearing = molten_salt(3), 1.2
    for n_max in (1, 4):
        description = PotentialExpansion(n_max=n_max, l_max=2, smearing=smearing, basis=Gto(3.0))
        ours = measure(atoms, description, lode="ksum", k_cutoff=1.2 * np.pi / smearing)[0]
        theirs = featomic_gradients(atoms, n_max, smearing)
        print(f"  216 ions, smearing 1.2, n_max {n_max}: k-sum {ours:.1f} us/atom, featomic with gradients "
              f"{theirs:.0f}, {theirs / ours:.0f} times as much", flush=True)  # fmt: skip


def crossover_table():
    """The last number: what auto takes over the faster of the two."""
    for accuracy, smearing, n_max, n in itertools.product((1e-3, 1e-4, 1e-6), (1.0, 1.4), (1, 4), (1, 2, 3, 4)):
        atoms, description = molten_salt(n), expansion(n_max, smearing)
        costs = {
            lode: measure(atoms, description, lode=lode, accuracy=accuracy, seconds=0.1)[0] for lode in ("ksum", "mesh")
        }
        automatic = engine(description, accuracy=accuracy)
        automatic.compute(*arguments(automatic, atoms))
        taken = "mesh" if "particle mesh" in automatic.summary() else "ksum"
        print(f"  accuracy {accuracy:.0e} smearing {smearing} n_max {n_max} {len(atoms):4d} ions: "
              f"k-sum {costs['ksum']:6.1f}, mesh {costs['mesh']:6.1f} us/atom; "
              f"auto: {taken}, {costs[taken] / min(costs.values()):.2f}", flush=True)  # fmt: skip


def free_table():
    for n_max in (1, 4):
        for n in (3, 4, 5):
            atoms = molten_salt(n)
            atoms.pbc = False
            cost = measure(atoms, expansion(n_max, 1.0), lode="free")[0]
            per_pair = 1e3 * cost / len(atoms)
            print(f"  n_max {n_max} {len(atoms):5d} ions: {per_pair:5.1f} ns per pair, {cost:6.1f} us/atom", flush=True)


def thread_table():
    for lode, n in (("mesh", 5), ("mesh", 10), ("ksum", 3), ("ksum", 5), ("free", 3)):
        for n_max in (1, 4):
            atoms = molten_salt(n)
            atoms.pbc = lode != "free"
            factor = speed_up(atoms, expansion(n_max, 1.0), lode)
            print(f"  {lode} n_max {n_max} {len(atoms):5d} ions: two threads {factor:.2f} times as fast", flush=True)


def main():
    tables = {
        "mesh": lambda: mesh_table(options.cells),
        "direct": direct_table,
        "crossover": crossover_table,
        "free": free_table,
        "threads": thread_table,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cells", type=int, nargs="*", default=[2, 3, 5, 10, 20], help="conventional cells per edge of the first table"
    )
    parser.add_argument("--tables", nargs="+", choices=tables, default=list(tables))
    options = parser.parse_args()
    for name in options.tables:
        print(name)
        tables[name]()


if __name__ == "__main__":
    main()
