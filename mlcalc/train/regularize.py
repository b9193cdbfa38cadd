# SPDX-License-Identifier: BSD-3-Clause
"""Choosing the regularization by a criterion, from factors alone (leave-one-structure-out also needs the rows)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .label_checks import Sample
from .solve import Prior, RidgePath, leave_structures_out, merge, solution_path, sum_of_squares

#: scores, mean squared errors, within this factor are alike
ALIKE = 1.02


@dataclass
class Choice:
    """The strength that was chosen and the curve it was chosen from: ``lams`` and ``scores`` (mean squared error in
    units of the sigmas), for the report."""

    lam: float
    criterion: str
    score: float | None
    lams: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    term_weights: list[float] = field(default_factory=list)

    @property
    def lowest(self) -> float:
        """The lowest score: representations are compared by it, not by that of the strength, which is only alike."""
        return float(np.nanmin(self.scores))

    @property
    def at_the_end(self) -> str:
        """Why the strength is at the end of the grid, empty if it is not."""
        if len(self.lams) < 2 or self.lams[0] < self.lam < self.lams[-1]:
            return ""
        if self.lam == self.lams[0]:
            return "the labels would bear even less: they may be free of noise, or few"
        return "the features explain nothing of the labels"


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
    #: sum of the energy rows of all training structures (n_weights,), not scaled
    energy_rows: np.ndarray | None = None
    #: rows of some structures, to compare labels with each other
    sample: Sample | None = None
    #: rows of what is known without data (n_rows, n_columns + 1), in every fit; None if there are none
    outside: np.ndarray | None = None
    total: np.ndarray | None = None
    #: the rows themselves: Design of a list of targets
    rows_of: Callable | None = None

    def union(self) -> np.ndarray:
        """Of all training rows and what is known without data."""
        if self.total is None:
            self.total = self.of(range(len(self.folds)))
        return self.total

    def squares(self) -> np.ndarray:
        """Sums of the squares of each column of the training rows."""
        return np.sum([np.einsum("ij,ij->j", fold, fold) for fold in self.folds], axis=0)

    def of(self, folds, noise: np.random.Generator | None = None) -> np.ndarray:
        """Of these folds and what is known without data, whose labels get ``noise`` of their sigmas if given."""
        known = []
        if self.outside is not None:
            known = [self.outside.copy()]
            if noise is not None:
                known[0][:, -1] += noise.standard_normal(len(self.outside))
        return merge([*(self.folds[k] for k in folds), *known], self.n_columns)


def score_curve(problem: Problem, prior: Prior, criterion: str, n_folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Strengths and their scores. One matrix of singular vectors is held at a time, whatever the number of folds.

    Of several kinds of labels in a validation set the score is the geometric mean of their errors: it is the likelihood
    where the sigmas are right but for a factor of each kind, so that a few structures whose energies are far off do not
    decide alone."""
    if criterion == "folds":
        return _cross_validation(problem, prior, n_folds)
    augmented = prior.whiten(problem.union())
    if criterion == "validation":
        path = solution_path(augmented, problem.n_free)
        lams = path.grid()
        v = path.solutions(lams)
        errors = [sum_of_squares(prior.whiten(a), v) / n for a, n in problem.validation.values()]
        return lams, np.exp(np.mean(np.log(np.maximum(errors, np.finfo(float).tiny)), axis=0))
    path = RidgePath(augmented, problem.n_free)
    if criterion == "structures":
        assert problem.structure_rows is not None
        lams = path.grid(25)
        rows = (prior.whiten(block) for block in problem.structure_rows())
        return lams, leave_structures_out(path, rows, lams) / problem.n_rows
    lams = path.grid()
    return lams, np.array([path.gcv(lam, problem.n_rows) for lam in lams])


def _cross_validation(problem, prior, n_folds):
    """Each group of folds is predicted by the fit to all others."""
    groups = [list(range(k, len(problem.folds), n_folds)) for k in range(min(n_folds, len(problem.folds)))]
    lams, total = None, 0.0
    for group in groups:
        rest = problem.of(k for k in range(len(problem.folds)) if k not in group)
        path = solution_path(prior.whiten(rest), problem.n_free)
        lams = path.grid() if lams is None else lams
        v = path.solutions(lams)
        held_out = merge([problem.folds[k] for k in group], problem.n_columns)
        total = total + sum_of_squares(prior.whiten(held_out), v)
    return lams, total / problem.n_rows


def choose_strength(problem: Problem, prior: Prior, criterion: str, n_folds: int = 5) -> Choice:
    """The largest strength whose score cannot be told from the lowest: weights that no label asks for are noise outside
    the data."""
    lams, scores = score_curve(problem, prior, criterion, n_folds)
    best = int(np.flatnonzero(scores <= ALIKE * np.nanmin(scores))[-1])
    return Choice(float(lams[best]), criterion, float(scores[best]), lams.tolist(), scores.tolist())


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
                    if trial_choice.lowest >= choice.lowest * (1 - 1e-4):
                        break
                    weights, prior, choice = trial, trial_prior, trial_choice
                    say(f"term weights {[round(w, 6) for w in weights.values()]}: score {choice.lowest:.4g}")
    choice.term_weights = [weights[t] for t in names]
    return prior, choice
