# SPDX-License-Identifier: BSD-3-Clause
"""Choosing some of many candidates, one after the other, each by what those before leave to be learned."""

from __future__ import annotations

import heapq

import numpy as np
from scipy import linalg

from ..train.solve import fold

#: what adds less to the logarithm of the determinant repeats what is known
NOTHING = 1e-6


def log_det_gain(rows: np.ndarray, triangle: np.ndarray | None = None) -> float:
    """log det(R^T R + B^T B) - log det(R^T R) of rows B (m, n) added to the information R (n, n), None: of 1."""
    b = np.asarray(rows, dtype=float)
    if triangle is not None:
        b = linalg.solve_triangular(triangle, b.T, trans=1, check_finite=False).T
    gram = b @ b.T if len(b) <= b.shape[1] else b.T @ b
    gram[np.diag_indices(len(gram))] += 1.0
    return 2.0 * float(np.sum(np.log(np.diag(linalg.cholesky(gram, overwrite_a=True, check_finite=False)))))


def most_informative(rows: list[np.ndarray], n: int, gains=None, known=()) -> list[tuple[int, float]]:
    """(index, gain) of up to ``n`` candidates that make det(1 + sum B^T B) large, each the best after those before.

    ``rows`` B (m, n_columns) of each candidate, ``gains`` its gain alone if it is known, ``known`` rows of what is
    there already. The gain of a candidate only falls when others are taken [Nemhauser, Wolsey, Fisher, Math. Program.
    14, 265 (1978)], so that only those that are best by what they once were are looked at again [Minoux, Lect. Notes
    Control Inf. Sci. 7, 234 (1978)]: the result is that of looking at all. Ends when nothing is left to be learned."""
    if not rows:
        return []
    triangle = np.asfortranarray(np.eye(rows[0].shape[1]))
    for block in known:
        triangle = fold(triangle, np.array(block, dtype=float, order="F"))
    gains = [log_det_gain(b) for b in rows] if gains is None else gains
    fresh = -1 if len(known) else 0
    heap = [(-gain, k, fresh) for k, gain in enumerate(gains)]
    heapq.heapify(heap)
    chosen: list[tuple[int, float]] = []
    while heap and len(chosen) < n:
        negative, k, seen = heapq.heappop(heap)
        if seen < len(chosen):
            heapq.heappush(heap, (-log_det_gain(rows[k], triangle), k, len(chosen)))
            continue
        if -negative < NOTHING:
            break
        chosen.append((k, -negative))
        triangle = fold(triangle, np.array(rows[k], dtype=float, order="F"))
    return chosen


def farthest(x: np.ndarray, n: int, distance: np.ndarray | None = None) -> list[tuple[int, float]]:
    """(index, distance) of up to ``n`` rows of x (k, n_columns), each the farthest from those before and from what is
    there already, to which ``distance`` (k,) is that of each row; None: nothing is, and the first is the farthest from
    the mean. Ends when all others are where one of those is."""
    if len(x) == 0:
        return []
    x = np.asarray(x, dtype=float)
    norms = np.einsum("ij,ij->i", x, x)
    squares = np.full(len(x), np.inf) if distance is None else np.asarray(distance, dtype=float) ** 2
    chosen: list[tuple[int, float]] = []
    rounding = 1e-12 * norms.max()  # of |a|^2 + |b|^2 - 2 a.b
    while len(chosen) < min(n, len(x)):
        if distance is None and not chosen:
            far = np.linalg.norm(x - x.mean(axis=0), axis=1)
            k = int(np.argmax(far))
            chosen.append((k, float(far[k])))
        else:
            k = int(np.argmax(squares))
            if squares[k] <= rounding:
                break
            chosen.append((k, float(np.sqrt(squares[k]))))
        squares = np.minimum(squares, norms + norms[k] - 2 * (x @ x[k]))
        squares[k] = 0.0
    return chosen
