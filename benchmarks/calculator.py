# SPDX-License-Identifier: BSD-3-Clause
"""What the ASE calculator costs over the bare engine, and beside quippy's GAP and tblite.

    OMP_NUM_THREADS=1 python benchmarks/calculator.py [--quick]

Silicon at 600 K, SOAP with n 8, l 6, cutoff 5; the atoms swing with their thermal velocities, 1 fs per call, so that
neighbor lists are made anew as often as in dynamics. "engine" is the time inside the engine, measured within the same
calls, and "overhead" what the rest (list, species, results, ASE's comparison and copy of the atoms) adds to it. The GAP
has the same settings and 500 sparse points and is read from the folder in MLCALC_DATA; tblite (GFN2-xTB) is there to
show what a quantum-chemical calculator costs. Energy, forces and stress in microseconds per atom, one core;
medians over calls of the processor time, which does not count what other programs take.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.calculators.calculator import all_changes

from mlcalc.calculator import MLCalculator
from mlcalc.expansions import DensityExpansion
from mlcalc.md import thermal_momenta
from mlcalc.model import Invariant, Kernel, Linear, Model, Term

DATA = Path(os.environ.get("MLCALC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SIZES = {8: 1, 64: 2, 1000: 5, 8000: 10}


PROPERTIES = ("energy", "forces", "stress")


def silicon(repeat):
    atoms = bulk("Si", cubic=True).repeat(repeat)
    atoms.rattle(0.05, seed=1)
    atoms.set_momenta(thermal_momenta(atoms, 600.0, np.random.default_rng(2)))
    return atoms


def model(kind):
    """A model with random weights: they do not change the time."""
    rng = np.random.default_rng(0)
    rho = DensityExpansion(cutoff=5.0, n_max=8, l_max=6)
    described = Model([14], [rho], [Term("soap", [Invariant(2, "rho", "rho")])])
    n_features = described.n_features("soap")
    if kind == "linear":
        described.terms[0].regressor = Linear(1e-3 * rng.normal(size=(1, n_features)))
    else:
        points, weights = rng.random((500, n_features)), 1e-3 * rng.normal(size=500)
        described.terms[0].regressor = Kernel({14: points}, {14: weights}, zeta=4)
    return described


class Timed:
    """An engine that notes how long its evaluations take."""

    def __init__(self, potential):
        self.potential, self.seconds = potential, []

    def compute(self, *args, **kwargs):
        start = time.process_time()
        results = self.potential.compute(*args, **kwargs)
        self.seconds.append(time.process_time() - start)
        return results


def swing(atoms, evaluate, n_calls):
    """Seconds of each of ``n_calls`` evaluations along a smooth path, after one that is not counted."""
    middle, swing_time = atoms.positions.copy(), 40.0
    seconds = []
    for step in range(n_calls + 1):
        atoms.positions = middle + atoms.get_velocities() * units.fs * swing_time * np.sin(step / swing_time)
        start = time.process_time()
        evaluate(atoms)
        seconds.append(time.process_time() - start)
    return np.array(seconds[1:])


def ours_of(calc):
    """As ASE asks, comparison and copy of the atoms included; one evaluation computes all three."""
    return lambda atoms: [calc.get_property(name, atoms) for name in PROPERTIES]


def theirs_of(calc):
    """All at once: asked one by one, some calculators start again for each."""
    return lambda atoms: calc.calculate(atoms, list(PROPERTIES), all_changes)


def peers(sizes):
    """The other calculators that are installed, with the sizes they are asked to do: tblite only the smallest."""
    try:
        from quippy.potential import Potential

        file = DATA / "gap_si" / "gap_si_500.xml"
        if file.exists():
            yield "quippy GAP, 500 points", Potential("IP GAP", param_filename=str(file)), sizes
        else:
            print(f"quippy GAP: there is no {file}; set MLCALC_DATA")
    except ImportError:
        print("quippy GAP: not installed (pip install quippy-ase)")
    try:
        from tblite.ase import TBLite

        yield "tblite GFN2-xTB", TBLite(method="GFN2-xTB", verbosity=0), sizes[:1]
    except ImportError:
        print("tblite: not installed (pip install tblite)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="8 and 64 atoms, fewer calls")
    quick = parser.parse_args().quick
    sizes = [8, 64] if quick else [64, 1000, 8000]
    ours = {}
    print(f"{'us/atom':26s}" + "".join(f"{size:>10d}" for size in sizes))
    for kind in ("linear", "kernel"):
        rows = {"calculator": [], "engine": [], "overhead": []}
        for size in sizes:
            calc = MLCalculator(model(kind))
            calc.potential = Timed(calc.potential)
            whole = swing(silicon(SIZES[size]), ours_of(calc), max(4, (20_000 if quick else 60_000) // size))
            engine = np.array(calc.potential.seconds[1:])
            ours[kind, size] = 1e6 * np.median(whole) / size
            rows["calculator"].append(ours[kind, size])
            rows["engine"].append(1e6 * np.median(engine) / size)
            # means of the rest: most calls move a list, some make one
            rows["overhead"].append(100 * np.mean(whole - engine) / np.median(engine))
        for row, values in rows.items():
            unit = " %" if row == "overhead" else ""
            print(f"{f'{kind} {row}{unit}':26s}" + "".join(f"{value:10.2f}" for value in values))
    for name, peer, their_sizes in peers(sizes):
        for size in their_sizes:
            atoms = silicon(SIZES[size])
            cost = 1e6 * np.median(swing(atoms, theirs_of(peer), 1 if size > 1000 else 2)) / size
            ratio = f"{cost / ours['kernel', size]:.1f} x kernel, {cost / ours['linear', size]:.1f} x linear"
            print(f"{name:26s} {size:5d} atoms: {cost:10.1f}   {ratio}")


if __name__ == "__main__":
    main()
