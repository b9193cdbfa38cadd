# SPDX-License-Identifier: BSD-3-Clause
"""Which structures are trained on, which choose the regularization, and which only test."""

from __future__ import annotations

import numpy as np

from .data_options import SPLITS, SplitOptions
from .option_checks import DataError


def assign_splits(structures, split: SplitOptions, seed: int):
    """Sets ``split`` of every structure (see SplitOptions). Random parts depend on the seed and on the order only.

    For the methods group and key it holds the value of the info entry before. Raises DataError if there is nothing to
    train on."""
    rng = np.random.default_rng(seed)
    if split.method == "key":
        wrong = sorted({s.split for s in structures} - set(SPLITS))
        if wrong:
            raise DataError(f"the split key '{split.key}' has the values {wrong}; expected train, validation or test")
    elif split.method in ("fraction", "group"):
        # structures move together by group, or one by one
        labels = [s.split if split.method == "group" else k for k, s in enumerate(structures)]
        groups = list(dict.fromkeys(labels))
        if split.method == "fraction" and len({s.config_type for s in structures}) > 1:
            parts = _stratified([s.config_type for s in structures], split, rng)
        else:
            parts = dict(zip(groups, _random_parts(len(groups), split, rng), strict=True))
        for s, label in zip(structures, labels, strict=True):
            s.split = parts[label]
    if not any(s.split == "train" for s in structures):
        raise DataError("the split leaves no structure to train on")


def dealt(items: list, n_folds: int, seed: int) -> list[list]:
    """The items dealt at random to folds, in their order in each."""
    order = np.random.default_rng([seed, 104729]).permutation(len(items))
    return [[items[i] for i in np.sort(order[k::n_folds])] for k in range(n_folds)]


def _random_parts(n, split, rng):
    n_validation, n_test = round(split.validation * n), round(split.test * n)
    if n_validation + n_test >= n:
        raise DataError(f"{n} structures or groups cannot be divided into training, validation and test sets")
    parts = ["validation"] * n_validation + ["test"] * n_test + ["train"] * (n - n_validation - n_test)
    return [parts[k] for k in rng.permutation(n)]


def _stratified(types, split, rng):
    """Every config type gives its share, so that a rare one is neither all trained on nor all held out."""
    parts = {}
    for name in sorted(set(types)):
        members = [k for k, t in enumerate(types) if t == name]
        if len(members) < 3:
            parts.update(dict.fromkeys(members, "train"))
        else:
            parts.update(zip(members, _random_parts(len(members), split, rng), strict=True))
    return parts


def split_record(structures) -> dict:
    """{file: {split: "0-4, 7"}}: which structures of which file went where, to be kept with the model."""
    record: dict = {}
    for s in structures:
        record.setdefault(s.source, {}).setdefault(s.split, []).append(s.index)
    return {file: {name: _ranges(indices) for name, indices in parts.items()} for file, parts in record.items()}


def _ranges(indices) -> str:
    runs: list = []
    for k in indices:
        if runs and k == runs[-1][1] + 1:
            runs[-1][1] = k
        else:
            runs.append([k, k])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
