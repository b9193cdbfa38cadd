# SPDX-License-Identifier: BSD-3-Clause
"""Structures as the contents of an extxyz file."""

import io

import ase.io


def as_bytes(frames) -> bytes:
    """The file that ASE would write."""
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    return text.getvalue().encode()
