# SPDX-License-Identifier: BSD-3-Clause
"""The neighbor list against a search over explicit images, and the skin list against the list made anew."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from mlcalc.neighbors import SkinNeighborList, full_neighbor_list, nearest_distances


def pairs_of(first, j, r_ij, cutoff):
    """The pairs within the cutoff in an order that does not depend on the images atoms are in."""
    i = np.repeat(np.arange(len(first) - 1), np.diff(first))
    keep = np.einsum("px,px->p", r_ij, r_ij) < cutoff**2
    rows = np.column_stack([i, j, np.round(r_ij, 6) + 0.0])[keep]
    return rows[np.lexsort(rows.T[::-1])]


def explicit_images(atoms, cutoff, n_images):
    """All pairs within the cutoff by a loop over the images of the cell."""
    ranges = [range(-n_images, n_images + 1) if periodic else range(1) for periodic in atoms.pbc]
    rows = []
    for shift in np.array(np.meshgrid(*ranges)).reshape(3, -1).T:
        vectors = atoms.positions[None] - atoms.positions[:, None] + shift @ atoms.cell.array
        near = np.linalg.norm(vectors, axis=2) < cutoff
        if not shift.any():
            np.fill_diagonal(near, False)
        i, j = np.nonzero(near)
        rows.append(np.column_stack([i, j, np.round(vectors[i, j], 6) + 0.0]))
    rows = np.concatenate(rows)
    return rows[np.lexsort(rows.T[::-1])]


def skewed():
    rng = np.random.default_rng(3)
    cell = [[4.0, 0, 0], [1.9, 3.7, 0], [-0.8, 1.1, 4.4]]
    return Atoms("Na3Cl2", cell=cell, scaled_positions=rng.random((5, 3)), pbc=True)


def wire():
    return Atoms("SiO", [[0, 0, 0], [0.3, 1.2, 1.4]], cell=[0, 0, 2.9], pbc=[False, False, True])


SYSTEMS = {
    "one atom, cell smaller than the cutoff": (bulk("Al"), 5),
    "skewed": (skewed(), 5),
    "left-handed": (Atoms("NaCl", [[0, 0, 0], [2, 2, 2]], cell=[[0, 4, 0], [4, 0, 0], [0, 0, 4]], pbc=True), 3),
    "slab": (fcc111("Al", (1, 1, 3), vacuum=4.0), 4),
    "slab without a third vector": (Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[3, 3, 0], pbc=[1, 1, 0]), 3),
    "wire": (wire(), 4),
    "molecule": (molecule("CH3CH2OH"), 0),
    "outside the cell": (Atoms("NaCl", [[-4.1, 0, 0], [9.3, 2, 11.7]], cell=[4, 5, 4], pbc=True), 6),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_pair_is_listed_once_each_way(system):
    atoms, n_images = SYSTEMS[system]
    cutoff = 4.1
    first, j, r_ij = full_neighbor_list(atoms, cutoff)
    assert first.dtype == np.int32 and j.dtype == np.int32 and r_ij.dtype == np.float64
    assert first[0] == 0 and first[-1] == len(j) == len(r_ij) and len(first) == len(atoms) + 1
    found, expected = pairs_of(first, j, r_ij, cutoff), explicit_images(atoms, cutoff, n_images)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("pbc", [[1, 1, 1], [1, 1, 0]])
def test_a_very_skewed_cell_describes_the_same_lattice(pbc):
    atoms = skewed()
    atoms.pbc = pbc
    expected = pairs_of(*full_neighbor_list(atoms, 4.1), 4.1)
    a, b, c = atoms.cell.array
    atoms.set_cell([a, b + 3000 * a, c + 2000 * (b + a) if pbc[2] else c])
    np.testing.assert_allclose(pairs_of(*full_neighbor_list(atoms, 4.1), 4.1), expected, atol=2e-6)


@pytest.mark.parametrize("pbc", [[1, 1, 1], [0, 1, 1], [0, 0, 0]])
def test_a_large_and_thin_system_does_not_end_the_program(pbc):
    rng = np.random.default_rng(0)
    atoms = Atoms("H40", rng.random((40, 3)) * [3, 5, 5] + rng.integers(0, 2, (40, 3)) * [0, 4990, 7990])
    atoms.cell, atoms.pbc = np.diag([3.0, 5000.0, 8000.0]), pbc
    atoms.positions += rng.integers(-2, 3, (40, 3)) @ atoms.cell.array * pbc
    found = pairs_of(*full_neighbor_list(atoms, 4.1), 4.1)
    np.testing.assert_allclose(found, explicit_images(atoms, 4.1, 6), atol=2e-6)


def test_isolated_atoms_and_no_atoms_have_no_pairs():
    first, j, r_ij = full_neighbor_list(Atoms("He3", [[0, 0, 0], [1e6, 0, 0], [0, 1e7, 1e5]]), 5.0)
    assert first.tolist() == [0, 0, 0, 0] and len(j) == 0 and r_ij.shape == (0, 3)
    first, j, r_ij = full_neighbor_list(Atoms(), 5.0)
    assert first.tolist() == [0] and len(j) == 0
    first, j, r_ij = full_neighbor_list(bulk("Al"), 0.0)
    assert first.tolist() == [0, 0]


def test_the_nearest_neighbor_of_each_atom():
    atoms = Atoms("H4", [[0, 0, 0], [0, 0, 1.0], [0, 0, 3.0], [0, 9.0, 0]])
    assert nearest_distances(atoms, 2.5).tolist() == [1.0, 1.0, 2.0, np.inf]
    assert nearest_distances(bulk("Cu", a=3.6), 3.0) == pytest.approx(3.6 / np.sqrt(2))


def same_as_new(neighbors, atoms):
    current = neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    new = full_neighbor_list(atoms, neighbors.cutoff)
    found, expected = pairs_of(*current, neighbors.cutoff), pairs_of(*new, neighbors.cutoff)
    return found.shape == expected.shape and np.allclose(found, expected, atol=2e-6)


def test_atoms_that_have_left_their_cell_by_far_have_the_same_pairs():
    atoms = skewed()
    expected = pairs_of(*full_neighbor_list(atoms, 4.1), 4.1)
    atoms.positions += np.random.default_rng(1).integers(-9, 10, (5, 3)) * 1000 @ atoms.cell.array
    np.testing.assert_allclose(pairs_of(*full_neighbor_list(atoms, 4.1), 4.1), expected, atol=2e-6)


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("system", ["skewed", "slab", "molecule", "wire"])
def test_skin_list_holds_every_pair_of_a_random_walk(system, wrap):
    atoms = SYSTEMS[system][0].copy()
    neighbors = SkinNeighborList(4.1, skin=1.0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        atoms.positions += 0.03 * rng.standard_normal(atoms.positions.shape)
        if wrap:
            atoms.wrap()
        assert same_as_new(neighbors, atoms)
    assert 1 < neighbors.n_builds < 100


def test_wrapping_and_translation_by_lattice_vectors_keep_the_list():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.1, seed=1)
    neighbors = SkinNeighborList(4.5, skin=0.5)
    assert same_as_new(neighbors, atoms)
    rng = np.random.default_rng(1)
    atoms.positions += rng.integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array
    assert same_as_new(neighbors, atoms)
    atoms.wrap()
    assert same_as_new(neighbors, atoms)
    assert neighbors.n_builds == 1


def test_a_slow_strain_keeps_the_list_until_the_skin_is_spent():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.1, seed=1)
    neighbors = SkinNeighborList(4.5, skin=0.2)
    strain = np.eye(3) + np.array([[-2e-3, 1e-3, 0], [0, -1e-3, 2e-3], [0, 0, -3e-3]])
    for _ in range(60):
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        assert same_as_new(neighbors, atoms)
    assert 2 < neighbors.n_builds < 15


def test_anything_else_that_changes_makes_a_new_list():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    neighbors = SkinNeighborList(4.5, skin=0.5)
    assert same_as_new(neighbors, atoms)
    atoms.set_cell(atoms.cell.array * 0.9)
    assert same_as_new(neighbors, atoms)
    atoms.pbc = [True, True, False]
    assert same_as_new(neighbors, atoms)
    atoms.set_cell(atoms.cell.array * 0.99, scale_atoms=True)
    assert same_as_new(neighbors, atoms)
    del atoms[2]
    assert same_as_new(neighbors, atoms)
    atoms.append("Na")
    assert same_as_new(neighbors, atoms)
    atoms.pbc = False
    atoms.cell = np.zeros((3, 3))
    assert same_as_new(neighbors, atoms)
    neighbors.reset()
    assert same_as_new(neighbors, atoms)
    assert neighbors.n_builds == 8


@pytest.mark.parametrize("block", [(0, 3), (3, 8), (5, 5), (0, 8)])
def test_a_block_of_centers_comes_first_in_its_own_numbering(block):
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.2, seed=4)
    first, j, r_ij = SkinNeighborList(4.5).update(atoms.positions, atoms.cell.array, atoms.pbc, block)
    assert len(first) == block[1] - block[0] + 1
    order = np.roll(np.arange(len(atoms)), -block[0])
    i = np.repeat(order[: block[1] - block[0]], np.diff(first))
    found = np.column_stack([i, order[j], np.round(r_ij, 6) + 0.0])
    expected = pairs_of(*full_neighbor_list(atoms, 4.5), 4.5)
    expected = expected[(expected[:, 0] >= block[0]) & (expected[:, 0] < block[1])]
    np.testing.assert_allclose(found[np.lexsort(found.T[::-1])], expected, atol=2e-6)


def test_bad_systems_get_a_sentence():
    with pytest.raises(ValueError, match="atom 1 is .*nan"):
        full_neighbor_list(Atoms("H2", [[0, 0, 0], [np.nan, 0, 0]]), 3.0)
    with pytest.raises(ValueError, match="spans no volume"):
        full_neighbor_list(Atoms("H", cell=[3, 3, 0], pbc=True), 3.0)
    with pytest.raises(ValueError, match="spans no volume"):
        full_neighbor_list(Atoms("H", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True), 3.0)
    for length in (np.inf, np.nan, 1e200):
        with pytest.raises(ValueError, match="cell has to be finite"):
            full_neighbor_list(Atoms("H", cell=[length, 3, 3], pbc=True), 3.0)
    for pbc in (False, True):
        with pytest.raises(ValueError, match="atom 1 is at .* blown up"):
            full_neighbor_list(Atoms("H2", [[0, 0, 0], [0, -1e300, 0]], cell=[5, 5, 5], pbc=pbc), 3.0)
    with pytest.raises(ValueError, match="too many"):
        full_neighbor_list(Atoms("H", cell=np.eye(3) * 0.2, pbc=True), 400.0)
    with pytest.raises(ValueError, match="a vector of 0.02 Angstrom, too short"):
        full_neighbor_list(Atoms("H", cell=[0.02, 100, 100], pbc=[True, False, False]), 5.0)
    with pytest.raises(ValueError, match="skin"):
        SkinNeighborList(3.0, skin=-1.0)
    with pytest.raises(ValueError, match="cutoff"):
        SkinNeighborList(np.nan)
