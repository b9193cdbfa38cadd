# SPDX-License-Identifier: BSD-3-Clause
"""What a scan has found: a table, a picture of error against cost with its front, a page."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..files import write_bytes, write_json
from ..page import Section, Table, png, write_page
from ..train.plots import few_ticks, subplots
from .speed import front

CHOICE = (
    "Models are compared by their errors on the validation set. Those on the test set are shown and were not used: if "
    "they chose, they would not be those of structures that the choice has not seen."
)
OTHER_SETS = "WARNING: the validation sets are not the same structures in all combinations, their errors do not compare"
UNITS = {"energy": "meV/atom", "forces": "meV/Å"}


def describe(scanned: list[str], rows: list[dict]) -> dict:
    """What is in scan.json: rows {number, values, errors (eV, Å), speed, model} or {number, values, failed}, and the
    numbers of those on the front of each kind of error."""
    good = [row for row in rows if not row.get("failed")]
    fronts = {}
    for kind in UNITS:
        mine = [row for row in good if row["errors"]["validation"][kind] is not None]
        chosen = front([row["speed"]["us_per_atom"] for row in mine],
                       [row["errors"]["validation"][kind] for row in mine])  # fmt: skip
        fronts[kind] = [mine[k]["number"] for k in chosen]
    notes = [CHOICE]
    if len({row["validation"] for row in good}) > 1:
        notes.append(OTHER_SETS)
    failed = len(rows) - len(good)
    if failed:
        notes.append(f"{failed} of {len(rows)} combinations failed")
    return {"options": scanned, "combinations": rows, "front": fronts, "units": "eV, Angstrom, microseconds",
            "notes": notes}  # fmt: skip


def short_names(paths) -> list[str]:
    """The ends of dotted paths that tell them apart."""
    out = []
    for path in paths:
        parts, n = path.split("."), 1
        while n < len(parts) and sum(p.split(".")[-n:] == parts[-n:] for p in paths) > 1:
            n += 1
        out.append(".".join(parts[-n:]))
    return out


def _table(report: dict) -> tuple[list[str], list[list]]:
    """Head and rows, the cheapest first."""
    fronts = report["front"]
    kinds = [kind for kind in UNITS if fronts[kind]]
    head = ["", *short_names(report["options"])]
    head += [f"{split} {kind} ({UNITS[kind]})" for split in ("validation", "test") for kind in kinds]
    head += ["µs/atom", "front", "model"]
    rows = []
    good = [row for row in report["combinations"] if not row.get("failed")]
    for row in sorted(good, key=lambda r: r["speed"]["us_per_atom"]):
        errors = [row["errors"].get(split, {}).get(kind) for split in ("validation", "test") for kind in kinds]
        on = ", ".join(kind for kind in kinds if row["number"] in fronts[kind])
        values = map(_written, row["values"].values())
        rows.append([row["number"], *values, *(e if e is None else 1e3 * e for e in errors),
                     row["speed"]["us_per_atom"], on or "-", row["model"]])  # fmt: skip
    return head, rows


def text_of(report: dict) -> str:
    """The table as text, with what failed."""
    head, rows = _table(report)
    cells = [head, *([("-" if c is None else f"{c:.4g}" if isinstance(c, float) else str(c)) for c in row] for row in
                     rows)]  # fmt: skip
    widths = [max(len(line[k]) for line in cells) for k in range(len(head))]
    lines = ["  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in cells]
    failed = [f"{row['number']}: {_values(row)}: {row['failed']}" for row in report["combinations"]
              if row.get("failed")]  # fmt: skip
    return "\n".join([*lines, "", *report["notes"], *failed])


def _values(row: dict) -> str:
    return ", ".join(f"{path} {_written(value)}" for path, value in row["values"].items())


def _written(value):
    """A group in one line as it may stand in an options file."""
    grouped = isinstance(value, (dict, list))
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1e6).strip() if grouped else value


def picture(report: dict):
    """Errors on the validation set against cost, the front as a line; numbers are those of the table."""
    kinds = [kind for kind in UNITS if report["front"][kind]]
    figure, axes = subplots(len(kinds), height=4.0, width=4.6)
    good = [row for row in report["combinations"] if not row.get("failed")]
    for ax, kind in zip(axes, kinds, strict=True):
        points = {row["number"]: (row["speed"]["us_per_atom"], 1e3 * row["errors"]["validation"][kind])
                  for row in good if row["errors"]["validation"][kind] is not None}  # fmt: skip
        best = [points[n] for n in report["front"][kind]]
        ax.loglog(*zip(*points.values(), strict=True), "o", ms=5, color="#b0b7c3")
        ax.loglog(*zip(*best, strict=True), "o-", ms=6, color="#1f6fb2", label="front")
        for number, (x, y) in points.items():
            ax.annotate(str(number), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
        ax.set(xlabel="cost (µs/atom, one thread)", ylabel=f"{kind}, RMSE of the validation set ({UNITS[kind]})")
        for axis in (ax.xaxis, ax.yaxis):
            few_ticks(axis)
        ax.legend(frameon=False, fontsize=8)
    return figure


def write_scan(folder: Path, report: dict) -> str:
    """Writes scan.json, scan.png and scan.html, and returns the table as text."""
    head, rows = _table(report)
    speed = next(row["speed"] for row in report["combinations"] if not row.get("failed"))
    measured = f"Cost is that of {speed['atoms']} atoms of {speed['formula']}: energy and forces on one thread, the "
    measured += "fastest of several evaluations."
    contents = png(picture(report))
    write_bytes(folder / "scan.png", contents)
    sections = [Section("Models", [*report["notes"], measured], [Table(head, rows)], [contents])]
    failed = [[row["number"], _values(row), row["failed"]] for row in report["combinations"] if row.get("failed")]
    if failed:
        sections.append(Section("Failed", [], [Table(["", "values", "why"], failed)]))
    write_page(folder / "scan.html", f"Scan in {folder.name}", sections)
    write_json(folder / "scan.json", report, indent=1)
    return text_of(report)
