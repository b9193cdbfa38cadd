# SPDX-License-Identifier: BSD-3-Clause
"""The structures with the largest errors, as a file and as pictures."""

from __future__ import annotations

from pathlib import Path

from ..annotated import annotated
from ..frames import write_frames
from . import figures

#: structures of the picture for each kind of error, and of the file
PICTURED, WRITTEN = 3, 10


def write_worst(folder: Path, report: dict, predictions, scale: float | None):
    """Writes ``worst.xyz``, first the worst energies, then forces, then stresses, and returns its name and the figure;
    None, None where nothing has an error."""
    places = {(p.structure.source, p.structure.index): p for p in predictions}
    chosen: dict[int, tuple] = {}
    drawn = []
    for kind, rows in report["worst"].items():
        for k, row in enumerate(rows[:WRITTEN]):
            p = places[row["file"], row["index"]]
            title = f"{kind}: {row['error']:+.3g}\n{Path(row['file']).name}, {row['index']}"
            if kind != "stress" and k < PICTURED:
                drawn.append((p, title))
            chosen.setdefault(id(p), (p, f"{kind} {row['error']:+.4g}"))
    if not chosen:
        return None, None
    frames = annotated([p for p, _ in chosen.values()], scale or 1.0)
    for atoms, (p, why) in zip(frames, chosen.values(), strict=True):
        atoms.info |= {"source": p.structure.source, "index": p.structure.index, "worst_in": why}
    write_frames(Path(folder) / "worst.xyz", frames)
    of = dict(zip(chosen, frames, strict=True))
    return "worst.xyz", figures.worst([of[id(p)] for p, _ in drawn], [title for _, title in drawn])
