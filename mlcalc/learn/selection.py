# SPDX-License-Identifier: BSD-3-Clause
"""The structures that teach most, of candidates that pass by once, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from ..model import Model
from ..running.neighbors import full_neighbor_list
from ..train.data import Structure
from ..train.engine import n_threads, ordered_map
from ..train.frames import stream_frames
from ..train.option_checks import DataError
from ..train.progress import Progress
from .measures import Candidate, Choice, Measure, measure_of
from .names import CLOSEST

#: candidates kept, beside those that are to be chosen, when memory is full
SPARE = 2
REMOVED = {
    "duplicate": "duplicates",
    "close": "with atoms too close",
    "unknown": "with elements that the model does not know",
    "broken": "with positions that are not numbers, or no atoms",
}


@dataclass
class Selection:
    """What was taken, the first the best, of how many, and how many were removed before, by reason."""

    chosen: list[Choice]
    method: str
    n_candidates: int = 0
    removed: Counter = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)

    def frames(self) -> list[Atoms]:
        """The structures, with rank, value and reason as entries of ``info``."""
        out = []
        for rank, choice in enumerate(self.chosen, 1):
            atoms = choice.candidate.atoms.copy()
            atoms.info |= {"selected": rank, "selected_by": self.method, "selected_value": choice.value,
                           "selected_because": choice.reason, "selected_from": choice.candidate.source,
                           "selected_index": choice.candidate.index}  # fmt: skip
            out.append(atoms)
        return out

    def summary(self) -> str:
        """Counts, in one line."""
        told = [f"{self.removed[key]} {text}" for key, text in REMOVED.items() if self.removed[key]]
        if self.unknown:
            told.append(f"unknown: {', '.join(self.unknown)}")
        left_out = f", left out: {'; '.join(told)}" if told else ""
        return f"{len(self.chosen)} of {self.n_candidates} structures by {self.method}{left_out}"


class Sieve:
    """Leaves out what must not be labeled, and counts it."""

    def __init__(self, species, closest: float = CLOSEST):
        self.species, self.closest = set(species), closest
        self.removed: Counter = Counter()
        self.unknown: set[str] = set()
        self._seen: set[bytes] = set()
        self._n = 0

    def fault(self, atoms: Atoms) -> str:
        """The key of REMOVED of what is wrong with a structure, empty if nothing is; the next of the same is a
        duplicate."""
        if not len(atoms) or not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            return "broken"
        foreign = set(atoms.numbers.tolist()) - self.species
        if foreign:
            self.unknown |= {chemical_symbols[z] for z in foreign}
            return "unknown"
        digest = bytes.fromhex(Structure(atoms).digest)[:16]
        if digest in self._seen:
            return "duplicate"
        self._seen.add(digest)
        return "close" if self._too_close(atoms) else ""

    def _too_close(self, atoms: Atoms) -> bool:
        radii = covalent_radii[atoms.numbers]
        reach = 2 * self.closest * float(radii.max())
        if reach <= 0:
            return False
        first, second, r_ij = full_neighbor_list(atoms, reach)
        center = np.repeat(np.arange(len(atoms)), np.diff(first))
        return bool(np.any(np.linalg.norm(r_ij, axis=1) < self.closest * (radii[center] + radii[second])))

    def __call__(self, named: Iterable) -> Iterator:
        """(atoms, source, index) of those with nothing wrong."""
        for atoms, source, index in named:
            self._n += 1
            fault = self.fault(atoms)
            if fault:
                self.removed[fault] += 1
            else:
                yield atoms, source, index

    @property
    def seen(self) -> int:
        return self._n


def of_files(paths, index=":", types=None) -> Iterator[tuple[Atoms, str, int]]:
    """(atoms, file, number) of all structures of some files, read as they are needed."""
    for path in paths:
        for k, atoms in enumerate(stream_frames(path, index, types)):
            yield atoms, str(path), k


def select(model: Model, candidates: Iterable, n: int, *, method="auto", labels=("energy", "forces"), known=(), seen=(),
           closest: float = CLOSEST, memory: float = 1e9, threads: int = 1, engine: dict | None = None,
           progress: Progress | None = None) -> Selection:  # fmt: skip
    """The ``n`` structures of ``candidates``, (atoms, source, index), that teach the model most.

    Candidates pass by once. Where their rows fill ``memory`` (bytes), the best ``SPARE`` n stay and the others go;
    where they fit, the choice is that of looking at all at once. ``known`` are structures that count as taken,
    ``seen`` (ase.Atoms) those that must not come again. Raises DataError if nothing is left to be chosen from."""
    if n < 1:
        raise DataError(f"at least one structure must be asked for, got {n}")
    measure, sieve = measure_of(model, method, labels, engine), Sieve(model.species, closest)
    for atoms, _, _ in known:
        if sieve.fault(atoms) not in ("unknown", "broken"):
            measure.know(measure.candidate(atoms))
    for atoms in seen:
        sieve.fault(atoms)
    passed = _measured(measure, sieve(candidates), threads)
    pool: list[Candidate] = []
    held = 0
    for candidate in progress(passed, desc="candidates") if progress else passed:
        pool.append(candidate)
        held += candidate.nbytes
        if held > memory and len(pool) > SPARE * n:
            pool = [choice.candidate for choice in measure.best(pool, SPARE * n)]
            held = sum(c.nbytes for c in pool)
            if held > memory:
                raise DataError(
                    f"{SPARE * n} structures take {held / 1e9:.2g} GB; give more memory, choose fewer, or select by "
                    "energies alone (--labels energy)"
                )
    if not pool:
        why = Selection([], measure.name, sieve.seen, sieve.removed, sorted(sieve.unknown)).summary()
        raise DataError(f"no structure is left to choose from: {why}")
    return Selection(measure.best(pool, n), measure.name, sieve.seen, sieve.removed, sorted(sieve.unknown))


def _measured(measure: Measure, named, threads: int) -> Iterator[Candidate]:
    def one(item):
        atoms, source, index = item
        try:
            return measure.candidate(atoms, source, index)
        except (ValueError, RuntimeError) as error:
            raise DataError(f"{source}, structure {index}: {error}") from error

    return ordered_map(one, named, n_threads(threads))
