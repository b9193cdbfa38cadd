# SPDX-License-Identifier: BSD-3-Clause
"""Structures from files in any format that ASE reads, all at once or one at a time, and to extxyz."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ase.io
from ase.io.formats import filetype, open_with_compression, string2index
from ase.io.lammpsrun import iread_lammps_dump_text

from ..files import write_bytes
from .option_checks import DataError

DUMP = "lammps-dump-text"


@contextmanager
def _told(path, index):
    """What cannot be read, in one sentence with the name of the file."""
    if Path(path).is_dir() and not Path(path, "metadata.json").exists():  # which ASE's BundleTrajectory has
        raise DataError(f"{path} is a folder, not a file with structures")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    except FileNotFoundError:
        raise DataError(f"data file {path} does not exist{_elsewhere(path)}") from None
    except (StopIteration, IndexError):
        raise DataError(f"{path} has no structures at index {index!r}") from None
    except Exception as error:
        # every format has its own exceptions; the user needs the file name in all of them
        raise DataError(f"cannot read {path}: {type(error).__name__}: {error}") from error


def read_frames(path, index=":") -> list[ase.Atoms]:
    """The frames of a file in any format ASE reads. Raises DataError if there is none."""
    with _told(path, index):
        frames = ase.io.read(path, index)
    frames = frames if isinstance(frames, list) else [frames]
    if not frames:
        raise DataError(f"{path} has no structures at index {index!r}")
    return frames


def stream_frames(path, index=":", types=None) -> Iterator[ase.Atoms]:
    """As `read_frames`, one frame after the other: files may be larger than memory where ASE reads their format frame
    by frame, as it does extxyz, its own trajectories and dumps of LAMMPS.

    ``types``: symbols of the atom types 1, 2, .. of dumps that have no column of elements."""
    frames, n = None, 0
    while True:
        with _told(path, index):
            if frames is None:
                frames = _iterator(path, index, types)
            try:
                atoms = next(frames)
            except StopIteration:
                break
        yield atoms
        n += 1
    if n == 0:
        raise DataError(f"{path} has no structures at index {index!r}")


def _iterator(path, index, types):
    where = string2index(index) if isinstance(index, str) else index
    where = where if isinstance(where, slice) else slice(where, where + 1 or None)
    if filetype(str(path)) != DUMP:
        return iter(ase.io.iread(str(path), where))
    return iter(iread_lammps_dump_text(open_with_compression(str(path)), where, specorder=types))


def _elsewhere(path) -> str:
    """Paths of an options file are relative to it; people may have meant the working folder."""
    name = Path(path).name
    if Path(path).parent != Path() and Path(name).exists():
        return f"; {name} is in the working folder, but paths are relative to the options file"
    return ""


def as_bytes(frames) -> bytes:
    """The extxyz file that ASE would write."""
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    return text.getvalue().encode()


def write_frames(path: Path, frames):
    """Structures as extxyz, whole or not at all, on the disk when this returns: labels may have cost days."""
    write_bytes(path, as_bytes(frames), durable=True)
