# SPDX-License-Identifier: BSD-3-Clause
"""Does a loop need fewer labels if it selects? Water dimer, GFN2-xTB, five seeds.

    OMP_NUM_THREADS=1 python benchmarks/validation/learning.py [--seeds 5] [--rounds 7]

The same loop of ``mlcalc learn`` with structures selected by leverage and at random from its runs. The errors of the
model of each round are those of forces along a run of the reference itself, at 300 K. Prints the error against the
number of labels, mean and standard deviation over the seeds, and how many labels random selection needs for the error
that leverage ends with. The table goes into results/learning.txt beside this file.
"""

import argparse
import tempfile
from pathlib import Path

import ase.io
import numpy as np
from ase import units
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevinbaoab import LangevinBAOAB
from tblite.ase import TBLite

from mlcalc import MLCalculator
from mlcalc.learn import learn

METHODS = ("leverage", "random")


def dimer():
    """Two molecules of water."""
    atoms = molecule("H2O")
    other = atoms.copy()
    other.rotate(110, "y")
    other.translate([2.9, 0.3, 0.0])
    return atoms + other


def options(folder: Path, seed: int, method: str, rounds: int) -> dict:
    return {
        "structures": [str(folder / "start.xyz")], "folder": str(folder / f"{method}-{seed}"), "seed": seed,
        "rounds": rounds, "threads": 1, "agree": 1e-9,
        "explore": {"temperatures": [300.0], "repeats": 3, "steps": 600, "every": 5, "limit": 0.25},
        "select": {"method": method, "number": 6, "first": 14, "rattle": 0.05},
        "train": {
            "expansions": [{"name": "rho", "type": "density", "n_max": 5, "l_max": 4, "cutoff": 4.5}],
            "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}],
            "committee": {"members": 4}, "solver": {"regularization": 0.01},
            "weights": {"energy": 0.001, "forces": 0.05},
        },
    }  # fmt: skip


def reference_run(n: int = 100) -> list:
    """Labeled frames of a run of the reference at 300 K, 10 fs apart."""
    atoms = dimer()
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    dynamics = LangevinBAOAB(atoms, 0.5 * units.fs, temperature_K=300, T_tau=50 * units.fs,
                             rng=np.random.default_rng(1))  # fmt: skip
    frames = []
    for _ in range(n):
        dynamics.run(20)
        frame = atoms.copy()
        frame.calc = SinglePointCalculator(frame, energy=atoms.get_potential_energy(), forces=atoms.get_forces())
        frames.append(frame)
    return frames


def error(model: Path, frames) -> float:
    """Root mean square of the errors of forces, eV/Å."""
    calculator, squares = MLCalculator(str(model)), []
    for atoms in frames:
        squares.append((calculator.get_forces(atoms.copy()) - atoms.get_forces()) ** 2)
    return float(np.sqrt(np.mean(squares)))


def table(errors: dict[str, np.ndarray], labels: np.ndarray) -> list[str]:
    """Lines of errors against labels, and the number of labels that random selection needs."""
    lines = ["labels  " + "  ".join(f"{name:>20}" for name in METHODS) + "   (meV/Å, mean and standard deviation)"]
    for k, n in enumerate(labels):
        cells = [f"{1e3 * errors[m][:, k].mean():10.1f} +- {1e3 * errors[m][:, k].std(ddof=1):6.1f}" for m in METHODS]
        lines.append(f"{n:>6.0f}  " + "  ".join(f"{cell:>20}" for cell in cells))
    for k in range(1, len(labels)):
        target = errors["leverage"][:, k].mean()
        reached = np.flatnonzero(errors["random"].mean(axis=0) <= target)
        needs = f"{labels[reached[0]]:.0f}" if len(reached) else f"more than {labels[-1]:.0f}"
        lines.append(f"the error of {labels[k]:.0f} selected structures, {1e3 * target:.1f} meV/Å: random {needs}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", default=str(Path(__file__).parent / "results/learning.txt"))
    args = parser.parse_args()
    errors, labels = {m: [] for m in METHODS}, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ase.io.write(folder / "start.xyz", dimer())
        test = reference_run()
        for seed in range(args.seeds):
            for method in METHODS:
                wanted = options(folder, seed, method, args.rounds)
                rounds = learn(wanted, progress=False).rounds
                models = [Path(wanted["folder"]) / f"round-{r.number:03d}/model.mlcalc" for r in rounds]
                errors[method].append([error(model, test) for model in models])
                labels.append([r.labels for r in rounds])
                print(seed, method, [r.labels for r in rounds], np.round(1e3 * np.array(errors[method][-1]), 1),
                      flush=True)  # fmt: skip
    n = min(map(len, labels))
    lines = table({m: np.array([e[:n] for e in of]) for m, of in errors.items()},
                  np.mean([each[:n] for each in labels], axis=0))  # fmt: skip
    print("\n".join(lines))
    Path(args.output).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
