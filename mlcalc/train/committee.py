# SPDX-License-Identifier: BSD-3-Clause
"""Committees: weight sets from random subsets of the structures, and the calibration of their spread."""

from __future__ import annotations

import numpy as np

from .regularize import Problem
from .solve import Prior, augmented_solve, merge


def member_subsets(n_folds: int, members: int, fraction: float, seed: int) -> list[np.ndarray]:
    """Folds that each member is fitted to, without replacement, no two members alike if that can be had."""
    rng = np.random.default_rng([seed, 7919])
    size = min(n_folds - 1, max(1, round(fraction * n_folds)))
    subsets, seen = [], set()
    for attempt in range(100 * members):
        subset = tuple(sorted(rng.choice(n_folds, size, replace=False).tolist()))
        if subset in seen and attempt < 90 * members:
            continue
        seen.add(subset)
        subsets.append(np.array(subset))
        if len(subsets) == members:
            break
    return subsets


def fit_members(problem: Problem, prior: Prior, lam: float, center: np.ndarray, options, seed, progress) -> np.ndarray:
    """Weights (n_members, n_columns): fits to random subsets of the folds [Musil et al., JCTC 15, 906 (2019)].

    Members are shifted together so that their mean, which is what the model predicts, is ``center``, the fit to all
    structures: the subsets give the spread, all data the prediction."""
    subsets = member_subsets(len(problem.folds), options.members, options.fraction, seed)
    weights = []
    for subset in progress(subsets, desc="committee"):
        rows = merge([problem.folds[k] for k in subset], problem.n_columns)
        # a subset has fewer rows; the same prior then needs the same strength
        weights.append(prior.unwhiten(augmented_solve(prior.whiten(rows), lam, problem.n_free)))
    weights = np.array(weights)
    return weights + (center - weights.mean(axis=0))


def open_to_doubt(spread: np.ndarray) -> np.ndarray:
    """Mask of the predictions that members can disagree about. Forces that symmetry makes zero have a spread of
    rounding, and errors in units of it mean nothing."""
    return spread > 1e-3 * np.sqrt(np.mean(spread**2)) if len(spread) else np.zeros(0, dtype=bool)


def calibration_scale(errors: np.ndarray, spread: np.ndarray, n_members: int) -> float:
    """Factor on the spread (standard deviation, ddof=1, of the members) that makes held-out errors likely:
    alpha^2 = -1/M + (M-3)/(M-1) <error^2/spread^2> [Musil et al., JCTC 15, 906 (2019)]; never below a tenth."""
    good = open_to_doubt(spread)
    if not good.any():
        return 1.0
    ratio = float(np.mean((errors[good] / spread[good]) ** 2))
    m = n_members
    return float(np.sqrt(max(-1.0 / m + (m - 3) / (m - 1) * ratio, 1e-2)))


def calibration_table(errors: np.ndarray, sigma: np.ndarray, n_bins: int = 10) -> list[dict]:
    """Held-out errors in bins of equal count of the predicted sigma, without those that symmetry fixes: a calibrated
    committee has rmse = sigma in each, and 68 % of the errors within one sigma."""
    good = open_to_doubt(sigma)
    errors, sigma = errors[good], sigma[good]
    order = np.argsort(sigma)
    rows = []
    for part in np.array_split(order, min(n_bins, max(1, len(order) // 5))):
        if len(part) == 0:
            continue
        rows.append(
            {
                "n": int(len(part)),
                "sigma": float(np.sqrt(np.mean(sigma[part] ** 2))),
                "rmse": float(np.sqrt(np.mean(errors[part] ** 2))),
                "within_1_sigma": float(np.mean(np.abs(errors[part]) <= sigma[part])),
                "within_2_sigma": float(np.mean(np.abs(errors[part]) <= 2 * sigma[part])),
            }
        )
    return rows
