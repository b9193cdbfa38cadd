# SPDX-License-Identifier: BSD-3-Clause
"""The kinds of boundaries that a far field tells apart, by their names in model files."""

import numpy as np

#: kinds that models are trained with
KINDS = ("periodic", "slab", "free")


def kind_of(pbc) -> str:
    """free, wire, slab or periodic: in no, one, two or three directions."""
    return ("free", "wire", "slab", "periodic")[int(np.sum(pbc))]


def pbc_of(kind: str) -> tuple[bool, bool, bool]:
    """Of a system of this kind; a slab is open along z."""
    return {"periodic": (True, True, True), "slab": (True, True, False), "free": (False, False, False)}[kind]
