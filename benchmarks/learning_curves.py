# SPDX-License-Identifier: BSD-3-Clause
"""Test errors against the number of training structures: products of up to four factors beside kernels of two, silicon
of mlearn and ethanol of rMD17.

    python benchmarks/learning_curves.py            draws docs/pictures/learning-curves.png, too
    python benchmarks/learning_curves.py --systems Si

Nested subsets in one random order; the regularization of each fit is chosen by the same validation structures, which no
fit includes. Mean absolute errors; energies of ethanol are those of the molecule.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import body_orders
import mlearn
import rmd17
from training import machine, measured, save

PICTURE = Path(__file__).parent.parent / "docs/pictures/learning-curves.png"
SIZES = {"Si": [20, 40, 80, 160], "ethanol": [50, 100, 200, 400, 800]}
BODIES = {"Si": "K 32, (3,3,3,3)", "ethanol": "K 16, (3,3,3,3)"}


def options(system: str, kind: str, folder: str, threads: int) -> dict:
    """Of the models that the tables of accuracy have."""
    wanted = body_orders.options(system, BODIES[system], folder, threads)
    wanted |= {"learning_curve": SIZES[system], "solver": {"criterion": "validation"}}
    if kind == "kernel":
        of_kernel = (
            mlearn.options(system, "kernel", folder, threads)
            if system == "Si"
            else rmd17.options(rmd17.SETTINGS, folder, threads, 1000, 0)
        )
        wanted |= {"layers": [], **{key: of_kernel[key] for key in ("expansions", "terms", "weights")}}
    return wanted


def curve(system: str, kind: str, folder: str, threads: int) -> list[dict]:
    """[{structures, energy (meV), force (meV/A)}]."""
    from mlcalc.train import fit

    wanted = options(system, kind, folder, threads)
    report = fit(wanted, body_orders.frames(system), progress=False, figures=False).report
    scale = 9e3 if system == "ethanol" else 1e3
    return [
        {"structures": row["structures"], "energy": scale * row["errors"]["test"]["energy"]["mae"],
         "force": 1e3 * row["errors"]["test"]["forces"]["mae"]}
        for row in report["learning_curve"]["points"]
    ]  # fmt: skip


def draw(results: dict):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = [(system, what) for system in SIZES for what in ("energy", "force")]
    units = {"Si": {"energy": "meV/atom", "force": "meV/Å"}, "ethanol": {"energy": "meV", "force": "meV/Å"}}
    for axis, (system, what) in zip(figure.subplots(1, 4), panels, strict=True):
        for (of, name), color in zip(results, ("tab:red", "tab:blue") * 2, strict=False):
            if of == system:
                points = results[of, name]["curve"]
                axis.loglog([p["structures"] for p in points], [p[what] for p in points], "o-", color=color, label=name)
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_formatter(ScalarFormatter())
            side.set_minor_formatter(NullFormatter())
        axis.set_xticks(SIZES[system][:: 2 if system == "ethanol" else 1])
        axis.set(title=f"{system}, {what}", xlabel="training structures", ylabel=units[system][what])
        axis.legend(frameon=False, fontsize=7)
    figure.savefig(PICTURE, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print(machine())
    results = {}
    for system in args.systems:
        print(f"{system:40s}" + "".join(f"{n:>16d}" for n in SIZES[system]))
        for kind, name in (("bodies", BODIES[system]), ("kernel", "kernel, rho x rho")):
            with tempfile.TemporaryDirectory() as folder:
                points, used = measured(curve, system, kind, folder, args.threads, threads=args.threads)
            results[system, name] = {"curve": points, **used}
            print(f"{name:40s}" + "".join(f"{p['energy']:>8.2f} {p['force']:>7.1f}" for p in points)
                  + f"   {used['cpu_s']:.0f} s CPU", flush=True)  # fmt: skip
    if len(args.systems) == len(SIZES):
        draw(results)
    save(Path(__file__).stem, {f"{system}, {name}": found for (system, name), found in results.items()})


if __name__ == "__main__":
    main()
