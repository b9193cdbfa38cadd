# SPDX-License-Identifier: BSD-3-Clause
"""Rows of structures on disk, found by what they depend on: never computed twice, whatever else has changed.

Structures may come, go, change their order or their split: the rows of each are found by its own key. They belong to
one representation, to which the folder of the store is given.
"""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import numpy as np

from ..files import write_atomically, write_json

#: kinds of rows, in the order in which they are stored
KINDS = ("sum", "forces", "virial")


class RowStore:
    """Files of rows in ``folder``, each an array ``NAME.npy`` (n_rows, n_columns) and ``NAME.json``, which says what
    is in it and is written last: a run that is killed leaves whole files, or an array that nobody refers to.

    With ``folder`` None (no room on disk) nothing is stored."""

    def __init__(self, folder: Path | None, say=None):
        self.folder = folder
        self.say = say or (lambda text: None)
        self._places: dict[str, tuple[Path, int, dict[str, int]]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.look()

    def look(self):
        """Enters what is in the folder, where other processes may have stored rows."""
        known = {path.stem for path, _, _ in self._places.values()}
        for index in sorted(self.folder.glob("*.json")) if self.folder is not None else ():
            if index.stem not in known:
                self._enter(index.with_suffix(".npy"), json.loads(index.read_text()))

    def _enter(self, path: Path, entries):
        at = 0
        for key, counts in entries:
            self._places[key] = (path, at, counts)
            at += sum(counts.values())

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def get(self, key: str) -> dict[str, np.ndarray]:
        """Rows (n, n_columns) of each kind of a structure that is in the store, mapped from the file."""
        path, at, counts = self._places[key]
        array, rows = np.load(path, mmap_mode="r"), {}
        for kind, n in counts.items():
            rows[kind] = array[at : at + n]
            at += n
        return rows

    def add(self, keys: list[str], rows: list[dict[str, np.ndarray]]):
        """Stores the rows of some structures. Where the disk is full it says so, and stores nothing from then on."""
        if self.folder is None or not keys:
            return
        entries = [[key, {kind: len(one[kind]) for kind in KINDS if kind in one}]
                   for key, one in zip(keys, rows, strict=True)]  # fmt: skip
        name = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:24]
        array = np.concatenate([one[kind] for one in rows for kind in KINDS if kind in one])
        path = self.folder / f"{name}.npy"
        try:
            write_atomically(path, lambda stream: np.save(stream, array))
            write_json(path.with_suffix(".json"), entries)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            path.unlink(missing_ok=True)
            self.say(f"no space left for {self.folder}: rows are not stored any more, and computed again if needed")
            self.folder = None
            return
        self._enter(path, entries)

    def keep(self, wanted: set[str]):
        """Removes files without a structure that is wanted, and arrays without an index."""
        if self.folder is None:
            return
        used = {self._places[key][0].stem for key in wanted if key in self._places}
        for path in self.folder.iterdir():
            if path.stem not in used:
                path.unlink()
        self._places = {key: place for key, place in self._places.items() if place[0].stem in used}
