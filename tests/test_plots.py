# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the report that can be read: labels of ticks do not run into each other."""

from types import SimpleNamespace

import numpy as np
import pytest

from mlcalc.train import plots


def labels_of(axis, renderer):
    """Boxes of the labels that are drawn, in the order of the axis."""
    texts = [t for t in axis.get_ticklabels(which="both") if t.get_text() and t.get_visible()]
    low, high = axis.get_view_interval()
    inside = [t for t in texts if low <= (t.get_position()[0] or t.get_position()[1]) <= high]
    return [t.get_window_extent(renderer) for t in inside]


@pytest.mark.parametrize("decades", [0.3, 0.6, 1.0, 1.7, 2.5, 4.0, 8.0])
@pytest.mark.parametrize("center", [1e-4, 0.02, 3.0])
def test_labels_of_ticks_do_not_overlap(monkeypatch, decades, center):
    rng = np.random.default_rng(0)
    sigma = center * 10 ** rng.uniform(-decades / 2, decades / 2, 300)
    monkeypatch.setattr(plots, "uncertainties", lambda predictions, kind: (sigma * rng.normal(size=300), sigma))
    figure = plots.error_against_uncertainty([SimpleNamespace()], 1.0)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    for ax in figure.axes:
        for axis, side in ((ax.xaxis, "x"), (ax.yaxis, "y")):
            boxes = labels_of(axis, renderer)
            assert len(boxes) >= (1 if decades < 0.5 else 2)
            ends = sorted((getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in boxes)
            assert all(end < begin for (_, end), (begin, _) in zip(ends, ends[1:], strict=False)), ends
