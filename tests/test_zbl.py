# SPDX-License-Identifier: BSD-3-Clause
"""The pair repulsion of Ziegler, Biersack and Littmark is that of LAMMPS's pair_style zbl."""

import numpy as np
import pytest
from ase import Atoms
from finite_differences import derivative
from lammps_runs import Job, needs_lammps, run
from models import energy, evaluate

from mlcalc.model import Model, Zbl

INNER, OUTER = 1.2, 3.4


@pytest.fixture
def repulsion():
    return Model([11, 17], [], [], zbl=Zbl(INNER, OUTER), reference_energies=[0.0, 0.0]).potential()


def dimer(distance, symbols="NaCl"):
    return Atoms(symbols, positions=[[0.0, 0.0, 0.0], [0.0, 0.6 * distance, 0.8 * distance]])


@needs_lammps
def test_zbl_is_that_of_lammps(repulsion, small_salt, tmp_path):
    small_salt.set_cell(small_salt.cell.cellpar(), scale_atoms=True)  # lower triangular
    types = "pair_coeff 1 1 11 11\npair_coeff 1 2 11 17\npair_coeff 2 2 17 17"
    systems = [small_salt, dimer(0.7), dimer(1.5, "Na2"), dimer(2.9, "Cl2")]
    jobs = [
        Job(atoms, None, style=f"pair_style zbl {INNER} {OUTER}\n{types}", elements=["Na", "Cl"]) for atoms in systems
    ]
    expected, _ = run(tmp_path, jobs)
    for atoms, lammps in zip(systems, expected, strict=True):
        results = evaluate(repulsion, atoms)
        assert lammps["energy"] > 1e-3
        assert results["energies"].sum() == pytest.approx(lammps["energy"], rel=1e-6)
        scale = np.abs(lammps["forces"]).max()
        np.testing.assert_allclose(results["forces"], lammps["forces"], rtol=0, atol=1e-6 * scale)
    virial = evaluate(repulsion, small_salt)["virial"][[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(virial, expected[0]["virial"], rtol=0, atol=1e-6 * np.abs(virial).max())


def test_it_is_bare_screened_repulsion_at_short_distance(repulsion):
    """E = k_e Z_i Z_j phi(r / a) / r, up to the constant that makes it vanish at the outer radius."""
    a = 0.4685 / (11**0.23 + 17**0.23)
    x = np.array([0.3, 0.6]) / a
    amplitudes, decays = [0.02817, 0.28022, 0.50986, 0.18175], [0.20162, 0.40290, 0.94229, 3.19980]
    phi = sum(c * np.exp(-d * x) for c, d in zip(amplitudes, decays, strict=True))
    expected = 14.399645 * 11 * 17 * phi / np.array([0.3, 0.6])
    energies = [energy(repulsion, dimer(r)) for r in (0.3, 0.6)]
    assert energies[0] - energies[1] == pytest.approx(expected[0] - expected[1], rel=1e-9)


def test_it_ends_smoothly_at_the_outer_radius(repulsion):
    assert repulsion.cutoff == OUTER
    assert energy(repulsion, dimer(OUTER + 1e-6)) == 0.0
    near, far = (evaluate(repulsion, dimer(OUTER - x)) for x in (1e-3, 2e-3))
    # E, E' and E'' vanish at the end, so the force grows as the square of the distance to it
    ratio = np.abs(far["forces"]).max() / np.abs(near["forces"]).max()
    assert ratio == pytest.approx(4.0, rel=2e-2)


@pytest.mark.parametrize("distance", [0.8, INNER, 2.0, 3.2])
def test_forces_are_minus_the_energy_gradient(repulsion, distance):
    forces = evaluate(repulsion, dimer(distance))["forces"]
    slope = derivative(lambda x: energy(repulsion, dimer(distance + x)))
    assert forces[1] @ [0.0, 0.6, 0.8] == pytest.approx(-slope, rel=1e-6)
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-12 * np.abs(forces).max())
