# SPDX-License-Identifier: BSD-3-Clause
"""The one finite-difference helper of the tests."""

import numpy as np

# central differences of sixth order: offsets in steps, and weights
STENCIL = ((-3, -1 / 60), (-2, 3 / 20), (-1, -3 / 4), (1, 3 / 4), (2, -3 / 20), (3, 1 / 60))


def derivative(function, step=3e-4):
    """df/dx at x = 0 of a function of one number; the function may return an array."""
    return sum(weight * np.asarray(function(offset * step)) for offset, weight in STENCIL) / step


def directions(shape, n=2, seed=0):
    """Random directions whose largest component is 1: one derivative along each tests every component at once."""
    vectors = np.random.default_rng(seed).normal(size=(n, *shape))
    return vectors / np.abs(vectors).max(axis=tuple(range(1, vectors.ndim)), keepdims=True)


def displaced(atoms, displacement):
    """A copy of the atoms, moved by displacement (n_atoms, 3)."""
    moved = atoms.copy()
    moved.positions += displacement
    return moved


def strained(atoms, strain):
    """A copy of the atoms with r' = r (1 + strain), cell and positions."""
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ (np.eye(3) + strain))
    moved.positions = atoms.positions @ (np.eye(3) + strain)
    return moved
