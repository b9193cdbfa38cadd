# SPDX-License-Identifier: BSD-3-Clause
"""The page of a loop, which grows with its rounds."""

from __future__ import annotations

from pathlib import Path

from ..page import Section, Table, png, write_page

COLUMNS = {
    "round": "number", "labels": "labels", "new": "new", "kept aside": "aside", "runs inside": "inside", "runs": "runs",
    "limit (eV/Å)": "limit", "force error (eV/Å)": "force_error", "expected": "force_uncertainty",
    "energy error (eV/atom)": "energy_error", "expected ": "energy_uncertainty", "error / expected": "ratio",
    "validation force error (eV/Å)": "validation",
}  # fmt: skip


def write_loop_page(folder: Path, rounds, frames, aside: dict[str, str], reason: str):
    """Writes ``report.html`` of a loop: rounds, errors, what was kept aside, and why it ended (empty: it goes on)."""
    last = rounds[-1]
    state = f"Ended: {reason}." if reason else "The loop goes on."
    compositions: dict[str, int] = {}
    for atoms in frames:
        formula = atoms.get_chemical_formula()
        compositions[formula] = compositions.get(formula, 0) + 1
    texts = [f"{state} {last.labels} structures are labeled, {len(aside)} kept aside.",
             "Errors are those of the model of the round before on structures that it had not seen, beside the "
             "uncertainties that its committee gave for them (root mean squares)."]  # fmt: skip
    table = Table(list(COLUMNS), [[getattr(entry, name) for name in COLUMNS.values()] for entry in rounds])
    sections = [Section("Rounds", texts, [table], [png(_errors(rounds))])]
    sections.append(Section("Structures", [], [Table(["composition", "structures"], [list(i) for i in
                                                                                 compositions.items()])]))  # fmt: skip
    if aside:
        rows = [[name, why] for name, why in aside.items()]
        sections.append(Section("Kept aside", [], [Table(["structure", "why"], rows)]))
    write_page(folder / "report.html", f"Learning in {folder.name}", sections)


def _errors(rounds):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for name, label in (("force_error", "new structures"), ("force_uncertainty", "expected"),
                        ("validation", "validation set")):  # fmt: skip
        points = [(entry.labels, getattr(entry, name)) for entry in rounds if getattr(entry, name)]
        if points:
            left.plot(*zip(*points, strict=True), "o-", ms=4, label=label)
    left.set(xlabel="labels", ylabel="force error (eV/Å)", yscale="log" if left.lines else "linear")
    if left.lines:
        left.legend(frameon=False, fontsize=8)
    pairs = [(e.force_uncertainty, e.force_error) for e in rounds if e.force_error and e.force_uncertainty]
    if pairs:
        right.loglog(*zip(*pairs, strict=True), "o", ms=4)
        low, high = min(map(min, pairs)), max(map(max, pairs))
        right.loglog([low, high], [low, high], "-", color="black", lw=0.8)
    right.set(xlabel="expected force error (eV/Å)", ylabel="force error (eV/Å)")
    return figure
