# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of the report: the data, cumulative errors, the map, the learning curve, the worst structures."""

from __future__ import annotations

import warnings

import numpy as np

from ..plots import COLORS, subplots
from .statistics import COLUMNS

#: atoms of a structure up to which it is drawn
DRAWN = 500


def data(numbers, splits):
    """Histograms of the numbers (list of Measured) of the structures of each split."""
    values = {title: np.array([getattr(m, name) for m in numbers]) for name, title in COLUMNS[:4]}
    values = {title: v for title, v in values.items() if np.isfinite(v).any()}
    figure, axes = subplots(max(1, len(values)), height=2.8, width=3.0)
    splits = np.array(splits)
    for ax, (title, v) in zip(axes, values.items(), strict=False):
        parts = {split: v[np.isfinite(v) & (splits == split)] for split in COLORS}
        parts = {split: part for split, part in parts.items() if len(part)}
        bins = np.histogram_bin_edges(v[np.isfinite(v)], 30)
        ax.hist(list(parts.values()), bins, stacked=True, color=[COLORS[s] for s in parts], label=list(parts))
        ax.set(xlabel=title, yscale="log")
        ax.tick_params(labelsize=7)
    axes[0].set_ylabel("structures")
    if axes[0].containers:
        axes[0].legend(fontsize=7, frameon=False)
    return figure


def cumulative(table: dict):
    """The share of errors that are not larger."""
    units = {"energy": "eV/atom", "forces": "eV/Å", "stress": "eV/Å³"}
    figure, axes = subplots(len(table), height=3.2)
    for ax, (quantity, parts) in zip(axes, table.items(), strict=True):
        for split, curve in parts.items():
            error = np.array(curve["error"])
            seen = error > 0
            if seen.any():
                ax.semilogx(error[seen], np.array(curve["share"])[seen], color=COLORS[split], label=split)
        ax.set(xlabel=f"|error| of the {quantity} ({units[quantity]})", ylabel="errors below it (%)", ylim=(0, 100))
        if ax.lines:
            ax.legend(fontsize=7, frameon=False)
    return figure


def similarity(found: dict):
    """The map, by set and by the error of the forces (or else of the energy)."""
    points = found["points"]
    figure, (left, right) = subplots(2, height=3.6, width=4.4)
    x, y = (np.array([p[k] for p in points]) for k in ("x", "y"))
    splits = np.array([p["split"] for p in points])
    for split, color in COLORS.items():
        mine = splits == split
        if mine.any():
            left.plot(x[mine], y[mine], ".", ms=5, color=color, label=split)
    left.legend(fontsize=7, frameon=False)
    name = "force_error" if any(p["force_error"] is not None for p in points) else "energy_error"
    errors = np.array([np.nan if p[name] is None else p[name] for p in points])
    known = errors > 0
    if known.any():
        errors = np.maximum(errors, 1e-3 * np.nanmax(errors))  # symmetry may leave none
        order = np.flatnonzero(known)[np.argsort(errors[known])]  # the largest on top
        drawn = right.scatter(x[order], y[order], c=np.log10(errors[order]), s=12, cmap="viridis")
        unit = "force, eV/Å" if name == "force_error" else "energy, eV/atom"
        figure.colorbar(drawn, ax=right, label=f"log10 of the error ({unit})")
    share = [f"{100 * s:.0f} %" for s in found["components"]] + ["0 %"]
    for ax in (left, right):
        ax.set(xlabel=f"first component ({share[0]})", ylabel=f"second component ({share[1]})")
    return figure


def learning(rows: list[dict]):
    """Errors against the number of training structures."""
    kinds = [k for k in ("energy", "forces") if any(part[k] for row in rows for part in row["errors"].values())]
    figure, axes = subplots(max(1, len(kinds)), height=3.2)
    for ax, kind in zip(axes, kinds, strict=False):
        for split, color in COLORS.items():
            points = [(row["structures"], row["errors"][split][kind]["rmse"]) for row in rows
                      if row["errors"].get(split, {}).get(kind)]  # fmt: skip
            if points:
                ax.loglog(*zip(*points, strict=True), "o-", ms=4, color=color, label=split)
        ax.set(xlabel="training structures", ylabel=f"RMSE of the {kind} ({'eV/atom' if kind == 'energy' else 'eV/Å'})")
        ax.legend(fontsize=7, frameon=False)
    return figure


def worst(frames, titles):
    """Structures, their atoms colored by the error of the force on them, dark for the largest."""
    from ase.visualize.plot import plot_atoms
    from matplotlib import colormaps

    figure, axes = subplots(max(1, len(frames)), height=3.0, width=2.8)
    for ax, atoms, title in zip(axes, frames, titles, strict=False):
        ax.set_title(title, fontsize=7)
        ax.set_axis_off()
        if not 0 < len(atoms) <= DRAWN:
            continue
        size = np.zeros(len(atoms))
        if "reference_forces" in atoms.arrays:
            size = np.linalg.norm(atoms.get_forces() - atoms.arrays["reference_forces"], axis=1)
        colors = colormaps["YlOrRd"](size / size.max() if size.max() > 0 else size)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plot_atoms(atoms, ax, colors=colors[:, :3], rotation="10x,-15y,0z", show_unit_cell=0)
        ax.set_aspect("equal")
    return figure
