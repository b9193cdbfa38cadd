# SPDX-License-Identifier: BSD-3-Clause
"""What the training set decides before any fit: scales, features kept, sparse points, species coupling."""

from __future__ import annotations

import warnings

import numpy as np
from ase.data import chemical_symbols

from .data import located
from .engine import Engine, ordered_map
from .expansion_options import PcaMixing
from .extrapolation import columns_seen, kernel_edge, leverage_matrix
from .options import OptionError, TrainOptions
from .plan import Plan, build_model


def choose(x: np.ndarray, n: int, method: str = "fps", *, rows: bool = True) -> np.ndarray:
    """Indices of ``n`` rows (or columns) of x, ascending, by farthest point sampling or CUR
    [Imbalzano et al., JCP 148, 241730 (2018); Mahoney & Drineas, PNAS 106, 697 (2009)].

    Fewer are returned when fewer are distinct: duplicates carry nothing."""
    if method == "fps":
        return np.sort(_farthest_points(x if rows else np.ascontiguousarray(x.T), n))
    if rows:
        distinct = np.sort(np.unique(np.round(x, 10), axis=0, return_index=True)[1])
    else:
        distinct = np.flatnonzero(np.ptp(x, axis=0) > 0)
    if len(distinct) <= n:
        return distinct
    from skmatter import feature_selection, sample_selection

    data = x[distinct] if rows else x[:, distinct]
    # leverage scores are renewed a few hundred times, not after every single choice: same set in practice
    selector = (sample_selection if rows else feature_selection).CUR(
        n_to_select=n, recompute_every=max(1, n // 200), k=min(20, min(data.shape) - 1)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        selector.fit(data)
    return np.sort(distinct[np.asarray(selector.selected_idx_[:n])])


def _farthest_points(x: np.ndarray, n: int) -> list[int]:
    """Rows of x, each the farthest from those before; the first is the farthest from the mean. Ends when all
    others are duplicates. One pass over x per choice."""
    norms = np.einsum("ij,ij->i", x, x)
    far = np.linalg.norm(x - x.mean(axis=0), axis=1)
    chosen = [int(np.argmax(far))]
    distance = np.full(len(x), np.inf)
    # rounding of |a|^2 + |b|^2 - 2 a.b
    duplicate = 1e-13 * norms.max()
    while len(chosen) < min(n, len(x)):
        last = chosen[-1]
        np.minimum(distance, norms + norms[last] - 2 * (x @ x[last]), out=distance)
        distance[last] = 0.0
        following = int(np.argmax(distance))
        if distance[following] <= duplicate:
            break
        chosen.append(following)
    return chosen


def sample_environments(structures, species, limit: dict[int, int], rng) -> list[np.ndarray]:
    """Per structure the indices of the atoms to look at: all of a species, or a random ``limit[Z]`` of them."""
    mask = [np.zeros(len(s.atoms), dtype=bool) for s in structures]
    for z in species:
        places = [(k, i) for k, s in enumerate(structures) for i in np.flatnonzero(s.atoms.numbers == z)]
        if len(places) > limit[z]:
            chosen = rng.choice(len(places), limit[z], replace=False)
            places = [places[c] for c in chosen]
        for k, i in places:
            mask[k][i] = True
    return [np.flatnonzero(m) for m in mask]


def gather_features(engine: Engine, structures, term, sample, threads, progress) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, n_features) and species (n,) of the sampled environments."""
    wanted = [(s, atoms) for s, atoms in zip(structures, sample, strict=True) if len(atoms)]

    def one(item):
        structure, atoms = item
        with located(structure):
            features = engine.features(structure.atoms, term)
        return np.array(features[atoms]), structure.atoms.numbers[atoms]

    parts = list(progress(ordered_map(one, wanted, threads), total=len(wanted), desc="features"))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def species_coupling(engine: Engine, structures, name, channels, threads, progress) -> np.ndarray:
    """Principal components (channels, n_species) of the species covariance of a density
    C_ab = sum_i,nlm c^a_inlm c^b_inlm [Willatt, Musil, Ceriotti, PCCP 20, 29661 (2018)]."""

    if channels > len(engine.species):
        raise OptionError(f"expansion '{name}': {channels} channels of {len(engine.species)} species; use fewer")

    def covariance(structure):
        with located(structure):
            c = engine.expansion(structure.atoms, name)
        return np.einsum("ianm,ibnm->ab", c, c, optimize=True)

    total = sum(progress(ordered_map(covariance, structures, threads), total=len(structures), desc=f"coupling {name}"))
    values, vectors = np.linalg.eigh(total)
    u = vectors[:, ::-1][:, :channels].T
    # signs are arbitrary: fix them, so that a rerun gives the same model
    return u * np.where(u[np.arange(len(u)), np.abs(u).argmax(axis=1)] < 0, -1, 1)[:, None]


def normalized(x: np.ndarray, regressor) -> np.ndarray:
    """p_hat as the kernel sees it."""
    if not regressor.normalize:
        return x
    return x / np.sqrt(np.sum(x * x, axis=1, keepdims=True) + regressor.epsilon**2)


def kernel_matrix(points: np.ndarray, regressor) -> np.ndarray:
    """k(p_M, p_M') of sparse points."""
    p = normalized(points, regressor)
    return (p @ p.T) ** regressor.zeta


def _limits(options, term, n_features, structures, species):
    """How many environments per species fit a quarter of the memory budget, as features and the copies of them."""
    total = max(1000, options.budget.memory // (4 * 3 * 8 * max(1, n_features)))
    counts = {z: sum(int(np.sum(s.atoms.numbers == z)) for s in structures) for z in species}
    share = {z: max(1, int(total * counts[z] / max(1, sum(counts.values())))) for z in species}
    return {z: max(n, 2 * points_wanted(term.regressor, z)) for z, n in share.items()}


def points_wanted(regressor, z: int) -> int:
    """Sparse points of a species that the options ask for, none of a linear regressor."""
    points = getattr(regressor, "points", 0)
    return points if isinstance(points, int) else points.get(chemical_symbols[z], 0)


def make_plan(options: TrainOptions, species, structures, threads, progress, layers=None) -> Plan:
    """Scales, feature selections, sparse points and couplings from the training structures; ``layers`` are the matrices
    of the layers."""
    plan = Plan(list(species), layers=dict(layers or {}))
    for chosen in options.expansions:
        if isinstance(chosen.mixing, PcaMixing):
            engine = Engine(build_model(options, Plan(list(species))), options.engine.arguments())
            channels = chosen.mixing.channels
            plan.mixing[chosen.name] = species_coupling(engine, structures, chosen.name, channels, threads, progress)
    model = build_model(options, plan)
    engine = Engine(model, options.engine.arguments())
    for k, term in enumerate(options.terms):
        rng = np.random.default_rng([options.seed, k])
        sizes = [model.full_size(i) for i in model.terms[k].invariants]
        limit = _limits(options, term, sum(sizes), structures, species)
        sample = sample_environments(structures, species, limit, rng)
        x, z = gather_features(engine, structures, k, sample, threads, progress)
        if not np.isfinite(x).all():
            raise ValueError(f"term '{term.name}' has features that are not finite")
        blocks = np.split(x, np.cumsum(sizes)[:-1], axis=1)
        plan.scales[term.name] = [_scale(i, b) for i, b in zip(term.invariants, blocks, strict=True)]
        plan.selections[term.name] = [_selection(i, b) for i, b in zip(term.invariants, blocks, strict=True)]
        x = np.concatenate(
            [
                (b if c is None else b[:, c]) * s
                for b, c, s in zip(blocks, plan.selections[term.name], plan.scales[term.name], strict=True)
            ],
            axis=1,
        )
        if term.regressor.type == "linear":
            if term.regressor.extrapolation is not False:
                factors = build_model(options, plan).factors(term.name)
                _add_leverage(plan, term, factors, x, z)
            continue
        plan.points[term.name], plan.edges[term.name] = {}, {}
        for number in species:
            mine = x[z == number]
            n = points_wanted(term.regressor, number)
            if len(mine) == 0 or n == 0:
                continue
            progress.say(
                f"{term.name}: choosing {min(n, len(mine))} of {len(mine)} environments of {chemical_symbols[number]}"
            )
            seen = normalized(mine, term.regressor)
            chosen = choose(seen, n, term.regressor.method)
            plan.points[term.name][number] = mine[chosen]
            plan.edges[term.name][number] = kernel_edge(seen, seen[chosen], term.regressor.zeta)
    return plan


def _add_leverage(plan: Plan, term, factors, x, z):
    """Adds what the extrapolation measure of a linear term needs, from the features x of environments of species z."""
    columns = None
    if term.regressor.extrapolation == "auto":
        counts = [int(np.sum(z == number)) for number in plan.species]
        columns = columns_seen(x, min(n for n in counts if n > 0), factors)
    seen = x if columns is None else x[:, columns]
    plan.leverage[term.name] = {number: leverage_matrix(seen[z == number]) for number in plan.species}
    if columns is not None:
        plan.leverage_columns[term.name] = columns


def _scale(invariant, x):
    """auto: the mean squared norm of this invariant over the training environments becomes 1."""
    if invariant.scale != "auto":
        return float(invariant.scale)
    mean = float(np.mean(np.sum(x * x, axis=1)))
    return 1.0 / np.sqrt(mean) if mean > 0 else 1.0


def _selection(invariant, x):
    if invariant.select is None or invariant.select.n >= x.shape[1]:
        return None
    return choose(x, invariant.select.n, invariant.select.method, rows=False).astype(np.int32)
