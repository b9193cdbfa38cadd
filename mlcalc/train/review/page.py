# SPDX-License-Identifier: BSD-3-Clause
"""The page of a report, which has in one file what a researcher looks at first."""

from __future__ import annotations

from pathlib import Path

from ...page import png, write_page
from . import figures
from .breakdown import cumulative, errors_by_element, errors_by_force
from .sections import sections_of, title_of
from .similarity import similarity
from .statistics import measured
from .worst import write_worst


def parts_of(predictions) -> dict:
    """Errors by element, by force and cumulative, for report.json."""
    return {
        "errors_by_element": errors_by_element(predictions),
        "errors_by_force": errors_by_force(predictions),
        "cumulative_errors": cumulative(predictions),
    }


def draw(folder: Path, report: dict, predictions, scale: float | None, model, threads: int, engine) -> dict:
    """The pictures {file name: figure} beside those of the errors; what they show is put into the report."""
    drawn = {}
    structures = [p.structure for p in predictions]
    if structures:
        drawn["data.png"] = figures.data([measured(s) for s in structures], [s.split for s in structures])
    if report.get("cumulative_errors"):
        drawn["cumulative.png"] = figures.cumulative(report["cumulative_errors"])
    if model is not None and predictions:
        report["similarity"] = similarity(model, predictions, threads, engine)
        if report["similarity"]:
            drawn["similarity.png"] = figures.similarity(report["similarity"])
    if report.get("learning_curve"):
        drawn["learning_curve.png"] = figures.learning(report["learning_curve"]["points"])
    if report.get("worst"):
        name, figure = write_worst(folder, report, predictions, scale)
        if figure is not None:
            report["worst_file"], drawn["worst.png"] = name, figure
    return drawn


def write_html(folder: Path, report: dict, pictures: dict[str, bytes]):
    """Writes ``report.html``."""
    write_page(Path(folder) / "report.html", title_of(report, Path(folder)), sections_of(report, pictures))


__all__ = ["draw", "parts_of", "png", "write_html"]
