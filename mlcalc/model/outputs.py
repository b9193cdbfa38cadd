# SPDX-License-Identifier: BSD-3-Clause
"""Tensors that a model gives besides the energy: what they are made of and how they are stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _engine
from .equivariants import Equivariant
from .products import ChannelEquivariant

#: Cartesian shape of each type, and the degrees that its parts may have
SHAPES = {"scalar": (), "vector": (3,), "symmetric": (3, 3)}
DEGREES = {"scalar": (0,), "vector": (1,), "symmetric": (0, 2)}


def n_components(kind: str) -> int:
    """Numbers of a Cartesian tensor of this type."""
    return math.prod(SHAPES[kind])


@dataclass
class TensorKernel:
    """T_i^mu = sum_M (p_hat_i . p_hat_M)^(zeta-1) sum_mu' (P_i^mu . P_M^mu') w_M^mu' over the sparse points of the
    center's species [Grisafi, Wilkins, Csanyi, Ceriotti, PRL 120, 036002 (2018)].

    ``invariants`` describe p_hat = p / N, ``N = sqrt(|p|^2 + epsilon^2)``; P = p^mu / N are the equivariants of
    the part.
    ``points[Z]`` (n, n_invariants) and ``tensors[Z]`` (n, 2 lambda + 1, n_features) are features before division,
    ``weights[Z]`` (n, 2 lambda + 1), or (n_members, n, 2 lambda + 1) of a committee. ``zeta`` is at least 2.
    """

    invariants: list
    points: dict[int, np.ndarray]
    tensors: dict[int, np.ndarray]
    weights: dict[int, np.ndarray]
    zeta: int = 2
    epsilon: float = 1e-3


@dataclass
class TensorPart:
    """Components of one degree: a ``Linear`` regressor on equivariants, T_i^mu = w[Z_i] . p_i^mu, or a
    ``TensorKernel``."""

    equivariants: list[Equivariant | ChannelEquivariant]
    regressor: Any

    @property
    def o3_lambda(self) -> int:
        """The degree."""
        return self.equivariants[0].o3_lambda


@dataclass
class TensorOutput:
    """A sum over atoms that turns with them: ``type`` scalar, vector or symmetric (3, 3), in a ``unit`` of any name.

    Its ``parts`` have o3_lambda 0 (scalar), 1 (vector), 0 and 2 (symmetric). ``baseline``, a number per species, is
    added: a constant, a constant on the diagonal, or charges times positions (of a vector: for free boundaries only).
    ``origin`` "center_of_mass" says that dipoles of charged systems are those about it; None: neutral systems only.
    ``committee_scale`` calibrates the spread of a committee. A vector named ``dipole`` (e Angstrom) is what an electric
    field acts on.
    """

    name: str
    type: str
    parts: list[TensorPart]
    unit: str = ""
    baseline: list[float] | None = None
    origin: str | None = None
    committee_scale: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the Cartesian tensor. Raises ValueError for an unknown type."""
        if self.type not in SHAPES:
            raise ValueError(f"output {self.name!r}: type must be one of {', '.join(SHAPES)}, got {self.type!r}")
        return SHAPES[self.type]


def spherical(kind: str, o3_lambda: int) -> np.ndarray:
    """The components of one degree of a flat Cartesian tensor, (2 lambda + 1, n_components): orthonormal rows, a vector
    in the order y z x, a symmetric matrix by the coefficients that couple two vectors."""
    if kind == "scalar":
        return np.eye(1)
    axis = {-1: 1, 0: 2, 1: 0}
    out = np.zeros((2 * o3_lambda + 1, n_components(kind)))
    if kind == "vector":
        for m, a in axis.items():
            out[m + 1, a] = 1.0
        return out
    for m_1, m_2, m, value in _engine.real_clebsch_gordan(1, 1, o3_lambda):
        out[o3_lambda + m, 3 * axis[m_1] + axis[m_2]] = value
    return out


def prefix_of(output: TensorOutput, k: int) -> str:
    """What the names of the tensors of part ``k`` begin with."""
    return f"outputs.{output.name}.{k}."
