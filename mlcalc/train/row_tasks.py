# SPDX-License-Identifier: BSD-3-Clause
"""What ranks do with the rows of their structures: triangles of a fold, of the validation set, and predictions."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..model import Model
from .design import PROPERTIES, Design, RowMaker, Target
from .engine import Engine
from .errors import predict
from .options import TrainOptions
from .plan import Columns
from .row_store import RowStore
from .solve import Factor
from .team import Team


@dataclass
class RowTask:
    """What every rank needs to make rows: the model whose rows they are, and where they are stored."""

    name: str
    options: TrainOptions
    model: bytes
    columns: list[Columns]
    offsets: list[str]
    scales: np.ndarray
    folder: Path | None
    block_bytes: int
    threads: int
    method: str = "qr"

    @classmethod
    def of(cls, design: Design, threads: int, block_bytes: int, method: str = "qr") -> RowTask:
        maker = design.maker
        return cls(design.name, maker.options, maker.engine.model.to_bytes(), maker.columns, list(maker.offsets),
                   maker.scales, design.store.folder, block_bytes, threads, method)  # fmt: skip

    def design(self, targets: list[Target]) -> Design:
        """The rows of some structures on this rank."""
        engine = Engine(Model.from_bytes(self.model), self.options.engine.arguments())
        maker = RowMaker(self.options, engine, self.columns, self.offsets, self.scales)
        return Design(self.name, targets, maker, RowStore(self.folder, _say), self.block_bytes)


def _say(text: str):
    print(text, file=sys.stderr, flush=True)


def factor_of(design: Design, method: str, threads: int, progress=None, seen=None) -> tuple[Factor, np.ndarray]:
    """The factor of the rows of a design and the sum of its energy rows; ``seen`` is called with every block."""
    factor, total = Factor(design.maker.n_columns, method), np.zeros(design.maker.n_weights)
    for block, raw in design.stream_unscaled(threads, progress):
        total += raw["sum"].sum(axis=0)
        if seen is not None:
            seen(block, raw)
        for rows in design.maker.scaled(block, raw).values():
            factor.add(rows)
    return factor, total


def kinds_of(design: Design, threads: int, progress=None) -> dict[str, Factor]:
    """The factor of each kind of label of a design."""
    parts = {kind: Factor(design.maker.n_columns) for kind in PROPERTIES}
    for _, rows in design.stream(threads, progress):
        for kind, block in rows.items():
            parts[kind].add(block)
    return parts


def fold_of(team: Team, task: RowTask, targets: list[Target]):
    """On rank 0 the factor of the rows of all ranks and the sum of their energy rows."""
    factor, total = factor_of(task.design(targets), task.method, task.threads)
    return team.combine(factor), team.sum(total)


def validation_of(team: Team, task: RowTask, targets: list[Target]) -> dict[str, Factor]:
    """On rank 0 the factors of each kind of label."""
    parts = kinds_of(task.design(targets), task.threads)
    return {kind: team.combine(factor) for kind, factor in parts.items()}


@dataclass
class PredictionTask:
    """What every rank needs to predict."""

    model: bytes
    engine: dict
    threads: int
    offsets: dict[str, float]


def predictions_of(team: Team, task: PredictionTask, structures):
    """On rank 0 the predictions of all structures, without the structures themselves."""
    made = predict(Model.from_bytes(task.model), structures, task.threads, task.engine, None, task.offsets)
    for prediction in made:
        prediction.structure = None  # type: ignore[assignment]
    return team.collect(made)
