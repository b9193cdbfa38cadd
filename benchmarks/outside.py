# SPDX-License-Identifier: BSD-3-Clause
"""What the rows of `outside` and the energies of separated atoms cost in test errors.

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
WITHOUT = {"separated": None, "close": None, "expanded": None}


def options(name: str, kind: str, outside: bool, folder: str) -> dict:
    from mlcalc.train.template import template

    path, index, weights = SETS[name]
    file = str(data_folder(path.split("/")[0]) / Path(path).name)
    chosen = yaml.safe_load(template(file))
    chosen["model"] = f"{folder}/model.mlcalc"
    chosen["data"] |= {
        "files": [{"path": file, "index": index}],
        "split": {"method": "fraction", "validation": 0.15, "test": 0.25},
        "reference_energies": "auto" if outside else "fit",
    }
    chosen["weights"] = weights
    chosen["expansions"][0] |= {"n_max": 6, "l_max": 4 if kind == "linear" else 5}
    chosen["terms"][0]["regressor"] = (
        {"type": "linear"} if kind == "linear" else {"type": "kernel", "zeta": 4, "points": 300}
    )
    return chosen if outside else chosen | {"outside": WITHOUT}


def main():
    from mlcalc.train import fit

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    args = parser.parse_args()
    print(machine())
    results = {}
    for name in args.systems:
        for kind in args.kinds:
            for outside in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    result = fit(options(name, kind, outside, folder), progress=False, figures=False)
                errors = result.report["errors"]["test"]["all"]
                row = {key: 1e3 * errors[key]["mae"] for key in ("energy", "forces")}
                results[f"{name}, {kind}, {'with' if outside else 'without'}"] = row
                print(f"{name:8s} {kind:7s} {'with' if outside else 'without':8s} {row['energy']:7.2f} meV/atom "
                      f"{row['forces']:7.1f} meV/A", flush=True)  # fmt: skip
    if args.systems == list(SETS) and args.kinds == KINDS:
        save(Path(__file__).stem, results)


if __name__ == "__main__":
    main()
