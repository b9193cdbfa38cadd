# SPDX-License-Identifier: BSD-3-Clause
"""What models cost beside their errors: measured time, and the front."""

from __future__ import annotations

import numpy as np

from ..model import Model
from ..train.cost import microseconds_per_atom, repeats

#: of evaluations
SECONDS = 0.5


def cost_of(path, structures) -> dict:
    """{us_per_atom, atoms, formula}: of the training structure of median size, or its supercell."""
    frames = sorted((s.atoms for s in structures if len(s.atoms)), key=len)
    atoms = frames[len(frames) // 2]
    cost = microseconds_per_atom(Model.load(path), atoms, SECONDS)
    return {"us_per_atom": cost, "atoms": repeats(atoms) ** 3 * len(atoms), "formula": atoms.get_chemical_formula()}


def front(costs, errors) -> list[int]:
    """Indices of those that no other beats in both cost and error (Pareto), from the cheapest."""
    chosen, least = [], np.inf
    for k in np.lexsort((errors, costs)):
        if errors[k] < least:
            chosen.append(int(k))
            least = errors[k]
    return chosen
