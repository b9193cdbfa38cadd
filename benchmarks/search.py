# SPDX-License-Identifier: BSD-3-Clause
"""Choice of hyperparameters by a score that is made inside the training part of a data set."""

from __future__ import annotations


def coordinate_search(grid: dict, start: dict, score) -> tuple[dict, list]:
    """The settings with the lowest score that is found by changing one of them after the other, and all attempts.

    ``grid`` {name: values}; ``start`` one value of every name; ``score(settings)`` -> (number to minimize, {what to
    print}). Every attempt is printed as it is made."""
    table: list = []

    def attempt(settings):
        value, shown = score(settings)
        table.append({"settings": dict(settings), "score": value, **shown})
        told = "  ".join(f"{k} {v:.4g}" for k, v in shown.items())
        print(f"{value:10.5g}   {told}   {settings}", flush=True)
        return value

    best = dict(start)
    lowest = attempt(best)
    for name, values in grid.items():
        for value in values:
            trial = {**best, name: value}
            if trial == best:
                continue
            found = attempt(trial)
            if found < lowest:
                lowest, best = found, trial
    print(f"chosen: {best}")
    return best, table
