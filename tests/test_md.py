# SPDX-License-Identifier: BSD-3-Clause
"""The dynamics runner: a continued run is the unbroken run, and the ensembles are what they are called."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.io import read
from ase.stress import full_3x3_to_voigt_6_stress

from mlcalc.md import Run, Settings


class EinsteinCrystal(Calculator):
    """Springs to the sites of a crystal, which move with the cell, and a bulk modulus in eV/Angstrom^3."""

    implemented_properties = ["energy", "forces", "stress"]

    def __init__(self, crystal, spring=2.0, modulus=0.8):
        super().__init__()
        self.sites, self.volume = crystal.get_scaled_positions(), crystal.get_volume()
        self.spring, self.modulus = spring, modulus

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        u = self.atoms.positions - self.sites @ self.atoms.cell[:]
        volume = self.atoms.get_volume()
        energy = 0.5 * self.spring * np.sum(u**2) + 0.5 * self.modulus * (volume - self.volume) ** 2 / self.volume
        strain = self.spring * u.T @ u + self.modulus * (volume - self.volume) / self.volume * volume * np.eye(3)
        stress = full_3x3_to_voigt_6_stress(strain / volume)
        self.results = {"energy": energy, "forces": -self.spring * u, "stress": stress}


def copper():
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.calc = EinsteinCrystal(atoms)
    return atoms


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_a_restart_continues_the_unbroken_run(tmp_path, ensemble):
    settings = {"ensemble": ensemble, "temperature": 600.0, "timestep": 2.0, "every": 5, "seed": 3}
    Run(copper(), Settings(steps=40, **settings), tmp_path / "whole").run()

    broken = tmp_path / "broken"
    Run(copper(), Settings(steps=20, **settings), broken).run()
    with open(tmp_path / "broken.csv", "a") as file:  # what a killed run may leave after its checkpoint
        file.write("25,0.05,")
    Run(copper(), Settings(steps=40, **settings), broken, restart=True).run()

    whole, continued = (np.loadtxt(tmp_path / f"{n}.csv", delimiter=",", skiprows=1) for n in ("whole", "broken"))
    np.testing.assert_allclose(continued, whole, rtol=1e-9)
    frames = [read(tmp_path / f"{n}.xyz", ":") for n in ("whole", "broken")]
    assert len(frames[0]) == len(frames[1]) == 9
    np.testing.assert_allclose(frames[1][-1].positions, frames[0][-1].positions, atol=1e-7)


def test_nve_conserves_and_nvt_reaches_its_temperature(tmp_path):
    Run(copper(), Settings("nve", temperature=300, timestep=2, steps=100), tmp_path / "nve").run()
    nve = np.genfromtxt(tmp_path / "nve.csv", delimiter=",", names=True)
    assert np.std(nve["total_eV"]) < 0.02 * np.std(nve["kinetic_eV"])
    Run(copper(), Settings("nvt", temperature=300, timestep=2, thermostat_time=20, steps=1000), tmp_path / "nvt").run()
    nvt = np.genfromtxt(tmp_path / "nvt.csv", delimiter=",", names=True)
    assert abs(np.mean(nvt["temperature_K"][30:]) - 300) < 30


def test_npt_releases_the_pressure(tmp_path):
    atoms = copper()
    atoms.set_cell(atoms.cell * 0.98, scale_atoms=True)
    settings = Settings("npt", temperature=100, timestep=4, thermostat_time=20, barostat_time=100, steps=600)
    Run(atoms, settings, tmp_path / "npt").run()
    table = np.genfromtxt(tmp_path / "npt.csv", delimiter=",", names=True)
    assert table["pressure_bar"][0] > 5e4
    assert abs(np.mean(table["pressure_bar"][30:])) < 1e4


def test_files_of_an_earlier_run_are_kept(tmp_path):
    Run(copper(), Settings("nve", steps=1), tmp_path / "a").run()
    with pytest.raises(FileExistsError, match="--restart"):
        Run(copper(), Settings("nve", steps=1), tmp_path / "a")
    with pytest.raises(ValueError, match="written with ensemble nve, got nvt"):
        Run(copper(), Settings("nvt", steps=1), tmp_path / "a", restart=True)
    with pytest.raises(FileNotFoundError):
        Run(copper(), Settings("nve", steps=1), tmp_path / "b", restart=True)


@pytest.mark.parametrize(
    "bad", [{"ensemble": "nph"}, {"timestep": 0}, {"temperature": -1}, {"temperature": float("nan")}, {"every": 0}]
)
def test_settings_that_cannot_run_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Settings(**bad)


def test_constant_pressure_needs_a_periodic_cell(tmp_path):
    atoms = copper()
    atoms.pbc = False
    with pytest.raises(ValueError, match="periodic in three directions"):
        Run(atoms, Settings("npt"), tmp_path / "a")


def test_the_cell_follows_the_pressure_that_is_asked_for(tmp_path):
    volumes = {}
    for pressure in (0.0, 5e4):
        settings = Settings(
            "npt", temperature=100, pressure=pressure, timestep=4, thermostat_time=20, barostat_time=100, steps=400
        )
        Run(copper(), settings, tmp_path / f"{pressure:.0f}").run()
        table = np.genfromtxt(tmp_path / f"{pressure:.0f}.csv", delimiter=",", names=True)
        volumes[pressure] = table["volume_A3"][20:].mean()
        assert abs(table["pressure_bar"][20:].mean() - pressure) < 1e4
    expected = copper().get_volume() * 5e4 * 6.2415e-7 / 0.8  # p V / B, bar in eV/Angstrom^3
    assert volumes[0.0] - volumes[5e4] == pytest.approx(expected, rel=0.3)


def test_the_momentum_is_zero_at_the_start_and_stays_so(tmp_path):
    atoms = copper()
    run = Run(atoms, Settings("nve", temperature=500, steps=20), tmp_path / "a")
    assert np.abs(atoms.get_momenta().sum(axis=0)).max() < 1e-12 < np.abs(atoms.get_momenta()).max()
    run.run()
    assert 400 < np.genfromtxt(tmp_path / "a.csv", delimiter=",", names=True)["temperature_K"][0] < 600


@pytest.mark.parametrize(
    "change", [{"timestep": 2.0}, {"temperature": 400.0}, {"pressure": 10.0}, {"thermostat_time": 50.0}, {"seed": 9}]
)
def test_a_restart_keeps_what_makes_it_the_same_run(tmp_path, change):
    settings = {"ensemble": "nve", "steps": 2, "every": 1}
    Run(copper(), Settings(**settings), tmp_path / "a").run()
    (name,) = change
    with pytest.raises(ValueError, match=f"written with {name} .*a restart keeps it"):
        Run(copper(), Settings(**{**settings, **change}), tmp_path / "a", restart=True)
    Run(copper(), Settings(**{**settings, "steps": 4, "every": 2}), tmp_path / "a", restart=True).run()
