# SPDX-License-Identifier: BSD-3-Clause
"""The report beside a model: tables and pictures as text, as one HTML page, and all of it as JSON."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..checks.page import figure_of
from ..files import write_bytes, write_json
from . import advice, tensor_errors
from .errors import (
    Prediction,
    calibration,
    error_table,
    force_uncertainty,
    format_table,
    format_worst,
    unseen,
    worst,
)
from .learning_curve import text_of as text_of_curve
from .review import page
from .soundness import text_of


def make_report(predictions: list[Prediction], *, scale: float | None = None, extra: dict | None = None, notes=(),
                sigma: dict | None = None) -> dict:  # fmt: skip
    """What is in report.json: errors, worst structures, calibration of a committee, notes, and all of it as text.

    ``scale`` is the calibration of a committee; ``extra`` goes into it as it is; ``sigma`` as for `worst`."""
    table = error_table(predictions)
    report = {"errors": table, "units": "eV, Angstrom", **(extra or {}), "notes": list(notes)}
    held_out = unseen(predictions)
    text = [format_table(table)] if predictions else []
    if "tensors" in report:
        text.append(tensor_errors.text_of(report["tensors"]))
    if scale is not None and held_out and held_out[0].member_energies is not None:
        report["committee_calibration"] = calibration(held_out, scale)
        used = (extra or {}).get("committee", {}).get("used")
        text.append(_calibration_text(report["committee_calibration"], scale, used))
        report["force_uncertainty"] = force_uncertainty(predictions, scale)
        lines = [f"{split:<11} median {1e3 * row['median']:.3g}, largest {1e3 * row['max']:.3g} meV/Angstrom"
                 for split, row in report["force_uncertainty"].items()]  # fmt: skip
        text.append("\n".join(["Uncertainty of the force on an atom (what a limit is compared with)", *lines]))
    curves = distance_curves(predictions)
    if curves:
        report["curves"] = curves
    report["worst"] = worst(predictions, sigma)
    if "outside" in report:
        text.append(text_of(report["outside"]))
    if report.get("lacking"):
        text.append(advice.text_of(report["lacking"]))
    if report.get("learning_curve"):
        text.append(text_of_curve(report["learning_curve"]))
    if report["worst"]:
        text.append(format_worst(report["worst"]))
    text += report["notes"]
    report["text"] = "\n\n".join(text)
    return report


def write_report(folder, report: dict, predictions: list[Prediction], *, scale: float | None = None,
                 figures: bool = True, checks=(), tensors=None, model=None, threads: int = 1, engine=None):  # fmt: skip
    """Writes report.json and report.txt, and with ``figures`` report.html and pictures, also of ``checks`` and
    ``tensors``, into ``folder``; what they show is put into the report.

    The model is there already: what cannot be made is a warning."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _warned(report, "errors in parts"):
        report |= page.parts_of(predictions)
    if figures:
        drawn: dict = {}
        with _warned(report, "pictures"):
            drawn |= _drawn(report, predictions, scale, checks, tensors)
        with _warned(report, "pictures of the data and the worst structures"):
            drawn |= page.draw(folder, report, predictions, scale, model, threads, engine)
        with _warned(report, "report.html"):
            pictures = {name: page.png(figure) for name, figure in drawn.items()}
            for name, contents in pictures.items():
                write_bytes(folder / name, contents)
            report["figures"] = list(pictures)
            page.write_html(folder, report, pictures)
    write_json(folder / "report.json", _finite(report), indent=1, default=_plain, allow_nan=False)
    write_bytes(folder / "report.txt", (report["text"] + "\n").encode())


def _drawn(report, predictions, scale, checks, tensors) -> dict:
    """{file name: figure} of errors, tensors and checks."""
    from . import plots

    drawn: dict = {}
    if predictions:
        drawn |= plots.draw(predictions, scale, report.get("curves"), report.get("regularization"))
    if tensors is not None:
        drawn["tensors.png"] = tensors.figure()
    if checks:
        drawn["outside.png"] = figure_of(checks)
    return drawn


@contextmanager
def _warned(report: dict, what: str):
    """A failure becomes a sentence of the report."""
    try:
        yield
    except Exception as error:  # matplotlib and ASE raise whatever they like
        text = f"WARNING: {what} could not be made: {' '.join(str(error).split()) or type(error).__name__}"
        report["notes"].append(text)
        report["text"] += f"\n\n{text}"


def _finite(value):
    """The same with null for what is not a number, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_finite(v) for v in value]
    return None if isinstance(value, (float, np.floating)) and not np.isfinite(value) else value


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _calibration_text(tables: dict, scale: float, used: str | None) -> str:
    of = f" on the {used} of the validation set" if used else ""
    lines = [f"Committee, calibrated{of} by {scale:.3g}: predicted sigma against held-out error"]
    for kind, rows in tables.items():
        unit = "meV/atom" if kind == "energy" else "meV/Angstrom"
        lines.append(f"{kind} ({unit})      n      sigma       rmse   within 1 sigma   within 2 sigma")
        for r in rows:
            lines.append(
                f"{'':<14}{r['n']:>8} {1e3 * r['sigma']:>10.3g} {1e3 * r['rmse']:>10.3g} "
                f"{r['within_1_sigma']:>16.2f} {r['within_2_sigma']:>16.2f}"
            )
    return "\n".join(lines)


def distance_curves(predictions: list[Prediction]) -> dict:
    """Binding or dissociation curves {name: [{distance, energy, predicted, split}]} where the data has a distance,
    one per offset group, or else per config type and composition."""
    curves: dict = {}
    for p in predictions:
        s = p.structure
        if s.distance is None or s.energy is None:
            continue
        name = s.offset_group or f"{s.config_type} {s.atoms.get_chemical_formula()}"
        point = {"distance": s.distance, "energy": s.energy, "predicted": p.energy, "split": s.split}
        curves.setdefault(name, []).append(point)
    return {name: sorted(points, key=lambda q: q["distance"]) for name, points in curves.items() if len(points) > 1}
