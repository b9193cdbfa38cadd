# SPDX-License-Identifier: BSD-3-Clause
"""The report beside a model: tables, figures, and all of it as JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from ..checks.run import draw
from ..files import write_bytes, write_json
from . import advice, tensor_errors
from .errors import (
    Prediction,
    calibration,
    error_table,
    errors_of,
    force_uncertainty,
    format_table,
    format_worst,
    unseen,
    worst,
)
from .frames import write_frames
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
    if report["worst"]:
        text.append(format_worst(report["worst"]))
    text += report["notes"]
    report["text"] = "\n\n".join(text)
    return report


def write_report(folder, report: dict, predictions: list[Prediction], *, scale: float | None = None,
                 figures: bool = True, checks=(), tensors=None):  # fmt: skip
    """Writes report.json, report.txt and figures, also of ``checks`` and ``tensors``, into ``folder``; their names are
    put into the report."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if figures:
        from . import plots

        choice = report.get("regularization")
        report["figures"] = []
        if predictions:
            report["figures"] = plots.draw(folder, predictions, scale, report.get("curves"), choice)
        if tensors is not None:
            tensors.figure().savefig(folder / "tensors.png", dpi=130)
            report["figures"].append("tensors.png")
        if checks:
            draw(checks, folder / "outside.png")
            report["figures"].append("outside.png")
    write_json(folder / "report.json", _finite(report), indent=1, default=_plain, allow_nan=False)
    write_bytes(folder / "report.txt", (report["text"] + "\n").encode())


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


def write_predictions(path, predictions: list[Prediction], scale: float = 1.0, tensors=None):
    """Structures with predicted energy, forces and stress as extxyz; the labels as reference_*, in eV and Angstrom.
    ``tensors`` (LabeledTensors) of the same structures are predicted_* and reference_*; alone, if there are no others.
    """
    frames = _annotated(predictions, scale)
    if not predictions and tensors is not None:
        frames = [s.atoms.copy() for s in tensors.structures]
        for atoms, s in zip(frames, tensors.structures, strict=True):
            atoms.info["split"], atoms.info["config_type"] = s.split, s.config_type
    for k, atoms in enumerate(frames if tensors is not None else []):
        tensors.annotate(k, atoms)
    write_frames(Path(path), frames)


def _annotated(predictions, scale):
    frames = []
    for p in predictions:
        s = p.structure
        atoms = s.atoms.copy()
        results = {"energy": p.energy, "forces": p.forces}
        atoms.info["split"] = s.split
        atoms.info["config_type"] = s.config_type
        if p.volume:
            results["stress"] = full_3x3_to_voigt_6_stress(-p.virial / p.volume)
            if s.virial is not None:
                atoms.info["reference_stress"] = -s.virial / p.volume
        if s.energy is not None:
            atoms.info["reference_energy"] = s.energy
        if s.forces is not None:
            atoms.arrays["reference_forces"] = s.forces
        if p.member_energies is not None:
            atoms.info["energy_uncertainty"] = scale * float(np.std(p.member_energies, ddof=1))
            atoms.arrays["forces_uncertainty"] = scale * np.std(p.member_forces, axis=0, ddof=1)
        errors = errors_of([p])
        if s.energy is not None:
            atoms.info["energy_error_per_atom"] = float(errors["energy"][0])
        if s.forces is not None and len(s.atoms):
            atoms.info["largest_force_error"] = float(np.abs(errors["forces"]).max())
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames
