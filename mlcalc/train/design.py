# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the design matrix, block by block: on disk or streamed, within a memory budget, restartable.

Rows are stored as the engine makes them, structure by structure. Labels and sigmas are put to them when they are read,
so that other weights, references or units compute nothing again, and new structures only their own rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress

from .data import Structure, located
from .engine import Engine, ordered_map
from .options import TrainOptions
from .plan import Columns
from .row_store import KINDS, RowStore

PROPERTIES = ("energy", "forces", "virial")


@dataclass
class Target:
    """A structure with what is left of its labels once reference energies and the pair repulsion are subtracted."""

    structure: Structure
    energy: float | None
    forces: np.ndarray | None
    virial: np.ndarray | None

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each kind of label."""
        return {
            "energy": int(self.energy is not None),
            "forces": 3 * len(self.structure.atoms) * (self.forces is not None),
            "virial": 6 * (self.virial is not None),
        }

    @property
    def n_rows(self) -> int:
        return sum(self.counts.values())

    @property
    def row_key(self) -> str:
        """Hash of what its rows depend on beside the representation: the structure, to the last digit, and which kinds
        of labels it has."""
        atoms = self.structure.atoms
        h = hashlib.sha256(f"{self.forces is not None} {self.virial is not None} {atoms.pbc.tolist()}".encode())
        for values in (atoms.numbers, atoms.positions, atoms.cell.array):
            h.update(np.ascontiguousarray(values, dtype=float).tobytes())
        return h.hexdigest()[:32]

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """The labels of the rows, by kind."""
        out = {}
        if self.energy is not None:
            out["energy"] = np.array([self.energy])
        if self.forces is not None:
            out["forces"] = self.forces.ravel()
        if self.virial is not None:
            out["virial"] = full_3x3_to_voigt_6_stress(self.virial)
        return out


def sigmas(options: TrainOptions, structure: Structure) -> dict[str, float]:
    """Expected error of each kind of label: energy and virial of the whole structure grow with sqrt(n_atoms)."""
    factors = options.weights.config_types.get(structure.config_type)
    size = of_size({kind: getattr(options.weights, kind) for kind in PROPERTIES}, len(structure.atoms))
    return {kind: s * (getattr(factors, kind) if factors else 1.0) for kind, s in size.items()}


def of_size(sigma: dict[str, float], n_atoms: int) -> dict[str, float]:
    """Expected errors of the labels of a structure of ``n_atoms``, from those per atom."""
    root = np.sqrt(max(1, n_atoms))
    return {"energy": sigma["energy"] * root, "forces": sigma["forces"], "virial": sigma["virial"] * root}


def design_rows(engine: Engine, atoms, terms, *, forces: bool, virial: bool) -> dict[str, np.ndarray]:
    """Derivatives (n_rows, n_weights) of the labels of a structure with respect to the weights of some terms: ``sum``
    of the energy, ``forces`` (3 n_atoms) and ``virial`` (6, in Voigt's order) where they are wanted."""
    energy, gradient, strain = engine.design(atoms, terms)
    rows = {"sum": energy[None, :]}
    if forces:
        rows["forces"] = -gradient.reshape(-1, len(energy))
    if virial:
        rows["virial"] = -full_3x3_to_voigt_6_stress(np.moveaxis(strain, (0, 1), (-2, -1))).T
    return rows


class RowMaker:
    """Design rows of structures: derivatives of the labels with respect to all weights, unscaled. With labels and
    sigmas they become [A y] / sigma, with one free column per energy offset group.

    ``scales`` (n_weights,) are put to the columns when stored rows are used: linear terms have features of scale 1 in
    ``engine``, because their scales change with the data."""

    def __init__(self, options: TrainOptions, engine: Engine, columns: list[Columns], offset_groups: list[str],
                 scales: np.ndarray):  # fmt: skip
        self.options = options
        self.engine = engine
        self.columns = columns
        self.scales = scales
        self.terms = list(range(len(options.terms)))
        self.n_weights = columns[-1].stop
        self.offsets = {g: self.n_weights + k for k, g in enumerate(offset_groups)}
        self.n_columns = self.n_weights + len(offset_groups)

    @property
    def representation(self) -> str:
        """Hash of what the rows of a structure depend on: the model whose rows they are, and its engine."""
        contents = self.engine.model.to_bytes() + repr(sorted(self.options.engine.arguments().items())).encode()
        return hashlib.sha256(contents).hexdigest()[:16]

    def __call__(self, target: Target) -> dict[str, np.ndarray]:
        """Rows (n_rows, n_weights) as they are stored: ``sum`` of the energy, always, ``forces`` and ``virial`` where
        there are labels."""
        with located(target.structure):
            rows = design_rows(self.engine, target.structure.atoms, self.terms,
                               forces=target.forces is not None, virial=target.virial is not None)  # fmt: skip
        for kind, block in rows.items():
            if not np.isfinite(block).all():
                s = target.structure
                raise ValueError(f"{s.source}, structure {s.index}: the design rows of {kind} are not finite")
        return rows

    def unscaled(self, target: Target) -> dict[str, np.ndarray]:
        """As calling it, with the scales of the columns."""
        return {kind: rows * self.scales for kind, rows in self(target).items()}

    def scaled(self, targets: list[Target], rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """[A y] / sigma (n_rows, n_columns + 1) of each kind, from the unscaled rows of these targets one after the
        other."""
        out: dict[str, np.ndarray] = {}
        for kind in PROPERTIES:
            mine = [t for t in targets if t.counts[kind]]
            if not mine:
                continue
            counts = [t.counts[kind] for t in mine]
            block = np.zeros((sum(counts), self.n_columns + 1))
            block[:, : self.n_weights] = self._rows_of(kind, targets, rows)
            block[:, -1] = np.concatenate([t.labels[kind] for t in mine])
            if kind == "energy":
                for k, t in enumerate(mine):
                    if t.structure.offset_group in self.offsets:
                        block[k, self.offsets[t.structure.offset_group]] = 1.0
            block /= np.repeat([sigmas(self.options, t.structure)[kind] for t in mine], counts)[:, None]
            out[kind] = block
        return out

    @staticmethod
    def _rows_of(kind, targets, rows):
        if kind != "energy":
            return rows[kind]
        return rows["sum"][[t.energy is not None for t in targets]]


class Design:
    """Blocks of rows of one list of targets. Rows that are in ``store`` are read, others are computed and put there."""

    def __init__(self, name, targets: list[Target], maker: RowMaker, store: RowStore, block_bytes: int):
        self.name = name
        self.maker = maker
        self.store = store
        self.targets = targets
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

    def label_key(self) -> str:
        """Hash of all rows with their labels and sigmas."""
        h = hashlib.sha256(self.maker.scales.tobytes())
        for t in (t for block in self.blocks for t in block):
            s = t.structure
            h.update(repr((t.row_key, sorted(sigmas(self.maker.options, s).items()), s.offset_group)).encode())
            for values in t.labels.values():
                h.update(np.ascontiguousarray(values).tobytes())
        return h.hexdigest()[:16]

    def stream(self, threads: int, progress=None):
        """Yields (targets, rows) of each block; rows[kind] (n_rows, n_columns + 1) in the order of the targets."""
        for block, raw in self.stream_unscaled(threads, progress):
            yield block, self.maker.scaled(block, raw)

    def stream_unscaled(self, threads: int, progress=None):
        """As `stream`, without labels and sigmas."""
        bar = progress(total=sum(len(b) for b in self.blocks), desc=f"rows, {self.name}") if progress else None
        for block in self.blocks:
            rows = self._rows_of(block, threads, bar)
            for array in rows.values():
                array *= self.maker.scales
            yield block, rows
        if bar is not None:
            bar.close()

    def unscaled(self, target: Target) -> dict[str, np.ndarray]:
        """The rows of one structure, without labels and sigmas."""
        if target.row_key not in self.store:
            return self.maker.unscaled(target)
        return {kind: rows * self.maker.scales for kind, rows in self.store.get(target.row_key).items()}

    def _rows_of(self, block, threads, bar):
        """Rows of a block, of each kind one structure after the other, from the store or computed."""
        new = [t for t in block if t.row_key not in self.store]
        if bar is not None:
            bar.update(len(block) - len(new))
        made = []
        for rows in ordered_map(self.maker, new, threads):
            made.append(rows)
            if bar is not None:
                bar.update(1)
        self.store.add([t.row_key for t in new], made)
        fresh = dict(zip(map(id, new), made, strict=True))
        parts = [fresh[id(t)] if id(t) in fresh else self.store.get(t.row_key) for t in block]
        kinds = [kind for kind in KINDS if any(kind in p for p in parts)]
        return {kind: np.concatenate([p[kind] for p in parts if kind in p]) for kind in kinds}

    def by_structure(self, threads: int):
        """The rows of one structure at a time, all kinds of labels together."""
        for block, rows in self.stream(threads):
            at = dict.fromkeys(PROPERTIES, 0)
            for target in block:
                parts = []
                for kind, n in target.counts.items():
                    if n:
                        parts.append(rows[kind][at[kind] : at[kind] + n])
                        at[kind] += n
                if parts:
                    yield np.concatenate(parts)


#: largest block, bytes: what a run that is killed may lose
LARGEST_BLOCK = 48e6
#: matrices of the size of the factor that are alive at once: in the singular value decomposition, and while streaming
SOLVING, STREAMING = 9, 4
#: blocks that are alive at once: made by the threads, in use, and what making, scaling and using them copies
BLOCKS = 6


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
    return int(min((memory - STREAMING * factor) / BLOCKS, LARGEST_BLOCK))


def fits_on_disk(options: TrainOptions, n_rows: int, n_columns: int) -> bool:
    return 8 * n_rows * (n_columns + 1) <= options.budget.disk
