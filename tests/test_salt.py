# SPDX-License-Identifier: BSD-3-Clause
"""The reference potential of the demo: physics of rock salt, its own derivatives, and LAMMPS."""

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from scipy.optimize import minimize_scalar

from mlcalc.demo.salt import COULOMB, FumiTosi, induced_dipole, rock_salt


@pytest.fixture
def strained_salt():
    atoms = rock_salt(1)
    atoms.rattle(0.1, seed=1)
    atoms.set_cell(atoms.cell[:] @ np.array([[1, 0.1, 0], [0, 1.05, 0], [0, 0.03, 1]]), scale_atoms=True)
    atoms.calc = FumiTosi()
    return atoms


def test_forces_and_stress_are_derivatives_of_the_energy(strained_salt):
    forces = calculate_numerical_forces(strained_salt, eps=1e-4)
    assert np.abs(strained_salt.get_forces() - forces).max() < 1e-6
    stress = calculate_numerical_stress(strained_salt, eps=1e-5)
    assert np.abs(strained_salt.get_stress() - stress).max() < 1e-8


def test_the_coulomb_part_is_the_madelung_energy(monkeypatch):
    monkeypatch.setattr(
        "mlcalc.demo.salt.PAIRS", {pair: (0, 1, 0, 0) for pair in [("Na", "Na"), ("Na", "Cl"), ("Cl", "Cl")]}
    )
    salt = rock_salt(2)
    salt.calc = FumiTosi()
    moved = salt.copy()
    moved.rattle(0.3, seed=2)
    assert np.abs(FumiTosi().coulomb_forces(moved) - FumiTosi().get_forces(moved)).max() < 1e-12
    expected = sum(
        f * {"Na": 0.18, "Cl": -3.66}[s] for s, f in zip(moved.symbols, FumiTosi().get_forces(moved), strict=True)
    )
    assert np.allclose(induced_dipole(moved), expected / COULOMB)
    assert salt.get_potential_energy() / 32 == pytest.approx(-1.7475645946 * COULOMB / 2.82, rel=1e-7)


def test_rock_salt_has_the_published_lattice_constant_and_energy():
    """Experiment at low temperature: 5.595 Angstrom and 786 kJ/mol; the potential was fitted to rock salt at 298 K."""

    def energy(a):
        salt = rock_salt(2, a)
        salt.calc = FumiTosi(10.0, 1e-6)
        return salt.get_potential_energy() / 32

    best = minimize_scalar(energy, bounds=(5.4, 5.8), method="bounded", options={"xatol": 1e-3})
    assert 5.58 < best.x < 5.66
    assert -8.15 < best.fun < -7.95


@pytest.mark.parametrize("change", ["element", "boundary"])
def test_what_it_does_not_know_is_refused(change):
    salt = rock_salt(1)
    if change == "element":
        salt.symbols[0] = "K"
    else:
        salt.pbc = [True, True, False]
    salt.calc = FumiTosi()
    with pytest.raises(ValueError, match="got K" if change == "element" else "periodic in three directions"):
        salt.get_potential_energy()
