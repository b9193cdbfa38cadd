# SPDX-License-Identifier: BSD-3-Clause
"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: from good to bad; what is skipped says why
VERDICTS = ("skipped", "pass", "suspect", "fail")


@dataclass
class Curve:
    """A line of a picture: ``x`` and ``y`` with their names, a label, and how it is drawn."""

    label: str
    x: np.ndarray
    y: np.ndarray
    names: tuple[str, str]
    style: str = ".-"
    color: str | None = None


@dataclass
class Check:
    """The verdict of one check, the sentence that explains it, the curves that it was read from, numbers {name with
    unit: value} of the model and of the reference, labels of places on the axis of the picture, and histograms that are
    drawn below the curves, one for each or none."""

    name: str
    verdict: str
    reason: str
    curves: list[Curve] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    reference: dict[str, float] = field(default_factory=dict)
    ticks: list[tuple[float, str]] = field(default_factory=list)
    histograms: list[Curve] = field(default_factory=list)


def worst(verdicts) -> str:
    """The worst of some verdicts; pass if there are none."""
    return max(verdicts, key=VERDICTS.index, default="pass")


def failed(name: str, error: BaseException) -> Check:
    """The verdict on a model that cannot be computed where it should."""
    text = " ".join(str(error).split()) or type(error).__name__
    return Check(name, "fail", f"it could not be computed: {text}")
