# SPDX-License-Identifier: BSD-3-Clause
"""What stands on the page of a report, from what is in report.json."""

from __future__ import annotations

from pathlib import Path

import yaml

from ...page import Section, Table
from ..errors import QUANTITIES
from .statistics import COLUMNS

#: rows of long tables
LONG = 20
WORST = {"energy": "energy (meV/atom)", "forces": "force component (meV/Å)", "stress": "stress (meV/Å³)"}


def sections_of(report: dict, pictures: dict[str, bytes]) -> list[Section]:
    """The sections that there is something for."""
    makers = (_summary, _data, _errors, _parts, _worst, _uncertainty, _map, _learning, _outside, _others, _options)
    made = [maker(report, pictures) for maker in makers]
    return [s for s in made if s is not None and (s.texts or s.tables or s.pictures or s.blocks)]


def _taken(pictures, *names) -> list[bytes]:
    return [pictures[name] for name in names if name in pictures]


def _summary(report, pictures) -> Section:
    notes = sorted(report["notes"], key=lambda text: not text.startswith("WARNING"))
    chosen = report.get("regularization") or {}
    lines = []
    if chosen.get("lam") is not None:
        lines.append(f"Regularization {chosen['lam']:.3g}, chosen by: {chosen['criterion']}.")
    if "seconds" in report:
        lines.append(f"The training took {report['seconds']:.0f} s.")
    head = ["set", "structures", "atoms", "energies", "forces", "virials"]
    rows = [[split, *(part[name] for name in head[1:])] for split, part in report.get("data", {}).items()
            if part["structures"]]  # fmt: skip
    return Section("Summary", [" ".join(lines)] * bool(lines) + notes, [Table(head, rows)] if rows else [])


def _data(report, pictures) -> Section | None:
    found = report.get("statistics")
    if not found:
        return None
    head = ["config type", "structures", "atoms", *(title for _, title in COLUMNS)]
    rows = []
    for name, row in found["sets"].items():
        spans = [row[key] and f"{row[key]['min']:.4g} to {row[key]['max']:.4g}" for key, _ in COLUMNS]
        rows.append([name, row["structures"], row["atoms"], *spans])
    compositions = found["sets"]["all"]["compositions"] if "all" in found["sets"] else {}
    tables = [Table(head, rows), Table(["composition", "structures"], [list(item) for item in compositions.items()])]
    if found["outliers"]:
        keys = ("file", "index", "config_type", "what", "value", "usual", "widths")
        head = ["unlike the others: file", "structure", "config type", "in", "value", "usual", "widths outside"]
        tables.append(Table(head, [[row[k] for k in keys] for row in found["outliers"][:LONG]]))
    if found["duplicates"]:
        tables.append(Table(["repeated: file", "structure", "is in", "as", "same labels"],
                            [[*list(row.values())[:4], "yes" if row["same_labels"] else "no"]
                             for row in found["duplicates"][:LONG]]))  # fmt: skip
    return Section("The data", [], tables, _taken(pictures, "data.png"))


def _errors(report, pictures) -> Section | None:
    head = ["set", "config type", "structures"]
    head += [f"{label} {what} ({unit})" for _, label, unit, _ in QUANTITIES for what in ("MAE", "RMSE")]
    rows = []
    for split, parts in report["errors"].items():
        for name, stats in parts.items():
            cells = [stats[key] and factor * stats[key][what] for key, _, _, factor in QUANTITIES
                     for what in ("mae", "rmse")]  # fmt: skip
            rows.append([split, name, stats["structures"], *cells])
    if not rows:
        return None
    return Section("Errors", [], [Table(head, rows)], _taken(pictures, "parity.png"))


def _parts(report, pictures) -> Section | None:
    tables = []
    head = ["atoms", "MAE (meV/Å)", "RMSE (meV/Å)", "largest (meV/Å)", "RMSE / force"]
    if report.get("errors_by_element"):
        rows = [[split, symbol, *_cells(row)] for split, part in report["errors_by_element"].items()
                for symbol, row in part.items()]  # fmt: skip
        tables.append(Table(["force errors: set", "element", *head], rows))
    if report.get("errors_by_force"):
        rows = [[split, _range(row), *_cells(row)] for split, part in report["errors_by_force"].items()
                for row in part]  # fmt: skip
        tables.append(Table(["force errors: set", "force on the atom (eV/Å)", *head], rows))
    return Section("Errors in parts", [], tables, _taken(pictures, "cumulative.png"))


def _cells(row):
    return [row["atoms"], *(1e3 * row[k] for k in ("mae", "rmse", "max")), row["relative"]]


def _range(row) -> str:
    return f"above {row['above']:g}" if row["below"] is None else f"{row['above']:g} to {row['below']:g}"


def _worst(report, pictures) -> Section | None:
    tables = []
    for kind, rows in report.get("worst", {}).items():
        sigma = ["error / sigma"] if rows and "error_over_sigma" in rows[0] else []
        body = [[row["file"], row["index"], row["split"], row["config_type"], 1e3 * row["error"],
                 *([row["error_over_sigma"]] if sigma else [])] for row in rows]  # fmt: skip
        tables.append(Table([f"{WORST[kind]}: file", "structure", "set", "config type", "error", *sigma], body))
    text = f"With predictions and labels in {report['worst_file']}." if report.get("worst_file") else ""
    return Section("Worst structures", [text] * bool(text), tables, _taken(pictures, "worst.png"))


def _uncertainty(report, pictures) -> Section | None:
    if "committee_calibration" not in report:
        return None
    tables = []
    for kind, rows in report["committee_calibration"].items():
        unit = "meV/atom" if kind == "energy" else "meV/Å"
        body = [[r["n"], 1e3 * r["sigma"], 1e3 * r["rmse"], r["within_1_sigma"], r["within_2_sigma"]] for r in rows]
        head = [f"{kind}: n", f"predicted sigma ({unit})", f"RMSE ({unit})", "within 1 sigma", "within 2 sigma"]
        tables.append(Table(head, body))
    text = "Errors of structures that were not trained on, in groups of the predicted sigma: of a calibrated committee "
    return Section("Uncertainty", [text + "68 % are within one and 95 % within two."], tables,
                   _taken(pictures, "uncertainty.png"))  # fmt: skip


def _map(report, pictures) -> Section | None:
    found = report.get("similarity")
    if not found:
        return None
    held_out = [p for p in found["points"] if p["split"] != "train" and p["nearest"] is not None]
    far = sorted(held_out, key=lambda p: -p["nearest"])[:5]
    rows = [[p["file"], p["index"], p["config_type"], p["nearest"],
             None if p["force_error"] is None else 1e3 * p["force_error"]] for p in far]  # fmt: skip
    head = ["farthest from the training set: file", "structure", "config type", "distance", "force RMSE (meV/Å)"]
    text = "Principal components of the mean features, which is what the model sees of a structure. Distances are in "
    return Section("Training and test structures", [text + "units of the width of the training set."],
                   [Table(head, rows)] if rows else [], _taken(pictures, "similarity.png"))  # fmt: skip


def _learning(report, pictures) -> Section | None:
    found = report.get("learning_curve")
    if not found:
        return None
    splits = [s for s in ("validation", "test") if any(s in row["errors"] for row in found["points"])]
    head, rows = ["training structures", "regularization"], []
    for split in splits:
        head += [f"{split} energy RMSE (meV/atom)", f"{split} force RMSE (meV/Å)"]
    for row in found["points"]:
        of = [row["errors"].get(s, {}).get(k) for s in splits for k in ("energy", "forces")]
        rows.append([row["structures"], row["lam"], *(e and 1e3 * e["rmse"] for e in of)])
    return Section("Learning curve", [found["how"]], [Table(head, rows)], _taken(pictures, "learning_curve.png"))


def _outside(report, pictures) -> Section | None:
    found = report.get("outside")
    if not found:
        return None
    rows = [[symbol, e] for symbol, e in found["separated_atoms"].items()]
    texts = [f"Close pairs: {found['close_pairs']['verdict']}: {found['close_pairs']['reason']}."]
    if found.get("cohesion") is not None:
        texts.append(f"Cohesion of the training structures: {found['cohesion']:.3g} eV/atom (median).")
    texts += [f"Not in the training set: {text}." for text in report.get("lacking", ())]
    return Section("Where there are no data", texts, [Table(["separated atom", "energy (eV)"], rows)],
                   _taken(pictures, "outside.png"))  # fmt: skip


def _others(report, pictures) -> Section:
    return Section("Tensors, curves, regularization", [], [],
                   _taken(pictures, "tensors.png", "curves.png", "regularization.png"))  # fmt: skip


def _options(report, pictures) -> Section | None:
    if "options" not in report:
        return None
    return Section("Options", blocks=[yaml.safe_dump(report["options"], sort_keys=False)])


def title_of(report: dict, folder: Path) -> str:
    """The headline of the page."""
    return f"Report of {report['model']}" if report.get("model") else f"Report in {folder.name}"
