# SPDX-License-Identifier: BSD-3-Clause
"""The Fumi-Tosi potential of NaCl, as LAMMPS commands and as an ASE calculator: the reference that the demo learns.

E = sum_{i<j} k_e q_i q_j / r + A exp((sigma - r) / rho) - C / r^6 - D / r^8, the Coulomb part summed over all images
[Fumi & Tosi, J. Phys. Chem. Solids 25, 31 and 45 (1964); Sangster & Dixon, Adv. Phys. 25, 247 (1976)].
"""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from scipy.special import erfc

#: Angstrom^3, of free ions [Pauling, Proc. R. Soc. A 114, 181 (1927)]
POLARIZABILITIES = {"Na": 0.18, "Cl": 3.66}
COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV Angstrom, the value of LAMMPS's metal units
RHO = 0.317
CUTOFF = 8.0
CHARGES = {"Na": 1.0, "Cl": -1.0}
# pair: A in eV, sigma in Angstrom, C in eV Angstrom^6, D in eV Angstrom^8; both dispersion terms attract
PAIRS = {
    ("Na", "Na"): (0.26370, 2.340, 1.0486, 0.4993),
    ("Na", "Cl"): (0.21096, 2.755, 6.9906, 8.6758),
    ("Cl", "Cl"): (0.15822, 3.170, 72.4022, 145.4285),
}


def lammps_commands(cutoff: float = CUTOFF, accuracy: float = 1e-6, elements: tuple[str, ...] = ("Na", "Cl")) -> str:
    """The LAMMPS input lines of the potential (metal units, atom_style charge), types in the order of ``elements``."""
    lines = [f"pair_style born/coul/long {cutoff}"]
    for i, a in enumerate(elements):
        for j, b in enumerate(elements[i:], i):
            strength, sigma, c, d = PAIRS.get((a, b)) or PAIRS[(b, a)]
            lines.append(f"pair_coeff {i + 1} {j + 1} {strength} {RHO} {sigma} {c} {-d}  # {a}-{b}")
    lines += [f"set type {i + 1} charge {CHARGES[a]}" for i, a in enumerate(elements)]
    lines.append(f"kspace_style pppm {accuracy}")
    return "\n".join(lines) + "\n"


def induced_dipole(atoms: Atoms) -> np.ndarray:
    """What the charges of all other ions induce in the ions of a periodic cell, e Angstrom (3,), to first order.

    It is the sum of alpha_i E_i, where E_i is the field of the fixed charges at ion i."""
    charges = np.array([CHARGES[s] for s in atoms.symbols])
    alpha = np.array([POLARIZABILITIES[s] for s in atoms.symbols]) / COULOMB
    return (alpha / charges) @ FumiTosi().coulomb_forces(atoms)


def rock_salt(repeat: int | tuple[int, int, int] = 2, a: float = 5.64) -> Atoms:
    """Rock salt, ``repeat`` conventional cells of 8 ions along each axis, lattice constant ``a`` in Angstrom."""
    return bulk("NaCl", "rocksalt", a=a, cubic=True).repeat(repeat)


class FumiTosi(Calculator):
    """The potential with an Ewald sum, for periodic cells of a few hundred ions.

    Parameters: ``cutoff`` in Angstrom of the short-range part and of the real-space sum; ``accuracy``, the relative
    size of the terms left out of the two Ewald sums. Energy in eV, forces in eV/Angstrom, stress in eV/Angstrom^3 with
    ASE's sign. Raises ValueError for elements other than Na and Cl and for cells that are not periodic.
    [Ewald, Ann. Phys. 369, 253 (1921); Nose & Klein, Mol. Phys. 50, 1055 (1983) for the stress]
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, cutoff: float = CUTOFF, accuracy: float = 1e-8):
        super().__init__()
        self.cutoff = cutoff
        self.alpha = np.sqrt(-np.log(accuracy)) / cutoff
        self.k_cutoff = 2 * self.alpha * np.sqrt(-np.log(accuracy))

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        symbols = self.atoms.get_chemical_symbols()
        unknown = sorted(set(symbols) - set(CHARGES))
        if unknown:
            raise ValueError(f"the Fumi-Tosi potential knows Na and Cl, got {', '.join(unknown)}")
        if not self.atoms.pbc.all():
            raise ValueError(f"the Ewald sum needs a cell that is periodic in three directions, got {self.atoms.pbc}")
        charges = np.array([CHARGES[s] for s in symbols])
        parts = [self._pairs(symbols, charges), self._reciprocal(charges)]
        energy, forces, strain = (sum(part[k] for part in parts) for k in range(3))
        energy -= COULOMB * self.alpha / np.sqrt(np.pi) * np.sum(charges**2)
        stress = 0.5 * (strain + strain.T) / self.atoms.get_volume()
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "stress": stress.flat[[0, 4, 8, 5, 2, 1]],
        }

    def coulomb_forces(self, atoms: Atoms) -> np.ndarray:
        """The part of the forces that is of the charges alone, eV/Angstrom (n, 3)."""
        self.atoms = atoms
        charges = np.array([CHARGES[s] for s in atoms.symbols])
        i, j, r_ij, r = self._neighbors()
        forces = self._reciprocal(charges)[1]
        np.add.at(forces, i, (self._coulomb(charges[i] * charges[j], r)[1] / r)[:, None] * r_ij)
        return forces

    def _neighbors(self):
        from vesin import NeighborList

        return NeighborList(cutoff=self.cutoff, full_list=True).compute(
            self.atoms.positions, self.atoms.cell[:], True, "ijDd"
        )

    def _coulomb(self, qq, r):
        """The real-space sum of pairs with the products of charges ``qq``: energies and their derivatives."""
        gauss = 2 * self.alpha / np.sqrt(np.pi) * np.exp(-((self.alpha * r) ** 2))
        energy = erfc(self.alpha * r) / r
        return COULOMB * qq * energy, -COULOMB * qq * (energy + gauss) / r

    def _pairs(self, symbols, charges):
        """Short-range part and real-space sum: energy, forces and dE/d(strain)."""
        i, j, r_ij, r = self._neighbors()
        table = np.array([[PAIRS.get((a, b)) or PAIRS[(b, a)] for b in CHARGES] for a in CHARGES])
        kind = np.array([list(CHARGES).index(s) for s in symbols])
        strength, sigma, c, d = table[kind[i], kind[j]].T
        coulomb, coulomb_slope = self._coulomb(charges[i] * charges[j], r)
        repulsion = strength * np.exp((sigma - r) / RHO)
        energy = 0.5 * np.sum(coulomb + repulsion - c / r**6 - d / r**8)
        slope = coulomb_slope - repulsion / RHO + 6 * c / r**7 + 8 * d / r**9
        pair_force = (slope / r)[:, None] * r_ij
        forces = np.zeros_like(self.atoms.positions)
        np.add.at(forces, i, pair_force)
        return energy, forces, 0.5 * r_ij.T @ pair_force

    def _reciprocal(self, charges):
        """Reciprocal-space sum: energy, forces and dE/d(strain)."""
        reciprocal = 2 * np.pi * self.atoms.cell.reciprocal()
        n = np.floor(self.k_cutoff / (2 * np.pi) * self.atoms.cell.lengths()).astype(int)
        grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in n), indexing="ij"), axis=-1).reshape(-1, 3)
        k = grid[len(grid) // 2 + 1 :] @ reciprocal  # k and -k contribute the same: one half of them, twice
        k = k[np.einsum("kx,kx->k", k, k) < self.k_cutoff**2]
        k2 = np.einsum("kx,kx->k", k, k)
        phase = np.exp(1j * self.atoms.positions @ k.T)
        factor = charges @ phase
        weight = COULOMB * 4 * np.pi / self.atoms.get_volume() * np.exp(-k2 / (4 * self.alpha**2)) / k2
        density = weight * np.abs(factor) ** 2
        forces = 2 * charges[:, None] * ((np.imag(phase * factor.conj()) * weight) @ k)
        spread = density * (2 / k2 + 1 / (2 * self.alpha**2))
        strain = -np.sum(density) * np.eye(3) + np.einsum("k,kx,ky->xy", spread, k, k)
        return np.sum(density), forces, strain
