# SPDX-License-Identifier: BSD-3-Clause
"""Models made of models: the same one for other species, and the sum of two in one file."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from ase.data import chemical_symbols

from .description import Kernel, Linear, Model, Term, Zbl
from .layers import Mixing
from .outputs import TensorOutput, TensorPart
from .pair_table import TabulatedPairs


def with_species(model: Model, species) -> Model:
    """The model with these atomic numbers (ascending). It does not see those that are new; their energy is zero.

    Raises ValueError for a ZBL repulsion and new species, because that has no pairs without it."""
    species = [int(z) for z in species]
    if species == list(model.species):
        return model
    new = [z for z in species if z not in model.species]
    if new and model.zbl:
        raise ValueError(f"its ZBL repulsion is for all species, and {chemical_symbols[new[0]]} is none of them")
    chosen = _Species(list(model.species), species)
    expansions = [chosen.expansion(e) for e in model.expansions]
    layers = [chosen.layer(layer) for layer in model.layers]
    terms = [term for term in map(chosen.term, model.terms) if term is not None]
    energies = dict(zip(model.species, model.reference_energies or [0.0] * len(model.species), strict=True))
    return dataclasses.replace(
        model, species=species, expansions=expansions, layers=layers, terms=terms,
        pairs=[entry for entry in map(chosen.pairs, model.pairs) if entry.tables],
        triples=[t for entry in model.triples for t in chosen.triples(entry)],
        outputs=[chosen.output(output) for output in model.outputs],
        zbl=chosen.zbl(model.zbl), reference_energies=[energies.get(z, 0.0) for z in species], information=None,
        outermost=None,
    )  # fmt: skip


class _Species:
    """Parts of a model of species ``old`` as they are for the species ``new``."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def columns(self, matrix):
        """A matrix (.., n_species) with the columns of the new species, zeros for those that were not there."""
        matrix = np.asarray(matrix, dtype=float)
        out = np.zeros((*matrix.shape[:-1], len(self.new)))
        for k, z in enumerate(self.new):
            if z in self.old:
                out[..., k] = matrix[..., self.old.index(z)]
        return out

    def zbl(self, repulsion):
        if repulsion is None:
            return None
        kept = [self.old.index(z) for z in self.new]
        return Zbl(*(np.asarray(r)[np.ix_(kept, kept)].tolist() if np.ndim(r) else r for r in repulsion))

    def rows(self, array, axis):
        return np.moveaxis(self.columns(np.moveaxis(np.asarray(array), axis, -1)), -1, axis)

    def expansion(self, expansion):
        mixing = np.eye(len(self.old)) if expansion.mixing is None else expansion.mixing
        changes = {"mixing": self.columns(mixing)}
        if getattr(expansion, "center_weights", None) is not None:
            changes["center_weights"] = self.columns(expansion.center_weights)
        return _changed(expansion, **changes)

    def layer(self, layer):
        return layer if len(layer.matrices) == 1 else Mixing(layer.name, layer.inputs, self.rows(layer.matrices, 0))

    def term(self, term):
        """None for a kernel without sparse points."""
        regressor = term.regressor
        if isinstance(regressor, Linear):
            leverage = regressor.leverage
            if leverage is not None:
                n = np.shape(next(iter(leverage.values())))[-1]
                leverage = {z: leverage.get(z, np.zeros((0, n))) for z in self.new}
            regressor = dataclasses.replace(regressor, weights=self.rows(regressor.weights, -2), leverage=leverage)
        elif isinstance(regressor, Kernel):
            points, weights = ({z: of[z] for z in self.new if z in of} for of in (regressor.points, regressor.weights))
            if not any(len(p) for p in points.values()):
                return None
            regressor = dataclasses.replace(regressor, points=points, weights=weights)
        return Term(term.name, term.invariants, regressor)

    def output(self, output: TensorOutput) -> TensorOutput:
        def narrowed(regressor):
            if isinstance(regressor, Linear):
                return Linear(self.rows(regressor.weights, -2))
            stored = {kind: {z: of[z] for z in self.new if z in of} for kind, of in _arrays(regressor).items()}
            return dataclasses.replace(regressor, **stored)

        baseline = None if output.baseline is None else self.columns(output.baseline).tolist()
        return dataclasses.replace(_with_regressors(output, narrowed), baseline=baseline)

    def pairs(self, entry):
        return TabulatedPairs(entry.name, {p: t for p, t in entry.tables.items() if set(p) <= set(self.new)})

    def triples(self, entry):
        """Itself, or where it is for any species and there are new ones, one entry for each case of the old ones."""
        named = [z for z in (entry.center, *entry.neighbors) if z is not None]
        if not set(named) <= set(self.new):
            return []
        if len(named) == 3 or set(self.new) <= set(self.old):
            return [entry]
        kept = [z for z in self.new if z in self.old]
        centers, *neighbors = (kept if z is None else [z] for z in (entry.center, *entry.neighbors))
        pairs = sorted({tuple(sorted(pair)) for pair in itertools.product(*neighbors)})
        cases = list(itertools.product(centers, pairs))
        return [dataclasses.replace(entry, name=f"{entry.name}-{k}", center=center, neighbors=pair)
                for k, (center, pair) in enumerate(cases)]  # fmt: skip


def _arrays(kernel):
    return {kind: getattr(kernel, kind) for kind in ("points", "tensors", "weights")}


def _with_regressors(output: TensorOutput, change, renamed=lambda products: products) -> TensorOutput:
    """A copy with other regressors, and products of other names."""
    parts = []
    for part in output.parts:
        regressor = change(part.regressor)
        if hasattr(regressor, "invariants"):
            regressor = dataclasses.replace(regressor, invariants=renamed(regressor.invariants))
        parts.append(TensorPart(renamed(part.equivariants), regressor))
    return dataclasses.replace(output, parts=parts)


def _of_members(change):
    """Changes the members of weights (n_members, ..) of a regressor of a tensor, whose own shape has 2 dimensions."""

    def changed(regressor):
        if isinstance(regressor, Linear):
            return Linear(change(np.asarray(regressor.weights)))
        return dataclasses.replace(regressor, weights={z: change(np.asarray(w)) for z, w in regressor.weights.items()})

    return changed


def _changed(expansion, **changes):
    """A copy of an expansion with its table, by which alone a tabulated basis is known."""
    out = dataclasses.replace(expansion, **changes)
    if getattr(expansion, "_table", None) is not None:
        object.__setattr__(out, "_table", expansion._table)
    tables = getattr(expansion, "_tables", None)
    if tables is not None:
        mixing = {} if out.mixing is None else {"mixing": np.array(out.mixing)}
        object.__setattr__(out, "_tables", {**tables, **mixing})
    return out


def mean_member(model: Model) -> Model:
    """The model whose only weights are the mean of those of its committee: its prediction."""
    if model.committee is None:
        return model
    terms = []
    for term in model.terms:
        regressor = term.regressor
        if isinstance(regressor, Linear):
            regressor = dataclasses.replace(regressor, weights=np.mean(regressor.weights, axis=0))
        elif isinstance(regressor, Kernel):
            weights = {z: np.mean(w, axis=0) for z, w in regressor.weights.items()}
            regressor = dataclasses.replace(regressor, weights=weights)
        terms.append(Term(term.name, term.invariants, regressor))
    outputs = [_with_regressors(output, _of_members(lambda w: w.mean(axis=0))) for output in model.outputs]
    return dataclasses.replace(model, terms=terms, outputs=outputs, committee=None)


def combined(model: Model, other: Model, prefix: str) -> Model:
    """The sum of a model and another one of the same species, whose parts get names that begin with ``prefix``.

    The committee is that of ``model``; of ``other`` it is the mean that is added. Tensor outputs are those of both.
    Raises ValueError if both have a ZBL repulsion or an output of one name."""
    for output in other.outputs:
        if output.name in [mine.name for mine in model.outputs]:
            raise ValueError(f"both models have an output '{output.name}', a sum can have only one")
    if model.zbl and other.zbl:
        raise ValueError("both models have a ZBL repulsion, a sum can have only one")
    other = mean_member(with_species(other, model.species))
    n_members = model.committee[0] if model.committee else 1
    energies = [np.zeros(len(model.species)) if m.reference_energies is None else np.array(m.reference_energies)
                for m in (model, other)]  # fmt: skip

    def named(part):
        return dataclasses.replace(part, name=f"{prefix}{part.name}")

    expansions = [_changed(e, name=f"{prefix}{e.name}") for e in other.expansions]
    layers = [Mixing(f"{prefix}{x.name}", [f"{prefix}{name}" for name in x.inputs], x.matrices) for x in other.layers]
    terms = [_renamed(term, prefix, n_members) for term in other.terms]

    def repeated(weights):
        weights = weights[0] if weights.ndim == 3 else weights
        return np.repeat(weights[None], n_members, axis=0) if n_members > 1 else weights

    outputs = [_with_regressors(output, _of_members(repeated), lambda products: _named(products, prefix))
               for output in other.outputs]  # fmt: skip
    return dataclasses.replace(
        model, expansions=[*model.expansions, *expansions], layers=[*model.layers, *layers],
        terms=[*model.terms, *terms], pairs=[*model.pairs, *map(named, other.pairs)],
        triples=[*model.triples, *map(named, other.triples)], zbl=model.zbl or other.zbl,
        reference_energies=(energies[0] + energies[1]).tolist(), outputs=[*model.outputs, *outputs],
        has_energy=model.has_energy or other.has_energy, outermost=None,
    )  # fmt: skip


def _named(products, prefix):
    """Invariants or equivariants of expansions whose names begin with the prefix."""
    named = []
    for i in products:
        names = {"a": f"{prefix}{i.a}"}
        if getattr(i, "b", None) is not None:
            names["b"] = f"{prefix}{i.b}"
        named.append(dataclasses.replace(i, **names))
    return named


def _renamed(term, prefix, n_members):
    invariants = _named(term.invariants, prefix)
    regressor = term.regressor

    def members(weights):
        return np.repeat(np.asarray(weights)[None], n_members, axis=0) if n_members > 1 else weights

    if isinstance(regressor, Linear):
        weights = np.asarray(regressor.weights)
        regressor = dataclasses.replace(regressor, weights=members(weights[0] if weights.ndim == 3 else weights))
    elif isinstance(regressor, Kernel):
        flat = {z: np.atleast_2d(w)[0] for z, w in regressor.weights.items()}
        regressor = dataclasses.replace(regressor, weights={z: members(w) for z, w in flat.items()})
    return Term(f"{prefix}{term.name}", invariants, regressor)
