# SPDX-License-Identifier: BSD-3-Clause
"""Writing files so that nobody ever sees half of one."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


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
