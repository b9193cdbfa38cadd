# SPDX-License-Identifier: BSD-3-Clause
"""The files of sparse points beside a potential: numbers, one a line, point by point."""

import hashlib

import numpy as np

_BLOCK = 1 << 22


def read_points(path, n_points, dimensions, md5=None, progress=None):
    """An array (n_points, dimensions). ``progress(bytes)`` is called on the way.

    Raises ValueError if the file holds another number of numbers, or not the ones of ``md5``."""
    found, digest, rest = [], hashlib.md5(usedforsecurity=False), b""
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            if progress:
                progress(len(block))
            block = rest + block
            cut = block.rfind(b"\n") + 1
            rest = block[cut:]
            found.append(_numbers(block[:cut], path))
    found.append(_numbers(rest, path))
    if md5 and digest.hexdigest() != md5.lower():
        raise ValueError(f"{path} is not the file that the potential was saved with: its md5 sum is another one")
    values = np.concatenate(found)
    if len(values) != n_points * dimensions:
        raise ValueError(f"{path} holds {len(values)} numbers instead of {n_points} points x {dimensions}")
    return values.reshape(n_points, dimensions)


def _numbers(text, path):
    try:
        return np.array(text.replace(b"D", b"E").split(), dtype=float)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
