# SPDX-License-Identifier: BSD-3-Clause
"""Structures with what a model predicts for them beside their labels, as extxyz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from .errors import Prediction, errors_of
from .frames import write_frames


def write_predictions(path, predictions: list[Prediction], scale: float = 1.0, tensors=None):
    """Structures with predicted energy, forces and stress as extxyz; the labels as reference_*, in eV and Angstrom.
    ``tensors`` (LabeledTensors) of the same structures are predicted_* and reference_*; alone, if there are no others.
    """
    frames = annotated(predictions, scale)
    if not predictions and tensors is not None:
        frames = [s.atoms.copy() for s in tensors.structures]
        for atoms, s in zip(frames, tensors.structures, strict=True):
            atoms.info["split"], atoms.info["config_type"] = s.split, s.config_type
    for k, atoms in enumerate(frames if tensors is not None else []):
        tensors.annotate(k, atoms)
    write_frames(Path(path), frames)


def annotated(predictions, scale):
    """ase.Atoms with predicted energy, forces and stress; labels are reference_*, in eV and Angstrom."""
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
