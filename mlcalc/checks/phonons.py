# SPDX-License-Identifier: BSD-3-Clause
"""Phonons of a crystal from displaced atoms in a supercell, by phonopy."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from .crystal import Crystal
from .verdict import Check, Curve

#: Å that a supercell should have across, and atoms that it may have
ACROSS, ATOMS = 12.0, 200
#: Å, displacement
DISPLACEMENT = 0.01
#: points of the path, and of the mesh on which modes are looked for
PATH, MESH = 120, 8
#: THz below which a mode is imaginary, beyond what finite differences do to acoustic modes near the center
IMAGINARY = -0.15
MISSING = "phonopy is not installed: pip install mlcalc[check]"


def repeats_of(atoms: Atoms) -> np.ndarray:
    """Repetitions (3,) of a supercell that is wide enough, or as wide as the number of atoms allows."""
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    across = ACROSS
    while True:
        n = np.maximum(1, np.ceil(across / heights - 1e-6)).astype(int)
        if len(atoms) * np.prod(n) <= ATOMS or np.all(n == 1):
            return n
        across *= 0.95


def phonons_of(crystal: Crystal, calculator):
    """A phonopy object with its force constants."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = crystal.atoms
    cell = PhonopyAtoms(numbers=atoms.numbers, cell=atoms.cell.array, scaled_positions=atoms.get_scaled_positions())
    phonon = Phonopy(cell, np.diag(repeats_of(atoms)), primitive_matrix=np.eye(3), symprec=1e-3)
    phonon.generate_displacements(distance=DISPLACEMENT)
    forces = []
    calculator.reset()
    for moved in phonon.supercells_with_displacements or ():
        supercell = Atoms(moved.numbers, cell=moved.cell, scaled_positions=moved.scaled_positions, pbc=True)
        supercell.calc = calculator
        made = supercell.get_forces()
        forces.append(made - made.mean(axis=0))
    phonon.forces = forces
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    return phonon


def bands(phonon, crystal: Crystal, label: str, **look) -> tuple[list[Curve], list[tuple[float, str]]]:
    """Frequencies (THz) along the usual path [Setyawan & Curtarolo, Comput. Mater. Sci. 49, 299 (2010)], a curve for
    each branch, and the points of high symmetry on the axis."""
    path = crystal.atoms.cell.bandpath(npoints=PATH)
    phonon.run_qpoints(path.kpts)
    frequencies = np.asarray(phonon.get_qpoints_dict()["frequencies"])
    x, places, names = path.get_linear_kpoint_axis()
    ticks: dict[float, str] = {}
    for place, name in zip(places, names, strict=True):
        name = "Γ" if name == "G" else name
        at = round(float(place), 9)
        ticks[at] = f"{ticks[at]}|{name}" if at in ticks and ticks[at] != name else name
    labels = [label] + [""] * (frequencies.shape[1] - 1)
    curves = [Curve(name, x, branch, ("", "frequency (THz)"), **look)
              for name, branch in zip(labels, frequencies.T, strict=True)]  # fmt: skip
    return curves, list(ticks.items())


def lowest_and_highest(phonon) -> tuple[float, np.ndarray, float]:
    """The lowest frequency on a mesh with its point, and the highest, THz."""
    phonon.run_mesh([MESH] * 3, is_mesh_symmetry=True, is_gamma_center=True)
    found = phonon.get_mesh_dict()
    frequencies = np.array(found["frequencies"])
    at = int(np.argmin(frequencies.min(axis=1)))
    return float(frequencies.min()), np.asarray(found["qpoints"][at]), float(frequencies.max())


def check_phonons(crystal: Crystal, calculator, reference=None) -> Check:
    """A crystal at a minimum has no imaginary mode. ``reference`` is a Comparison."""
    try:
        phonon = phonons_of(crystal, calculator)
    except ImportError:
        return Check("phonons", "skipped", MISSING)
    lowest, at, highest = lowest_and_highest(phonon)
    curves, ticks = bands(phonon, crystal, "model", style="-", color="#1f6fb2")
    values = {"lowest frequency (THz)": lowest, "highest frequency (THz)": highest}
    n = "x".join(str(k) for k in repeats_of(crystal.atoms))
    if lowest < IMAGINARY:
        place = ", ".join(f"{q:.3g}" for q in at)
        verdict, reason = "suspect", f"imaginary modes, down to {-lowest:.3g}i THz at q = ({place})"
        reason += ": the crystal is not at a minimum, or the material is not stable at 0 K"
    else:
        verdict, reason = "pass", f"no imaginary mode, up to {highest:.3g} THz"
    check = Check("phonons", verdict, f"{reason} (supercell {n})", curves, values, {}, ticks)
    other = reference.phonons(_compared) if reference is not None else None
    if other is not None:
        check.reference, drawn = other
        for curve in drawn:  # the same path of a cell of another size
            curve.x = curve.x * (curves[0].x[-1] / curve.x[-1])
        curves += drawn
    return check


def _compared(crystal: Crystal, calculator) -> tuple[dict[str, float], list[Curve]]:
    """Numbers and curves of a reference."""
    phonon = phonons_of(crystal, calculator)
    low, _, high = lowest_and_highest(phonon)
    values = {"lowest frequency (THz)": low, "highest frequency (THz)": high}
    return values, bands(phonon, crystal, "reference", style="--", color="#e08a2c")[0]
