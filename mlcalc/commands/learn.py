# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc learn``: the loop from a first structure to a model."""

from __future__ import annotations

from ..learn.labels import Waiting
from ..learn.loop import learn
from ..learn.options import LearnOptions
from ..train.option_page import tables

HEAD = """# Options of mlcalc learn

What may stand in the options file of `mlcalc learn`, made from the classes that check it.
"""


def run_learn(args) -> str:
    """Runs a loop or goes on with it, and returns how it ended, or what it waits for."""
    if args.show:
        return HEAD + tables(LearnOptions)
    if not args.options:
        raise ValueError("name an options file; mlcalc learn --options prints what may stand in it")
    try:
        result = learn(args.options, progress=not args.quiet)
    except Waiting as waiting:
        return str(waiting)
    last = result.rounds[-1]
    ended = "converged" if result.converged else "ended without convergence"
    return (
        f"{ended} after {last.number + 1} rounds and {last.labels} labels: {result.reason}\n"
        f"model {result.model_path}   report {result.report_path}"
    )
