# SPDX-License-Identifier: BSD-3-Clause
"""Errors against the number of training structures: fits to nested subsets, from rows that are there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .data import Structure
from .design import Design, Target
from .errors import statistics_of
from .option_checks import OptionError
from .options import TrainOptions
from .regularize import Problem, choose_strength
from .solve import Factor, Prior, augmented_solve

HOW = (
    "Fits to the first so many of the training structures in one random order, with the representation and reference "
    "energies of all of them. The regularization of each is chosen by {criterion}."
)


def check_sizes(options: TrainOptions, train: list[Structure]):
    """Finds out before any work whether the subsets can be made. Raises OptionError if not."""
    sizes = options.learning_curve
    if not sizes:
        return
    if not options.terms:
        raise OptionError("learning_curve is that of the energy, and there are no terms: leave it out")
    labeled = sum(any(label is not None for label in (s.energy, s.forces, s.virial)) for s in train)
    if sizes[-1] > labeled:
        raise OptionError(f"learning_curve: {sizes[-1]} is more than the {labeled} training structures")


def in_order(targets: list[Target], seed: int) -> list[Target]:
    """The targets in the random order of the subsets."""
    return [targets[k] for k in np.random.default_rng([seed, 6151]).permutation(len(targets))]


@dataclass
class Curve:
    """Weights (n_sizes, n_columns) of the fits to the first ``sizes`` training structures, their regularization, the
    groups of free energy offsets that each has seen, and how the regularization was chosen."""

    sizes: list[int]
    weights: np.ndarray
    lams: list[float]
    groups: list[set[str]]
    criterion: str


def fit_curve(sizes: list[int], design: Design, problem: Problem, prior: Prior, lam: float | None,
              threads: int) -> Curve:  # fmt: skip
    """Fits to the first structures of ``design``, whose rows pass by once.

    ``lam`` is the regularization where it is given; else it is chosen by the validation set, or without one by
    generalized cross-validation."""
    by = "validation" if problem.validation else "gcv"
    words = {"validation": "the validation set", "gcv": "generalized cross-validation"}
    curve = Curve(sizes, np.zeros((0, problem.n_columns)), [], [], words[by] if lam is None else "the options")
    factor, n_rows, seen = Factor(problem.n_columns), 0, []
    for count, (target, rows) in enumerate(zip(design.targets, design.by_structure(threads), strict=False), start=1):
        factor.add(rows)
        n_rows += len(rows)
        seen.append(target.structure.offset_group)
        if count in sizes:
            part = Problem([factor.augmented().copy()], problem.validation, n_rows, problem.n_columns,
                           problem.n_free, outside=problem.outside)  # fmt: skip
            curve.lams.append(choose_strength(part, prior, by).lam if lam is None else lam)
            v = augmented_solve(prior.whiten(part.union()), curve.lams[-1], problem.n_free)
            curve.weights = np.vstack([curve.weights, prior.unwhiten(v)])
            curve.groups.append(set(seen))
        if count == sizes[-1]:
            break
    return curve


def errors_of_curve(curve: Curve, offsets: dict[str, int], held_out: list[Structure],
                    predicted: Callable[[np.ndarray, list[Structure]], list]) -> list[dict]:  # fmt: skip
    """[{structures, lam, errors: {split: {energy, forces: {n, mae, rmse, max}}}}] on structures that were not trained
    on, per atom and of force components, eV and Å.

    ``predicted(weights, structures)`` are Predictions whose members are the fits; ``offsets`` {group: column}."""
    found: list[dict] = [
        {"structures": n, "lam": lam, "errors": {}} for n, lam in zip(curve.sizes, curve.lams, strict=True)
    ]
    # a committee needs two members: one fit is written twice
    weights = curve.weights if len(curve.weights) > 1 else np.repeat(curve.weights, 2, axis=0)
    predictions = predicted(weights, held_out) if held_out else []
    for split in ("validation", "test"):
        part = [p for p in predictions if p.structure.split == split]
        for k, row in enumerate(found):
            energy, forces = [], [np.zeros(0)]
            for p in part:
                s, group = p.structure, p.structure.offset_group
                if s.energy is not None and (group not in offsets or group in curve.groups[k]):
                    offset = weights[k, offsets[group]] if group in offsets else 0.0
                    energy.append((p.member_energies[k] + offset - s.energy) / p.n_atoms)
                if s.forces is not None:
                    forces.append((p.member_forces[k] - s.forces).ravel())
            if part:
                row["errors"][split] = {"energy": statistics_of(np.array(energy)),
                                        "forces": statistics_of(np.concatenate(forces))}  # fmt: skip
    return found


def text_of(found: dict) -> str:
    """As lines of the report, root mean square errors in meV and Å."""
    splits = [s for s in ("validation", "test") if s in found["points"][0]["errors"]]
    lines = ["Learning curve (RMSE)", "structures" + "".join(f" {s + ' energy, force':>30}" for s in splits)]
    for row in found["points"]:
        cells = []
        for split in splits:
            of = [row["errors"][split][kind] for kind in ("energy", "forces")]
            cells.append(" / ".join("-" if e is None else f"{1e3 * e['rmse']:.3g}" for e in of))
        lines.append(f"{row['structures']:>10}" + "".join(f" {cell:>30}" for cell in cells))
    return "\n".join(lines)
