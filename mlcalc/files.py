# SPDX-License-Identifier: BSD-3-Clause
"""Writing files so that nobody ever sees half of one."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TextIO

LOCK = "mlcalc.lock"


def locked(folder: Path, sentence: str) -> TextIO:
    """Makes a folder and holds its lock until the stream that is returned is closed, or the process ends.

    Raises ValueError with the sentence if another process holds it. A file system without locks has none."""
    path = folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        stream = open(path, "a")  # noqa: SIM115  held as long as the caller wants
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            raise ValueError(sentence) from None
        except OSError:
            return stream
        # the one before may have removed the file between the two lines
        if path.exists() and os.fstat(stream.fileno()).st_ino == path.stat().st_ino:
            return stream
        stream.close()


def write_atomically(path: Path, write: Callable[[BinaryIO], object], durable: bool = False) -> None:
    """``write(stream)`` into a temporary file beside ``path``, which then takes its name: the old file or the new one.

    ``durable`` waits until the data are on the disk, for what cannot be made again."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as stream:
            write(stream)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, contents: bytes, durable: bool = False) -> None:
    """As `write_atomically` for contents that are there."""
    write_atomically(path, lambda stream: stream.write(contents), durable)


def write_json(path: Path, value, **layout) -> None:
    """As `write_atomically` for plain data; ``layout`` are arguments of json.dumps."""
    write_bytes(path, json.dumps(value, **layout).encode())
