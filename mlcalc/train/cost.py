# SPDX-License-Identifier: BSD-3-Clause
"""What a model costs to run."""

from __future__ import annotations

import time

from threadpoolctl import threadpool_limits

from ..running.views import views

#: atoms of the system that is timed, about: enough that a call's own cost does not count
ATOMS = 400


def repeats(atoms, n_atoms: int = ATOMS) -> int:
    """How often each vector of the cell is repeated for about so many atoms; once where it is not periodic."""
    return max(1, round((n_atoms / len(atoms)) ** (1 / 3))) if atoms.pbc.all() else 1


def microseconds_per_atom(model, atoms, seconds: float = 0.5) -> float:
    """Energy, forces and virial of ``model`` on one core, us per atom: the fastest call of some within ``seconds``.

    ``atoms`` (ase.Atoms) is repeated to about 400 atoms where it is periodic; the neighbor list is given, as dynamics
    keep it."""
    atoms = atoms.repeat(repeats(atoms))
    with threadpool_limits(1):
        potential = model.potential()
        arguments = views(potential, atoms)
        potential.compute(*arguments)  # makes tables
        fastest, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            potential.compute(*arguments)
            fastest = min(fastest, time.perf_counter() - start)
    return 1e6 * fastest / len(atoms)
