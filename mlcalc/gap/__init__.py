# SPDX-License-Identifier: BSD-3-Clause
"""Gaussian approximation potentials in the files of QUIP, and the models that give the same numbers; docs/gap.md."""

from .converter import convert
from .reader import Coordinate, Gap, Potential, read

__all__ = ["Coordinate", "Gap", "Potential", "convert", "read"]
