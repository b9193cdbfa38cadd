# SPDX-License-Identifier: BSD-3-Clause
"""Accuracy against cost: silicon of mlearn, every kind of model and its peers in one run, and ethanol of rMD17.

    python benchmarks/accuracy_cost.py [--only "linear, rho x rho"]     docs/pictures/accuracy-cost.png
    python benchmarks/accuracy_cost.py --draw                           the picture alone, of the last run

Ours are trained (minutes); SNAP and qSNAP are the published potentials in LAMMPS, GAP is timed through quippy with the
number of points of gap_fit, whose errors, as those of SNAP, are of benchmarks/mlearn.py. us/atom: energy, forces and
virial on one core; neighbor list given, but for GAP. Ethanol: benchmarks/body_orders.py, and published errors.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import body_orders
import kernel
import mlearn
from timing import lammps_cost, rattled
from training import machine, measured, save

RESULTS = Path(__file__).parent / "results"
PICTURE = Path(__file__).parent.parent / "docs/pictures/accuracy-cost.png"
#: meV of the molecule and meV/A, mean absolute errors of the published split: Kovacs et al., JCTC 17, 7696 (2021);
#: Batatia et al., NeurIPS 2022
PUBLISHED = {"GAP": (3.5, 18.1), "linear ACE": (1.2, 7.3), "MACE": (0.4, 2.1)}
N_ATOMS = 512


def ours(name: str, folder: str):
    """(energy meV/atom, force meV/A, us/atom) of a model that is trained here."""
    from mlcalc.train import fit
    from mlcalc.train.cost import microseconds_per_atom

    if name in body_orders.MODELS["Si"]:
        result = fit(
            body_orders.options("Si", name, folder, 2), body_orders.frames("Si"), progress=False, figures=False
        )
    else:
        result = fit(mlearn.options("Si", name.split(",")[0], folder, 2), progress=False, figures=False)
    errors = result.report["errors"]["test"]["all"]
    cost = microseconds_per_atom(result.model, rattled("Si", N_ATOMS))
    return 1e3 * errors["energy"]["mae"], 1e3 * errors["forces"]["mae"], cost


def peers():
    """The same of SNAP, qSNAP and GAP, those of them that are installed."""
    atoms, stored = rattled("Si", N_ATOMS), json.loads((RESULTS / "mlearn.json").read_text())["Si"]
    found = {}
    for name, stem in (("SNAP", "Si_Zuo_JPCA2020"), ("qSNAP", "Si_Zuo_JPCA2020.quadratic")):
        style = f"pair_style snap\npair_coeff * * {stem}.snapcoeff {stem}.snapparam Si"
        cost = lammps_cost(atoms, style)
        if cost:
            found[name] = (stored[f"{name}, published"]["errors"]["all"], 1e6 * cost.seconds / len(atoms))
    gap = kernel.gap_cost(atoms, 1000)
    if gap:
        found["gap_fit"] = (stored["gap_fit, 1000 points"]["errors"]["all"], gap)
    return {n: (1e3 * e["energy"]["mae"], 1e3 * e["forces"]["mae"], cost) for n, (e, cost) in found.items()}


def ethanol():
    """What benchmarks/body_orders.py left."""
    stored = json.loads((RESULTS / "body_orders.json").read_text())
    return {
        name.removeprefix("ethanol, "): (found["energy"], found["force"], found["us/atom"])
        for name, found in stored.items()
        if name.startswith("ethanol")
    }


def draw(silicon, molecule):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    theirs = {"SNAP", "qSNAP", "gap_fit"}
    for axis, points in zip(axes, (silicon, molecule), strict=True):
        for name, (_, force, cost) in points.items():
            color = "tab:gray" if name in theirs else "tab:red"
            axis.plot(cost, force, "o", color=color)
            below = name in ("K 32, (4,4,4,3)", "K 32, (4,4,4,4)")
            axis.annotate(name, (cost, force), xytext=(6, -12 if below else 4), textcoords="offset points", fontsize=8)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("us per atom, one core")
        axis.set_ylabel("force MAE (meV/Å)")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_title("Si, test set of mlearn", fontsize=10)
    axes[0].set_ylim(0)
    axes[1].set_title("ethanol, rMD17, 1000 structures", fontsize=10)
    axes[1].set_xlim(3, 60)
    axes[1].set_xticks([3, 10, 30])
    axes[1].set_ylim(0, 20)
    for name, (_, force) in PUBLISHED.items():
        axes[1].axhline(force, color="tab:gray", lw=0.8, ls="--")
        axes[1].text(58, force + 0.2, f"{name}, as published", ha="right", fontsize=8, color="dimgray")
    figure.savefig(PICTURE, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--draw", action="store_true")
    args = parser.parse_args()
    if args.draw:
        silicon = json.loads((RESULTS / "accuracy_cost.json").read_text())["Si"]
        draw({name: values for name, values in silicon.items() if name != "measured"}, ethanol())
        return
    print(machine())
    names = [n for n in ("linear, rho x rho", "kernel, rho x rho", *body_orders.MODELS["Si"])]
    silicon = {}
    for name in names:
        if args.only and name not in args.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            silicon[name], _ = measured(ours, name, folder, threads=2)
    if not args.only:
        silicon |= peers()
    print(f"{'Si':24s}{'meV/atom':>10s}{'meV/A':>8s}{'us/atom':>10s}")
    for name, (energy, force, cost) in silicon.items():
        print(f"{name:24s}{energy:10.2f}{force:8.1f}{cost:10.1f}")
    if not args.only:
        save(Path(__file__).stem, {"Si": silicon})
        draw(silicon, ethanol())
        print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
