# SPDX-License-Identifier: BSD-3-Clause
"""How far the numbers of a converted potential are from those of QUIP."""

from __future__ import annotations

import numpy as np

from ..running.views import views
from .reference import NoQuippy, quippy_results
from .turbo import Turbo

HEADER = "structure  atoms   E/atom      E_i        F   largest F   stress    (errors against quippy; eV, Angstrom)"


def comparison(gap, model, frames) -> list[str]:
    """Lines of a table, one for each structure; one sentence if quippy is not installed.

    Raises ValueError for structures with other elements, RuntimeError with what quippy says."""
    try:
        expected = quippy_results(gap.path, gap.label, frames)
    except NoQuippy as error:
        return [str(error)]
    potential, lines = model.potential(), [HEADER]
    for k, (atoms, quippy) in enumerate(zip(frames, expected, strict=True)):
        potential.reset()
        results = potential.compute(*views(potential, atoms))
        stress = -results["virial"] / atoms.get_volume() if atoms.cell.rank == 3 else np.zeros((3, 3))
        energies, forces = np.array(quippy["energies"]), np.array(quippy["forces"])
        errors = (
            abs(results["energies"].sum() - energies.sum()) / len(atoms),
            np.abs(results["energies"] - energies).max(),
            np.abs(results["forces"] - forces).max(),
            np.abs(forces).max(),
            np.abs(stress - np.array(quippy["stress"])).max(),
        )
        lines.append(f"{k:9d} {len(atoms):6d}   {errors[0]:.1e}  {errors[1]:.1e}  {errors[2]:.1e}  {errors[3]:9.3g}  "
                     f"{errors[4]:.1e}")  # fmt: skip
    return lines + _remarks(gap, model)


def _remarks(gap, model):
    notes = []
    coordinates = [c for potential in gap.potentials for c in potential.coordinates]
    turbos = {(t.l_max, t.radials) for t in (Turbo.of(c) for c in coordinates if c.kind.lower() == "soap_turbo")}
    if len(turbos) > 1:
        notes.append("quippy 0.10.3 uses the basis of the first soap_turbo for the others, too: it is wrong here")
    if any(entry.coordinates == "sides" for entry in model.triples):
        notes.append("E_i differ where distance_Nb has order 3: its energy belongs to the center, in QUIP to all three")
    return notes
