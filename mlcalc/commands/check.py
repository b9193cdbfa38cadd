# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc check``: is a model sound where it has no data?"""

from __future__ import annotations

import json
from pathlib import Path

from ..checks.run import check_model, figure_of, table
from ..checks.verdict import worst
from ..train.data import read_frames


def check_file(model, structure=None, output="check.png", *, json_output=None, threads=1, seconds=60.0, say=print):
    """Runs all checks, draws them, prints the verdicts and returns the worst."""
    atoms = None if structure is None else read_frames(structure, "-1")[0]
    checks, alone = check_model(
        model, atoms, threads=threads, seconds=seconds, progress=lambda name: say(f"checking {name} ..")
    )
    figure_of(checks).savefig(output, dpi=150)
    say(table(checks, alone))
    say(f"picture: {output}")
    if json_output:
        found = {c.name: {"verdict": c.verdict, "reason": c.reason,
                          "curves": {k.label: {k.names[0]: k.x.tolist(), k.names[1]: k.y.tolist()} for k in c.curves}}
                 for c in checks}  # fmt: skip
        Path(json_output).write_text(json.dumps({"separated_atoms": alone, "checks": found}, indent=1) + "\n")
    return worst(c.verdict for c in checks)
