# SPDX-License-Identifier: BSD-3-Clause
"""Regularized least squares from streamed rows: factors of the design matrix, priors, the path of solutions.

Rows of the design matrix A and labels y, already divided by their sigmas, arrive in blocks and are kept only as the
triangular factor of [A y]. Everything after that - every regularization strength, every validation error, every
committee member - is computed from factors, never from the rows again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

#: reciprocal condition below which sums of squares are not trusted
ILL_CONDITIONED = 1e-13


class IllConditioned(np.linalg.LinAlgError):
    """Normal equations have lost the digits that the solution needs; use orthogonal transformations."""


def fold(triangle: np.ndarray, block: np.ndarray) -> np.ndarray:
    """The upper triangle of the rows behind ``triangle`` (n, n) together with ``block`` (m, n), by the
    triangular-pentagonal QR of LAPACK. Both may be overwritten where they are in Fortran order."""
    r, _, _, info = lapack.dtpqrt(0, min(32, len(triangle)), triangle, block, overwrite_a=1, overwrite_b=1)
    if info != 0:
        raise np.linalg.LinAlgError(f"dtpqrt returned {info}")
    return np.asfortranarray(np.triu(r))


class Factor:
    """Accumulates rows [A y] of ``n`` columns plus the label.

    As long as there are fewer rows than columns they are kept as they are. Then, with ``qr``, an upper triangle R with
    R^T R = [A y]^T [A y], updated block by block with Householder transformations (the triangular-pentagonal QR of
    LAPACK); with ``normal`` the matrix [A y]^T [A y] itself, half the work."""

    def __init__(self, n: int, method: str = "qr"):
        self.n = n
        self.method = method
        self.n_rows = 0
        self._rows: list[np.ndarray] = []
        self._held = 0
        self._triangle: np.ndarray | None = None
        self._gram: np.ndarray | None = None

    def add(self, block: np.ndarray):
        """Rows of [A y] (n_rows, n + 1), or the ``augmented`` of another factor."""
        self.n_rows += len(block)
        self._rows.append(np.asarray(block, dtype=float))
        self._held += len(block)
        if self._held >= self.n + 1:
            self._compress()

    def _compress(self):
        """Folds the held rows into the triangle or the sums of squares."""
        if not self._rows:
            return
        # both branches overwrite or only read a Fortran-ordered copy of the held rows
        block = np.array(np.concatenate(self._rows) if len(self._rows) > 1 else self._rows[0], order="F")
        self._rows, self._held = [], 0
        if self.method == "normal":
            gram = np.zeros((self.n + 1, self.n + 1), order="F") if self._gram is None else self._gram
            self._gram = linalg.blas.dsyrk(1.0, block, trans=1, beta=1.0, c=gram, overwrite_c=1)
        elif self._triangle is None:
            (r,) = linalg.qr(block, mode="r", overwrite_a=True, check_finite=False)
            self._triangle = np.asfortranarray(r[: self.n + 1])
        else:
            self._triangle = fold(self._triangle, block)

    def share(self) -> tuple[int, bool, np.ndarray]:
        """What another factor takes up by `absorb`: the number of rows, whether these are sums of squares, and them."""
        if self._gram is None:
            return self.n_rows, False, self.augmented()
        self._compress()
        return self.n_rows, True, self._gram

    def absorb(self, n_rows: int, squares: bool, matrix: np.ndarray):
        """Adds the rows behind another factor, as it shares them."""
        total = self.n_rows + n_rows
        if squares:
            self._gram = np.asfortranarray(matrix) if self._gram is None else self._gram + matrix
        else:
            self.add(matrix)
        self.n_rows = total

    def augmented(self) -> np.ndarray:
        """A matrix B (at most n + 1 rows, or the few rows themselves) with B^T B = [A y]^T [A y].

        With ``normal`` it comes from the eigenvalues and is only as exact as the sums of squares are."""
        if self._gram is not None or self._triangle is not None:
            self._compress()
        if self._triangle is not None:
            return self._triangle
        if self._gram is None:
            return np.concatenate(self._rows) if self._rows else np.zeros((0, self.n + 1))
        if self.n > MANY_COLUMNS:  # an eigenvalue problem of this size takes minutes
            gram = self._gram.copy()
            gram[np.diag_indices(self.n + 1)] += np.finfo(float).eps * np.trace(gram)
            return linalg.cholesky(gram, lower=False, overwrite_a=True, check_finite=False)
        values, vectors = linalg.eigh(self._gram, lower=False, check_finite=False)
        keep = values > values[-1] * np.finfo(float).eps * len(values)
        return np.sqrt(values[keep])[:, None] * vectors[:, keep].T


def merge(factors, n: int) -> np.ndarray:
    """``augmented`` of the union of the rows behind several augmented matrices."""
    total = Factor(n)
    for block in factors:
        total.add(block)
    return total.augmented()


@dataclass
class PriorBlock:
    """A range of columns with prior weights w ~ N(0, weight^2 K^-1). ``cholesky`` is the lower factor of K, or the
    diagonal of that of a diagonal K; None for the identity. Columns in no block (offsets) are not
    regularized and must come last."""

    start: int
    stop: int
    cholesky: np.ndarray | None = None
    weight: float = 1.0


def block_of_paths(block: PriorBlock, squares: np.ndarray, paths: np.ndarray) -> PriorBlock:
    """The block with prior standard deviations of the inverse root mean square of the rows of a path, so that each may
    add as much to the labels. ``squares``: of all columns of the rows, ``paths``: of each column of the block."""
    mine = squares[block.start : block.stop]
    mean = np.bincount(paths, mine) / np.maximum(np.bincount(paths), 1)
    mean = np.maximum(mean, 1e-20 * max(mean.max(), np.finfo(float).tiny))
    return replace(block, cholesky=np.sqrt(mean / mean.max())[paths])


class Prior:
    """Changes to variables v in which the regularizer is |v|^2: w = weight L^-T v for K = L L^T of every block."""

    def __init__(self, blocks: list[PriorBlock]):
        self.blocks = blocks

    def whiten(self, matrix: np.ndarray) -> np.ndarray:
        """Columns of w -> columns of v, for [A y]; free columns and labels are passed through."""
        out = np.array(matrix, order="F")
        for b in self.blocks:
            part = out[:, b.start : b.stop]
            if b.cholesky is not None and b.cholesky.ndim == 1:
                part = part / b.cholesky
            elif b.cholesky is not None and part.size:
                part = linalg.solve_triangular(b.cholesky, part.T, lower=True, check_finite=False).T
            out[:, b.start : b.stop] = part * b.weight
        return out

    def color(self, matrix: np.ndarray) -> np.ndarray:
        """Columns of v -> columns of w, the inverse of `whiten`, for matrices without labels."""
        out = np.array(matrix)
        for b in self.blocks:
            part = out[:, b.start : b.stop]
            if b.cholesky is not None:
                part = part * b.cholesky if b.cholesky.ndim == 1 else part @ b.cholesky.T
            out[:, b.start : b.stop] = part / b.weight
        return out

    def unwhiten(self, v: np.ndarray) -> np.ndarray:
        """Weights w (n,) of v."""
        w = np.array(v, dtype=float)
        for b in self.blocks:
            part = w[b.start : b.stop] * b.weight
            if b.cholesky is not None and b.cholesky.ndim == 1:
                part = part / b.cholesky
            elif b.cholesky is not None and part.size:
                part = linalg.solve_triangular(b.cholesky, part, lower=True, trans=1, check_finite=False)
            w[b.start : b.stop] = part
        return w

    def reweighted(self, weights) -> Prior:
        return Prior([PriorBlock(b.start, b.stop, b.cholesky, w) for b, w in zip(self.blocks, weights, strict=True)])


def kernel_cholesky(kernel: np.ndarray) -> np.ndarray:
    """Lower factor of K + jitter, with the smallest jitter (from 1e-10 of the largest diagonal) that is accepted."""
    scale = float(np.max(np.diag(kernel)))
    for exponent in range(-10, 0):
        try:
            return linalg.cholesky(kernel + 10.0**exponent * scale * np.eye(len(kernel)), lower=True)
        except linalg.LinAlgError:
            continue
    raise np.linalg.LinAlgError("the kernel matrix of the sparse points is not positive; are there NaN features?")


class Eliminated:
    """[R f z] with the last ``n_free`` columns f, which no prior holds, eliminated exactly by QR.

    ``reduced`` is the augmented matrix of the rest; ``complete`` adds the free unknowns to a solution of it."""

    def __init__(self, augmented: np.ndarray, n_free: int):
        self.n_free = n_free
        self.n = augmented.shape[1] - 1 - n_free
        if n_free == 0:
            self.reduced = augmented
            return
        free = augmented[:, self.n : -1]
        # a group without a single row has no offset: its unknown stays zero
        self.present = np.flatnonzero(np.any(free != 0, axis=0))
        k = len(self.present)
        stacked = np.column_stack([free[:, self.present], augmented[:, : self.n], augmented[:, -1]])
        (r,) = linalg.qr(stacked, mode="r", overwrite_a=True, check_finite=False)
        self.head, self.reduced = r[:k], r[k : k + self.n + 1, k:]

    def complete(self, v: np.ndarray) -> np.ndarray:
        """(n + n_free, ...) from (n, ...)"""
        if self.n_free == 0:
            return v
        k = len(self.present)
        free = np.zeros((self.n_free, *v.shape[1:]))
        if k:
            z = self.head[:, -1] if v.ndim == 1 else self.head[:, -1:]
            free[self.present] = linalg.solve_triangular(self.head[:, :k], z - self.head[:, k:-1] @ v)
        return np.concatenate([v, free])


class RidgePath:
    """Solutions of min |R v - z|^2 + lambda |v|^2 for every lambda, from one singular value decomposition."""

    def __init__(self, augmented: np.ndarray, n_free: int = 0):
        self.eliminated = Eliminated(augmented, n_free)
        matrix, z = self.eliminated.reduced[:, :-1], self.eliminated.reduced[:, -1]
        try:
            u, self.s, self.vt = linalg.svd(matrix, full_matrices=False, check_finite=False)
        except linalg.LinAlgError:
            # divide and conquer fails on rare matrices where plain QR iteration does not
            u, self.s, self.vt = linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd")
        self.uz = u.T @ z
        self.outside = max(0.0, float(z @ z - self.uz @ self.uz))

    def solutions(self, lams) -> np.ndarray:
        """(n, len(lams)), free columns included"""
        s, lams = self.s[:, None], np.asarray(lams, dtype=float)[None, :]
        return self.eliminated.complete(self.vt.T @ (s * self.uz[:, None] / (s**2 + lams)))

    def degrees_of_freedom(self, lam: float) -> float:
        return float(np.sum(self.s**2 / (self.s**2 + lam)))

    def residual(self, lam: float) -> float:
        """Sum of squared residuals of the training rows."""
        return float(np.sum((lam / (self.s**2 + lam) * self.uz) ** 2)) + self.outside

    def gcv(self, lam: float, n_rows: int) -> float:
        """Generalized cross-validation, the rotation-invariant leave-one-out error
        [Golub, Heath, Wahba, Technometrics 21, 215 (1979)]."""
        return n_rows * self.residual(lam) / max(n_rows - self.degrees_of_freedom(lam), 1e-9 * n_rows) ** 2

    def grid(self, n: int = 85) -> np.ndarray:
        """Regularization strengths from near the rounding of the squares of singular values to where everything is
        suppressed."""
        top = float(self.s[0]) ** 2 if len(self.s) else 0.0
        return np.geomspace(1e-20 * top, 1e1 * top, n) if top > 0 else np.array([1.0])


class CholeskyPath:
    """Solutions of min |R v - z|^2 + lambda |v|^2 from R^T R, a Cholesky factorization for every lambda: for thousands
    of columns, where a singular value decomposition takes too long. Where lambda is lost in the rounding of R^T R the
    solution is NaN."""

    def __init__(self, augmented: np.ndarray, n_free: int = 0):
        self.eliminated = Eliminated(augmented, n_free)
        reduced = self.eliminated.reduced
        gram = reduced.T @ reduced
        self.gram, self.right = gram[:-1, :-1], gram[:-1, -1]

    def solutions(self, lams) -> np.ndarray:
        """(n, len(lams)), free columns included"""
        out = np.full((len(self.right), len(lams)), np.nan)
        for k, lam in enumerate(lams):
            matrix = self.gram.copy()
            matrix[np.diag_indices(len(matrix))] += lam
            try:
                factor = linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
            except linalg.LinAlgError:
                continue
            out[:, k] = linalg.cho_solve(factor, self.right, check_finite=False)
        return self.eliminated.complete(out)

    def grid(self, n: int = 21) -> np.ndarray:
        """Regularization strengths from the rounding of R^T R to where only the largest columns are left."""
        top = float(np.trace(self.gram))
        return np.geomspace(1e-19 * top, 1e-2 * top, n) if top > 0 else np.array([1.0])


#: columns above which a path is made of Cholesky factorizations
MANY_COLUMNS = 2500


def solution_path(augmented: np.ndarray, n_free: int = 0) -> RidgePath | CholeskyPath:
    """The cheaper path of solutions for the number of columns."""
    return (CholeskyPath if augmented.shape[1] > MANY_COLUMNS else RidgePath)(augmented, n_free)


def augmented_solve(augmented: np.ndarray, lam: float, n_free: int = 0) -> np.ndarray:
    """v of min |R v - z|^2 + lambda |v|^2 by QR of [R; sqrt(lambda) 1], which never forms sums of squares
    [Foster et al., J. Mach. Learn. Res. 10, 857 (2009); Bartok & Csanyi, Int. J. Quantum Chem. 115, 1051 (2015)].
    Falls back to the singular value decomposition if the triangle is singular."""
    eliminated = Eliminated(augmented, n_free)
    n = eliminated.n
    m = len(eliminated.reduced)
    stacked = np.zeros((m + n, n + 1), order="F")
    stacked[:m] = eliminated.reduced
    stacked[m + np.arange(n), np.arange(n)] = np.sqrt(lam)
    (r,) = linalg.qr(stacked, mode="r", overwrite_a=True, check_finite=False)
    diagonal = np.abs(np.diag(r)[:n])
    if diagonal.min() <= np.finfo(float).eps * diagonal.max():
        return RidgePath(augmented, n_free).solutions([lam])[:, 0]
    return eliminated.complete(linalg.solve_triangular(r[:n, :n], r[:n, n], check_finite=False))


def information_triangle(augmented: np.ndarray, prior: Prior, lam: float, n_free: int = 0) -> np.ndarray:
    """R (n, n), upper, of the information that rows and prior have of the weights: R^T R = A^T A + lambda P, where
    w^T P w = |v|^2, with the free columns eliminated."""
    reduced = Eliminated(prior.whiten(augmented), n_free).reduced[:, :-1]
    n = reduced.shape[1]
    stacked = np.asfortranarray(np.vstack([reduced, np.sqrt(lam) * np.eye(n)]))
    (r,) = linalg.qr(stacked, mode="r", overwrite_a=True, check_finite=False)
    return prior.color(r[:n])


def normal_solve(augmented: np.ndarray, lam: float, proven: bool = False) -> np.ndarray:
    """v from the sums of squares R^T R + lambda 1.

    Raises IllConditioned if rounding in the sums is not small beside what is solved for; ``proven`` says that the
    errors of such a solution were looked at."""
    if proven:
        v = CholeskyPath(augmented).solutions([lam])[:, 0]
        if np.isfinite(v).all():
            return v
    n = augmented.shape[1] - 1
    gram = augmented.T @ augmented
    matrix = gram[:n, :n] + lam * np.eye(n)
    try:
        factor, lower = linalg.cho_factor(matrix, lower=True, check_finite=False)
    except linalg.LinAlgError:
        raise IllConditioned("the regularized normal equations are not positive") from None
    rcond, _ = lapack.dpocon(factor, float(np.abs(matrix).sum(axis=0).max()), uplo="L")
    if rcond < ILL_CONDITIONED:
        raise IllConditioned(f"the normal equations have a reciprocal condition of {rcond:.1e}")
    return linalg.cho_solve((factor, lower), gram[:n, n], check_finite=False)


def sum_of_squares(augmented: np.ndarray, v: np.ndarray) -> np.ndarray:
    """|A v - y|^2 of the rows behind ``augmented`` for each column of v (n, k)."""
    return np.sum((augmented[:, :-1] @ v - augmented[:, -1:]) ** 2, axis=0)


def leave_structures_out(path: RidgePath, rows_of_structures, lams) -> np.ndarray:
    """Sum of squared errors of predicting each structure from all others, exactly, for each lambda.

    ``rows_of_structures`` yields the whitened rows [A y] of one structure at a time. With H the hat matrix and b the
    rows of a structure the error is (1 - H_bb)^-1 e_b."""
    errors = np.zeros(len(lams))
    for block in rows_of_structures:
        projected = block[:, :-1] @ path.vt.T
        for k, lam in enumerate(lams):
            shrink = 1.0 / (path.s**2 + lam)
            residual = block[:, -1] - projected @ (shrink * path.s * path.uz)
            hat = (projected * shrink) @ projected.T
            held_out = np.linalg.solve(np.eye(len(block)) - hat, residual)
            errors[k] += float(held_out @ held_out)
    return errors
