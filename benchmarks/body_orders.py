# SPDX-License-Identifier: BSD-3-Clause
"""Accuracy against cost of linear models of products within channels: ethanol of rMD17, Si and Mo of mlearn.

    python benchmarks/body_orders.py                         all
    python benchmarks/body_orders.py --systems ethanol --models "K 16, (3,3,3,3)"

Every setting was chosen by validation inside the training set. Mean absolute errors of the test sets, for ethanol of
the molecule, as the literature has them. us/atom: energy, forces and virial of the trained model, one core, neighbor
list given; of 64 molecules that do not see each other, or of the first training structure of an element.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ase.io import read
from training import data_folder, machine, measured, save

#: meV (ethanol: of the molecule, elements: per atom) and meV/A, mean absolute errors
OTHERS = {
    "ethanol": {"kernel, rho x rho": (2.87, 15.8), "ACE, published": (1.2, 7.3), "gap_fit": (3.9, 21.7)},
    "Si": {"kernel, rho x rho": (2.48, 72.7), "linear, rho x rho": (5.27, 101), "gap_fit": (2.81, 72.8)},
    "Mo": {"kernel, rho x rho": (1.80, 97), "linear, rho x rho": (2.77, 110), "SNAP": (5.48, 207)},
}
OPTIMIZE = {"method": "optimize", "structures": 850, "iterations": 90, "patience": 20, "decay": 2.5}
RANDOM = {"method": "random", "decay": 2.0}
# smooth radial functions for the many neighbors of a metal; which of them count is found by the optimization
METAL = {"method": "optimize", "structures": 150, "iterations": 90, "patience": 20, "decay": 1.0}
DELTA = {"density": "delta", "basis": "legendre"}
SMEARED = {
    "density": {"type": "gaussian", "width": 0.5}, "basis": "gto",
    "smoothing": {"type": "shifted_cosine", "width": 1.0},
}  # fmt: skip
#: name: channels, largest l of each body order, mixing
MODELS = {
    "ethanol": {
        "K 16, (3,3,3,3)": (16, (3, 3, 3, 3), OPTIMIZE),
        "K 32, (4,4,4,4)": (32, (4, 4, 4, 4), OPTIMIZE),
    },
    "Si": {
        "K 32, (3,3,3,3)": (32, (3, 3, 3, 3), RANDOM),
        "K 32, (4,4,4,3)": (32, (4, 4, 4, 3), RANDOM),
    },
    "Mo": {
        "K 16, (3,3,3,3)": (16, (3, 3, 3, 3), METAL),
        "K 32, (3,3,3,3)": (32, (3, 3, 3, 3), METAL),
    },
}
EXPANSION = {"ethanol": DELTA, "Si": DELTA, "Mo": SMEARED}
CUTOFF = {"ethanol": 5.0, "Si": 5.0, "Mo": 5.2}
SIGMAS = {"ethanol": {"energy": 1.1e-4, "forces": 0.01}, "Si": {"energy": 0.001, "forces": 0.02},
          "Mo": {"energy": 0.001, "forces": 0.02}}  # fmt: skip


def frames(system: str):
    """The published split; every tenth (ethanol) or fifth structure of the training set chooses the regularization."""
    if system == "ethanol":
        files = [data_folder("rmd17") / f"rmd17_ethanol_{part}_01.extxyz" for part in ("train", "test")]
    else:
        files = [data_folder("mlearn") / f"mlearn_{system}_{part}.extxyz" for part in ("training", "test")]
    every = 10 if system == "ethanol" else 5
    made = []
    for part, file in zip(("train", "test"), files, strict=True):
        for k, atoms in enumerate(read(file, ":")):
            atoms.info["set"] = "validation" if part == "train" and k % every == every - 1 else part
            made.append(atoms)
    return made


def options(system: str, model: str, folder: str, threads: int) -> dict:
    channels, l_max, mixing = MODELS[system][model]
    rho = {
        "name": "rho", "type": "density", "n_max": 8, "l_max": l_max[0], "cutoff": CUTOFF[system], **EXPANSION[system],
    }  # fmt: skip
    return {
        "model": f"{folder}/model.mlcalc",
        "data": {"files": ["frames"], "split": {"method": "key", "key": "set"}},
        "expansions": [rho],
        "layers": [{"name": "A", "inputs": ["rho"], "channels": channels, "l_max": l_max[0], "mixing": mixing}],
        "terms": [{"name": "bodies", "invariants": [{"a": "A", "l_max": list(l_max)}],
                   "regressor": {"type": "linear"}}],
        "weights": dict(SIGMAS[system]),
        "solver": {"criterion": "validation", "refit": True},
        "budget": {"threads": threads, "memory": "8 GB"},
    }  # fmt: skip


def many(atoms, n: int = 4):
    """n x n x n copies of a molecule, too far apart to see each other: one alone is all overhead."""
    copies = atoms.copy()
    copies.set_cell([25.0] * 3)
    copies = copies.repeat(n)
    copies.pbc = False
    return copies


def train(system, model, folder, threads):
    from mlcalc.train import fit
    from mlcalc.train.cost import microseconds_per_atom

    data = frames(system)
    result = fit(options(system, model, folder, threads), data, progress=False, figures=False)
    errors = result.report["errors"]["test"]["all"]
    n_atoms = 9 if system == "ethanol" else 1
    found = {"energy": 1e3 * n_atoms * errors["energy"]["mae"], "force": 1e3 * errors["forces"]["mae"]}
    chosen = result.report["regularization"]["lam"]
    found["us/atom"] = microseconds_per_atom(result.model, many(data[0]) if system == "ethanol" else data[0])
    return found | {"regularization": chosen, "notes": result.report["notes"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print(machine())
    results = {}
    for system in args.systems:
        unit = "meV (molecule), meV/A" if system == "ethanol" else "meV/atom, meV/A"
        print(f"\n{system:30s} {unit}")
        for name, (energy, force) in OTHERS[system].items():
            print(f"{name:30s} {energy:7.2f} {force:8.2f}")
        for model in MODELS[system]:
            if args.models and model not in args.models:
                continue
            with tempfile.TemporaryDirectory() as folder:
                found, used = measured(train, system, model, folder, args.threads, threads=args.threads)
            results[f"{system}, {model}"] = found | used
            print(f"{model:30s} {found['energy']:7.2f} {found['force']:8.2f} {found['us/atom']:7.1f} us/atom, "
                  f"{used['cpu_s']:.0f} s CPU, {used['peak_gb']:.2f} GB", flush=True)  # fmt: skip
    save(Path(__file__).stem, results)


if __name__ == "__main__":
    main()
