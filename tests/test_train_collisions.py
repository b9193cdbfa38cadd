# SPDX-License-Identifier: BSD-3-Clause
"""Atoms that are shot at each other: models of every kind, trained with the defaults, repel and conserve energy."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from test_train_outside import KINDS, trained

from mlcalc.running.calculator import MLCalculator

#: eV in the center of mass
ENERGY = 50.0


@pytest.fixture(scope="module", params=KINDS)
def model(request, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("trained"), request.param).model


@pytest.mark.parametrize("pair", ["NaNa", "NaCl", "ClCl"])
def test_two_atoms_that_collide_come_apart_with_their_energy(model, pair):
    atoms = Atoms(pair, [[8, 10, 10], [12, 10, 10]], cell=[20, 20, 20], pbc=True)
    atoms.calc = MLCalculator(model, extrapolation=False)
    momentum = np.sqrt(2 * ENERGY / (1 / atoms.get_masses()).sum())
    atoms.set_momenta([[momentum, 0, 0], [-momentum, 0, 0]])
    dynamics, energies, distances = VelocityVerlet(atoms, 0.02 * units.fs), [], []
    for _ in range(2000):
        dynamics.run(5)
        energies.append(atoms.get_total_energy())
        distances.append(atoms.positions[1, 0] - atoms.positions[0, 0])
        if len(distances) > 20 and distances[-1] > 4.0:
            break
    assert 0.1 < min(distances) < 2.5, "they pass through each other" if min(distances) < 0.1 else "they never met"
    assert distances[-1] > 4.0, "they stay together"
    assert np.ptp(energies) < 1e-4 * ENERGY
