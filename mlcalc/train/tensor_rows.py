# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the fit of one degree of a tensor: labels as they follow from the weights of equivariants or of a kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..model import (
    ChannelEquivariant,
    ChannelProduct,
    Equivariant,
    Invariant,
    Linear,
    Model,
    TensorKernel,
    TensorPart,
    Term,
)
from ..model.outputs import n_components, spherical
from .data import located
from .engine import Engine, ordered_map
from .plan import paths_of
from .select import choose
from .solve import PriorBlock, kernel_cholesky

#: environments of a species that decide the scales and the sparse points, at most
LARGEST_SAMPLE = 4000


class PartRows:
    """The columns of a degree ``o3_lambda`` of a target, for the expansions of ``model`` (which has no terms).

    Linear: species by species the weights of the features. Kernel: species by species the weights w_M^mu of the sparse
    points. Features of every product are scaled to a mean squared norm of 1 in the training structures."""

    def __init__(self, target, o3_lambda, model: Model, engine_options, structures, threads, seed):
        self.target, self.o3_lambda, self.threads = target, o3_lambda, threads
        self.n_mu = 2 * o3_lambda + 1
        self.to_spherical = spherical(target.type, o3_lambda)
        self.species = [int(z) for z in model.species]
        equivariants = [_equivariant(product, o3_lambda) for product in target.products]
        kernel = target.regressor.type == "kernel"
        terms = [Term("p", equivariants), *([Term("q", list(map(_invariant, target.products)))] if kernel else [])]
        bare = replace(model, terms=terms, layers=[layer for layer in model.layers if layer.name in target.sets])
        chosen = self._some(structures, seed)
        sample = self._sample(Engine(bare, engine_options), bare, chosen)
        self.model = replace(bare, terms=[Term(t.name, self._scaled(t.invariants, x, bare))
                                          for t, x in zip(bare.terms, sample, strict=True)])  # fmt: skip
        self.engine = Engine(self.model, engine_options)
        self.equivariants = self.model.terms[0].invariants
        self.n_features = sum(map(self.model.n_selected, self.equivariants))
        #: of each feature, see paths_of; None of a kernel
        self.paths = None if kernel else paths_of(self.model, self.model.terms[0])
        self.points: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        if kernel:
            self._choose_points(sample[0], sample[1], np.concatenate([s.atoms.numbers for s in chosen]))
        width = {z: self.n_mu * len(self.points[z][0]) if kernel else self.n_features for z in self.species}
        ends = np.cumsum([width[z] for z in self.species])
        self.columns = {z: slice(end - width[z], end) for z, end in zip(self.species, ends, strict=True)}
        self.n_columns = int(ends[-1])

    @staticmethod
    def _some(structures, seed):
        """Structures at random with as many atoms as decide."""
        wanted, n = [], 0
        for k in np.random.default_rng([seed, 15485863]).permutation(len(structures)):
            if n < LARGEST_SAMPLE:
                wanted.append(structures[k])
                n += len(structures[k].atoms)
        return wanted

    def _sample(self, engine, model, structures):
        """Features of the structures, (n_atoms, n_features) per term."""
        terms = range(len(model.terms))
        parts = ordered_map(lambda s: [self._features(engine, s, t) for t in terms], structures, self.threads)
        return [np.concatenate(x) for x in zip(*parts, strict=True)]

    @staticmethod
    def _features(engine, s, term):
        with located(s):
            return engine.features(s.atoms, term)

    @staticmethod
    def _scaled(products, features, model):
        """The products with their scales, which are put to their features, too."""
        out, start = [], 0
        for product in products:
            mine = features[:, start : start + getattr(product, "n_components", 1) * model.n_selected(product)]
            mean = float(np.mean(np.sum(mine**2, axis=1)))
            out.append(replace(product, scale=1 / np.sqrt(mean) if mean > 0 else 1.0))
            mine *= out[-1].scale
            start += mine.shape[1]
        return out

    def _choose_points(self, equivariants, invariants, numbers):
        """Sparse points, by farthest points of the invariants: (points, tensors) per species."""
        tensors = self._by_component(equivariants)
        for z in self.species:
            p, n = invariants[numbers == z], self.target.regressor.points
            kept = choose(self._unit(p), n) if len(p) else np.zeros(0, dtype=int)
            self.points[z] = p[kept], tensors[numbers == z][kept]

    def _unit(self, p):
        return p / self._norms(p)[:, None]

    def _norms(self, p):
        return np.sqrt(np.sum(p * p, axis=1) + self.target.regressor.epsilon**2)

    def _by_component(self, flat):
        """Features (.., [product][mu][f]) as (.., n_mu, n_features)."""
        sizes = [e.n_components * self.model.n_selected(e) for e in self.equivariants]
        parts = np.split(flat, np.cumsum(sizes)[:-1], axis=-1)
        return np.concatenate([x.reshape(*x.shape[:-1], self.n_mu, -1) for x in parts], axis=-1)

    @property
    def prior(self) -> list[PriorBlock]:
        """Blocks of the prior: the kernel matrix of the sparse points, or the identity."""
        blocks = []
        for z in self.species:
            part, factor = self.columns[z], None
            if self.points and part.stop > part.start:
                p, tensors = self.points[z]
                k = self._kernel(p, tensors, z).reshape(part.stop - part.start, -1)
                factor = kernel_cholesky(k)
            blocks.append(PriorBlock(part.start, part.stop, factor))
        return blocks

    def _kernel(self, p, tensors, z):
        """k^mu,mu'_iM as (i, mu, M, mu')."""
        points, of_points = self.points[z]
        scalar = (self._unit(p) @ self._unit(points).T) ** (self.target.regressor.zeta - 1)
        a = tensors / self._norms(p)[:, None, None]
        b = of_points / self._norms(points)[:, None, None]
        return np.einsum("iM,iaf,Mbf->iaMb", scalar, a, b, optimize=True)

    def values(self, s) -> np.ndarray:
        """Rows (n_mu, n_columns) of the sum over atoms, or (n_atoms * n_mu, n_columns) of targets per atom."""
        numbers = s.atoms.numbers
        tensors = self._by_component(self._features(self.engine, s, 0))
        per_atom = self.target.per == "atom"
        rows = np.zeros((len(numbers) if per_atom else 1, self.n_mu, self.n_columns))
        invariants = self._features(self.engine, s, 1) if self.points else None
        for z in self.species:
            mine = np.flatnonzero(numbers == z)
            if not len(mine) or self.columns[z].stop == self.columns[z].start:
                continue
            block = tensors[mine]
            if invariants is not None:
                block = self._kernel(invariants[mine], tensors[mine], z).reshape(len(mine), self.n_mu, -1)
            rows[mine if per_atom else [0], :, self.columns[z]] = block if per_atom else block.sum(axis=0)
        return rows.reshape(-1, self.n_columns)

    def derivatives(self, s) -> np.ndarray:
        """Rows (n_mu * n_atoms * 3, n_columns) of the derivative of the sum, linear."""
        with located(s):
            _, gradient, _ = self.engine.design(s.atoms, [0])
        by_species = gradient.reshape(*gradient.shape[:2], len(self.species), -1)
        rows = np.moveaxis(self._by_component(by_species), 3, 0)  # (mu, atom, axis, species, feature)
        return rows.reshape(-1, self.n_columns)

    def labels(self, s, baseline) -> dict[str, np.ndarray]:
        """{value, derivative}: spherical labels minus the baseline, in the order of the rows."""
        label, out = s.tensors[self.target.name], {}
        if label.value is not None:
            value = label.value - baseline_of(self.target, s.atoms, self.species, baseline)
            out["value"] = (value @ self.to_spherical.T).ravel()
        if label.derivative is not None:
            slope = label.derivative.copy()
            if baseline is not None:  # d sum_j q_j r_ja / d r_ib = q_i delta_ab
                slope -= np.einsum("i,ab->aib", _of_atoms(s.atoms, self.species, baseline), np.eye(3))
            out["derivative"] = np.einsum("mc,cix->mix", self.to_spherical, slope).ravel()
        return out

    def part(self, weights) -> TensorPart:
        """The part of the model with these weights (n_members, n_columns)."""
        if not self.points:
            return TensorPart(self.equivariants, Linear(weights.reshape(len(weights), len(self.species), -1)))
        kernel = self.target.regressor
        split = {z: weights[:, self.columns[z]].reshape(len(weights), -1, self.n_mu) for z in self.species}
        points, tensors = ({z: self.points[z][k] for z in self.species} for k in (0, 1))
        invariants = self.model.terms[1].invariants
        return TensorPart(
            self.equivariants, TensorKernel(invariants, points, tensors, split, kernel.zeta, kernel.epsilon)
        )


def _equivariant(product, o3_lambda):
    """Of a product of the options."""
    if isinstance(product, str):
        a, *b = product.split()
        return Equivariant(1 + len(b), a, *b, o3_lambda=o3_lambda)
    return ChannelEquivariant.up_to(product.a, product.l_max, o3_lambda=o3_lambda)


def _invariant(product):
    if isinstance(product, str):
        a, *b = product.split()
        return Invariant(1 + len(b), a, *b)
    return ChannelProduct.up_to(product.a, product.l_max)


def _of_atoms(atoms, species, baseline):
    return np.asarray(baseline)[np.searchsorted(species, atoms.numbers)]


def baseline_of(target, atoms, species, baseline) -> np.ndarray:
    """What the baseline adds to a label, (n_components,) or (n_atoms, n_components)."""
    n = n_components(target.type)
    if baseline is None:
        return np.zeros(n)
    values = _of_atoms(atoms, species, baseline)
    shares = values[:, None] * (atoms.positions if target.type == "vector" else np.eye(round(n**0.5)).reshape(1, n))
    return shares if target.per == "atom" else shares.sum(axis=0)


def fitted_baseline(target, structures, species) -> list[float]:
    """Constants of the species: least squares of the labels (their mean diagonal) on the composition."""
    counts, means = [], []
    for s in structures:
        value = s.tensors[target.name].value
        if value is None:
            continue
        composition = (s.atoms.numbers[:, None] == np.array(species)).astype(float)
        diagonal = value.reshape(-1, value.shape[-1])[:, :: 4 if target.type == "symmetric" else 1].mean(axis=1)
        counts.append(composition if target.per == "atom" else composition.sum(axis=0, keepdims=True))
        means.append(diagonal)
    return np.linalg.lstsq(np.concatenate(counts), np.concatenate(means), rcond=1e-10)[0].tolist()
