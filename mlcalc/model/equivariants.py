# SPDX-License-Identifier: BSD-3-Clause
"""Products of expansions that turn with the atoms."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class CoupledBlock(NamedTuple):
    """Angular momenta of the two factors, and the pairs (q, q') of their columns that are features."""

    l_1: int
    l_2: int
    q_1: np.ndarray
    q_2: np.ndarray


@dataclass
class Equivariant:
    """Product of expansions that turns like the real harmonics of degree ``o3_lambda``, m = -lambda .. lambda.

    Under inversion it takes the sign ``o3_sigma`` (-1)^lambda. nu = 1 of ``a``, or nu = 2 of ``a`` and ``b`` (names of
    expansions) [Grisafi, Wilkins, Csanyi, Ceriotti, PRL 120, 036002 (2018)].

    With o3_lambda = 0 it is the :class:`Invariant`. ``scale`` multiplies the features; ``selection`` holds the
    ascending indices of the features that are kept (None: all), the same for every component.
    """

    nu: int
    a: str
    b: str | None = None
    o3_lambda: int = 1
    o3_sigma: int = 1
    scale: float = 1.0
    selection: np.ndarray | None = None

    @property
    def n_components(self):
        """2 lambda + 1"""
        return 2 * self.o3_lambda + 1

    def blocks(self, shape_a, shape_b):
        """The features of nu = 2 in their order, for shapes (number of columns q, l_max) of ``a`` and ``b``.

        sigma = (-1)^(l_1 + l_2 + lambda). Of two features of one expansion that differ by an exchange of the factors
        only one is there."""
        (n_a, l_a), (n_b, l_b) = shape_a, shape_b
        same, blocks = self.a == self.b, []
        for l_1 in range(l_a + 1):
            for l_2 in range(max(abs(l_1 - self.o3_lambda), l_1 if same else 0), min(l_b, l_1 + self.o3_lambda) + 1):
                if (-1) ** (l_1 + l_2 + self.o3_lambda) != self.o3_sigma:
                    continue
                q_1, q_2 = np.divmod(np.arange(n_a * n_b), n_b)
                if same and l_1 == l_2:
                    kept = q_1 < q_2 if self.o3_lambda % 2 else q_1 <= q_2
                    q_1, q_2 = q_1[kept], q_2[kept]
                blocks.append(CoupledBlock(l_1, l_2, q_1, q_2))
        return blocks
