# SPDX-License-Identifier: BSD-3-Clause
"""The calculator in what people do with ASE: dynamics, relaxation, paths, phonons, mixing, files, i-PI."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.mixing import LinearCombinationCalculator, SumCalculator
from ase.constraints import FixAtoms, FixBondLength, FixSymmetry
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter, UnitCellFilter
from ase.io import read, write
from ase.io.trajectory import Trajectory
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import MTKNPT
from ase.md.nptberendsen import NPTBerendsen
from ase.md.verlet import VelocityVerlet
from ase.mep import NEB
from ase.optimize import BFGS
from ase.phonons import Phonons
from ipi_runs import run_ipi
from test_calculator import linear_model, salt

from mlcalc.calculator import MLCalculator
from mlcalc.md import thermal_momenta


@pytest.fixture
def calc():
    return MLCalculator(linear_model())


@pytest.fixture
def relaxed(calc):
    """The crystal at the lattice constant where the pressure of the random model vanishes."""
    atoms = salt(size=0)
    atoms.set_cell([4.95] * 3, scale_atoms=True)
    atoms.calc = calc
    BFGS(FrechetCellFilter(atoms, hydrostatic_strain=True), logfile=None).run(fmax=1e-5, steps=40)
    return atoms


def warm(atoms, temperature=300):
    atoms.set_momenta(thermal_momenta(atoms, temperature, np.random.default_rng(0)))
    return atoms


def fluctuation(calc, timestep, steps):
    atoms = warm(salt(size=0.05).repeat((2, 1, 1)), 600)
    atoms.calc = calc
    energies = []
    dynamics = VelocityVerlet(atoms, timestep * units.fs)
    dynamics.attach(lambda: energies.append(atoms.get_total_energy()))
    dynamics.run(steps)
    return np.std(energies)


def test_velocity_verlet_conserves_the_energy_to_second_order(calc):
    coarse, fine = fluctuation(calc, 2.0, 100), fluctuation(calc, 1.0, 200)
    assert coarse < 1e-3
    assert coarse / fine == pytest.approx(4.0, rel=0.15)


def test_langevin_reaches_its_temperature(calc):
    atoms = warm(salt(size=0.05).repeat((2, 2, 1)), 900)
    atoms.calc = calc
    temperatures = []
    dynamics = Langevin(
        atoms, 2 * units.fs, temperature_K=900, friction=0.05 / units.fs, rng=np.random.default_rng(1), fixcm=False
    )
    dynamics.attach(lambda: temperatures.append(atoms.get_temperature()))
    dynamics.run(600)
    assert np.mean(temperatures[100:]) == pytest.approx(900, rel=0.1)


def test_npt_conserves_its_own_energy(calc):
    atoms = warm(salt(size=0.02).repeat((2, 1, 1)))
    atoms.calc = calc
    dynamics = MTKNPT(
        atoms, 1 * units.fs, temperature_K=300, pressure_au=0.0, tdamp=50 * units.fs, pdamp=500 * units.fs
    )
    energies, volumes = [], []
    dynamics.attach(lambda: (energies.append(dynamics.get_conserved_energy()), volumes.append(atoms.get_volume())))
    dynamics.run(200)
    assert np.ptp(volumes) > 1
    assert np.ptp(energies) < 1e-2 * np.ptp([0, *np.diff(volumes)]) + 5e-3


def test_berendsen_barostat_expands_a_compressed_crystal(calc):
    atoms = salt(size=0.02)
    atoms.set_cell([4.7] * 3, scale_atoms=True)
    warm(atoms)
    atoms.calc = calc
    NPTBerendsen(
        atoms,
        2 * units.fs,
        temperature_K=300,
        pressure_au=0.0,
        taut=50 * units.fs,
        taup=100 * units.fs,
        compressibility_au=0.3 / units.GPa,
    ).run(200)
    assert 1.02 * 4.7**3 < atoms.get_volume() < 5.3**3


def test_bfgs_relaxes_to_zero_force(calc):
    atoms = salt()
    atoms.calc = calc
    start = atoms.get_potential_energy()
    assert BFGS(atoms, logfile=None).run(fmax=1e-5, steps=300)
    assert atoms.get_potential_energy() < start
    assert np.abs(atoms.get_forces()).max() < 1e-5


def test_cell_relaxation_ends_at_the_minimum_of_the_equation_of_state(relaxed, calc):
    assert np.abs(relaxed.get_stress()).max() < 1e-5
    scales = np.linspace(0.997, 1.003, 7)
    energies, volumes = [], []
    for scale in scales:
        strained = relaxed.copy()
        strained.set_cell(relaxed.cell.array * scale, scale_atoms=True)
        strained.calc = calc
        energies.append(strained.get_potential_energy())
        volumes.append(strained.get_volume())
    minimum, _, bulk_modulus = EquationOfState(volumes, energies, eos="p3").fit()
    assert minimum == pytest.approx(relaxed.get_volume(), rel=1e-3)
    assert bulk_modulus > 0


def test_full_cell_relaxation_under_constraints(calc):
    atoms = bulk("NaCl", "rocksalt", a=5.1)
    atoms.set_constraint(FixSymmetry(atoms, symprec=1e-4))
    atoms.calc = calc
    BFGS(UnitCellFilter(atoms), logfile=None).run(fmax=1e-4, steps=40)
    np.testing.assert_allclose(atoms.cell.angles(), 60, atol=1e-7)
    assert np.abs(atoms.get_stress()).max() < 1e-4 and atoms.cell.lengths()[0] < 5.05 / np.sqrt(2)


def test_elastic_constants_from_stress_and_from_energy_agree(relaxed, calc):
    def strained(strain):
        atoms = relaxed.copy()
        atoms.set_cell(relaxed.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        atoms.calc = calc
        return atoms

    h, volume = 1e-3, relaxed.get_volume()
    for a, b, voigt in ((0, 0, 0), (1, 2, 3)):
        unit = np.zeros((3, 3))
        unit[a, b] = unit[b, a] = 1.0 if a == b else 0.5
        from_stress = (strained(h * unit).get_stress()[voigt] - strained(-h * unit).get_stress()[voigt]) / (2 * h)
        energies = [strained(x * unit).get_potential_energy() for x in (-h, 0, h)]
        from_energy = (energies[0] - 2 * energies[1] + energies[2]) / h**2 / volume
        assert from_stress == pytest.approx(from_energy, rel=1e-3, abs=1e-4)


def test_phonons_have_three_acoustic_modes(calc, tmp_path):
    primitive = bulk("NaCl", "rocksalt", a=5.6)
    phonons = Phonons(primitive, calc, supercell=(2, 2, 2), delta=1e-3, name=str(tmp_path / "phonons"))
    phonons.run()
    phonons.read(acoustic=False)
    forces = phonons.get_force_constant()
    scale = np.abs(forces).max()
    np.testing.assert_allclose(forces.sum(axis=0).reshape(2, 3, 2, 3).sum(axis=2), 0, atol=1e-6 * scale)
    dynamical = phonons.compute_dynamical_matrix([0, 0, 0], forces)
    np.testing.assert_allclose(dynamical, dynamical.conj().T, atol=1e-5 * np.abs(dynamical).max())


def test_neb_with_one_shared_calculator(calc):
    initial = salt(size=0)
    del initial[0]  # a vacancy
    vacancy = initial.positions[0] * 0
    initial.calc = calc
    final = initial.copy()
    hop = int(np.argmin(np.where(initial.numbers == 11, initial.get_distances(0, range(len(initial)), mic=True), 99)))
    final.positions[hop] = vacancy
    images = [initial.copy() for _ in range(4)] + [final]
    for image in images:
        image.calc = calc
    neb = NEB(images, allow_shared_calculator=True, method="improvedtangent")
    neb.interpolate(mic=True)
    alone = [MLCalculator(linear_model()).get_forces(image) for image in images]
    before = np.abs(neb.get_forces()).max()
    for image, forces in zip(images, alone, strict=True):
        np.testing.assert_allclose(calc.get_forces(image), forces, atol=1e-11)
    BFGS(neb, logfile=None, maxstep=0.02).run(fmax=1e-2, steps=15)
    assert np.abs(neb.get_forces()).max() < before


def test_mixing_with_another_calculator(calc):
    atoms = salt()
    lennard_jones = LennardJones(sigma=2.0, epsilon=0.05, rc=5.0, smooth=True)
    atoms.calc = SumCalculator([calc, lennard_jones])
    other = atoms.copy()
    other.calc = lennard_jones
    mine = calc.get_property("stress", atoms)
    np.testing.assert_allclose(atoms.get_stress(), mine + other.get_stress(), atol=1e-12)
    atoms.calc = LinearCombinationCalculator([calc, MLCalculator(linear_model(3))], [0.25, 0.75])
    parts = [MLCalculator(model).get_forces(salt()) for model in (linear_model(), linear_model(3))]
    np.testing.assert_allclose(atoms.get_forces(), 0.25 * parts[0] + 0.75 * parts[1], atol=1e-12)


def test_constraints_hold(calc):
    atoms = warm(salt())
    atoms.calc = calc
    atoms.set_constraint([FixAtoms([0, 3]), FixBondLength(1, 2)])
    fixed, bond = atoms.positions[[0, 3]].copy(), atoms.get_distance(1, 2, mic=True)
    VelocityVerlet(atoms, 1 * units.fs).run(20)
    np.testing.assert_array_equal(atoms.positions[[0, 3]], fixed)
    assert atoms.get_distance(1, 2, mic=True) == pytest.approx(bond, abs=1e-9)
    np.testing.assert_array_equal(atoms.get_forces()[[0, 3]], 0)
    assert np.abs(atoms.get_forces(apply_constraint=False)[0]).max() > 0


def test_results_travel_through_files(calc, tmp_path):
    atoms = salt()
    atoms.calc = MLCalculator(linear_model(3))
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    atoms.calc.get_property("forces_uncertainty", atoms)
    write(tmp_path / "salt.xyz", atoms)
    with Trajectory(tmp_path / "salt.traj", "w") as trajectory:
        trajectory.write(atoms)
    for name in ("salt.xyz", "salt.traj"):
        again = read(tmp_path / name)
        assert again.get_potential_energy() == pytest.approx(energy, abs=1e-7)
        np.testing.assert_allclose(again.get_forces(), forces, atol=1e-7)
        np.testing.assert_allclose(again.get_stress(), stress, atol=1e-7)


IPI_OUTPUT = """
    <properties filename="out" stride="1"> [step, conserved{electronvolt}, potential{electronvolt}] </properties>
"""


def test_dynamics_of_ipi_through_its_ase_driver(tmp_path, monkeypatch):
    model, atoms = linear_model(), salt(size=0.05)
    run_ipi(tmp_path, monkeypatch, atoms, model, 8, IPI_OUTPUT)
    rows = np.loadtxt("run.out")
    assert len(rows) == 9
    expected = MLCalculator(model).get_potential_energy(atoms)
    assert rows[0, 2] == pytest.approx(expected, rel=1e-6)
    assert np.ptp(rows[:, 1]) < 1e-3 < np.ptp(rows[:, 2])
