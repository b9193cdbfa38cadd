# SPDX-License-Identifier: BSD-3-Clause
"""From a first structure to a trusted model: which structures to label."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .loop import LoopResult, learn
    from .selection import Selection, select

_HOME = {"LoopResult": "loop", "Selection": "selection", "learn": "loop", "select": "selection"}
__all__ = ["LoopResult", "Selection", "learn", "select"]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'mlcalc.learn' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"mlcalc.learn.{_HOME[name]}"), name)
    return value
