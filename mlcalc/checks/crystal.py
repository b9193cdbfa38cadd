# SPDX-License-Identifier: BSD-3-Clause
"""A crystal at its lowest energy: relaxed, as its primitive cell, and its equation of state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from threadpoolctl import threadpool_limits

from .curves import at_volume
from .verdict import Check, Curve

#: atoms of a cell that is relaxed, and of a primitive cell whose elastic constants and phonons are computed
LARGEST_CELL, LARGEST_PRIMITIVE = 64, 16
#: eV/Å, and steps of a relaxation
FORCE, STEPS = 1e-3, 300
#: Å within which atoms are at symmetric places
SYMMETRIC = 0.02
#: volumes of the equation of state
STRAINS = np.linspace(0.94, 1.06, 9)
#: eV per atom: a smooth curve is nearer to its fit
SMOOTH = 2e-3


class NoCrystal(ValueError):
    """Why the checks of crystals do not apply to a structure."""


@dataclass
class Crystal:
    """A primitive cell at its lowest energy, and the space group where spglib is installed."""

    atoms: Atoms
    group: str = ""


def relaxed(atoms: Atoms, calculator, cell: bool = True, fresh: bool = True) -> Atoms:
    """Positions, and with ``cell`` the cell, of the next minimum. ``fresh``: a mesh or k list of its own.

    Raises ValueError if there is none near."""
    out = atoms.copy()
    if fresh:
        calculator.reset()
    out.calc = calculator
    volume = atoms.get_volume()
    optimizer = BFGS(FrechetCellFilter(out) if cell else out, logfile=None)
    with threadpool_limits(1, user_api="blas"):  # threads would wait for each other in matrices of this size
        for _ in optimizer.irun(fmax=FORCE, steps=STEPS):
            if not np.isfinite(out.positions).all() or not 0.4 < out.get_volume() / volume < 2.5:
                raise ValueError("it leaves its volume when it is relaxed: there is no minimum near")
    if not optimizer.converged(optimizer.optimizable.get_gradient()):
        raise ValueError(f"it is not relaxed after {STEPS} steps")
    return out


def crystal_of(atoms: Atoms, calculator) -> Crystal:
    """The structure relaxed and reduced to its primitive cell. Raises NoCrystal for what is none, ValueError for what
    cannot be relaxed."""
    if not atoms.pbc.all():
        raise NoCrystal("it is not periodic in all directions")
    if len(atoms) > LARGEST_CELL:
        raise NoCrystal(f"{len(atoms)} atoms are more than {LARGEST_CELL}; give the unit cell of a crystal")
    found = _primitive(relaxed(atoms, calculator))
    if len(found.atoms) > LARGEST_PRIMITIVE:
        raise NoCrystal(f"relaxed, its primitive cell has {len(found.atoms)} atoms, more than {LARGEST_PRIMITIVE}")
    return Crystal(relaxed(found.atoms, calculator), found.group)


def _primitive(atoms: Atoms) -> Crystal:
    """The primitive cell in the same orientation; the cell itself without spglib."""
    bare = atoms.copy()
    bare.calc = None
    try:
        import spglib
    except ImportError:
        return Crystal(bare)
    cell = (bare.cell.array, bare.get_scaled_positions(), bare.numbers)
    reduced = spglib.standardize_cell(cell, to_primitive=True, no_idealize=True, symprec=SYMMETRIC)
    if reduced is None:
        return Crystal(bare)
    lattice, places, numbers = reduced
    group = spglib.get_spacegroup(reduced, symprec=SYMMETRIC) or ""
    return Crystal(Atoms(numbers, scaled_positions=places, cell=lattice, pbc=True), group)


def equation_of_state(crystal: Crystal, calculator) -> tuple[dict[str, float], Curve, float]:
    """Volume, energy and bulk modulus by a fit of Birch and Murnaghan [Birch, Phys. Rev. 71, 809 (1947)], the curve
    (eV/atom against Å^3/atom), and the largest distance of a point from the fit, eV/atom.

    Internal coordinates are relaxed at each volume, the shape of the cell stays."""
    n, volumes, energies = len(crystal.atoms), [], []
    for factor in STRAINS:
        atoms = relaxed(at_volume(crystal.atoms, factor), calculator, cell=False)
        volumes.append(atoms.get_volume() / n)
        energies.append(atoms.get_potential_energy() / n)
    x, y = np.array(volumes), np.array(energies)
    fit = EquationOfState(x, y, eos="birchmurnaghan")
    v0, e0, bulk = fit.fit(warn=False)
    off = float(np.abs(fit.func(x, *fit.eos_parameters) - y).max())
    values = {"V0 (Å³/atom)": float(v0), "E0 (eV/atom)": float(e0), "B0 (GPa)": float(bulk / units.GPa)}
    return values, Curve("model", x, y - y.min(), ("volume (Å³/atom)", "energy (eV/atom)")), off


def check_equation_of_state(crystal: Crystal, calculator, reference=None) -> Check:
    """A smooth curve with its minimum inside and a bulk modulus above zero; ``reference`` is a Comparison."""
    values, curve, off = equation_of_state(crystal, calculator)
    v0, bulk = values["V0 (Å³/atom)"], values["B0 (GPa)"]
    curves, found, verdict = [curve], [], "pass"
    if not curve.x[0] < v0 < curve.x[-1] or bulk <= 0:
        verdict = "fail"
        found.append("it has no minimum where it is relaxed to")
    elif off > SMOOTH:
        verdict = "suspect"
        found.append(f"energies are up to {1e3 * off:.2g} meV/atom from a smooth curve")
    at = f" in {crystal.group}" if crystal.group else ""
    found.append(f"{v0:.4g} Å³ per atom{at}, bulk modulus {bulk:.4g} GPa")
    check = Check("equation of state", verdict, "; ".join(found), curves, values)
    found_too = reference.equation_of_state() if reference is not None else None
    if found_too is not None:
        check.reference, other, _ = found_too
        other.label, other.style = "reference", "--"
        curves.append(other)
    return check
