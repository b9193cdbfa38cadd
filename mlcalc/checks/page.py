# SPDX-License-Identifier: BSD-3-Clause
"""What checks have found, as text, picture, page and plain data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..files import write_bytes, write_json
from ..page import Section, Table, png, write_page
from .verdict import Check, worst

#: panels in a row of the picture
ROW = 4


def table(checks: list[Check], alone: dict[str, float]) -> str:
    """The verdicts as text, with the numbers and those of the reference."""
    energies = ", ".join(f"{symbol} {e:.4g}" for symbol, e in alone.items())
    lines = [f"separated atoms (eV): {energies}"]
    for c in checks:
        lines.append(f"{c.verdict:8s} {c.name}: {c.reason}")
        for name, value in c.values.items():
            beside = f"   reference {c.reference[name]:.4g}" if name in c.reference else ""
            lines.append(f"{'':11}{name:<32} {value:>10.4g}{beside}")
    return "\n".join(lines)


def figure_of(checks: list[Check]):
    """A picture with a panel for each check that has curves."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    checks = [c for c in checks if c.curves]
    columns = min(ROW, max(1, len(checks)))
    rows = max(1, -(-len(checks) // columns))
    figure = Figure(figsize=(4.2 * columns, 3.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for ax in axes[len(checks) :]:
        ax.set_visible(False)
    for check, ax in zip(checks, axes, strict=False):
        _panel(ax, check)
    return figure


def _panel(ax, check: Check):
    for curve in check.curves:
        ax.plot(curve.x, curve.y, curve.style, ms=3, color=curve.color, label=curve.label or None)
        ax.set(xlabel=curve.names[0], ylabel=curve.names[1])
    if check.histograms:
        _below(ax, check)
    if check.name == "close pairs":
        ax.set(yscale="symlog")
    if len([c for c in check.curves if c.label]) > 1:
        ax.legend(frameon=False, fontsize=7)
    if check.ticks:
        ax.set_xticks([x for x, _ in check.ticks], [name for _, name in check.ticks])
        ax.grid(axis="x", color="#d5dae3", lw=0.8)
        ax.axhline(0.0, color="black", lw=0.6)
        ax.margins(x=0)
    ax.set_title(f"{check.name}: {check.verdict}", fontsize=9)


def _below(ax, check: Check):
    """The histograms in the lowest quarter of the panel, in the colors of their curves."""
    bottom = ax.twinx()
    for curve, histogram in zip(ax.lines, check.histograms, strict=False):
        bottom.fill_between(histogram.x, histogram.y, step="mid", color=curve.get_color(), alpha=0.35, lw=0)
    highest = max(float(h.y.max(initial=0.0)) for h in check.histograms)
    bottom.set(ylim=(0, 4 * max(highest, 1.0)), yticks=[])
    bottom.set_ylabel(check.histograms[0].names[1], loc="bottom", fontsize=7)


def plain(checks: list[Check], alone: dict[str, float], notes=()) -> dict:
    """All of it for programs; null is what is not a number."""
    found = {}
    for c in checks:
        curves = [{"label": k.label, k.names[0] or "path": _numbers(k.x), k.names[1]: _numbers(k.y)} for k in c.curves]
        found[c.name] = {"verdict": c.verdict, "reason": c.reason, "values": c.values, "reference": c.reference,
                         "curves": curves}  # fmt: skip
    return {"verdict": worst(c.verdict for c in checks), "separated_atoms": alone, "checks": found,
            "notes": list(notes)}  # fmt: skip


def _numbers(x) -> list:
    return [float(v) if np.isfinite(v) else None for v in np.asarray(x, dtype=float)]


def write_check_page(path: Path, model: str, checks: list[Check], alone: dict[str, float], notes=()):
    """Writes the page."""
    rows = [[c.name, c.verdict, c.reason] for c in checks]
    atoms = Table(["separated atom", "energy (eV)"], [list(item) for item in alone.items()])
    sections = [Section("Verdicts", list(notes), [Table(["check", "verdict", "why"], rows), atoms])]
    for c in checks:
        pictures = [png(figure_of([c]))] if c.curves else []
        sections.append(Section(c.name.capitalize(), [f"{c.verdict}: {c.reason}."], _values(c), pictures))
    write_page(path, f"Checks of {model}", sections)


def _values(c: Check) -> list[Table]:
    """The numbers, with a reference beside it and the difference."""
    if not c.values:
        return []
    if not c.reference:
        return [Table(["", "model"], [[name, value] for name, value in c.values.items()])]
    rows = []
    for name, value in c.values.items():
        other = c.reference.get(name)
        off = None if other is None or abs(other) < 1e-12 else 100 * (value / other - 1)
        rows.append([name, value, other, off])
    return [Table(["", "model", "reference", "difference (%)"], rows)]


def write_checks(picture: Path, model: str, checks: list[Check], alone: dict[str, float], notes=(), json_file=None):
    """Writes the picture, the page and the numbers, which have the same name unless ``json_file`` is given, and returns
    their names."""
    page, numbers = picture.with_suffix(".html"), Path(json_file or picture.with_suffix(".json"))
    write_bytes(picture, png(figure_of(checks)))
    write_json(numbers, plain(checks, alone, notes), indent=1)
    write_check_page(page, model, checks, alone, notes)
    return picture, page, numbers
