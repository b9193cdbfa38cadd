# SPDX-License-Identifier: BSD-3-Clause
"""How a trained model behaves where there are no data: separated atoms, cohesion, close pairs."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from ..checks.curves import check_dimers, isolated_energies
from ..checks.verdict import Check
from ..running.calculator import MLCalculator

#: of the far field: curves are looked at, not integrated
ACCURACY = 1e-3
#: structures whose distances are drawn below the curves of pairs
DRAWN = 200


def soundness(model, data) -> tuple[dict, Check]:
    """What goes into the report, and the check of close pairs with its curves. ``separated_atoms`` {symbol: eV},
    ``cohesion``: median over the training structures of what their atoms gain by being together, eV per atom."""
    calculator = MLCalculator(model, accuracy=ACCURACY, extrapolation=False)
    alone = isolated_energies(model, calculator)
    train = [s for s in data.of("train") if s.energy is not None and len(s.atoms) > 1]
    gains = [np.mean([alone[int(z)] for z in s.atoms.numbers]) - s.energy / len(s.atoms) for s in train]
    frames = [s.atoms for s in data.of("train")]
    check = check_dimers(model, calculator, frames[:: max(1, -(-len(frames) // DRAWN))])
    found = {
        "separated_atoms": {chemical_symbols[z]: e for z, e in alone.items()},
        "cohesion": float(np.median(gains)) if gains else None,
        "close_pairs": {"verdict": check.verdict, "reason": check.reason},
    }
    return found, check


def text_of(found: dict) -> str:
    """As lines of the report."""
    energies = ", ".join(f"{symbol} {e:.6g}" for symbol, e in found["separated_atoms"].items())
    lines = ["Where there are no data", f"separated atoms (eV)     {energies}"]
    if found["cohesion"] is not None:
        lines.append(f"cohesion (eV/atom)       {found['cohesion']:.3g}, median of the training structures")
    close = found["close_pairs"]
    lines.append(f"close pairs              {close['verdict']}: {close['reason']}")
    return "\n".join(lines)
