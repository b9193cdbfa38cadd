# SPDX-License-Identifier: BSD-3-Clause
"""Committees: weight sets from random subsets of the structures, and the calibration of their spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .regularize import Problem
from .solve import Prior, augmented_solve, merge


def member_subsets(n_folds: int, members: int, fraction: float, seed: int) -> list[np.ndarray]:
    """Folds that each member is fitted to, without replacement: every fold is in some members and not in others.

    The folds are dealt from shuffled decks, one after the other, so that each is dealt equally often: half of the
    members for ``fraction`` 0.5, which then come in pairs of complementary halves."""
    rng = np.random.default_rng([seed, 7919])
    least = -(-n_folds // members)
    size = int(np.clip(round(fraction * n_folds), least, n_folds - least))
    for _ in range(200):
        subsets = _deal(rng, n_folds, members, size)
        if len({tuple(s) for s in subsets}) == members:
            break
    return subsets


def _deal(rng, n_folds: int, members: int, size: int) -> list[np.ndarray]:
    deck: list[int] = []
    hands = []
    for _ in range(members):
        hand: list[int] = []
        while len(hand) < size:
            if not deck:
                # the next deck begins with cards that are not in this hand
                order = rng.permutation(n_folds).tolist()
                deck = [c for c in order if c not in hand] + [c for c in order if c in hand]
            hand.append(deck.pop(0))
        hands.append(np.sort(hand))
    return hands


@dataclass
class Gauge:
    """The mean energy of an atom of each species over the training set, as rows (n_species, n_columns) of the weights,
    and the standard deviation (eV) to which members must agree about it.

    Where all structures have one composition, how their energy is divided among the species is not determined: without
    this, members differ in it freely, and the spread of the energies of atoms means nothing."""

    rows: np.ndarray
    sigma: float

    @classmethod
    def of(cls, energy_rows: np.ndarray, case, sigma: float) -> Gauge:
        """From the sum of the energy rows of the training structures (n_weights,)."""
        species = sorted({c.species for c in case.columns})
        rows = np.zeros((len(species), case.maker.n_columns))
        for c in case.columns:
            n = max(1, case.atoms_of(c.species))
            rows[species.index(c.species), c.start : c.stop] = energy_rows[c.start : c.stop] / n
        return cls(rows, sigma)

    def augmented(self, center: np.ndarray) -> np.ndarray:
        """Rows [A y] that ask for the means of the weights ``center``."""
        return np.column_stack([self.rows, self.rows @ center]) / self.sigma


def fit_members(problem: Problem, prior: Prior, lam: float, center: np.ndarray, options, seed, progress,
                gauge: Gauge) -> np.ndarray:  # fmt: skip
    """Weights (n_members, n_columns): fits to random subsets of the folds [Musil et al., JCTC 15, 906 (2019)].

    Members are shifted together so that their mean, which is what the model predicts, is ``center``, the fit to all
    structures: the subsets give the spread, all data the prediction. Where there are no data, they disagree by the
    sigmas of what is asked of the model there."""
    subsets = member_subsets(len(problem.folds), options.members, options.fraction, seed)
    common = gauge.augmented(center)
    noise = np.random.default_rng([seed, 32452843])
    weights = []
    for subset in progress(subsets, desc="committee"):
        rows = merge([problem.of(subset, noise), common], problem.n_columns)
        # a subset has fewer rows; the same prior then needs the same strength
        weights.append(prior.unwhiten(augmented_solve(prior.whiten(rows), lam, problem.n_free)))
    members = np.array(weights)
    return members + (center - members.mean(axis=0))


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
