# SPDX-License-Identifier: BSD-3-Clause
"""Models that are classical potentials of ions: point charges, and the Fumi-Tosi potential of NaCl, slabs included."""

import numpy as np
from ase.build import bulk
from scipy.special import erfc

from mlcalc import radial_potential
from mlcalc.demo.salt import CHARGES, COULOMB, PAIRS, RHO
from mlcalc.expansions import Gto, PotentialExpansion, ShiftedCosine
from mlcalc.model import Invariant, Linear, Model, PairTable, TabulatedPairs, Term

NUMBERS = {"Na": 11, "Cl": 17}


def charges_of(atoms):
    """Point charges as far as these atoms can tell."""
    distances = atoms.get_all_distances(mic=True)
    return point_charges(distances[~np.eye(len(atoms), dtype=bool)].min() / 12)


def point_charges(width, pairs=(), accuracy=1e-11):
    """E = 1/2 k_e sum_i q_i sum_a q_a V^a_i,00 / (sqrt(4 pi) M_00): smeared by the source and by the basis."""
    expansion = PotentialExpansion(
        n_max=1, l_max=0, smearing=width, basis=Gto(width), center_atom_weight=0.0, accuracy=accuracy
    )
    nodes = radial_potential.Basis(expansion, width)
    charges = np.array([1.0, -1.0])
    weights = 0.5 * COULOMB * np.outer(charges, charges) / (np.sqrt(4 * np.pi) * nodes.moment(0, 0)[0])
    return Model([11, 17], [expansion], [Term("charges", [Invariant(1, "V")], Linear(weights))], pairs=list(pairs))


def fumi_tosi(width=0.9, cutoff=7.0):
    """The potential of mlcalc/demo/salt.py as a model: the Coulomb energy of smeared charges by the far field, in pairs
    what point charges have beyond that, and the short-range part, cut off smoothly."""
    tables = {}
    for pair, (strength, sigma, c, d) in PAIRS.items():
        product = COULOMB * CHARGES[pair[0]] * CHARGES[pair[1]]

        def energy(r, strength=strength, sigma=sigma, c=c, d=d, product=product):
            repulsion, a = strength * np.exp((sigma - r) / RHO), 1 / (2 * width)
            rest, bell = product * erfc(a * r), product * 2 * a / np.sqrt(np.pi) * np.exp(-((a * r) ** 2))
            slope = -repulsion / RHO + 6 * c / r**7 + 8 * d / r**9 - rest / r**2 - bell / r
            curvature = repulsion / RHO**2 - 42 * c / r**8 - 72 * d / r**10
            curvature = curvature + 2 * rest / r**3 + 2 * bell / r**2 + 2 * a * a * bell
            return np.stack([repulsion - c / r**6 - d / r**8 + rest / r, slope, curvature])

        numbers = tuple(NUMBERS[name] for name in pair)
        tables[numbers] = PairTable.from_function(energy, cutoff, 1.8, ShiftedCosine(2.0), accuracy=1e-7)
    return point_charges(width, [TabulatedPairs("pairs", tables)], accuracy=1e-8)


def crystal_slab(repeat=(4, 4, 3), vacuum=4.0):
    """Rock salt between two (100) surfaces, open along z, with room above and below for atoms that move."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * repeat
    atoms.center(vacuum=vacuum, axis=2)
    atoms.pbc = [True, True, False]
    return atoms
