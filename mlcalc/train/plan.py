# SPDX-License-Identifier: BSD-3-Clause
"""From options to models: expansions, terms, and what the data decides about them (scales, selections, points)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..files import write_atomically
from ..model import (
    ChannelProduct,
    Committee,
    DensityExpansion,
    Invariant,
    Kernel,
    Linear,
    Mixing,
    Model,
    PotentialExpansion,
    Term,
)
from .expansion_options import DensityOptions, GivenMixing, entry
from .options import OptionError, TrainOptions


@dataclass
class Plan:
    """What the training data decided. Per term: a scale and a selection for every invariant; for kernels sparse points
    per species (n_points, n_features), scaled and selected but not normalized, and the edge of the extrapolation
    measure; for linear terms the columns that the measure looks at and its matrix per species (n_rows, n_columns)."""

    species: list[int]
    mixing: dict[str, np.ndarray] = field(default_factory=dict)
    scales: dict[str, list[float]] = field(default_factory=dict)
    selections: dict[str, list[np.ndarray | None]] = field(default_factory=dict)
    points: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)
    edges: dict[str, dict[int, float]] = field(default_factory=dict)
    leverage: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)
    leverage_columns: dict[str, np.ndarray] = field(default_factory=dict)
    #: matrices of the layers (1 or n_species, l_max + 1, K, Q)
    layers: dict[str, np.ndarray] = field(default_factory=dict)

    def save(self, path: Path):
        arrays = {"species": np.array(self.species)}
        for kind in ("mixing", "layers", "leverage_columns"):
            arrays.update({f"{kind}.{name}": m for name, m in getattr(self, kind).items()})
        for term, scales in self.scales.items():
            arrays[f"scales.{term}"] = np.array(scales)
            for k, chosen in enumerate(self.selections[term]):
                if chosen is not None:
                    arrays[f"selection.{term}.{k}"] = chosen
        for kind in ("points", "edges", "leverage"):
            for term, matrices in getattr(self, kind).items():
                arrays.update({f"{kind}.{term}.{z}": m for z, m in matrices.items()})
        write_atomically(path, lambda stream: np.savez(stream, **arrays))

    @classmethod
    def load(cls, path: Path, options: TrainOptions) -> Plan:
        with np.load(path) as stored:
            plan = cls([int(z) for z in stored["species"]])
            names = set(stored.files)
            for kind in ("mixing", "layers", "leverage_columns"):
                part = {n.removeprefix(f"{kind}."): stored[n] for n in names if n.startswith(f"{kind}.")}
                setattr(plan, kind, part)
            for term in options.terms:
                plan.scales[term.name] = [float(s) for s in stored[f"scales.{term.name}"]]
                keys = [f"selection.{term.name}.{k}" for k in range(len(term.invariants))]
                plan.selections[term.name] = [stored[k] if k in names else None for k in keys]
                for kind in ("points", "edges") if term.regressor.type == "kernel" else ("leverage",):
                    of = {z: f"{kind}.{term.name}.{z}" for z in plan.species}
                    getattr(plan, kind)[term.name] = {z: stored[key] for z, key in of.items() if key in names}
        return plan


def build_expansions(options: TrainOptions, species, mixing=None) -> list:
    """Expansion descriptions; ``mixing[name]`` (n_channels, n_species) makes channels of that expansion's species."""
    expansions = []
    for chosen in options.expansions:
        cls = DensityExpansion if isinstance(chosen, DensityOptions) else PotentialExpansion
        try:
            expansion = cls.from_json(entry(chosen))
            coupling = _coupling(chosen, species, mixing or {})
            expansions.append(expansion if coupling is None else dataclasses.replace(expansion, mixing=coupling))
        except OptionError:
            raise
        except (TypeError, ValueError) as error:
            raise OptionError(f"expansion '{chosen.name}': {error}") from error
    return expansions


def _coupling(chosen, species, mixing):
    if not isinstance(chosen.mixing, GivenMixing):
        # until the data has decided, every species has its own channel
        return mixing.get(chosen.name)
    matrix = chosen.mixing.matrix
    if any(len(row) != len(species) for row in matrix) or not matrix:
        raise OptionError(
            f"expansion '{chosen.name}': mixing.matrix must have one column per species ({len(species)}), got rows of "
            f"{sorted({len(row) for row in matrix})}"
        )
    return np.array(matrix)


def build_terms(options: TrainOptions, plan: Plan, weights=None, n_members: int = 1) -> list[Term]:
    """Terms with their regressors. ``weights[term]``: linear (n_members, n_species, n_features), kernel
    {Z: (n_members, n_points)}; absent: terms without regressors, which only describe features."""
    terms = []
    for t in options.terms:
        scales = plan.scales.get(t.name, [1.0] * len(t.invariants))
        chosen = plan.selections.get(t.name, [None] * len(t.invariants))
        invariants = [_invariant(i, s, c) for i, s, c in zip(t.invariants, scales, chosen, strict=True)]
        regressor: Linear | Kernel | None = None
        if weights is not None and t.regressor.type == "linear":
            leverage = plan.leverage.get(t.name) or None
            regressor = Linear(weights[t.name], leverage, plan.leverage_columns.get(t.name))
        elif weights is not None:
            r = t.regressor
            regressor = Kernel(
                points=plan.points[t.name], weights=weights[t.name], zeta=r.zeta, normalize=r.normalize,
                epsilon=r.epsilon, precision=r.precision, edges=plan.edges.get(t.name),
            )  # fmt: skip
        terms.append(Term(t.name, invariants, regressor))
    return terms


def _invariant(chosen, scale, selection):
    if chosen.l_max is None:
        return Invariant(nu=chosen.nu, a=chosen.a, b=chosen.b, scale=scale, selection=selection)
    product = ChannelProduct.up_to(chosen.a, chosen.l_max, scale)
    product.selection = selection
    return product


def build_layers(options: TrainOptions, expansions, plan: Plan) -> list[Mixing]:
    """Layers with the matrices that the data decided, or zeros before that."""
    columns = {
        e.name: e.n_max * (len(plan.species) if e.mixing is None else len(e.mixing)) for e in expansions
    }  # fmt: skip
    layers = []
    for chosen in options.layers:
        matrices = plan.layers.get(chosen.name)
        if matrices is None:
            n_centers = len(plan.species) if chosen.per_center else 1
            n_columns = sum(columns[name] for name in chosen.inputs)
            matrices = np.zeros((n_centers, chosen.l_max + 1, chosen.channels, n_columns))
        layers.append(Mixing(chosen.name, chosen.inputs, matrices))
    return layers


def build_model(
    options: TrainOptions, plan: Plan, *, weights=None, reference_energies=None, boundaries=("periodic",),
    committee=None, provenance=None, zbl=None, information=None,
) -> Model:  # fmt: skip
    """The model of these options; without ``weights`` a descriptor."""
    n_members = committee[0] if committee else 1
    expansions = build_expansions(options, plan.species, plan.mixing)
    return Model(
        species=plan.species,
        expansions=expansions,
        layers=build_layers(options, expansions, plan),
        terms=build_terms(options, plan, weights, n_members),
        reference_energies=None if reference_energies is None else [float(e) for e in reference_energies],
        zbl=zbl,
        committee=Committee(*committee) if committee else None,
        boundaries=tuple(boundaries),
        provenance=provenance or {},
        information=information,
    )


@dataclass
class Columns:
    """A range of columns of the design matrix: the weights of one species in one term."""

    term: int
    name: str
    species: int
    start: int
    stop: int


def layout(options: TrainOptions, plan: Plan, n_features: dict[str, int]) -> list[Columns]:
    """Columns in the order of the engine's design rows: term by term, species by species."""
    blocks, start = [], 0
    for k, t in enumerate(options.terms):
        for z in plan.species:
            if t.regressor.type == "linear":
                n = n_features[t.name]
            else:
                n = len(plan.points[t.name].get(z, ()))
            blocks.append(Columns(k, t.name, z, start, start + n))
            start += n
    return blocks


def rows_plan(options: TrainOptions, plan: Plan, model: Model) -> tuple[Plan, np.ndarray]:
    """What stored rows depend on, and the scales (n_weights,) of their columns: the plan with a scale of 1 in linear
    terms, whose rows are proportional to it. ``model`` is the descriptor of the plan."""
    bare, scales = dataclasses.replace(plan, scales=dict(plan.scales), edges={}, leverage={}, leverage_columns={}), []
    for k, t in enumerate(options.terms):
        invariants = model.terms[k].invariants
        sizes = [model.full_size(i) if i.selection is None else len(i.selection) for i in invariants]
        if t.regressor.type == "linear":
            bare.scales[t.name] = [1.0] * len(invariants)
            scales += [np.repeat(plan.scales[t.name], sizes)] * len(plan.species)
        else:
            scales += [np.ones(len(plan.points[t.name].get(z, ()))) for z in plan.species]
    return bare, np.concatenate(scales)


def zero_weights(options: TrainOptions, plan: Plan, n_features: dict[str, int]) -> dict:
    """Weights of zero with the right shapes: the model whose design rows are asked for."""
    weights: dict = {}
    for t in options.terms:
        if t.regressor.type == "linear":
            weights[t.name] = np.zeros((1, len(plan.species), n_features[t.name]))
        else:
            weights[t.name] = {z: np.zeros((1, len(p))) for z, p in plan.points[t.name].items()}
    return weights


def paths_of(model, term) -> np.ndarray | None:
    """Numbers the features of a term, or of one component of its equivariants, so that those of one path of a product
    within channels, or of one other invariant, have the same number; None without products within channels."""
    if not any(isinstance(i, ChannelProduct) for i in term.invariants):
        return None
    numbers, first = [], 0
    for invariant in term.invariants:
        size = model.full_size(invariant)
        kept = np.arange(size) if invariant.selection is None else invariant.selection
        of_channels = isinstance(invariant, ChannelProduct)
        numbers.append(first + (kept // (size // len(invariant.paths)) if of_channels else 0 * kept))
        first += len(invariant.paths) if of_channels else 1
    return np.concatenate(numbers)


def split_weights(w: np.ndarray, options: TrainOptions, plan: Plan, columns: list[Columns]) -> dict:
    """Columns (n_members, n_columns) -> the weights of every term as the model stores them."""
    weights: dict = {}
    for c in columns:
        part = w[:, c.start : c.stop]
        if options.terms[c.term].regressor.type == "linear":
            weights.setdefault(c.name, []).append(part)
        else:
            weights.setdefault(c.name, {})[c.species] = np.ascontiguousarray(part)
    return {
        name: np.ascontiguousarray(np.stack(parts, axis=1)) if isinstance(parts, list) else parts
        for name, parts in weights.items()
    }
