# SPDX-License-Identifier: BSD-3-Clause
"""How accurate the far field is for the atoms at hand."""

from typing import NamedTuple

import numpy as np

from .views import views

_FINER = 30.0  # the reference is that much more accurate, so that its own error does not matter


class FarFieldError(NamedTuple):
    """Root mean square error of a force component in eV/Angstrom, and relative to the forces."""

    absolute: float
    relative: float


def measured_error(model, atoms, accuracy=1e-5, **options):
    """The error of the forces that the evaluator of the far field makes, measured on these atoms.

    ``model`` is a `Model`, ``atoms`` an ASE object with species of the model; ``accuracy`` and ``options`` are those of
    the engine (``lode``, ``mesh``, ``order``, ..). The forces are compared with those of the same evaluator at a thirty
    times better accuracy, whose mesh or k list is a little larger: two evaluations. Free boundaries have no such error.
    Raises UnknownSpecies for other species, and ValueError as the engine does.
    """
    coarse = model.potential(accuracy=accuracy, **options)
    kept = {key: value for key, value in options.items() if key not in ("mesh", "order", "k_cutoff")}
    fine = model.potential(accuracy=max(accuracy / _FINER, 1e-12), **kept)
    arguments = views(coarse, atoms)
    forces, exact = (potential.compute(*arguments)["forces"] for potential in (coarse, fine))
    size, error = (np.sqrt(np.mean(values**2)) for values in (exact, forces - exact))
    return FarFieldError(float(error), float(error / size) if size > 0 else 0.0)
