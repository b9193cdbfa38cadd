# SPDX-License-Identifier: BSD-3-Clause
"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: from good to bad
VERDICTS = ("pass", "suspect", "fail")


@dataclass
class Curve:
    """A line of a picture: ``x`` and ``y`` with their names, and a label."""

    label: str
    x: np.ndarray
    y: np.ndarray
    names: tuple[str, str]


@dataclass
class Check:
    """The verdict of one check, the sentence that explains it, and the curves that it was read from."""

    name: str
    verdict: str
    reason: str
    curves: list[Curve] = field(default_factory=list)


def worst(verdicts) -> str:
    """The worst of some verdicts; pass if there are none."""
    return max(verdicts, key=VERDICTS.index, default="pass")
