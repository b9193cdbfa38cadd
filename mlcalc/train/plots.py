# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the report. matplotlib is used without its global state, so it needs no display and disturbs no one's."""

from __future__ import annotations

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress as voigt

from .errors import Prediction, uncertainties, unseen

COLORS = {"train": "#b0b7c3", "validation": "#e08a2c", "test": "#1f6fb2"}


def subplots(columns=1, height=3.6, width=3.8):
    """A figure without a display, and its axes in a row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, np.atleast_1d(figure.subplots(1, columns))


def _pairs(predictions, kind):
    """Labels and predictions of one quantity."""
    x, y = [], []
    for p in predictions:
        s = p.structure
        if kind == "energy" and s.energy is not None:
            x.append([s.energy / p.n_atoms])
            y.append([p.energy / p.n_atoms])
        elif kind == "force" and s.forces is not None:
            x.append(s.forces.ravel())
            y.append(p.forces.ravel())
        elif kind == "stress" and s.virial is not None and p.volume:
            x.append(-voigt(s.virial) / p.volume)
            y.append(-voigt(p.virial) / p.volume)
    return (np.concatenate(x), np.concatenate(y)) if x else (np.zeros(0), np.zeros(0))


def parity(predictions: list[Prediction]):
    kinds = {"energy": "eV/atom", "force": "eV/Å", "stress": "eV/Å³"}
    kinds = {k: u for k, u in kinds.items() if len(_pairs(predictions, k)[0])}
    figure, axes = subplots(max(1, len(kinds)))
    for ax, (kind, unit) in zip(axes, kinds.items(), strict=False):
        for split, color in COLORS.items():
            x, y = _pairs([p for p in predictions if p.structure.split == split], kind)
            if len(x):
                rmse = np.sqrt(np.mean((y - x) ** 2))
                ax.plot(x, y, ".", ms=3, color=color, rasterized=True, label=f"{split}: RMSE {1e3 * rmse:.3g} m{unit}")
        low, high = min(ax.get_xlim()[0], ax.get_ylim()[0]), max(ax.get_xlim()[1], ax.get_ylim()[1])
        ax.plot([low, high], [low, high], "-", color="black", lw=0.6, zorder=0)
        ax.set(xlabel=f"labeled {kind} ({unit})", ylabel=f"predicted {kind} ({unit})")
        ax.legend(fontsize=7, frameon=False)
    return figure


def few_ticks(axis):
    """Labels of a logarithmic axis that do not run into each other, however few decades it has: round numbers, powers
    of ten first, each at least a quarter of the axis from the others."""
    from matplotlib.ticker import FixedLocator, NullFormatter, StrMethodFormatter

    low, high = sorted(axis.get_view_interval())
    if low <= 0:
        return
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks: list[float] = []
    for factor in (1.0, 3.0, 2.0, 5.0, 7.0, 4.0, 6.0, 8.0, 9.0, 1.5, 2.5):
        for tick in factor * powers:
            apart = np.abs(np.log(tick / np.array(ticks))) if ticks else np.inf
            if low <= tick <= high and np.min(apart) >= 0.25 * np.log(high / low):
                ticks.append(tick)
    axis.set_major_locator(FixedLocator(sorted(ticks)))
    axis.set_major_formatter(StrMethodFormatter("{x:.3g}"))
    axis.set_minor_formatter(NullFormatter())


def error_against_uncertainty(predictions: list[Prediction], scale: float):
    figure, axes = subplots(2)
    for ax, (kind, unit) in zip(axes, (("energy", "eV/atom"), ("forces", "eV/Å")), strict=True):
        errors, spread = uncertainties(predictions, kind)
        good = spread > 0
        if not good.any():
            continue
        sigma = scale * spread[good]
        ax.loglog(sigma, np.maximum(np.abs(errors[good]), 1e-3 * np.median(sigma)), ".", ms=3, color=COLORS["test"])
        span = np.array([sigma.min(), sigma.max()])
        for k in (1, 2):
            ax.loglog(span, k * span, "-" if k == 1 else "--", color="black", lw=0.8, label=f"{k} sigma")
        for axis in (ax.xaxis, ax.yaxis):
            few_ticks(axis)
        ax.set(xlabel=f"predicted sigma ({unit})", ylabel=f"|error| ({unit})", title=kind)
        ax.legend(fontsize=7, frameon=False)
    return figure


def curves(data: dict):
    n = min(len(data), 12)
    columns = min(n, 4)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-n // columns)
    figure = Figure(figsize=(3.2 * columns, 2.8 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for ax in axes[n:]:
        ax.set_visible(False)
    for ax, (name, points) in zip(axes, list(data.items())[:n], strict=False):
        r = np.array([p["distance"] for p in points])
        ax.plot(r, [p["predicted"] for p in points], "-", color="black", lw=1, label="model")
        for split, color in COLORS.items():
            mine = [p for p in points if p["split"] == split]
            if mine:
                ax.plot([p["distance"] for p in mine], [p["energy"] for p in mine], "o", ms=4, color=color, label=split)
        ax.set_title(name, fontsize=8)
        ax.set(xlabel="distance (Å)", ylabel="energy (eV)")
    axes[0].legend(fontsize=7, frameon=False)
    return figure


def regularization(choice: dict):
    figure, (ax,) = subplots(1)
    ax.loglog(choice["lams"], choice["scores"], "-", color=COLORS["test"])
    ax.axvline(choice["lam"], color="black", lw=0.8)
    ax.set(xlabel="regularization strength", ylabel=f"score ({choice['criterion']})")
    return figure


def draw(predictions, scale, curve_data, choice) -> dict:
    """What the data allows to draw: {file name: figure}."""
    figures = {"parity.png": parity(predictions)}
    held_out = unseen(predictions)
    if scale is not None and held_out[0].member_energies is not None:
        figures["uncertainty.png"] = error_against_uncertainty(held_out, scale)
    if curve_data:
        figures["curves.png"] = curves(curve_data)
    if choice and len(choice.get("lams", ())) > 1:
        figures["regularization.png"] = regularization(choice)
    return figures
