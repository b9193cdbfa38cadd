# SPDX-License-Identifier: BSD-3-Clause
"""Choice of hyperparameters by a score that is made inside the training part of a data set."""

from __future__ import annotations


def coordinate_search(grid: dict, start: dict, score, sweeps: int = 2) -> tuple[dict, list]:
    """The settings with the lowest score that changing one of them at a time finds, and the table of all attempts.

    ``grid`` {name: values}; ``start`` one value of every name; ``score(settings)`` -> (number to minimise, {what to
    print}). Every attempt is printed as it is made; none is made twice."""
    table: list = []
    seen: dict = {}

    def attempt(settings):
        key = repr(sorted(settings.items()))
        if key not in seen:
            value, shown = score(settings)
            seen[key] = value
            table.append({"settings": dict(settings), "score": value, **shown})
            told = "  ".join(f"{k} {v:.4g}" for k, v in shown.items())
            print(f"{value:10.5g}   {told}   {settings}", flush=True)
        return seen[key]

    best = dict(start)
    lowest = attempt(best)
    for _ in range(sweeps):
        before = dict(best)
        for name, values in grid.items():
            for value in values:
                trial = {**best, name: value}
                found = attempt(trial)
                if found < lowest:
                    lowest, best = found, trial
        if best == before:
            break
    print(f"chosen: {best}")
    return best, table
