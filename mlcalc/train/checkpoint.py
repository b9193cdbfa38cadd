# SPDX-License-Identifier: BSD-3-Clause
"""What a run has finished, on disk: a killed run that is started again goes on from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from ..files import LOCK, locked, write_atomically, write_json
from .options import TrainOptions

ROWS = "rows"


def key_of(options: TrainOptions, geometry_digest: str = "") -> str:
    """Hash of what the plan depends on: the representation, the engine, the seed and, where their digest is given, the
    structures.

    Labels, weights (unless they shape a layer), solver, committee and budget are not among it."""
    described = options.as_dict()
    terms = [{k: v for k, v in term.items() if k != "weight"} for term in described["terms"]]
    shaping = [described[key] for key in ("expansions", "layers", "engine", "seed")]
    shaping += [terms, geometry_digest]
    if geometry_digest and any(layer["mixing"]["method"] == "optimize" for layer in described["layers"]):
        shaping += [described["weights"], described["data"]]  # what is optimized depends on labels and weights
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


class Checkpoint:
    """A folder of finished pieces, locked by the run that uses it. It belongs to one representation of one set of
    structures (``key``): if those differ, the folder is cleared first, but for rows, which are found by what they are
    of. Files whose content depends on more have a hash of that in their name.

    With ``keep`` what an earlier run of the same ``representation`` has decided stays, whatever structures there are
    now (``kept``); ``lost`` says that there was one of another representation."""

    def __init__(self, folder: Path, key: str, representation: str = "", keep: bool = False):
        self.folder = folder
        self.key = key
        if folder.exists() and any(folder.iterdir()) and not any((folder / n).exists() for n in ("run.json", LOCK)):
            # only a folder that is ours: a mistyped path must not cost anyone their files
            raise ValueError(f"the checkpoint folder {folder} holds other files; name another one")
        self._lock = locked(
            folder,
            f"another run is using the checkpoint folder {folder}; wait for it, or name another folder as 'checkpoint' "
            "(or another 'model') in the options",
        )
        stamp = folder / "run.json"
        before = json.loads(stamp.read_text()) if stamp.exists() else {}
        self.resumed = before.get("key") == key and (keep or not before.get("kept"))
        same = keep and bool(before) and before.get("representation") == representation
        self.kept = bool(before.get("kept")) if self.resumed else same
        self.lost = keep and bool(before) and not same and not self.resumed
        if not self.resumed:
            self._empty()
            write_json(stamp, {"key": key, "representation": representation, "kept": self.kept})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._lock.close()

    def path(self, name: str) -> Path:
        return self.folder / name

    def load_array(self, name: str):
        path = self.path(name)
        return np.load(path, mmap_mode="r") if path.exists() else None

    def save_array(self, name: str, array: np.ndarray):
        write_atomically(self.path(name), lambda stream: np.save(stream, array))

    def save_arrays(self, name: str, arrays: dict[str, np.ndarray]):
        """A file of several arrays, .npz."""
        write_atomically(self.path(name), lambda stream: np.savez(stream, **arrays))

    def rows(self, representation: str) -> Path:
        """The folder of the rows of a representation; those of others are removed."""
        for path in self.path(ROWS).glob("*"):
            if path.name != representation:
                shutil.rmtree(path)
        return self.path(ROWS) / representation

    def _empty(self):
        for path in self.folder.iterdir():
            decided = path.name == "plan.npz" or path.name.startswith("couplings-")
            if path.name not in (LOCK, ROWS) and not (self.kept and decided):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def clear(self):
        """Removes the folder."""
        shutil.rmtree(self.folder)
