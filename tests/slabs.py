# SPDX-License-Identifier: BSD-3-Clause
"""Slabs, and sums over them by other means than those of the engine."""

import numpy as np
from ase import Atoms
from far_fields import liquid, screened_sum
from scipy.special import erf, erfc

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV Angstrom


def small_slab(seed=3, n=8):
    """Ions in an oblique cell whose third vector says nothing, no two of them close."""
    rng = np.random.default_rng(seed)
    cell = np.array([[6.0, 0.0, 0.0], [1.5, 7.0, 0.0], [0.3, 0.4, 11.0]])
    grid = np.array([[i, j, k] for k in range(2) for i in range(2) for j in range(2)])[:n]
    positions = ((grid + 0.25) / 2 + rng.uniform(-0.06, 0.06, (n, 3))) @ np.diag([6.0, 7.0, 5.6])
    positions[:, 0] += positions[:, 1] * 1.5 / 7.0
    return Atoms("NaCl" * (n // 2), positions, cell=cell, pbc=[True, True, False])


def cut(name, axis=2):
    """A liquid that is open along one of its axes, in a cell with no vacuum at all."""
    atoms = liquid(name)
    atoms.wrap()
    atoms.pbc = [k != axis for k in range(3)]
    return atoms


def with_axis(atoms, axis):
    """The same slab, open along another axis of cell and space."""
    order = np.roll(np.arange(3), axis - 2)
    out = atoms.copy()
    out.set_cell(atoms.cell.array[order][:, order])
    out.positions = atoms.positions[:, order]
    out.pbc = atoms.pbc[order]
    return out


def smeared_potential(cell, d, s, g_max):
    """What one charge and its images in the first two directions add at d (..., 3) from it, its charge a Gaussian of
    width s, without any background: the plane average is -2 pi |z| / A, smeared [Parry, Surf. Sci. 49, 433 (1975)]."""
    area = np.linalg.norm(np.cross(cell[0], cell[1]))
    b = 2 * np.pi * np.linalg.pinv(cell[:2]).T
    z, t = d[..., 2], np.sqrt(2) * s
    out = -2 * np.pi / area * (z * erf(z / t) + s * np.sqrt(2 / np.pi) * np.exp(-((z / t) ** 2)))
    for g in in_plane(b, g_max):
        k = np.linalg.norm(g)
        out = out + 2 * np.pi / (area * k) * np.cos(d @ g) * (_side(k, z, s) + _side(k, -z, s))
    return out


def in_plane(b, g_max):
    """Half of the reciprocal vectors of a plane with |g| < g_max, without 0."""
    n = int(g_max / min(np.linalg.norm(b, axis=1))) + 2
    pairs = [i * b[0] + j * b[1] for i in range(-2 * n, 2 * n + 1) for j in range(-2 * n, 2 * n + 1) if (i, j) > (0, 0)]
    return [g for g in pairs if np.linalg.norm(g) < g_max]


def _side(k, z, s):
    """exp(k z) erfc(k s / sqrt 2 + z / sqrt(2) s) without overflow."""
    x = (k * s * s + z) / (np.sqrt(2) * s)
    small = erfc(np.minimum(x, 25.0))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.where(x < 25.0, np.exp(np.minimum(k * z, 600.0) + np.log(np.maximum(small, 1e-300))), 0.0)


def ewald_of_slab(atoms, q, alpha=0.7):
    """Energy (eV) and forces of point charges that are periodic in the first two directions, by the Ewald sum of two
    dimensions [Parry 1975]: everything in real space and in the plane, nothing along z is periodic."""
    cell, r = atoms.cell.array, atoms.positions
    area, s = np.linalg.norm(np.cross(cell[0], cell[1])), 1 / (np.sqrt(2) * alpha)
    energy, forces = screened_sum(r, q, alpha, [(np.array(n) - 5) @ cell[:2] for n in np.ndindex(11, 11)])
    d = r[None] - r[:, None]
    z, qq = d[..., 2], q[:, None] * q
    energy -= np.pi / area * np.sum(qq * (z * erf(alpha * z) + np.exp(-((alpha * z) ** 2)) / (alpha * np.sqrt(np.pi))))
    forces[:, 2] -= 2 * np.pi / area * np.sum(qq * erf(alpha * z), axis=1)
    b = 2 * np.pi * np.linalg.pinv(cell[:2]).T
    for g in in_plane(b, 13 * alpha):
        k, wave = np.linalg.norm(g), d @ g
        up, down = _side(k, z, s), _side(k, -z, s)
        energy += np.pi / (area * k) * np.sum(qq * np.cos(wave) * (up + down))
        forces -= 2 * np.pi / (area * k) * np.einsum("ij,x->ix", qq * np.sin(wave) * (up + down), g)
        forces[:, 2] += 2 * np.pi / area * np.sum(qq * np.cos(wave) * (up - down), axis=1)
    return COULOMB * energy, COULOMB * forces
