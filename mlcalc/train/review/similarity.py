# SPDX-License-Identifier: BSD-3-Clause
"""A map of structures by what the model sees of them: principal components of their mean features."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.spatial.distance import cdist

from ...model import Model
from ..engine import Engine, ordered_map
from ..errors import Prediction, errors_of

#: structures of a map, and numbers that the features of one may have
STRUCTURES, FEATURES = 500, 20000


def similarity(model: Model, predictions: list[Prediction], threads: int = 1, engine: dict | None = None) -> dict:
    """{components: share of the variance of both, points: [{file, index, split, config_type, x, y, nearest,
    force_error, energy_error}]}, empty without features.

    The features of a structure are the sums over its atoms of each species, divided by the number of atoms.
    ``nearest`` is the distance to the nearest other structure of the training set, in units of the root mean square
    distance of training structures from their mean. Of more than 500 structures every so many-th is in the map."""
    runner = Engine(model, engine)
    size = len(runner.species) * sum(model.n_features(t) for t in model.terms)
    shown = [p for p in predictions if p.n_atoms]
    shown = shown[:: -(-len(shown) // STRUCTURES)] if shown else []
    if not model.terms or size > FEATURES or len(shown) < 3:
        return {}
    x = np.array(list(ordered_map(lambda p: runner.mean_features(p.structure.atoms), shown, threads)))
    train = np.array([p.structure.split == "train" for p in shown])
    reference = x[train] if train.sum() > 1 else x
    x = x - reference.mean(axis=0)
    width = float(np.sqrt(np.mean(np.sum((reference - reference.mean(axis=0)) ** 2, axis=1))))
    if not width > 0:
        return {}
    u, s, _ = linalg.svd(x / width, full_matrices=False, check_finite=False)
    places = np.zeros((len(x), 2))
    places[:, : min(2, len(s))] = (u * s)[:, :2]
    share = (s[:2] ** 2 / np.sum(s**2)).tolist()
    nearest = _nearest(x / width, train)
    rows = [_row(p, place, d) for p, place, d in zip(shown, places, nearest, strict=True)]
    return {"components": share, "points": rows}


def _nearest(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Distance of each row to the nearest other training row; NaN if there is none."""
    apart = cdist(x, x)
    apart[np.diag_indices(len(x))] = np.inf
    apart[:, ~train] = np.inf
    nearest = apart.min(axis=1)
    return np.where(np.isfinite(nearest), nearest, np.nan)


def _row(p: Prediction, place, nearest) -> dict:
    errors, s = errors_of([p]), p.structure
    force = float(np.sqrt(np.mean(errors["forces"] ** 2))) if len(errors["forces"]) else None
    return {
        "file": s.source, "index": s.index, "split": s.split, "config_type": s.config_type, "x": float(place[0]),
        "y": float(place[1]), "nearest": float(nearest), "force_error": force,
        "energy_error": float(abs(errors["energy"][0])) if len(errors["energy"]) else None,
    }  # fmt: skip
