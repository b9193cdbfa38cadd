# SPDX-License-Identifier: BSD-3-Clause
"""Real spherical harmonics from SciPy, and rotations of them and of atoms."""

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y


def real_harmonics(l, unit):
    """(n, 2 l + 1), without the Condon-Shortley phase, from SciPy's complex ones."""
    theta, phi = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    y = {m: sph_harm_y(l, m, theta, phi) for m in range(-l, l + 1)}
    columns = []
    for m in range(-l, l + 1):
        if m < 0:
            columns.append(np.sqrt(2) * (-1) ** m * y[-m].imag)
        else:
            columns.append(y[0].real if m == 0 else np.sqrt(2) * (-1) ** m * y[m].real)
    return np.array(columns).T


def directions(n, seed=0):
    r = np.random.default_rng(seed).normal(size=(n, 3))
    return r / np.linalg.norm(r, axis=1)[:, None]


def rotation_of(l, rotation):
    """D with Y(R u) = D Y(u), by least squares."""
    u = directions(60)
    d, *_ = np.linalg.lstsq(real_harmonics(l, u), real_harmonics(l, u @ rotation.T), rcond=None)
    return d.T


def random_rotation(seed):
    """A proper rotation (3, 3)."""
    return Rotation.random(random_state=seed).as_matrix()


def turned(atoms, turn):
    """A copy of the atoms with r' = turn r, cell and positions."""
    out = atoms.copy()
    out.set_cell(atoms.cell.array @ turn.T)
    out.positions = atoms.positions @ turn.T
    return out
