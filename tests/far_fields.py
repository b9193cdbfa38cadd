# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the far field share."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from finite_differences import derivative, directions, displaced, strained
from models import evaluate, linear_model
from scipy.special import erfc

from mlcalc.model import Invariant, Model, Term
from mlcalc.neighbors import full_neighbor_list


def liquid(name):
    """Configurations of LAMMPS runs: molten_salt (216 ions at 1300 K) or water (192 atoms, flexible SPC at 300 K)."""
    return ase.io.read(Path(__file__).parent / "data" / f"{name}.xyz")


def descriptor(atoms, *expansions, invariants=()):
    """A model without regressor for the species of the atoms."""
    terms = [Term("features", list(invariants))] if invariants else []
    return Model(_species(atoms), list(expansions), terms)


def _species(atoms):
    return sorted(set(atoms.numbers.tolist()))


def arguments(potential, atoms):
    """The positional arguments of the engine."""
    species = np.searchsorted(potential.species, atoms.numbers).astype(np.int32)
    neighbors = full_neighbor_list(atoms, potential.cutoff)
    return species, atoms.positions, atoms.cell.array, atoms.pbc, *neighbors


def coefficients(potential, atoms, name="V"):
    return potential.expansion(*arguments(potential, atoms), name=name)


def fields(expansion, atoms, **options):
    """V of the atoms, (n_atoms, n_channels, n_max, (l_max + 1)**2)."""
    return coefficients(descriptor(atoms, expansion).potential(**options), atoms, expansion.name)


def choice(expansion, atoms, **options):
    """What the engine says of its evaluator."""
    potential = linear_model([expansion], [[Invariant(1, expansion.name)]], 0, species=_species(atoms)).potential(
        **options
    )
    evaluate(potential, atoms)
    return potential.summary()


class QuadraticForm:
    """The gradient of sum_i w_i . p_i, p the power spectrum of V in units of its spread and w random: every coefficient
    counts as much as any other."""

    def __init__(self, expansion, atoms, seed=0):
        self.model = descriptor(atoms, expansion, invariants=[Invariant(2, expansion.name, expansion.name)])
        potential = self.model.potential(lode="ksum", accuracy=1e-8)
        p = potential.features(*arguments(potential, atoms))
        self.p_adj = np.random.default_rng(seed).normal(size=p.shape) / p.std(axis=0)

    def gradient(self, atoms, **options):
        """Gradient and strain derivative."""
        potential = self.model.potential(**options)
        return potential.features_backward(*arguments(potential, atoms), p_adj=self.p_adj)

    def value(self, potential, atoms):
        return np.vdot(self.p_adj, potential.features(*arguments(potential, atoms)))

    def check_derivatives(self, potential, atoms):
        """Forces and all nine components of the virial are finite differences of the value to 1e-9."""
        gradient, strain = potential.features_backward(*arguments(potential, atoms), p_adj=self.p_adj)
        for direction in directions(gradient.shape):
            slope = derivative(lambda x, d=direction: self.value(potential, displaced(atoms, x * d)))
            assert slope == pytest.approx(np.vdot(gradient, direction), abs=1e-9 * np.linalg.norm(gradient))
        numerical = np.zeros((3, 3))
        for a in range(3):
            for b in range(3):
                unit = np.eye(3)[a][:, None] * np.eye(3)[b]
                numerical[a, b] = derivative(lambda x, u=unit: self.value(potential, strained(atoms, x * u)))
        np.testing.assert_allclose(strain, numerical, rtol=0, atol=1e-9 * np.abs(strain).max())


def screened_sum(r, q, alpha, shifts):
    """The real-space part of an Ewald sum, without the unit of charge: energy, that of the charges with themselves
    subtracted, and forces, over the images at ``shifts``."""
    energy, forces = -alpha / np.sqrt(np.pi) * np.sum(q**2), np.zeros_like(r)
    for shift in shifts:
        d = r[None] - r[:, None] + shift
        distance = np.linalg.norm(d, axis=2)
        other = distance > 1e-9
        distance = np.where(other, distance, 1.0)
        screened = erfc(alpha * distance) / distance
        slope = screened / distance + 2 * alpha / np.sqrt(np.pi) * np.exp(-((alpha * distance) ** 2)) / distance
        energy += 0.5 * np.sum(np.where(other, q[:, None] * q * screened, 0.0))
        forces -= np.einsum("ij,ijx->ix", np.where(other, q[:, None] * q * slope / distance, 0.0), d)
    return energy, forces


def relative(error, reference):
    return np.linalg.norm(error - reference) / np.linalg.norm(reference)
