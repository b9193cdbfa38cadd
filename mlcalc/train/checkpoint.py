# SPDX-License-Identifier: BSD-3-Clause
"""What a run has finished, on disk: a killed run that is started again goes on from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from .design import write_atomically
from .options import TrainOptions

#: options that change neither the rows nor the factors
LATE = ("model", "report", "checkpoint", "keep_checkpoint", "solver", "budget")


class Checkpoint:
    """A folder of finished pieces. It belongs to one set of data and of the options that shape the rows: if those
    differ, the folder is cleared first. Changes of the solver or of the budget keep what is there."""

    def __init__(self, folder: Path, options: TrainOptions, data_digest: str):
        self.folder = folder
        described = options.as_dict()
        for key in LATE:
            described.pop(key)
        # the size of blocks follows from the budget and from nothing else
        described["memory"] = options.budget.memory
        described["data"] = {k: v for k, v in described["data"].items() if k != "files"}
        key = hashlib.sha256(json.dumps([described, data_digest], sort_keys=True).encode()).hexdigest()
        stamp = folder / "run.json"
        self.resumed = stamp.exists() and json.loads(stamp.read_text()).get("key") == key
        if not self.resumed:
            self.clear()
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(stamp, lambda stream: stream.write(json.dumps({"key": key}).encode()))

    def path(self, name: str) -> Path:
        return self.folder / name

    def load_array(self, name: str):
        path = self.path(name)
        return np.load(path, mmap_mode="r") if path.exists() else None

    def save_array(self, name: str, array: np.ndarray):
        write_atomically(self.path(name), lambda stream: np.save(stream, array))

    def clear(self):
        # only a folder that is ours: a mistyped path must not cost anyone their files
        if self.folder.exists():
            if any(self.folder.iterdir()) and not (self.folder / "run.json").exists():
                raise ValueError(f"the checkpoint folder {self.folder} holds other files; name another one")
            shutil.rmtree(self.folder)
