# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the design matrix, block by block: on disk or streamed, within a memory budget, restartable."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .data import Structure, located
from .engine import Engine, ordered_map
from .options import TrainOptions
from .plan import Columns

PROPERTIES = ("energy", "forces", "virial")
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def voigt(tensor: np.ndarray) -> np.ndarray:
    """xx yy zz yz xz xy of the symmetric part of tensor (3, 3, ...)."""
    return np.stack([0.5 * (tensor[a, b] + tensor[b, a]) for a, b in VOIGT])


@dataclass
class Target:
    """A structure with what is left of its labels once reference energies and the pair repulsion are subtracted."""

    structure: Structure
    energy: float | None
    forces: np.ndarray | None
    virial: np.ndarray | None

    @property
    def n_rows(self) -> int:
        n = len(self.structure.atoms)
        return (self.energy is not None) + 3 * n * (self.forces is not None) + 6 * (self.virial is not None)


def sigmas(options: TrainOptions, structure: Structure) -> dict[str, float]:
    """Expected error of each kind of label: energy and virial of the whole structure grow with sqrt(n_atoms)."""
    w = options.weights
    factors = w.config_types.get(structure.config_type, {})
    root = np.sqrt(max(1, len(structure.atoms)))
    return {
        "energy": w.energy * root * factors.get("energy", 1.0),
        "forces": w.forces * factors.get("forces", 1.0),
        "virial": w.virial * root * factors.get("virial", 1.0),
    }


class RowMaker:
    """Design rows [A y] / sigma of structures, with one free column per energy offset group."""

    def __init__(self, options: TrainOptions, engine: Engine, columns: list[Columns], offset_groups: list[str]):
        self.options = options
        self.engine = engine
        self.terms = list(range(len(options.terms)))
        self.n_weights = columns[-1].stop
        self.offsets = {g: self.n_weights + k for k, g in enumerate(offset_groups)}
        self.n_columns = self.n_weights + len(offset_groups)

    def __call__(self, target: Target) -> dict[str, np.ndarray]:
        """Rows (n_rows, n_columns + 1) of every kind of label the structure has, the label last."""
        with located(target.structure):
            energy, gradient, strain = self.engine.design(target.structure.atoms, self.terms)
        sigma = sigmas(self.options, target.structure)
        rows = {}
        if target.energy is not None:
            rows["energy"] = self._augmented(energy[None, :], [target.energy], sigma["energy"])
            group = target.structure.offset_group
            if group in self.offsets:
                rows["energy"][0, self.offsets[group]] = 1.0 / sigma["energy"]
        if target.forces is not None:
            a = -gradient.reshape(-1, self.n_weights)
            rows["forces"] = self._augmented(a, target.forces.ravel(), sigma["forces"])
        if target.virial is not None:
            rows["virial"] = self._augmented(-voigt(strain), voigt(target.virial), sigma["virial"])
        for kind, block in rows.items():
            if not np.isfinite(block).all():
                s = target.structure
                raise ValueError(f"{s.source}, structure {s.index}: the design rows of {kind} are not finite")
        return rows

    def _augmented(self, a, y, sigma):
        block = np.zeros((len(a), self.n_columns + 1))
        block[:, : self.n_weights] = a
        block[:, -1] = y
        block /= sigma
        return block


class Design:
    """Blocks of rows of one list of targets. A block that was computed once is read from ``folder`` ever after; with
    ``folder`` None (no room on disk) it is computed again.

    A block is written to a temporary name and moved, so a killed run finds whole blocks or none."""

    def __init__(self, name, targets: list[Target], maker: RowMaker, folder: Path | None, block_bytes: int):
        self.name = name
        self.maker = maker
        self.folder = folder
        self.blocks = self._partition(targets, block_bytes)

    def _partition(self, targets, block_bytes):
        row_bytes = 8 * (self.maker.n_columns + 1)
        blocks, size = [], 0
        for t in targets:
            if not blocks or size + t.n_rows * row_bytes > block_bytes:
                blocks.append([])
                size = 0
            blocks[-1].append(t)
            size += t.n_rows * row_bytes
        return blocks

    @property
    def n_rows(self) -> int:
        return sum(t.n_rows for block in self.blocks for t in block)

    def stream(self, threads: int, progress=None):
        """Yields (targets, rows) of each block; rows[kind] (n_rows, n_columns + 1) in the order of the targets."""
        bar = progress(total=sum(len(b) for b in self.blocks), desc=f"rows {self.name}") if progress else None
        for k, block in enumerate(self.blocks):
            path = None if self.folder is None else self.folder / f"{self.name}-{k:05d}.npz"
            if path is not None and path.exists():
                with np.load(path) as stored:
                    rows = {kind: stored[kind] for kind in stored.files}
                if bar is not None:
                    bar.update(len(block))
                yield block, rows
                continue
            parts = []
            for part in ordered_map(self.maker, block, threads):
                parts.append(part)
                if bar is not None:
                    bar.update(1)
            rows = {
                kind: np.concatenate([p[kind] for p in parts if kind in p])
                for kind in PROPERTIES
                if any(kind in p for p in parts)
            }
            del parts
            if path is not None:
                write_atomically(path, lambda stream, rows=rows: np.savez(stream, **rows))
            yield block, rows
        if bar is not None:
            bar.close()

    def by_structure(self, threads: int):
        """The rows of one structure at a time, all kinds of labels together."""
        for block, rows in self.stream(threads):
            at = dict.fromkeys(PROPERTIES, 0)
            for target in block:
                counts = {
                    "energy": int(target.energy is not None),
                    "forces": 3 * len(target.structure.atoms) * (target.forces is not None),
                    "virial": 6 * (target.virial is not None),
                }
                parts = []
                for kind, n in counts.items():
                    if n:
                        parts.append(rows[kind][at[kind] : at[kind] + n])
                        at[kind] += n
                if parts:
                    yield np.concatenate(parts)


def write_atomically(path: Path, write):
    """write(stream) into a temporary file that then takes the name ``path``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            write(stream)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


#: matrices of the size of the factor that are alive at once: in the singular value decomposition, and while streaming
SOLVING, STREAMING = 9, 4
#: blocks that are alive at once: made by the threads, in use, and what making and using them copies
BLOCKS = 5


def block_bytes(options: TrainOptions, n_columns: int) -> int:
    """Size of a block: blocks in flight, the factor and its work space share the memory budget.

    Raises ValueError if the solution does not fit: then fewer features or points, or more memory, are needed."""
    factor = 8 * (n_columns + 1) ** 2
    memory = options.budget.memory
    if SOLVING * factor > memory:
        raise ValueError(
            f"{n_columns} weights need {SOLVING * factor / 1e9:.2g} GB for the solution; raise budget.memory "
            f"(now {memory / 1e9:.2g} GB) or use fewer points or features"
        )
    return int(min((memory - STREAMING * factor) / BLOCKS, 512e6))


def fits_on_disk(options: TrainOptions, n_rows: int, n_columns: int) -> bool:
    return 8 * n_rows * (n_columns + 1) <= options.budget.disk
