# SPDX-License-Identifier: BSD-3-Clause
"""How channels are mixed before they are multiplied: at random, by principal components, or optimized for the fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, optimize
from threadpoolctl import threadpool_limits

from .engine import Engine, ordered_map

#: of the ridge while the mixing is optimized; the final fit chooses its own
RIDGE = 1e-9
#: exponent of 1 + n by which steps in radial function n are smaller
STEP_DECAY = 1.5


def radial_indices(model, inputs) -> np.ndarray:
    """n of each column of the inputs."""
    n_of = []
    for name in inputs:
        expansion = model.expansion(name)
        n_of.append(np.tile(np.arange(expansion.n_max), model.shape(name)[0] // expansion.n_max))
    return np.concatenate(n_of)


def second_moments(engine: Engine, structures, inputs, l_max: int, threads: int) -> np.ndarray:
    """M[a] (n_species, Q, Q), the mean over the centers of species a of sum_lm c_q,lm c_q',lm / (l_max + 1); zero for a
    species without a center."""

    def of_structure(atoms):
        blocks = []
        for name in inputs:
            c = engine.expansion(atoms, name)
            c = c.reshape(len(atoms), -1, c.shape[-1])[..., : (l_max + 1) ** 2]
            blocks.append(np.pad(c, ((0, 0), (0, 0), (0, (l_max + 1) ** 2 - c.shape[-1]))))
        c = np.concatenate(blocks, axis=1)
        species = engine.arguments(atoms)[0]
        sums = [np.einsum("iqm,irm->qr", c[species == a], c[species == a]) for a in range(len(engine.species))]
        return np.array(sums), np.bincount(species, minlength=len(engine.species))

    parts = list(ordered_map(of_structure, structures, threads))
    counts = np.sum([p[1] for p in parts], axis=0)
    return np.sum([p[0] for p in parts], axis=0) / np.maximum(counts, 1)[:, None, None] / (l_max + 1)


def column_scales(moments: np.ndarray) -> np.ndarray:
    """Root mean square of each column over all centers, 1 where it is zero."""
    size = np.sqrt(np.einsum("aqq->q", moments) / max(1, len(moments)))
    return np.where(size > 0, size, 1.0)


def random_mixing(n_centers: int, n_channels: int, n_of: np.ndarray, scales: np.ndarray, decay: float, seed: int):
    """(n_centers, K, Q): Gaussian numbers with the standard deviation (1 + n)^-decay, columns scaled to equal size."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_centers, n_channels, len(n_of))) * (1.0 + n_of) ** -decay / scales


def principal_mixing(moments: np.ndarray, n_centers: int, n_channels: int) -> np.ndarray:
    """(n_centers, K, Q): the eigenvectors of the second moments with the largest eigenvalues, scaled to unit variance.

    Raises ValueError if there are fewer than K of them."""
    if n_channels > moments.shape[-1]:
        raise ValueError(
            f"principal components give at most {moments.shape[-1]} channels, one per column, got {n_channels}"
        )
    out = []
    for m in [moments.mean(axis=0)] if n_centers == 1 else moments:
        values, vectors = np.linalg.eigh(m)
        values, vectors = values[::-1][:n_channels], vectors[:, ::-1][:, :n_channels]
        out.append(vectors.T / np.sqrt(np.maximum(values, 1e-12 * max(values[0], 1e-300)))[:, None])
    return np.array(out)


def _moments_for(mixing, moments):
    return moments.mean(axis=0)[None] if mixing.shape[0] == 1 else moments


def moment_products(mixing: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """M u of every channel; an axis of angular momenta may stand after the centers."""
    return np.einsum("aqr,a...kr->a...kq", _moments_for(mixing, moments), mixing)


def normalized(mixing: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Channels scaled to sum_lm <A^2> = l_max + 1 on average, and their sizes before."""
    size = np.sqrt(np.einsum("a...kq,a...kq->a...k", mixing, moment_products(mixing, moments)))
    size = np.where(size > 0, size, 1.0)
    return mixing / size[..., None], size


@dataclass
class Rows:
    """What the labels of one structure ask of the energy: residuals / sigma of energy, forces and virial."""

    structure: object
    energy: tuple[float, float] | None  # label, sigma
    forces: tuple[np.ndarray, float] | None
    virial: tuple[np.ndarray, float] | None

    def design(self, engine: Engine, term: int) -> tuple[np.ndarray, np.ndarray]:
        """(X, y) divided by the sigmas; the virial has nine rows, which count six."""
        energy, gradient, strain = engine.design(self.structure, [term])
        n = len(energy)
        x, y = [], []
        if self.energy is not None:
            x.append(energy[None] / self.energy[1])
            y.append([self.energy[0] / self.energy[1]])
        if self.forces is not None:
            x.append(-gradient.reshape(-1, n) / self.forces[1])
            y.append(self.forces[0].ravel() / self.forces[1])
        if self.virial is not None:
            x.append(-strain.reshape(9, n) / self.virial[1])
            y.append(self.virial[0].ravel() / self.virial[1])
        return np.concatenate(x), np.concatenate(y)

    def directions(self, residuals: np.ndarray):
        """(factor of E, displacements, strain) along which the energy changes as the squared residuals do."""
        n_atoms, at = len(self.structure), 0
        energy, displacements, strain = 0.0, np.zeros((n_atoms, 3)), np.zeros((3, 3))
        if self.energy is not None:
            energy, at = 2 * residuals[0] / self.energy[1], 1
        if self.forces is not None:
            displacements = -2 * residuals[at : at + 3 * n_atoms].reshape(-1, 3) / self.forces[1]
            at += 3 * n_atoms
        if self.virial is not None:
            strain = -2 * residuals[at : at + 9].reshape(3, 3) / self.virial[1]
        return energy, displacements, strain


@dataclass
class Progression:
    """Loss of the fit and of the validation structures after each iteration, the point ``x`` that it has reached, the
    best ``mixing`` so far and the ``scale`` of the columns: what an interrupted optimization needs to go on."""

    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    x: np.ndarray | None = None
    mixing: np.ndarray | None = None
    scale: np.ndarray | None = None
    stopped: str = ""

    @property
    def steps(self) -> int:
        return len(self.loss) - 1

    @property
    def since_best(self) -> int:
        return self.steps - int(np.argmin(self.validation))

    def add(self, x, seen: dict, score: float):
        """One more step, to ``x``; ``seen`` has its mixing and loss, ``score`` is its validation loss."""
        if not self.validation or score < min(self.validation):
            self.mixing = seen["mixing"]
        self.x = np.array(x)
        self.loss.append(seen["loss"])
        self.validation.append(score)

    def arrays(self) -> dict[str, np.ndarray]:
        """What ``of_arrays`` makes it from."""
        return {name: np.asarray(getattr(self, name)) for name in ("loss", "validation", "x", "mixing", "scale")}

    @classmethod
    def of_arrays(cls, arrays) -> Progression:
        return cls([*map(float, arrays["loss"])], [*map(float, arrays["validation"])],
                   *(np.array(arrays[name]) for name in ("x", "mixing", "scale")))  # fmt: skip


class MixingFit:
    """The loss of a linear term as a function of the mixing, its weights eliminated: variable projection
    [Golub, Pereyra, Inverse Problems 19, R1 (2003)].

    L(u) = min_w (|X(u) w - y|^2 + ridge w^T D w) / rows, D the squares of the columns at the start. The derivative is
    that at fixed w. ``per_l`` gives every angular momentum a mixing of its own.
    """

    def __init__(self, engine: Engine, rows: list[Rows], moments, n_of, l_max: int, *, term=0, layer=0, per_l=False,
                 threads=1):  # fmt: skip
        self.engine, self.rows, self.moments = engine, rows, moments
        self.n_of, self.l_max, self.per_l, self.term, self.layer = n_of, l_max, per_l, term, layer
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads)  # kept: each of its threads has an engine
        self.scale = None

    def matrices(self, mixing):
        """(n_centers, l_max + 1, K, Q) of the layer."""
        if self.per_l:
            return mixing
        return np.repeat(mixing[:, None], self.l_max + 1, axis=1)

    def solve(self, mixing, rows=None):
        """X, y of the structures with this mixing and the weights that fit them."""
        matrices = self.matrices(mixing)

        def design(item):
            self.engine.potential.set_mixing(matrices, layer=self.layer)
            return item.design(self.engine, self.term)

        return list(self.pool.map(design, self.rows if rows is None else rows))

    def weights(self, parts):
        """w and the loss."""
        n = parts[0][0].shape[1]
        gram, right, square, n_rows = np.zeros((n, n)), np.zeros(n), 0.0, 0
        with threadpool_limits(self.threads, user_api="blas"):
            for first in range(0, len(parts), 64):
                x = np.concatenate([p[0] for p in parts[first : first + 64]])
                y = np.concatenate([p[1] for p in parts[first : first + 64]])
                gram += x.T @ x
                right += x.T @ y
                square += y @ y
                n_rows += len(y)
            if self.scale is None:
                diagonal = np.maximum(np.diag(gram), 1e-12 * gram.max())
                self.scale = 1 / np.sqrt(diagonal)
            s = self.scale
            matrix = gram * s[:, None] * s
            matrix[np.diag_indices(n)] += RIDGE
            w = s * linalg.cho_solve(linalg.cho_factor(matrix, overwrite_a=True), s * right)
        loss = square - w @ right
        return w, loss / n_rows, n_rows

    def gradient(self, mixing, parts, w):
        """dL/d(mixing) at fixed weights, times the number of rows."""
        n_species, matrices = len(self.engine.species), self.matrices(mixing)

        def of_structure(item):
            row, (x, y) = item
            e, d, s = row.directions(x @ w - y)
            arguments = self.engine.arguments(row.structure)
            self.engine.potential.reset()
            self.engine.potential.set_mixing(matrices, layer=self.layer)
            return self.engine.potential.mixing_gradient(
                *arguments, weights=w.reshape(n_species, -1), energy=e, displacements=d, strain=s, term=self.term,
                layer=self.layer,
            )  # fmt: skip

        total = 0.0
        for part in self.pool.map(of_structure, zip(self.rows, parts, strict=True)):
            total = total + part
        total = total.reshape(matrices.shape)
        return total if self.per_l else total.sum(axis=1)

    def validation(self, mixing, w, rows) -> float:
        """Mean squared residual of structures that were not fitted."""
        residuals = [x @ w - y for x, y in self.solve(mixing, rows)]
        return float(np.mean(np.concatenate(residuals) ** 2))

    def objective(self, shape, seen=None):
        """The function of the flat scaled coefficients that is minimized, log L and its derivative; each channel is
        normalized, so that its size cannot escape the ridge. ``seen`` (dict) gets mixing, weights and loss.

        Raises FloatingPointError for a loss that is not a positive number."""
        decay = (1.0 + self.n_of) ** STEP_DECAY

        def value(x):
            mixing, size = normalized(x.reshape(shape) / decay, self.moments)
            parts = self.solve(mixing)
            w, loss, n_rows = self.weights(parts)
            if not np.isfinite(loss) or loss <= 0:
                raise FloatingPointError("the loss is not a positive number")
            g = self.gradient(mixing, parts, w) / n_rows
            if seen is not None:
                seen.update(mixing=mixing, w=w, loss=loss)
            along = np.einsum("...kq,...kq->...k", g, mixing)
            dv = (g - moment_products(mixing, self.moments) * along[..., None]) / size[..., None]
            return np.log(loss), (dv / decay / loss).ravel()

        return value

    def minimize(self, start: np.ndarray, iterations: int, held_out: list[Rows], patience: int = 8, *, before=None,
                 after_step=None):  # fmt: skip
        """The Progression to the mixing with the lowest validation loss (without validation structures: the last), by
        L-BFGS [Byrd, Lu, Nocedal, Zhu, SIAM J. Sci. Comput. 16, 1190 (1995)].

        ``after_step(Progression)`` is called after every step; with one of these as ``before`` it goes on from there,
        without the curvature that had been learned."""
        seen: dict = {}
        history = before or Progression()
        value = self.objective(start.shape, seen)

        def add(x):
            history.add(x, seen, self.validation(seen["mixing"], seen["w"], held_out) if held_out else seen["loss"])

        if before is None:
            x = (start * (1.0 + self.n_of) ** STEP_DECAY).ravel()
            value(x)
            history.scale = self.scale
            add(x)
        else:
            self.scale = before.scale

        def after(x):
            add(x)
            if after_step is not None:
                after_step(history)
            if history.since_best >= patience:
                raise StopIteration

        left = iterations - history.steps
        settings = {"maxiter": left, "maxcor": 20, "maxfun": int(1.5 * left) + 3, "ftol": 1e-7, "gtol": 1e-9}
        if history.since_best < patience and left > 0:
            # SciPy ends a minimization where the callback raises StopIteration
            optimize.minimize(value, history.x, jac=True, method="L-BFGS-B", callback=after, options=settings)
        history.stopped = f"{history.steps} steps"
        if history.since_best >= patience:
            history.stopped += f", the last {patience} without a better one"
        return history
