# SPDX-License-Identifier: BSD-3-Clause
"""What training asks of the engine, structure by structure, on several threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..running.views import views


def n_threads(requested: int) -> int:
    """Threads to use: as requested, or as many as this process may run on."""
    if requested > 0:
        return requested
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Engine:
    """A model's ``Potential``, one per thread (they keep work space), and the translation from ase.Atoms."""

    def __init__(self, model, options: dict | None = None):
        self.model = model
        self._options = dict(options or {})
        self._local = threading.local()
        self.species = [int(z) for z in model.species]

    @property
    def potential(self):
        if not hasattr(self._local, "potential"):
            self._local.potential = self.model.potential(n_threads=1, **self._options)
        return self._local.potential

    def arguments(self, atoms):
        """Arrays for the engine. Raises UnknownSpecies for elements that the model does not have."""
        return views(self.potential, atoms)

    def features(self, atoms, term):
        """(n_atoms, n_features), scaled and selected, not normalized."""
        # the k list or mesh is chosen per structure: training structures differ in size
        self.potential.reset()
        return self.potential.features(*self.arguments(atoms), term=term)

    def mean_features(self, atoms):
        """One vector of a structure: of each term and species the sum over the atoms of the species, divided by the
        number of all atoms."""
        parts = []
        for term in range(len(self.model.terms)):
            features = self.features(atoms, term)
            parts += [features[atoms.numbers == z].sum(axis=0) / max(1, len(atoms)) for z in self.species]
        return np.concatenate(parts)

    def expansion(self, atoms, name):
        self.potential.reset()
        return self.potential.expansion(*self.arguments(atoms), name=name)

    def design(self, atoms, terms):
        """Derivatives of (E, dE/dr, dE/d eps) with respect to all weights of the listed terms."""
        self.potential.reset()
        arguments = self.arguments(atoms)
        parts = [self.potential.design(*arguments, term=t) for t in terms]
        return tuple(np.concatenate([p[k] for p in parts], axis=-1) for k in range(3))

    def compute(self, atoms, **options):
        self.potential.reset()
        return self.potential.compute(*self.arguments(atoms), **options)


def ordered_map(function, items, threads: int):
    """function(item) in order, on ``threads`` threads, with at most threads + 1 results waiting: bounded memory."""
    items = iter(items)
    if threads <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
