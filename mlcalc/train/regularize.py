# SPDX-License-Identifier: BSD-3-Clause
"""Choosing the regularisation by a criterion, from factors alone (leave-one-structure-out also needs the rows)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .solve import Prior, RidgePath, leave_structures_out, merge, sum_of_squares


@dataclass
class Choice:
    """The strength that was chosen and the curve it was chosen from: ``lams`` and ``scores`` (mean squared error in
    units of the sigmas, averaged over kinds of labels), for the report."""

    lam: float
    criterion: str
    score: float
    lams: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    term_weights: list[float] = field(default_factory=list)


@dataclass
class Problem:
    """Factors in the original columns. ``folds``: augmented matrices of disjoint parts of the training rows;
    ``validation``: {kind: (augmented, n_rows)}; ``n_rows``: training rows; ``structure_rows()`` streams the rows of one
    structure at a time, for criterion structures."""

    folds: list[np.ndarray]
    validation: dict[str, tuple[np.ndarray, int]]
    n_rows: int
    n_columns: int
    n_free: int = 0
    structure_rows: Callable | None = None
    total: np.ndarray | None = None

    def union(self) -> np.ndarray:
        if self.total is None:
            self.total = merge(self.folds, self.n_columns)
        return self.total


def score_curve(problem: Problem, prior: Prior, criterion: str, n_folds: int) -> tuple[np.ndarray, Callable]:
    """A grid of strengths and the function that scores any array of strengths."""
    path = RidgePath(prior.whiten(problem.union()), problem.n_free)
    if criterion == "gcv":
        return path.grid(), lambda lams: np.array([path.gcv(lam, problem.n_rows) for lam in lams])
    if criterion == "validation":
        whitened = [(prior.whiten(a), n) for a, n in problem.validation.values()]

        def score(lams):
            v = path.solutions(lams)
            return np.mean([sum_of_squares(a, v) / n for a, n in whitened], axis=0)

        return path.grid(), score
    if criterion == "structures":

        def exact(lams):
            rows = (prior.whiten(block) for block in problem.structure_rows())
            return leave_structures_out(path, rows, lams) / problem.n_rows

        return path.grid(17), exact
    held_out = _cross_paths(problem, prior, n_folds)

    def cross(lams):
        return sum(sum_of_squares(a, p.solutions(lams)) for a, p in held_out) / problem.n_rows

    return path.grid(), cross


def _cross_paths(problem, prior, n_folds):
    """For each group of folds: its whitened rows and the path of the fit to all others."""
    whitened = [prior.whiten(f) for f in problem.folds]
    groups = [list(range(k, len(whitened), n_folds)) for k in range(min(n_folds, len(whitened)))]
    paths = []
    for group in groups:
        rest = merge([w for k, w in enumerate(whitened) if k not in group], problem.n_columns)
        paths.append((np.concatenate([whitened[k] for k in group]), RidgePath(rest, problem.n_free)))
    return paths


def choose_strength(problem: Problem, prior: Prior, criterion: str, n_folds: int = 5) -> Choice:
    """The strength with the lowest score: a coarse logarithmic grid, then a finer one around its minimum."""
    lams, score = score_curve(problem, prior, criterion, n_folds)
    scores = score(lams)
    best = int(np.nanargmin(scores))
    low, high = lams[max(best - 1, 0)], lams[min(best + 1, len(lams) - 1)]
    fine = np.geomspace(low, high, 9)[1:-1]
    all_lams, all_scores = np.concatenate([lams, fine]), np.concatenate([scores, score(fine)])
    order = np.argsort(all_lams)
    all_lams, all_scores = all_lams[order], all_scores[order]
    best = int(np.nanargmin(all_scores))
    return Choice(float(all_lams[best]), criterion, float(all_scores[best]), all_lams.tolist(), all_scores.tolist())


def choose_term_weights(problem: Problem, prior: Prior, terms: list[int], criterion: str, n_folds: int, say) -> tuple:
    """Strength and relative weights of the terms: coordinate search by factors of 3 from equal weights.

    ``terms[b]`` is the term of block b of the prior. Returns the prior with the weights found and the choice."""
    names = sorted(set(terms))
    start = {t: next(b.weight for b, k in zip(prior.blocks, terms, strict=True) if k == t) for t in names}

    def attempt(weights):
        trial = prior.reweighted([weights[t] for t in terms])
        return trial, choose_strength(problem, trial, criterion, n_folds)

    weights = dict(start)
    prior, choice = attempt(weights)
    # the first term sets the scale, the strength takes care of it
    for factor in (10.0, 3.0):
        for t in names[1:]:
            for direction in (factor, 1.0 / factor):
                while True:
                    trial = {**weights, t: weights[t] * direction}
                    trial_prior, trial_choice = attempt(trial)
                    if trial_choice.score >= choice.score * (1 - 1e-4):
                        break
                    weights, prior, choice = trial, trial_prior, trial_choice
                    say(f"term weights {[round(w, 6) for w in weights.values()]}: score {choice.score:.4g}")
    choice.term_weights = [weights[t] for t in names]
    return prior, choice
