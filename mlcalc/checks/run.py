# SPDX-License-Identifier: BSD-3-Clause
"""All checks of a model, as text and as a picture."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from ..model import Model
from ..running.calculator import MLCalculator
from .curves import check_cold_curve, check_dimers, isolated_energies
from .dynamics import check_conservation, check_heating
from .verdict import Check

#: atoms of a small cell: it is repeated to as many
ATOMS = 64


def check_model(path, atoms: Atoms | None = None, *, seconds: float = 60.0, threads: int = 1, progress=None):
    """(checks, isolated energies {symbol: eV}) of a model file, with a structure also those that need one.

    ``seconds`` is what heating may take; ``progress(name)`` is called before each check. Raises ValueError for a
    structure with elements that the model does not know."""
    model = Model.load(path)
    tell = progress or (lambda name: None)
    if atoms is not None:
        unknown = sorted({chemical_symbols[z] for z in atoms.numbers if z not in model.species})
        if unknown:
            raise ValueError(f"the structure has {', '.join(unknown)}, which the model does not know")
        if not len(atoms):
            raise ValueError("the structure has no atoms")
    calculator = MLCalculator(str(path), threads=threads, extrapolation=False)
    alone = {chemical_symbols[z]: e for z, e in isolated_energies(model, calculator).items()}
    tell("close pairs")
    checks = [check_dimers(model, calculator)]
    if atoms is not None:
        if atoms.pbc.all():
            tell("compression and expansion")
            checks.append(check_cold_curve(model, calculator, atoms))
            n = max(1, round((ATOMS / len(atoms)) ** (1 / 3)))
            atoms = atoms.repeat((n, n, n))
        tell("energy conservation")
        checks.append(check_conservation(atoms, calculator))
        tell("heating")
        checks.append(check_heating(atoms, calculator, seconds=seconds))
    return checks, alone


def table(checks: list[Check], alone: dict[str, float]) -> str:
    """The verdicts as text."""
    energies = ", ".join(f"{symbol} {e:.4g}" for symbol, e in alone.items())
    lines = [f"separated atoms (eV): {energies}"]
    lines += [f"{c.verdict:8s} {c.name}: {c.reason}" for c in checks]
    return "\n".join(lines)


def figure_of(checks: list[Check]):
    """A picture with a panel for each check."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(checks), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for check, ax in zip(checks, np.atleast_1d(figure.subplots(1, len(checks))), strict=True):
        for curve in check.curves:
            ax.plot(curve.x, curve.y, ".-", ms=3, label=curve.label)
            ax.set(xlabel=curve.names[0], ylabel=curve.names[1])
        if check.name == "close pairs":
            ax.set(yscale="symlog")
            ax.legend(frameon=False)
        ax.set_title(f"{check.name}: {check.verdict}")
    return figure
