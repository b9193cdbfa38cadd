# SPDX-License-Identifier: BSD-3-Clause
"""Short runs: energy conservation, and heating to where a structure breaks."""

from __future__ import annotations

import time

import numpy as np
from ase import Atoms, units
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.verlet import VelocityVerlet

from ..running.md import BAR, thermal_momenta
from ..running.neighbors import full_neighbor_list
from .verdict import Check, Curve

#: K
TEMPERATURES = (300.0, 600.0, 1000.0, 1500.0, 2000.0, 3000.0)
#: of the shortest distance at the start: what is nearer has fallen into a hole
TOO_CLOSE = 0.55
STEPS, FS = 200, 1.0


def shortest_distance(atoms: Atoms) -> float:
    """Å; infinite for atoms that are more than 6 Å apart."""
    r_ij = full_neighbor_list(atoms, 6.0)[2]
    return float(np.linalg.norm(r_ij, axis=1).min()) if len(r_ij) else np.inf


def check_conservation(atoms: Atoms, calculator, seed: int = 0) -> Check:
    """200 fs at 300 K and constant energy: the spread of the total energy beside the kinetic energy."""
    atoms = atoms.copy()
    calculator.reset()
    atoms.calc = calculator
    atoms.set_momenta(thermal_momenta(atoms, 600.0, np.random.default_rng(seed)))  # half of it becomes potential energy
    dynamics = VelocityVerlet(atoms, FS * units.fs)
    total, kinetic = [], []
    for _ in range(STEPS // 4):
        dynamics.run(4)
        kinetic.append(atoms.get_kinetic_energy())
        total.append(atoms.get_potential_energy() + kinetic[-1])
    share = float(np.std(total) / max(np.mean(kinetic), 1e-12))
    verdict = "pass" if share < 0.02 else "suspect" if share < 0.2 else "fail"
    curve = Curve("NVE", 4 * FS * np.arange(1, len(total) + 1), 1e3 * (np.array(total) - total[0]) / len(atoms),
                  ("time (fs)", "total energy (meV/atom)"))  # fmt: skip
    return Check("energy conservation", verdict, f"it varies by {share:.2g} of the kinetic energy", [curve])


def check_heating(atoms: Atoms, calculator, seed: int = 0, seconds: float = 60.0) -> Check:
    """Heating in steps, at constant pressure where the cell is periodic, until it breaks or the time is over.

    Broken is what has atoms nearer than 0.55 of the shortest distance at the start, numbers that are not finite, or
    twice the volume."""
    atoms = atoms.copy()
    calculator.reset()
    atoms.calc = calculator
    rng = np.random.default_rng(seed)
    shortest, volume = shortest_distance(atoms), atoms.get_volume() if atoms.pbc.all() else None
    atoms.set_momenta(thermal_momenta(atoms, TEMPERATURES[0], rng))
    began, reached, broken, x, y = time.monotonic(), 0.0, "", [], []
    for temperature in TEMPERATURES:
        if time.monotonic() - began > seconds:
            break
        broken = _hold(atoms, temperature, rng, shortest, volume)
        x.append(temperature)
        y.append(_measure(atoms, shortest, volume))
        if broken:
            break
        reached = temperature
    if not broken:
        verdict, reason = "pass", f"whole up to {reached:g} K"
    else:
        verdict = "fail" if reached < 600 else "suspect"
        reason = f"{broken} at {x[-1]:g} K; whole up to {reached:g} K. Is that above where the material breaks?"
    names = ("temperature (K)", "volume / V0" if volume else "shortest distance / d0")
    return Check("heating", verdict, reason, [Curve("heating", np.array(x), np.array(y), names)])


def _hold(atoms, temperature, rng, shortest, volume) -> str:
    """Runs some steps at a temperature, and returns what broke."""
    pressure = {}
    if volume:
        mass = (100 * units.fs / (4 * 1.66 * units.fs) * len(atoms) ** (1 / 6)) ** 2
        pressure = {"externalstress": -1.0 * BAR, "hydrostatic": True, "P_tau": 200 * units.fs, "P_mass": mass}
    dynamics = LangevinBAOAB(atoms, FS * units.fs, temperature_K=temperature, T_tau=50 * units.fs, rng=rng, **pressure)
    for _ in range(STEPS // 10):
        try:
            dynamics.run(10)
        except (ValueError, RuntimeError, FloatingPointError, np.linalg.LinAlgError) as error:
            return "atoms flew apart" if "digits" in str(error) else f"the run ended ({error})"
        if not np.isfinite(atoms.positions).all() or (volume and not atoms.cell.rank == 3):
            return "positions are not finite"
        if shortest_distance(atoms) < TOO_CLOSE * shortest:
            return f"atoms came within {shortest_distance(atoms):.2f} Å"
        if volume and atoms.get_volume() > 2 * volume:
            return "the volume doubled"
    return ""


def _measure(atoms, shortest, volume) -> float:
    """What the picture shows: the volume or the shortest distance beside those at the start."""
    if not np.isfinite(atoms.positions).all():
        return np.nan
    if volume:
        return atoms.get_volume() / volume if atoms.cell.rank == 3 else np.nan
    return shortest_distance(atoms) / shortest
