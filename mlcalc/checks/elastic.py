# SPDX-License-Identifier: BSD-3-Clause
"""Elastic constants of a crystal from stresses at small strains, with relaxed internal coordinates."""

from __future__ import annotations

import numpy as np
from ase import units

from .crystal import SYMMETRIC, Crystal, relaxed
from .verdict import Check

#: of each strain, forward and back
STRAIN = 5e-3
#: GPa: eigenvalues below are not told from zero
SOFT = 1.0
#: of the largest constant: entries that are equal, and entries that vanish
EQUAL, ZERO = 1e-2, 5e-3
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def elastic_constants(crystal: Crystal, calculator) -> tuple[np.ndarray, float]:
    """C (6, 6), GPa, in Voigt's notation with engineering strains, along the axes of the cell, and how much of it the
    symmetry of the crystal took away, beside the largest.

    C_ij = (sigma_i(+e_j) - sigma_i(-e_j)) / 2 e_j; internal coordinates are relaxed at each strain [Le Page & Saxe,
    Phys. Rev. B 65, 104104 (2002)]."""
    columns = []
    calculator.reset()  # one mesh or k list for all: differences must not see another
    for a, b in VOIGT:
        stress = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[a, b] += sign * STRAIN / 2
            strain[b, a] += sign * STRAIN / 2
            atoms = crystal.atoms.copy()
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            stress.append(relaxed(atoms, calculator, cell=False, fresh=False).get_stress())
        columns.append((stress[0] - stress[1]) / (2 * STRAIN))
    c = np.array(columns).T / units.GPa
    c = 0.5 * (c + c.T)
    symmetric = _symmetrized(c, crystal)
    return symmetric, float(np.abs(c - symmetric).max() / max(np.abs(c).max(), 1e-12))


def _symmetrized(c: np.ndarray, crystal: Crystal) -> np.ndarray:
    """The mean over the rotations of the crystal, where spglib is installed."""
    try:
        import spglib
    except ImportError:
        return c
    atoms = crystal.atoms
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.get_symmetry(cell, symprec=SYMMETRIC)
    if found is None:
        return c
    full = np.zeros((3, 3, 3, 3))
    for i, (a, b) in enumerate(VOIGT):
        for j, (d, e) in enumerate(VOIGT):
            for p, q in {(a, b), (b, a)}:
                for r, s in {(d, e), (e, d)}:
                    full[p, q, r, s] = c[i, j]
    columns = atoms.cell.array.T
    rotations = [columns @ r @ np.linalg.inv(columns) for r in found["rotations"]]
    mean = sum(np.einsum("ai,bj,ck,dl,ijkl->abcd", r, r, r, r, full, optimize=True) for r in rotations) / len(rotations)
    return np.array([[mean[a, b, d, e] for d, e in VOIGT] for a, b in VOIGT])


def independent(c: np.ndarray) -> dict[str, float]:
    """{"C11 = C22 (GPa)": mean} of entries that are equal; those that vanish are left out."""
    size, groups = float(np.abs(c).max()), list[tuple]()
    for i in range(6):
        for j in range(i, 6):
            if abs(c[i, j]) <= ZERO * size:
                continue
            kind = (i < 3) + (j < 3), i == j
            for group in groups:
                if group[0] == kind and abs(group[2][0] - c[i, j]) < EQUAL * size:
                    group[1].append(f"C{i + 1}{j + 1}")
                    group[2].append(c[i, j])
                    break
            else:
                groups.append((kind, [f"C{i + 1}{j + 1}"], [c[i, j]]))
    return {f"{' = '.join(names)} (GPa)": float(np.mean(values)) for _, names, values in groups}


def moduli(c: np.ndarray) -> dict[str, float]:
    """Bulk and shear modulus of a polycrystal, the means of the bounds of Voigt and Reuss [Hill, Proc. Phys. Soc. A 65,
    349 (1952)]; empty for what is not stable."""
    if np.linalg.eigvalsh(c).min() <= 0:
        return {}
    s = np.linalg.inv(c)
    a, b, shear = np.trace(c[:3, :3]), c[0, 1] + c[0, 2] + c[1, 2], np.trace(c[3:, 3:])
    ra, rb, rshear = np.trace(s[:3, :3]), s[0, 1] + s[0, 2] + s[1, 2], np.trace(s[3:, 3:])
    bulk = 0.5 * ((a + 2 * b) / 9 + 1 / (ra + 2 * rb))
    g = 0.5 * ((a - b + 3 * shear) / 15 + 15 / (4 * ra - 4 * rb + 3 * rshear))
    return {"bulk modulus (GPa)": float(bulk), "shear modulus (GPa)": float(g)}


def check_elastic(crystal: Crystal, calculator, reference=None) -> Check:
    """Stable is what resists every strain: all eigenvalues of C are positive [Born & Huang, Dynamical Theory of Crystal
    Lattices (1954)]. ``reference`` is a Comparison."""
    c, removed = elastic_constants(crystal, calculator)
    least = float(np.linalg.eigvalsh(c)[0])
    values = independent(c) | moduli(c)
    if least <= 0:
        verdict, reason = "fail", f"a strain lowers the energy: the lowest eigenvalue of C is {least:.3g} GPa"
    elif least < SOFT:
        verdict, reason = "suspect", f"one strain is hardly resisted: the lowest eigenvalue of C is {least:.2g} GPa"
    else:
        verdict, reason = "pass", f"every strain is resisted, by {least:.3g} GPa at least"
    if removed > 0.05:
        reason += f"; {100 * removed:.0f} % of C do not have the symmetry of the crystal"
        verdict = "suspect" if verdict == "pass" else verdict
    check = Check("elastic constants", verdict, reason, [], values)
    other = reference.elastic_constants() if reference is not None else None
    if other is not None:
        size = {name: other[int(name[1]) - 1, int(name[2]) - 1] for name in values if name.startswith("C")}
        check.reference = {name: float(v) for name, v in size.items()} | moduli(other)
    return check
