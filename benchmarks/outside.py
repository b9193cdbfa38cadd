# SPDX-License-Identifier: BSD-3-Clause
"""What the rows of `outside` and the energies of separated atoms cost in test errors, and a term of pairs alone that is
finer in distance.

    python benchmarks/outside.py

A quarter of each training set is the test set; models of the template, smaller.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import yaml
from training import data_folder, machine, save

SETS = {
    "Si": ("mlearn/mlearn_Si_training.extxyz", ":", {"energy": 1e-3, "forces": 0.02}),
    "Mo": ("mlearn/mlearn_Mo_training.extxyz", ":", {"energy": 1e-3, "forces": 0.02}),
    "ethanol": ("rmd17/rmd17_ethanol_train_01.extxyz", "::2", {"energy": 1.1e-4, "forces": 0.01}),
}
KINDS = ["linear", "kernel"]
VARIANTS = ["without", "with", "pairs"]
WITHOUT = {"separated": None, "close": None, "expanded": None}


def options(name: str, kind: str, variant: str, folder: str) -> dict:
    from mlcalc.train.template import template

    path, index, weights = SETS[name]
    file = str(data_folder(path.split("/")[0]) / Path(path).name)
    chosen = yaml.safe_load(template(file))
    chosen["model"] = f"{folder}/model.mlcalc"
    chosen["data"] |= {
        "files": [{"path": file, "index": index}],
        "split": {"method": "fraction", "validation": 0.15, "test": 0.25},
        "reference_energies": "fit" if variant == "without" else "auto",
    }
    chosen["weights"] = weights
    chosen["expansions"][0] |= {"n_max": 6, "l_max": 4 if kind == "linear" else 5}
    chosen["terms"][0]["regressor"] = (
        {"type": "linear"} if kind == "linear" else {"type": "kernel", "zeta": 4, "points": 300}
    )
    if variant != "pairs":
        for part in ("expansions", "terms"):
            chosen[part] = [entry for entry in chosen[part] if entry["name"] != "pairs"]
    return chosen | {"outside": WITHOUT} if variant == "without" else chosen


def main():
    from mlcalc.train import fit

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    args = parser.parse_args()
    print(machine())
    results = {}
    for name in args.systems:
        for kind in args.kinds:
            for variant in args.variants:
                with tempfile.TemporaryDirectory() as folder:
                    result = fit(options(name, kind, variant, folder), progress=False, figures=False)
                errors = result.report["errors"]["test"]["all"]
                row = {key: 1e3 * errors[key]["mae"] for key in ("energy", "forces")}
                results[f"{name}, {kind}, {variant}"] = row
                print(f"{name:8s} {kind:7s} {variant:8s} {row['energy']:7.2f} meV/atom "
                      f"{row['forces']:7.1f} meV/A", flush=True)  # fmt: skip
    if (args.systems, args.kinds, args.variants) == (list(SETS), KINDS, VARIANTS):
        save(Path(__file__).stem, results)


if __name__ == "__main__":
    main()
