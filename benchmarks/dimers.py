# SPDX-License-Identifier: BSD-3-Clause
"""Charged molecular dimers: train on the 9 nearest of the 13 points of each dissociation curve, predict the 4 farthest.

The same SOAP (cutoff 3 Angstrom) alone and with rho x V for the potentials 1/r, 1/r^6 and the Gaussian density (p = 0),
beside the guess that nothing changes after the last training point. One energy offset per curve, fixed on training
points. The regularisation is chosen on training points 8 and 9 of each curve, then all 9 are fitted.

    python benchmarks/dimers.py
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from ase.io import read
from training import data_folder, machine, measured, save

N_POINTS, N_TRAIN, N_CHOOSE = 13, 9, 2
BAD_FORCES = (126,)  # a label of the data set that breaks Newton's third law


def frames(boundaries: str):
    made = []
    for k, atoms in enumerate(read(data_folder("lode_dimers") / "charge-charge.xyz", ":")):
        point = k % N_POINTS
        atoms.info["curve"] = f"curve {k // N_POINTS}"
        atoms.info["set"] = "train" if point < N_TRAIN - N_CHOOSE else "validation" if point < N_TRAIN else "test"
        atoms.calc.results["energy"] -= atoms.info["energyA"] + atoms.info["energyB"]
        if k in BAD_FORCES:
            del atoms.calc.results["forces"]
        if boundaries == "free":
            atoms.pbc = False
        made.append(atoms)
    return made


def options(kind: str, folder: str, threads: int) -> dict:
    rho = {
        "name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 3.0,
        "density": {"type": "gaussian", "width": 0.3}, "smoothing": {"type": "shifted_cosine", "width": 0.5},
    }  # fmt: skip
    # linear models need few features; the same in both models
    invariants = [{"nu": 2, "a": "rho", "select": {"n": 150}}]
    soap = {"name": "soap", "invariants": invariants, "regressor": {"type": "linear"}}
    expansions, terms = [rho], [soap]
    if kind != "SOAP":
        exponent = int(kind.split("p=")[1])
        expansions.append({
            "name": "V", "type": "potential", "n_max": 2, "l_max": 2, "exponent": exponent, "smearing": 1.0,
            "basis": {"type": "gto", "radius": 3.0},
        })  # fmt: skip
        lode = [{"nu": 2, "a": "rho", "b": "V", "select": {"n": 256}}]
        terms.append({"name": "lode", "invariants": lode, "regressor": {"type": "linear"}})
    return {
        "model": f"{folder}/{kind.replace(' ', '')}.mlcalc",
        "data": {
            "files": ["frames"], "energy_offset": "curve", "distance": "distance", "config_type": "curve",
            "split": {"method": "key", "key": "set"}, "reference_energies": "zero",
        },
        "expansions": expansions,
        "terms": terms,
        "weights": {"energy": 0.002, "forces": 0.2},
        "solver": {"refit": True},
        "budget": {"threads": threads, "memory": "4 GB"},
    }  # fmt: skip


def train(kind, boundaries, folder, threads):
    from mlcalc.train import fit

    result = fit(options(kind, folder, threads), frames(boundaries), progress=False)
    return {
        "errors": {split: table["all"] for split, table in result.report["errors"].items()},
        "curves": result.report["curves"],
        "regularization": {k: result.report["regularization"][k] for k in ("lam", "term_weights")},
    }


def far_error(curves) -> dict:
    """Errors of the energies (eV) of the far points."""
    d = np.array([p["predicted"] - p["energy"] for c in curves.values() for p in c if p["split"] == "test"])
    return {"mae": float(np.mean(np.abs(d))), "rmse": float(np.sqrt(np.mean(d**2)))}


def last_value(curves) -> dict:
    """Curves predicted to stay at their last training value."""
    guess = {}
    for name, points in curves.items():
        last = max((p for p in points if p["split"] != "test"), key=lambda p: p["distance"])
        guess[name] = [{**p, "predicted": last["energy"]} for p in points]
    return guess


def plot(results, path):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(results["SOAP"]["curves"])
    figure = Figure(figsize=(15, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 5).ravel()
    colors = {"SOAP": "#c44e52", "SOAP+LODE p=1": "#1f6fb2", "SOAP+LODE p=6": "#e08a2c", "SOAP+LODE p=0": "#8a8a8a"}
    for ax, name in zip(axes, names, strict=False):
        points = results["SOAP"]["curves"][name]
        for training, style in ((True, "o"), (False, "s")):
            mine = [p for p in points if (p["split"] != "test") == training]
            ax.plot([p["distance"] for p in mine], [p["energy"] for p in mine], style, ms=4,
                    color="black", mfc="k" if training else "w", label="trained" if training else "new")  # fmt: skip
        for kind, color in colors.items():
            if kind in results:
                curve = results[kind]["curves"][name]
                ax.plot([p["distance"] for p in curve], [p["predicted"] for p in curve], "-", color=color, label=kind)
        ax.set_title(name, fontsize=9)
        ax.set(xlabel="distance (Å)", ylabel="energy (eV)")
    axes[0].legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--boundaries", choices=["free", "periodic"], default="free")
    parser.add_argument("--kinds", nargs="+", default=["SOAP", "SOAP+LODE p=1", "SOAP+LODE p=6", "SOAP+LODE p=0"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", help="folder for models and reports (default: a temporary one)")
    arguments = parser.parse_args()
    print(machine())
    print(f"{'far points, ' + arguments.boundaries:<20} {'energy MAE':>11} {'RMSE (meV)':>11} {'force (meV/A)':>14}"
          f" {'better than SOAP':>17} {'than last value':>16}")  # fmt: skip
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or temporary
        Path(folder).mkdir(parents=True, exist_ok=True)
        for kind in arguments.kinds:
            found, cost = measured(train, kind, arguments.boundaries, folder, arguments.threads,
                                   threads=arguments.threads)  # fmt: skip
            found["far"] = far_error(found["curves"])
            results[kind] = {**found, **cost}
            flat = far_error(last_value(found["curves"]))
            if not results.get("last value"):
                results["last value"] = {"far": flat}
                print(f"{'last training value':<20} {1e3 * flat['mae']:>11.1f} {1e3 * flat['rmse']:>11.1f}")
            soap = results.get("SOAP", {}).get("far", {}).get("rmse", np.nan)
            force = found["errors"]["test"]["forces"]["rmse"]
            mae, rmse = 1e3 * found["far"]["mae"], 1e3 * found["far"]["rmse"]
            print(f"{kind:<20} {mae:>11.1f} {rmse:>11.1f} {1e3 * force:>14.1f}"
                  f" {soap / found['far']['rmse']:>17.1f} {flat['rmse'] / found['far']['rmse']:>16.1f}"
                  f"   {cost['wall_s']:.0f} s {cost['peak_gb']:.2f} GB", flush=True)  # fmt: skip
        if "SOAP" in results and arguments.output:
            plot(results, Path(folder) / "dimers.png")
    save("dimers", {k: {q: v for q, v in r.items() if q != "curves"} for k, r in results.items()})


if __name__ == "__main__":
    main()
