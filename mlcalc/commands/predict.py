# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc predict``: what a model says about structures, labels or not, as extxyz."""

from __future__ import annotations

import sys
from pathlib import Path

import ase.io
import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator
from tqdm import tqdm

from ..files import write_atomically
from ..running.calculator import MLCalculator
from ..running.views import UnknownSpecies
from ..train.data import read_frames
from ..train.option_checks import DataError

STANDARD = ("energy", "forces", "stress")


def predict_files(model, paths, index=":", output="predictions.xyz", *, progress=True, **options) -> str:
    """Writes the predictions for all structures of some files and returns a line that says what is where.

    ``options`` are those of MLCalculator. Raises DataError that names the file and the structure."""
    calculator = MLCalculator(model, **options)
    named = [(path, k, atoms) for path in paths for k, atoms in enumerate(read_frames(path, index))]
    made = []
    for path, k, atoms in tqdm(named, unit="structure", disable=not progress, file=sys.stderr):
        try:
            made.append(predicted(calculator, atoms))
        except UnknownSpecies as error:
            raise DataError(f"{path}, structure {k}: the model does not know {', '.join(error.symbols)}") from None
        except ValueError as error:
            raise DataError(f"{path}, structure {k}: {error}") from error
    write_atomically(Path(output), lambda stream: _write(stream, made))
    return f"{len(made)} structures: {output}"


def predicted(calculator: MLCalculator, atoms) -> ase.Atoms:
    """A copy of the structure with everything that the model says about it (eV, Angstrom)."""
    copy = atoms.copy()
    calculator.reset()  # every structure has a k list or mesh of its own
    names = ["energy", "forces", *(["stress"] if atoms.cell.rank == 3 else [])]
    names = [name for name in names if name in calculator.implemented_properties]
    results = {name: calculator.get_property(name, atoms) for name in names}
    for name, value in _tensors(calculator, atoms).items():
        copy.info[f"predicted_{name}"] = value
    if calculator.n_members > 1 and "energy" in results:
        copy.info["energy_uncertainty"] = float(calculator.get_property("energy_uncertainty", atoms))
        copy.arrays["forces_uncertainty"] = np.array(calculator.get_property("forces_uncertainty", atoms))
    if calculator.has_extrapolation:
        copy.arrays["extrapolation"] = np.array(calculator.get_property("extrapolation", atoms))
    for name in STANDARD:  # labels of the same names would hide the predictions
        copy.info.pop(name, None)
        copy.arrays.pop(name, None)
    copy.calc = SinglePointCalculator(copy, **results)
    return copy


def _tensors(calculator, atoms) -> dict:
    """The sums of the tensors that are defined for these atoms; the dipole of a periodic system as its polarization."""
    names, found = list(calculator.tensors.outputs), {}
    if "polarization" in calculator.tensors.needs:
        names.append("polarization")
    for name in names:
        try:
            found[name] = calculator.get_property(name, atoms)
        except PropertyNotImplementedError:
            continue
    return found


def _write(stream, frames):
    import io

    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    stream.write(text.getvalue().encode())
