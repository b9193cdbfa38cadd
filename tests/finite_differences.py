# SPDX-License-Identifier: BSD-3-Clause
"""The one finite-difference helper of the tests."""

import numpy as np
import pytest
from models import evaluate

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


def check_virials_of_atoms(potential, atoms, tolerance=1e-9):
    """They sum to the virial, and each is the strain derivative of the energy of its atom."""
    results = evaluate(potential, atoms, atom_virials=True)
    scale = np.abs(results["atom_virials"]).max()
    np.testing.assert_allclose(results["atom_virials"].sum(axis=0), results["virial"], rtol=0, atol=1e-12 * scale)
    strain = directions((3, 3), n=1, seed=5)[0]
    slopes = derivative(lambda x: evaluate(potential, strained(atoms, x * strain), forces=False)["energies"])
    expected = -np.einsum("iab,ab->i", results["atom_virials"], strain)
    np.testing.assert_allclose(slopes, expected, rtol=0, atol=tolerance * scale)


def check_descriptor(descriptor, atoms):
    """Gradients with respect to positions and strain, forward and backward, are the derivatives of its values."""
    gradients, strains = descriptor.gradients(atoms)
    p_adj = np.random.default_rng(2).normal(size=gradients.shape[:2])
    gradient, strain = descriptor.backward(atoms, p_adj)
    d, e = directions((len(atoms), 3), n=1)[0], directions((3, 3), n=1, seed=4)[0]
    for slope, tangent, adjoint in [
        (derivative(lambda x: descriptor(displaced(atoms, x * d)).values), np.einsum("ifjx,jx->if", gradients, d),
         np.sum(gradient * d)),
        (derivative(lambda x: descriptor(strained(atoms, x * e)).values), np.einsum("ifab,ab->if", strains, e),
         np.sum(strain * e)),
    ]:  # fmt: skip
        assert np.abs(slope - tangent).max() < 1e-8 * np.abs(slope).max()
        assert adjoint == pytest.approx(np.sum(p_adj * tangent), rel=1e-11)


def check_forces(atoms, tolerance):
    """Forces of the calculator of these atoms are derivatives of its energy, to 1e-6 relative or ``tolerance``."""
    forces = atoms.get_forces()
    for d in directions(forces.shape):

        def along(x, d=d):
            moved = displaced(atoms, x * d)
            moved.calc = atoms.calc
            return moved.get_potential_energy()

        assert derivative(along) == pytest.approx(-(forces * d).sum(), rel=1e-6, abs=tolerance)
