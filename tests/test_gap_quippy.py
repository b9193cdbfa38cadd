# SPDX-License-Identifier: BSD-3-Clause
"""Every option of every descriptor against quippy itself, where it is installed."""

from dataclasses import replace

import numpy as np
import pytest
from finite_differences import check_forces
from gap_files import Entry, crowd, write_gap

from mlcalc import MLCalculator, gap
from mlcalc.gap.converter import rounding
from mlcalc.gap.reference import quippy_potential, quippy_results, results_of

pytest.importorskip("quippy")

SOAP = "soap l_max=2 n_max=3 cutoff=3.5 atom_sigma=0.5"
TWO = SOAP + " n_species=2 species_Z={8 14}"
PAIR = "cutoff=4.0 cutoff_transition_width=0.8"
R = np.linspace(1.6, 3.6, 5)


def pair(words, **options):
    return Entry(f"distance_2b {PAIR} {words}", 1, 5, "ard_se", theta=[0.8], points=R, **options)


ANGLE = "cutoff=3.2 cutoff_transition_width=0.7"
X = np.array([[3.4, 0.1, 2.6], [4.2, 0.5, 3.1], [5.0, 0.2, 3.9], [4.6, 1.0, 2.4], [5.4, 0.0, 4.4]])
SIDES = np.array([[1.9, 2.1, 2.6], [2.2, 2.6, 3.1], [2.4, 2.4, 4.0], [2.9, 3.0, 2.2]])
SIX = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]]


def angle(words, covariance="ard_se", theta=(0.8, 0.6, 0.9), **options):
    return Entry(f"angle_3b {ANGLE} {words}", 3, 5, covariance, theta=list(theta), points=X, **options)


def sides(covariance, theta):
    return Entry(f"distance_Nb order=3 {ANGLE} Z={{14 14 14}}", 3, 4, covariance, theta=[theta] * 3, points=SIDES,
                 permutations=SIX)  # fmt: skip


CASES = {
    "angle": [angle("Z=14 Z1=8 Z2=14"), angle("Z=8 Z1=14 Z2=14", f0=0.3)],
    "angle of any": [angle(""), angle("Z_center=14 Z1=0 Z2=8")],
    "angle pp": [angle("Z=14 Z1=8 Z2=8", "pp", (3.0, 3.5, 3.0)), pair("")],
    "sides": [sides("ard_se", 0.9), pair("")],
    "sides pp": [sides("pp", 2.5), pair("")],
    "center everywhere": [Entry(TWO + " Z=14 central_reference_all_species=T", 64), Entry(TWO + " Z=8", 64)],
    "center is no neighbor": [Entry(SOAP + " n_species=1 species_Z=8 Z=14", 19)],
    "center in one of two": [Entry(SOAP + " n_species=1 species_Z=8 Z=14 central_reference_all_species=F", 19)],
    "old version": [Entry(TWO + " Z=14", 64)],
    "center weight everywhere": [Entry(TWO + " Z=14 central_reference_all_species=T central_weight=0.6", 64)],
    "all centers": [Entry(SOAP + " n_species=2 species_Z={14 8} n_Z=2 Z={8 14} cutoff_transition_width=1.2", 64)],
    "two cutoffs": [Entry(TWO + " Z=8", 64), Entry(TWO.replace("3.5", "2.7") + " Z=8", 64, zeta=4)],
    "sigma0": [Entry(TWO + " Z=8 covariance_sigma0=0.3", 64, zeta=3, last=0.3)],
    "POLY": [Entry(TWO + " Z=8 radial_basis=POLY", 64)],
    "diagonal": [Entry(TWO + " Z=8 diagonal_radial=T", 28)],
    "not normalized": [Entry(TWO + " Z=8 normalise=F", 64, delta=50.0)],
    "no center": [Entry(TWO + " Z=8 central_weight=0.0", 64)],
    "decay to infinity": [Entry(TWO + " Z=8 cutoff_dexp=3 cutoff_rate=0 cutoff_scale=2.5", 64)],
    "wide cutoff function": [Entry(TWO + " Z=8 cutoff_transition_width=1.5 basis_error_exponent=6", 64, zeta=1)],
    "step": [Entry(TWO + " Z=8 cutoff_transition_width=0.0", 64)],
    "neighbors of any kind": [Entry(SOAP + " Z=14 central_weight=0.5", 19)],
    "many components": [Entry("soap l_max=4 n_max=6 cutoff=3.8 atom_sigma=0.5 radial_basis=GTO n_species=2 "
                              "species_Z={8 14} Z=8", 391)],
    "any pair": [pair("")],
    "pair": [pair("Z1=14 Z2=8"), pair("Z1=8 Z2=8", f0=0.4)],
    "one of a pair": [pair("Z1=0 Z2=8")],
    "inverse": [Entry(f"distance_2b {PAIR} exponents=-1", 1, 5, "ard_se", theta=[0.2], points=1 / R, f0=0.2)],
    "exponents": [Entry(f"distance_2b {PAIR} n_exponents=3 exponents={{-1 -3 -6}}", 3, 5, "dot_product", 2,
                        points=R[:, None] ** [-1.0, -3, -6])],
    "exponents without values": [Entry(f"distance_2b {PAIR} n_exponents=2", 2, 5, "ard_se", theta=[0.2, 0.1],
                                       points=R[:, None] ** [-1.0, -2])],
    "tail": [pair("tail_range=0.7 tail_exponent=2")],
    "distance_Nb": [Entry(f"distance_Nb order=2 {PAIR} Z={{8 14}}", 1, 5, "ard_se", theta=[0.8], points=R,
                          permutations=[[1], [1]])],
    "not compact": [Entry(f"distance_Nb order=2 {PAIR} Z={{8 14}} compact_clusters=F", 1, 5, "ard_se", theta=[0.8],
                          points=R)],
    "several of one pair": [pair("Z1=8 Z2=8"), pair("Z1=14 Z2=14", delta=0.8), pair("Z1=8 Z2=8", delta=0.3),
                            Entry("distance_2b cutoff=3.0 Z1=8 Z2=8", 1, 5, "ard_se", theta=[0.8], points=R)],
}  # fmt: skip
VERSIONS = {"old version": 1400000000}


def compare(path, atoms, tmp_path, tolerance=1.0):
    read = gap.read(path)
    model = gap.convert(read, sorted(set(atoms.numbers)))
    model.save(tmp_path / "m.mlcalc")
    atoms.calc = MLCalculator(tmp_path / "m.mlcalc")
    expected = results_of(quippy_potential(path, "P"), atoms)
    limit = tolerance * (10 * rounding(read, model.species) + 1e-12)
    assert np.abs(np.array(expected["forces"])).max() > 1e-4
    difference = atoms.get_potential_energies() - expected["energies"]
    assert abs(difference.sum()) < len(atoms) * limit
    # of sides the energy belongs to the center here, to all three atoms there
    assert np.abs(difference).max() < limit or any(t.coordinates == "sides" for t in model.triples)
    assert np.abs(atoms.get_forces() - expected["forces"]).max() < 10 * limit
    assert np.abs(atoms.get_stress(voigt=False) - expected["stress"]).max() < limit


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_quippy(case, tmp_path):
    write_gap(tmp_path / "gap.xml", CASES[case], version=VERSIONS.get(case, 1769700636))
    compare(tmp_path / "gap.xml", crowd(["Si"] * 4 + ["O"] * 4), tmp_path)


def test_a_kernel_with_compact_support_has_kinks(tmp_path):
    entry = Entry(f"distance_2b {PAIR}", 1, 5, "pp", theta=[0.9], points=R)
    write_gap(tmp_path / "gap.xml", [entry])
    compare(tmp_path / "gap.xml", crowd(["Si"] * 4 + ["O"] * 4), tmp_path, tolerance=1e6)


def test_an_element_of_the_structure_that_no_descriptor_names(tmp_path):
    """It has its own energy, and the others do not see it; all of them are in the density of a center of silicon."""
    write_gap(tmp_path / "gap.xml", [Entry(TWO + " Z=14 central_reference_all_species=T", 64)])
    read = gap.read(tmp_path / "gap.xml")
    atoms = crowd(["Si"] * 6)
    model = gap.convert(read, [14])
    model.save(tmp_path / "m.mlcalc")
    atoms.calc = MLCalculator(tmp_path / "m.mlcalc")
    expected = results_of(quippy_potential(tmp_path / "gap.xml", "P"), atoms)
    assert np.abs(atoms.get_potential_energies() - expected["energies"]).max() < 1e-11
    both = gap.convert(read)
    both.save(tmp_path / "both.mlcalc")
    atoms.calc = MLCalculator(tmp_path / "both.mlcalc")
    assert np.abs(atoms.get_potential_energies() - expected["energies"]).max() < 1e-11
    assert np.abs(atoms.get_forces() - expected["forces"]).max() < 1e-10


TURBO = "soap_turbo l_max=3 rcut_hard=4.5 rcut_soft=4.0 scaling_mode=polynomial"
PAIR_OF_SPECIES = (
    "alpha_max={4 3} atom_sigma_r={0.4 0.5} atom_sigma_t={0.5 0.6} atom_sigma_r_scaling={0.1 0.} "
    "atom_sigma_t_scaling={0.05 0.} amplitude_scaling={1.0 2.0} n_species=2 species_Z={8 14} central_weight={1.0 0.8}"
)
TURBOS = {
    "two species, Gaussians": [Entry(f"{TURBO} {PAIR_OF_SPECIES} basis=poly3gauss central_index=2", 112)],
    "trivial": [Entry(f"{TURBO} {PAIR_OF_SPECIES} basis=poly3gauss central_index=2 radial_enhancement=1 "
                      "compress_mode=trivial", 52), Entry(f"{TURBO} {PAIR_OF_SPECIES} basis=poly3gauss central_index=1 "
                      "radial_enhancement=1 compress_mode=trivial", 52)],
    "enhancement": [Entry(f"{TURBO} {PAIR_OF_SPECIES} basis=poly3 radial_enhancement=2 central_index=1", 112)],
}  # fmt: skip


@pytest.mark.parametrize("case", TURBOS)
def test_soap_turbo_is_that_of_quippy_but_for_its_steps(case, tmp_path):
    path, atoms = tmp_path / "gap.xml", crowd(["Si"] * 4 + ["O"] * 4)
    write_gap(path, [replace(entry, whole=True) for entry in TURBOS[case]])
    model = gap.convert(gap.read(path))
    model.save(tmp_path / "m.mlcalc")
    atoms.calc = MLCalculator(tmp_path / "m.mlcalc")
    expected = quippy_results(path, "P", [atoms])[0]
    assert np.abs(expected["forces"]).max() > 1e-3
    assert np.abs(atoms.get_potential_energies() - expected["energies"]).max() < 1e-6
    assert np.abs(atoms.get_forces() - expected["forces"]).max() < 1e-5
    assert np.abs(atoms.get_stress(voigt=False) - expected["stress"]).max() < 1e-6
    check_forces(atoms, 1e-8)
