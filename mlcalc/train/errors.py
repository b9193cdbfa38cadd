# SPDX-License-Identifier: BSD-3-Clause
"""Predictions of a model for labeled structures, and the error tables made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress as voigt

from .committee import calibration_scale, calibration_table
from .data import Structure, located
from .data_options import SPLITS
from .engine import Engine, ordered_map

#: (JSON name, label, unit, factor from eV and Angstrom)
QUANTITIES = (
    ("energy", "energy", "meV/atom", 1e3),
    ("forces", "force", "meV/Angstrom", 1e3),
    ("stress", "stress", "meV/Angstrom^3", 1e3),
)


@dataclass
class Prediction:
    """What the model says about one structure. Member arrays have the members first and are not scaled."""

    structure: Structure
    energy: float
    forces: np.ndarray
    virial: np.ndarray
    member_energies: np.ndarray | None = None
    member_forces: np.ndarray | None = None

    @property
    def n_atoms(self) -> int:
        return len(self.structure.atoms)

    @property
    def volume(self) -> float | None:
        cell = self.structure.atoms.cell
        return float(abs(cell.volume)) if cell.rank == 3 else None


def predict(model, structures, threads=1, engine=None, progress=None, offsets=None) -> list[Prediction]:
    """Energies, forces, virials and committee members of all structures, by the same engine that runs dynamics.

    ``offsets`` {group: eV} are added to the energies of structures of that offset group."""
    runner = Engine(model, engine)
    members = model.committee is not None

    def one(s):
        with located(s):
            out = runner.compute(s.atoms, members=members, member_forces=members)
        offset = (offsets or {}).get(s.offset_group, 0.0)
        return Prediction(
            s,
            float(np.sum(out["energies"])) + offset,
            out["forces"],
            out["virial"],
            out["member_energies"].sum(axis=0) if members else None,
            out["member_forces"] if members else None,
        )

    results = ordered_map(one, structures, threads)
    return list(progress(results, total=len(structures), desc="predictions") if progress else results)


def errors_of(predictions: list[Prediction]) -> dict[str, np.ndarray]:
    """Prediction minus label: energy per atom, force components, stress components; only where there are labels."""
    energy = [(p.energy - p.structure.energy) / p.n_atoms for p in predictions if p.structure.energy is not None]
    forces = [(p.forces - p.structure.forces).ravel() for p in predictions if p.structure.forces is not None]
    stress = [
        -voigt(p.virial - p.structure.virial) / p.volume
        for p in predictions
        if p.structure.virial is not None and p.volume
    ]
    return {
        "energy": np.array(energy),
        "forces": np.concatenate(forces) if forces else np.zeros(0),
        "stress": np.concatenate(stress) if stress else np.zeros(0),
    }


def statistics_of(errors: np.ndarray) -> dict | None:
    """{n, mae, rmse, max} of some errors; None of none."""
    if len(errors) == 0:
        return None
    return {
        "n": int(len(errors)),
        "mae": float(np.mean(np.abs(errors))),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "max": float(np.max(np.abs(errors))),
    }


def error_table(predictions: list[Prediction]) -> dict:
    """{split: {config type or "all": {energy, forces, stress: {n, mae, rmse, max}}}} in eV and Angstrom."""
    table: dict = {}
    for split in [s for s in SPLITS if any(p.structure.split == s for p in predictions)]:
        mine = [p for p in predictions if p.structure.split == split]
        types = sorted({p.structure.config_type for p in mine})
        parts = {"all": mine}
        if len(types) > 1:
            parts.update({t: [p for p in mine if p.structure.config_type == t] for t in types})
        table[split] = {
            name: {q: statistics_of(e) for q, e in errors_of(part).items()} | {"structures": len(part)}
            for name, part in parts.items()
        }
    return table


def format_table(table: dict) -> str:
    """The error table as text, MAE / RMSE in meV."""
    lines = [f"{'set':<11} {'config type':<18} {'structures':>10}" + "".join(
        f" {f'{label} MAE / RMSE':>21}" for _, label, _, _ in QUANTITIES)]  # fmt: skip
    lines.append(" " * 41 + "".join(f" {unit:>21}" for _, _, unit, _ in QUANTITIES))
    for split, parts in table.items():
        for name, stats in parts.items():
            row = f"{split:<11} {name[:18]:<18} {stats['structures']:>10}"
            for key, _, _, factor in QUANTITIES:
                s = stats[key]
                cell = "-" if s is None else f"{s['mae'] * factor:.3g} / {s['rmse'] * factor:.3g}"
                row += f" {cell:>21}"
            lines.append(row)
    return "\n".join(lines)


def uncertainties(predictions: list[Prediction], kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Errors and unscaled committee standard deviations: energies per atom, or force components."""
    errors, spread = [], []
    for p in predictions:
        if kind == "energy" and p.structure.energy is not None:
            errors.append([(p.energy - p.structure.energy) / p.n_atoms])
            spread.append([np.std(p.member_energies, ddof=1) / p.n_atoms])
        elif kind == "forces" and p.structure.forces is not None:
            errors.append((p.forces - p.structure.forces).ravel())
            spread.append(np.std(p.member_forces, axis=0, ddof=1).ravel())
    if not errors:
        return np.zeros(0), np.zeros(0)
    return np.concatenate(errors), np.concatenate(spread)


def calibrate(predictions: list[Prediction], n_members: int, kind: str) -> dict:
    """Scales of the committee from held-out predictions, and the table that shows whether they can be believed."""
    result: dict = {}
    for name in ("energy", "forces"):
        errors, spread = uncertainties(predictions, name)
        if len(errors):
            result[name] = {"scale": calibration_scale(errors, spread, n_members), "n": int(len(errors))}
    chosen = kind if kind in result else next(iter(result), None)
    result["used"] = chosen
    result["scale"] = result[chosen]["scale"] if chosen else 1.0
    return result


def unseen(predictions: list[Prediction]) -> list[Prediction]:
    """What a committee is judged by: the test set, which has not even set its scale; without one the validation set."""
    for split in ("test", "validation"):
        mine = [p for p in predictions if p.structure.split == split]
        if mine:
            return mine
    return predictions


def calibration(predictions: list[Prediction], scale: float) -> dict:
    """Tables of predicted sigma and held-out error, per kind of label."""
    tables = {}
    for name in ("energy", "forces"):
        errors, spread = uncertainties(predictions, name)
        if len(errors):
            tables[name] = calibration_table(errors, scale * spread)
    return tables


def force_uncertainty(predictions: list[Prediction], scale: float) -> dict:
    """{split: {median, max}} of the calibrated uncertainty of the force on an atom (norm over x, y, z), eV/Angstrom."""
    table = {}
    for split in SPLITS:
        mine = [p for p in predictions if p.structure.split == split and p.n_atoms]
        if mine:
            spread = [np.linalg.norm(np.std(p.member_forces, axis=0, ddof=1), axis=1) for p in mine]
            norms = scale * np.concatenate(spread)
            table[split] = {"median": float(np.median(norms)), "max": float(np.max(norms))}
    return table


def worst(predictions: list[Prediction], sigma: dict[str, list[float]] | None = None, n: int = 10) -> dict:
    """{energy, forces, stress: the ``n`` structures with the largest errors, first the largest}.

    Each is {file, index, split, config_type, error}: of the energy per atom, of the largest component of a force or of
    the stress, in eV and Angstrom; with ``sigma`` (expected error of each structure, by kind), also error / sigma."""
    table: dict = {}
    for name in ("energy", "forces", "stress"):
        rows = []
        for k, p in enumerate(predictions):
            errors = errors_of([p])[name]
            if len(errors):
                s = p.structure
                row: dict = {"file": s.source, "index": s.index, "split": s.split, "config_type": s.config_type,
                       "error": float(errors[np.argmax(np.abs(errors))])}  # fmt: skip
                if sigma is not None:
                    row["error_over_sigma"] = row["error"] / sigma[name][k]
                rows.append(row)
        if rows:
            table[name] = sorted(rows, key=lambda row: -abs(row["error"]))[:n]
    return table


def format_worst(table: dict) -> str:
    """The worst structures as text, errors in meV."""
    lines = ["Largest errors"]
    for key, label, unit, factor in QUANTITIES:
        for row in table.get(key, ()):
            over = f"{row['error_over_sigma']:>9.1f} sigma" if "error_over_sigma" in row else ""
            lines.append(f"{label:<7} {row['error'] * factor:>10.3g} {unit:<16}{over}  {row['split']:<10} "
                         f"{row['file']}, structure {row['index']}")  # fmt: skip
    return "\n".join(lines)
