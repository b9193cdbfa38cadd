# SPDX-License-Identifier: BSD-3-Clause
"""The report beside a model: tables, figures, and all of it as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from .errors import Prediction, calibration, error_table, format_table, stress_warning, unseen


def write_report(folder, predictions: list[Prediction], *, scale: float | None = None, extra: dict | None = None,
                 notes=(), figures: bool = True) -> dict:  # fmt: skip
    """Writes report.json, report.txt and figures into ``folder`` and returns what is in the JSON.

    ``scale`` is the calibration of a committee; ``extra`` goes into the JSON as it is."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = error_table(predictions)
    report = {"errors": table, "units": "eV, Angstrom", **(extra or {}), "notes": list(notes)}
    held_out = unseen(predictions)
    text = [format_table(table)]
    if scale is not None and held_out and held_out[0].member_energies is not None:
        report["committee_calibration"] = calibration(held_out, scale)
        text.append(_calibration_text(report["committee_calibration"], scale))
    curves = distance_curves(predictions)
    if curves:
        report["curves"] = curves
    warning = stress_warning(predictions)
    if warning:
        report["notes"].append("WARNING: " + warning)
    text += report["notes"]
    report["text"] = "\n\n".join(text)
    (folder / "report.json").write_text(json.dumps(report, indent=1, default=_plain))
    (folder / "report.txt").write_text(report["text"] + "\n")
    if figures:
        from . import plots

        report["figures"] = plots.draw(folder, predictions, scale, curves, report.get("regularization"))
    return report


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _calibration_text(tables: dict, scale: float) -> str:
    lines = [f"Committee, calibrated by {scale:.3g}: predicted sigma against held-out error"]
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


def write_predictions(path, predictions: list[Prediction], scale: float = 1.0):
    """Structures with predicted energy, forces and stress as extxyz; the labels as reference_*, in eV and Angstrom."""
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
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    ase.io.write(path, frames, format="extxyz")
