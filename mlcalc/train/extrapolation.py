# SPDX-License-Identifier: BSD-3-Clause
"""What a model stores to tell how far an environment is from its training set: 1 is the edge of the set."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from ..model.description import Model, Outermost
from ..model.expansions import PotentialExpansion
from .engine import Engine, ordered_map
from .solve import kernel_cholesky

#: features that the measure of a linear term looks at with ``extrapolation: auto``, at most
MOST_COLUMNS = 256
#: environments of the rarest species there must be for each of them: fewer would not tell noise from new structure
ENVIRONMENTS_PER_COLUMN = 4
#: share of the prior variance below which a kernel term knows an environment, whatever the training set
SMALLEST_EDGE = 1e-6
#: share of the sparse points that may be outliers
OUTLIERS = 0.01


def columns_seen(x: np.ndarray, fewest: int, factors: np.ndarray | None = None) -> np.ndarray | None:
    """Features (ascending) that span the training environments x (n, n_features) best, by QR with column pivoting
    [Golub, Numer. Math. 7, 206 (1965)]; None for all. ``fewest`` environments has the rarest species; ``factors``
    (n_features,) of products: those of more than two, whose tails are long, are left out where there are others."""
    most = min(MOST_COLUMNS, max(1, fewest // ENVIRONMENTS_PER_COLUMN))
    candidates = np.arange(x.shape[1]) if factors is None else np.flatnonzero(factors <= max(2, factors.min()))
    if len(candidates) <= most:
        return None if len(candidates) == x.shape[1] else candidates.astype(np.int32)
    # pivoting is slow: of the triangle of the environments, which has the same columns but for a rotation
    (triangle,) = linalg.qr(x[:, candidates], mode="r", check_finite=False)
    order = linalg.qr(triangle[: len(candidates)], mode="r", pivoting=True, check_finite=False)[1]
    return np.sort(candidates[order[:most]]).astype(np.int32)


def leverage_matrix(x: np.ndarray, relative: float = 1e-6) -> np.ndarray:
    """L (n_rows, n_columns) of the extrapolation measure |L p|^2, proportional to p^T (X^T X + eps 1)^-1 p with eps
    ``relative`` to the largest eigenvalue, which is 1 for the outermost of the training environments x (n, n_columns)
    and large outside their span [Lysogorskiy et al., Phys. Rev. Mater. 7, 043801 (2023), in its least-squares form].
    No rows without environments."""
    if len(x) == 0:
        return np.zeros((0, x.shape[1]))
    values, vectors = np.linalg.eigh(x.T @ x)
    values = np.maximum(values, 0.0)
    eps = relative * max(values[-1], np.finfo(float).tiny)
    rows = vectors.T / np.sqrt(values + eps)[:, None]
    edge = max(np.max(np.sum((block @ rows.T) ** 2, axis=1)) for block in _blocks(x))
    return rows / np.sqrt(edge if edge > 0 else 1.0)


def kernel_edge(x: np.ndarray, points: np.ndarray, zeta: int) -> float:
    """The largest share of the prior variance that the sparse points leave of the training environments x, or of each
    other; both are features as the kernel sees them, (n, n_features).

    The outermost environments are sparse points themselves, so these are taken one by one as if they were not there,
    where 1 / (K^-1)_mm is left [Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), eq. 5.12]; one
    in a hundred may be an outlier."""
    kernel = (points @ points.T) ** zeta
    triangle = kernel_cholesky(kernel)
    inverse = linalg.solve_triangular(triangle, np.eye(len(points)), lower=True, check_finite=False)
    of_each_other = 1.0 / np.sum(inverse**2, axis=0) / np.diag(kernel)
    edge = max(SMALLEST_EDGE, float(np.quantile(of_each_other, 1.0 - OUTLIERS)))
    for block in _blocks(x):
        explained = linalg.solve_triangular(triangle, (points @ block.T) ** zeta, lower=True, check_finite=False)
        prior = np.sum(block * block, axis=1) ** zeta
        known = prior > 0
        left = 1.0 - np.sum(explained[:, known] ** 2, axis=0) / prior[known]
        edge = max(edge, float(np.max(left, initial=0.0)))
    return edge


def outermost_structure(model: Model, structures, engine: dict, threads: int) -> Outermost | None:
    """The largest mean extrapolation of the atoms of one of these ase.Atoms, of those with at least half as many atoms
    as most have (single atoms and dimers are as far out as an atom can be); None for a model that does not know its
    edge, without structures, and with a far field: in a larger cell it has waves that no smaller one has.

    Structures that were not trained on belong here: of few environments the fit knows its own better than others."""
    kernels_know = [getattr(term.regressor, "edges", None) is not None for term in model.terms]
    linear_know = [getattr(term.regressor, "leverage", None) is not None for term in model.terms]
    sizes = [len(atoms) for atoms in structures if len(atoms)]
    far = any(isinstance(expansion, PotentialExpansion) for expansion in model.expansions)
    if far or not any(kernels_know + linear_know) or not sizes:
        return None
    fewest = max(1, int(np.ceil(np.median(sizes) / 2)))
    counted = [atoms for atoms in structures if len(atoms) >= fewest]
    made = Engine(model, engine)

    def mean(atoms):
        return float(np.mean(made.compute(atoms, energies=False, forces=False, extrapolation=True)["extrapolation"]))

    largest = max((m for m in ordered_map(mean, counted, threads) if np.isfinite(m)), default=0.0)
    return Outermost(largest, min(len(atoms) for atoms in counted)) if largest > 0 else None


def _blocks(x):
    return (x[first : first + 1000] for first in range(0, len(x), 1000))
