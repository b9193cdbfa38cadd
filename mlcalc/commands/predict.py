# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc predict``: what a model says about structures, labels or not, as extxyz or a database."""

from __future__ import annotations

import heapq
import os
import secrets
import sys
from pathlib import Path

import ase
import ase.db
import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator
from tqdm import tqdm

from ..files import write_atomically
from ..running.calculator import MLCalculator
from ..running.views import UnknownSpecies
from ..train.frames import as_bytes, stream_frames
from ..train.option_checks import DataError

STANDARD = ("energy", "forces", "stress")
#: structures that are shown on the screen
SHOWN = 20


def predict_files(model, paths, index=":", output="predictions.xyz", *, progress=True, **options) -> str:
    """Writes the predictions for all structures of some files, one after the other, as extxyz or, where the output ends
    in .db, as a database of ASE. Returns a table of the least certain structures and a line that says what is where.

    ``options`` are those of MLCalculator. Raises DataError that names the file and the structure."""
    if Path(output).resolve() in {Path(path).resolve() for path in paths}:
        raise DataError(f"{output} is one of the files that are read; name another output")
    calculator, lines = MLCalculator(model, **options), _Lines()
    named = ((path, k, atoms) for path in paths for k, atoms in enumerate(stream_frames(path, index)))
    made = _predictions(calculator, tqdm(named, unit=" structures", disable=not progress, file=sys.stderr), lines)
    if Path(output).suffix == ".db":
        _write_database(Path(output), made)
    else:
        write_atomically(Path(output), lambda stream: stream.writelines(as_bytes([atoms]) for atoms in made))
    return f"{lines.table()}\n{lines.n} structures: {output}"


def _predictions(calculator, named, lines: _Lines):
    for path, k, atoms in named:
        try:
            made = predicted(calculator, atoms)
        except UnknownSpecies as error:
            raise DataError(f"{path}, structure {k}: the model does not know {', '.join(error.symbols)}") from None
        except ValueError as error:
            raise DataError(f"{path}, structure {k}: {error}") from error
        lines.add(path, k, made)
        yield made


def _write_database(path: Path, frames):
    """As write_atomically for a database, which wants a path."""
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.db")
    try:
        with ase.db.connect(temporary, append=False) as database:
            for atoms in frames:
                pairs = {k: v for k, v in atoms.info.items() if k == "energy_uncertainty"}
                data = {k: atoms.arrays[k] for k in ("forces_uncertainty", "extrapolation") if k in atoms.arrays}
                data |= {k: v for k, v in atoms.info.items() if k not in pairs}
                database.write(atoms, key_value_pairs=pairs, data=data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        temporary.with_name(temporary.name + ".lock").unlink(missing_ok=True)


class _Lines:
    """The structures about which the model is least certain: by the force of which it is, else by extrapolation."""

    def __init__(self):
        self.n = 0
        self._heap: list[tuple] = []

    def add(self, path, k, atoms):
        energy = atoms.calc.results.get("energy")
        spread = atoms.arrays.get("forces_uncertainty", np.zeros((0, 3)))
        force = float(np.linalg.norm(spread, axis=1).max()) if len(spread) else None
        outside = float(np.max(atoms.arrays["extrapolation"], initial=0.0)) if "extrapolation" in atoms.arrays else None
        worst = force if force is not None else outside if outside is not None else 0.0
        sigma = atoms.info.get("energy_uncertainty")
        n = max(1, len(atoms))
        cells = [None if energy is None else energy / n, None if sigma is None else 1e3 * sigma / n, force, outside]
        row = (worst, -self.n, f"{path}, structure {k}", cells)
        self.n += 1
        (heapq.heappush if len(self._heap) < SHOWN else heapq.heappushpop)(self._heap, row)

    def table(self) -> str:
        """Energy and its uncertainty per atom, the most uncertain force, extrapolation; the largest first."""
        head = f"{'eV/atom':>12} {'+- meV/atom':>12} {'force +- eV/A':>14} {'extrapolation':>14}"
        lines = [head]
        for _, _, name, cells in sorted(self._heap, reverse=True):
            texts = [
                "-" if cell is None else f"{cell:.6g}" if k == 0 else f"{cell:.3g}" for k, cell in enumerate(cells)
            ]
            widths = (12, 12, 14, 14)
            lines.append(" ".join(f"{text:>{w}}" for text, w in zip(texts, widths, strict=True)) + f"  {name}")
        if self.n > SHOWN:
            lines.append(f"and {self.n - SHOWN} that are more certain")
        return "\n".join(lines)


def predicted(calculator: MLCalculator, atoms) -> ase.Atoms:
    """A copy of the structure with everything that the model says about it (eV, Angstrom)."""
    copy = atoms.copy()
    calculator.reset()  # every structure has a k list or mesh of its own
    names = ["energy", "forces", *(["stress"] if atoms.cell.rank == 3 else [])]
    names = [name for name in names if name in calculator.implemented_properties]
    spread = ["energy_uncertainty", "forces_uncertainty"] if calculator.n_members > 1 and "energy" in names else []
    measure = ["extrapolation"] if calculator.has_extrapolation else []
    # all at once: each that is asked for later would be another evaluation
    calculator.calculate(atoms, [*names, *spread, *measure, *_tensor_names(calculator)])
    results = {name: calculator.get_property(name, atoms) for name in names}
    for name, value in _tensors(calculator, atoms).items():
        copy.info[f"predicted_{name}"] = value
    if spread:
        copy.info["energy_uncertainty"] = float(calculator.get_property("energy_uncertainty", atoms))
        copy.arrays["forces_uncertainty"] = np.array(calculator.get_property("forces_uncertainty", atoms))
    if measure:
        copy.arrays["extrapolation"] = np.array(calculator.get_property("extrapolation", atoms))
    for name in STANDARD:  # labels of the same names would hide the predictions
        copy.info.pop(name, None)
        copy.arrays.pop(name, None)
    copy.calc = SinglePointCalculator(copy, **results)
    return copy


def _tensor_names(calculator) -> list[str]:
    return [*calculator.tensors.outputs, *(["polarization"] if "polarization" in calculator.tensors.needs else [])]


def _tensors(calculator, atoms) -> dict:
    """The sums of the tensors that are defined for these atoms; the dipole of a periodic system as its polarization."""
    found = {}
    for name in _tensor_names(calculator):
        try:
            found[name] = calculator.get_property(name, atoms)
        except PropertyNotImplementedError:
            continue
    return found
