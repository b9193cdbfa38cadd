# SPDX-License-Identifier: BSD-3-Clause
"""Charged molecular dimers: train on the 9 nearest of the 13 points of each dissociation curve, predict the 4 farthest.

The same SOAP (cutoff 3 Angstrom) alone and with rho x V for the potentials 1/r, 1/r^6 and the Gaussian density (p = 0),
beside the guess that nothing changes after the last training point. One energy offset per curve, fixed on training
points. "Products" has V inside products within channels of rho and V. The regularization is chosen on training points
8 and 9 of each curve, then all 9 are fitted.

The settings of the expansions come from --search, which sees the first 9 points only and does with 7 of them what is
later done with 9: fit to 5, regularization by 6 and 7, refit to 7, error of 8 and 9.

    python benchmarks/dimers.py
    python benchmarks/dimers.py --search
    python benchmarks/dimers.py --widths

--widths compares, by the same error of points 8 and 9, geometric series of widths for the basis that the mesh prefers.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from ase.io import read
from search import coordinate_search
from training import data_folder, machine, measured, save

N_POINTS, N_TRAIN, N_CHOOSE = 13, 9, 2
BAD_FORCES = (126,)  # a label of the data set that breaks Newton's third law
START = {"smearing": 1.0, "n_max": 2, "l_max": 2, "radius": 3.0, "features": 256, "forces": 0.2}
#: chosen by --search
SETTINGS = {"smearing": 0.5, "n_max": 3, "l_max": 3, "radius": 2.0, "features": 256, "forces": 0.4}
GRID = {
    "smearing": [0.5, 1.0, 1.5, 2.0], "radius": [2.0, 3.0, 4.0], "n_max": [1, 2, 3], "l_max": [1, 2, 3],
    "features": [128, 256, 512], "forces": [0.05, 0.1, 0.2, 0.4],
}  # fmt: skip
#: of products within channels
START_PRODUCTS = {**START, "channels": 16, "orders": (2, 2), "mixing": "random"}
#: chosen by --search
PRODUCTS = {**START_PRODUCTS, "channels": 32, "orders": (3, 3, 2), "n_max": 3, "forces": 0.1}
GRID_PRODUCTS = {
    "orders": [(2, 2, 2), (3, 3), (3, 3, 2)], "mixing": ["pca"], "channels": [8, 32], "smearing": [0.5, 1.5],
    "n_max": [1, 3], "radius": [2.0, 4.0], "forces": [0.1, 0.4],
}  # fmt: skip

SERIES = [(0.5, 1.5), (0.7, 2.0), (1.0, 2.0), (1.0, 3.0), (1.0, 4.0)]  # of widths, in units of the smearing


def frames(boundaries: str, n_train: int = N_TRAIN, n_points: int = N_POINTS):
    """The first ``n_points`` of each curve: ``n_train`` to learn from, the last two of them for the regularization."""
    made = []
    for k, atoms in enumerate(read(data_folder("lode_dimers") / "charge-charge.xyz", ":")):
        point = k % N_POINTS
        if point >= n_points:
            continue
        atoms.info["curve"] = f"curve {k // N_POINTS}"
        atoms.info["set"] = "train" if point < n_train - N_CHOOSE else "validation" if point < n_train else "test"
        atoms.calc.results["energy"] -= atoms.info["energyA"] + atoms.info["energyB"]
        if k in BAD_FORCES:
            del atoms.calc.results["forces"]
        if boundaries == "free":
            atoms.pbc = False
        made.append(atoms)
    return made


def options(kind: str, settings: dict, folder: str, threads: int) -> dict:
    rho = {
        "name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 3.0,
        "density": {"type": "gaussian", "width": 0.3}, "smoothing": {"type": "shifted_cosine", "width": 0.5},
    }  # fmt: skip
    # linear models need few features; the same in both models
    invariants = [{"nu": 2, "a": "rho", "select": {"n": 150}}]
    soap = {"name": "soap", "invariants": invariants, "regressor": {"type": "linear"}}
    expansions, layers, terms = [rho], [], [soap]
    if kind != "SOAP":
        expansions.append({
            "name": "V", "type": "potential", "n_max": settings["n_max"], "l_max": settings["l_max"],
            "exponent": int(kind.split("p=")[1]), "smearing": settings["smearing"],
            "basis": settings.get("basis", {"type": "gto", "radius": settings["radius"]}),
        })  # fmt: skip
        lode = [{"nu": 2, "a": "rho", "b": "V", "select": {"n": settings["features"]}}]
        if kind.startswith("products"):
            orders = list(settings["orders"])
            layers.append({"name": "A", "inputs": ["rho", "V"], "channels": settings["channels"], "l_max": orders[0],
                           "mixing": settings["mixing"]})  # fmt: skip
            lode = [{"a": "A", "l_max": orders}]
        terms.append({"name": "lode", "invariants": lode, "regressor": {"type": "linear"}})
    return {
        "model": f"{folder}/{kind.replace(' ', '')}.mlcalc",
        "data": {
            "files": ["frames"], "energy_offset": "curve", "distance": "distance", "config_type": "curve",
            "split": {"method": "key", "key": "set"}, "reference_energies": "zero",
        },
        "expansions": expansions,
        "layers": layers,
        "terms": terms,
        "weights": {"energy": 0.002, "forces": settings["forces"]},
        "solver": {"refit": True},
        "budget": {"threads": threads, "memory": "4 GB"},
    }  # fmt: skip


def train(kind, settings, data, folder, threads):
    from mlcalc.train import fit

    result = fit(options(kind, settings, folder, threads), data, progress=False, figures=False)
    curves = result.report["curves"]
    for name, pulls in pull_curves(result.model, data, threads).items():
        for point, pull in zip(curves[name], pulls, strict=True):
            point.update(pull)
    return {
        "errors": {split: table["all"] for split, table in result.report["errors"].items()},
        "curves": curves,
        "regularization": {k: result.report["regularization"][k] for k in ("lam", "term_weights")},
    }


def pull_curves(model, data, threads) -> dict:
    """The force that drives the molecules apart: on the second one, along the line between their centers, eV/A."""
    from mlcalc.train.data import Structure
    from mlcalc.train.errors import predict

    curves: dict = {}
    forces = [p.forces for p in predict(model, [Structure(a) for a in data], threads)]
    start = {a.info["curve"]: a.positions for a in reversed(data)}
    end = {a.info["curve"]: a.positions for a in data}
    for atoms, predicted in zip(data, forces, strict=True):
        # along a curve the first molecule stays where it is and the second is shifted
        name = atoms.info["curve"]
        second = np.linalg.norm(end[name] - start[name], axis=1) > 0.1
        axis = atoms.positions[second].mean(axis=0) - atoms.positions[~second].mean(axis=0)
        axis /= np.linalg.norm(axis)
        labels = atoms.calc.results.get("forces")
        curves.setdefault(name, []).append({
            "distance": float(atoms.info["distance"]),
            "pull": None if labels is None else float(labels[second].sum(axis=0) @ axis),
            "predicted_pull": float(predicted[second].sum(axis=0) @ axis),
        })  # fmt: skip
    return {name: sorted(points, key=lambda p: p["distance"]) for name, points in curves.items()}


def far_error(curves, label="energy", predicted="predicted") -> dict:
    """Errors of the far points: energies (eV), or with other names the forces between the molecules (eV/A)."""
    d = [p[predicted] - p[label] for c in curves.values() for p in c if p["split"] == "test" and p[label] is not None]
    return {"mae": float(np.mean(np.abs(d))), "rmse": float(np.sqrt(np.mean(np.square(d))))}


def last_value(curves) -> dict:
    """Curves predicted to stay at their last training value."""
    guess = {}
    for name, points in curves.items():
        last = max((p for p in points if p["split"] != "test"), key=lambda p: p["distance"])
        guess[name] = [{**p, "predicted": last["energy"]} for p in points]
    return guess


COLORS = {
    "SOAP": "#c44e52",
    "SOAP+LODE p=1": "#1f6fb2",
    "products p=1": "#3a8a4d",
    "SOAP+LODE p=6": "#e08a2c",
    "SOAP+LODE p=0": "#8a8a8a",
}


def plot(results, path, label="energy", predicted="predicted", unit="energy (eV)"):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(results["SOAP"]["curves"])
    figure = Figure(figsize=(15, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 5).ravel()
    for ax, name in zip(axes, names, strict=False):
        points = [p for p in results["SOAP"]["curves"][name] if p[label] is not None]
        for training, style in ((True, "o"), (False, "s")):
            mine = [p for p in points if (p["split"] != "test") == training]
            ax.plot([p["distance"] for p in mine], [p[label] for p in mine], style, ms=4,
                    color="black", mfc="k" if training else "w", label="trained" if training else "new")  # fmt: skip
        for kind, color in COLORS.items():
            if kind in results:
                curve = results[kind]["curves"][name]
                ax.plot([p["distance"] for p in curve], [p[predicted] for p in curve], "-", color=color, label=kind)
        ax.set_title(name, fontsize=9)
        ax.set(xlabel="distance (Å)", ylabel=unit)
    axes[0].legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)


def near_score(kind, boundaries, folder, threads):
    """Settings to the error that 7 points predict of the next 2; the far points are not even read."""
    data = frames(boundaries, N_TRAIN - N_CHOOSE, N_TRAIN)

    def score(settings):
        found, _ = measured(train, kind, settings, data, folder, threads, threads=threads)
        energy, force = far_error(found["curves"]), found["errors"]["test"]["forces"]
        return energy["rmse"], {"energy RMSE (meV)": 1e3 * energy["rmse"], "force RMSE (meV/A)": 1e3 * force["rmse"]}

    print(f"{kind}, {boundaries}: points 8 and 9 of each curve, predicted from 1 to 7")
    return score


def compare_widths(boundaries, folder, threads):
    """Series from the smearing s to a multiple of it, for every n_max; the rest of the settings is the start's."""
    score = near_score("SOAP+LODE p=1", boundaries, folder, threads)
    smearing = START["smearing"]
    for n_max in (1, 2, 3, 4):
        for first, last in SERIES if n_max > 1 else [(f, f) for f in (0.5, 0.7, 1.0, 1.5)]:
            widths = [round(w * smearing, 4) for w in np.geomspace(first, last, n_max)]
            _, shown = score({**START, "n_max": n_max, "basis": {"type": "multi_width", "widths": widths}})
            print(f"  n_max {n_max}  {first:.1f} s to {last:.1f} s  " +
                  "  ".join(f"{name} {value:.4g}" for name, value in shown.items()), flush=True)  # fmt: skip


def show(name, far, pull=None, force=None, soap=np.nan, flat=np.nan, cost=None):
    row = f"{name:<20} {1e3 * far['mae']:>9.1f} {1e3 * far['rmse']:>9.1f}"
    if pull:
        row += (
            f" {1e3 * pull['rmse']:>11.1f} {1e3 * force:>11.1f} {soap / far['rmse']:>11.1f} {flat / far['rmse']:>11.1f}"
        )
        row += f"   {cost['wall_s']:.0f} s {cost['peak_gb']:.2f} GB"
    print(row, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--boundaries", choices=["free", "periodic"], default="free")
    parser.add_argument("--kinds", nargs="+", default=list(COLORS))
    parser.add_argument("--search", action="store_true", help="choose the settings again, for each kind with LODE")
    parser.add_argument("--widths", action="store_true", help="compare series of widths for the multi-width basis")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", help="folder for models, reports and figures (default: a temporary one)")
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or temporary
        Path(folder).mkdir(parents=True, exist_ok=True)
        if arguments.search:
            for kind in arguments.kinds:
                grid, start = (GRID_PRODUCTS, START_PRODUCTS) if kind.startswith("products") else (GRID, START)
                if kind != "SOAP":
                    coordinate_search(grid, start, near_score(kind, arguments.boundaries, folder, arguments.threads))
        elif arguments.widths:
            compare_widths(arguments.boundaries, folder, arguments.threads)
        else:
            compare(arguments, folder)


def compare(arguments, folder):
    print(f"{'':<20} {'energy (meV)':^19} {'RMSE of forces (meV/A)':^23} {'energy RMSE smaller than':^23}")
    print(f"{'far points, ' + arguments.boundaries:<20} {'MAE':>9} {'RMSE':>9} {'between':>11} {'atoms':>11}"
          f" {'SOAP':>11} {'last value':>11}")  # fmt: skip
    results = {}
    data = frames(arguments.boundaries)
    for kind in arguments.kinds:
        settings = PRODUCTS if kind.startswith("products") else SETTINGS
        found, cost = measured(train, kind, settings, data, folder, arguments.threads, threads=arguments.threads)
        found["far"] = far_error(found["curves"])
        found["pull"] = far_error(found["curves"], "pull", "predicted_pull")
        flat = far_error(last_value(found["curves"]))
        if "last value" not in results:
            results["last value"] = {"far": flat}
            show("last training value", flat)
        results[kind] = {**found, **cost}
        show(kind, found["far"], found["pull"], found["errors"]["test"]["forces"]["rmse"],
             results.get("SOAP", {}).get("far", {}).get("rmse", np.nan), flat["rmse"], cost)  # fmt: skip
    if "SOAP" in results and arguments.output:
        plot(results, Path(folder) / "dimers.png")
        plot(results, Path(folder) / "dimers-forces.png", "pull", "predicted_pull", "force between molecules (eV/Å)")
    name = "dimers" if arguments.boundaries == "free" else "dimers_periodic"
    save(name, {k: {q: v for q, v in r.items() if q != "curves"} for k, r in results.items()})


if __name__ == "__main__":
    main()
