# SPDX-License-Identifier: BSD-3-Clause
"""Trainings with every combination of some options: which model is worth its cost. ``mlcalc.scan.scan(options)``."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import ScanResult, scan

_HOME = {"ScanResult": "run", "scan": "run"}
__all__ = ["ScanResult", "scan"]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'mlcalc.scan' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"mlcalc.scan.{_HOME[name]}"), name)
    return value
