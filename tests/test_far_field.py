# SPDX-License-Identifier: BSD-3-Clause
"""The potential expansion, k-sum and free boundaries, against featomic, closed forms and each other."""

import ase.build
import ase.io
import lammps_runs
import numpy as np
import pytest
from ase import Atoms
from far_fields import QuadraticForm, arguments, coefficients, descriptor, fields, liquid, relative, screened_sum
from finite_differences import derivative, directions, displaced, strained
from ions import charges_of, point_charges
from models import evaluate

from mlcalc import radial, radial_potential
from mlcalc.expansions import DensityExpansion, Gaussian, Gto, MultiWidth, PotentialExpansion, Step, Tabulated
from mlcalc.model import Invariant

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV Angstrom
MADELUNG = {"rocksalt": 1.7475645946, "cesiumchloride": 2.0353610945 * np.sqrt(3) / 2, "zincblende": 1.6380550533}


@pytest.mark.parametrize("exponent", range(1, 7))
def test_field_equals_featomic(exponent, small_salt):
    featomic = pytest.importorskip("featomic")
    smearing = 0.8
    k_cutoff = 1.2 * np.pi / smearing
    reference = featomic.LodeSphericalExpansion(
        density={"type": "SmearedPowerLaw", "smearing": smearing, "exponent": exponent},
        k_cutoff=k_cutoff,
        basis={"type": "TensorProduct", "max_angular": 3, "spline_accuracy": None,
               "radial": {"type": "Gto", "max_radial": 2, "radius": 3.0}},
    )  # fmt: skip
    expansion = PotentialExpansion(
        n_max=3, l_max=3, exponent=exponent, smearing=smearing, basis=Gto(3.0), accuracy=1e-12
    )
    ours = fields(expansion, small_salt, lode="ksum", k_cutoff=k_cutoff)
    tolerance = 1e-11 if exponent % 2 else 1e-9  # featomic's erfc loses digits for even p
    n_compared = 0
    for key, block in reference.compute(small_salt).items():
        l, channel = int(key["o3_lambda"]), [11, 17].index(int(key["neighbor_type"]))
        for row, center in enumerate(block.samples.column("atom")):
            expected = block.values[row].T
            np.testing.assert_allclose(ours[center, channel][:, l * l : (l + 1) ** 2], expected, rtol=0, atol=tolerance)
            n_compared += expected.size
    assert n_compared == ours.size


@pytest.mark.parametrize("structure", MADELUNG)
def test_point_charges_have_the_madelung_energy(structure):
    a = {"rocksalt": 5.64, "cesiumchloride": 4.12, "zincblende": 5.41}[structure]
    nearest = a * {"rocksalt": 0.5, "cesiumchloride": np.sqrt(3) / 2, "zincblende": np.sqrt(3) / 4}[structure]
    crystal = ase.build.bulk("NaCl", structure, a=a)
    energy = evaluate(point_charges(nearest / 16).potential(lode="ksum", accuracy=1e-10), crystal)["energies"].sum()
    assert -energy * nearest / COULOMB == pytest.approx(MADELUNG[structure], rel=1e-6)


@pytest.mark.parametrize("frame", range(3))
def test_point_charges_match_exact_coulomb_frames(frame, data):
    """Energy and forces to 1e-6 of an Ewald sum that is converged to rounding. The file itself is not that exact: its
    forces differ from those of the Ewald sum by up to 2.8e-4 eV/Angstrom, and ours from the file's by no more. Its
    stress is half of dE/d eps."""
    atoms = ase.io.read(data / "nacl_coulomb/coulomb_test_frames.xyz", index=frame)
    results = evaluate(charges_of(atoms).potential(lode="ksum", accuracy=1e-10), atoms)
    energy, forces = ewald(atoms, np.where(atoms.numbers == 11, 1.0, -1.0))
    assert results["energies"].sum() == pytest.approx(energy, rel=1e-6)
    np.testing.assert_allclose(results["forces"], forces, rtol=0, atol=1e-6 * np.abs(forces).max())
    assert energy == pytest.approx(atoms.get_potential_energy(), rel=5e-5)
    assert results["energies"].sum() == pytest.approx(atoms.get_potential_energy(), rel=5e-5)
    of_the_file = np.abs(forces - atoms.get_forces()).max()
    assert of_the_file < 3e-4
    np.testing.assert_allclose(results["forces"], atoms.get_forces(), rtol=0, atol=1.01 * of_the_file)
    stress = 2 * np.asarray(atoms.get_stress(voigt=False))
    np.testing.assert_allclose(-results["virial"], stress, rtol=0, atol=1.5e-4 * np.abs(stress).max())


def test_point_charges_have_ewald_energy_and_forces(small_salt):
    results = evaluate(charges_of(small_salt).potential(lode="ksum", accuracy=1e-10), small_salt)
    energy, forces = ewald(small_salt, np.where(small_salt.numbers == 11, 1.0, -1.0))
    assert results["energies"].sum() == pytest.approx(energy, rel=1e-8)
    np.testing.assert_allclose(results["forces"], forces, rtol=0, atol=1e-7 * np.abs(forces).max())


@lammps_runs.needs_lammps
@pytest.mark.parametrize("solver, tolerance", [("pppm 1e-7", 2e-5), ("ewald 1e-10", 1e-6)])
def test_point_charges_have_the_forces_and_virial_of_lammps(solver, tolerance, small_salt, tmp_path):
    style = f"""set type 1 charge 1.0
set type 2 charge -1.0
pair_style coul/long 10.0
pair_coeff * *
kspace_style {solver}
kspace_modify order 7 gewald 0.45"""
    job = lammps_runs.Job(small_salt, None, style=style, before="atom_style charge", elements=["Na", "Cl"])
    expected = lammps_runs.run(tmp_path, [job])[0][0]
    results = evaluate(charges_of(small_salt).potential(lode="ksum", accuracy=1e-10), small_salt)
    virial = results["virial"][[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    assert results["energies"].sum() == pytest.approx(expected["energy"], rel=tolerance)
    for ours, theirs in ((results["forces"], expected["forces"]), (virial, expected["virial"])):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize("exponent", [1, 3, 6])
def test_forces_and_virial_of_the_ksum_are_derivatives(exponent, small_salt):
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 1.8)))
    form = QuadraticForm(expansion, small_salt)
    potential = form.model.potential(lode="ksum", accuracy=1e-3)  # far from converged: derivatives of what is summed
    form.check_derivatives(potential, small_salt)


@pytest.mark.parametrize("lode", ["ksum", "mesh"])
def test_a_much_skewed_cell_is_the_same_crystal(lode, small_salt):
    """Its vectors are long, but neither the list of wave vectors nor the mesh is."""
    expansion = PotentialExpansion(n_max=2, l_max=2, basis=MultiWidth((1.0, 1.8)))
    skewed = small_salt.copy()
    skewed.set_cell(np.array([[1, 0, 0], [40, 1, 0], [-3000, 700, 1]]) @ small_salt.cell.array)
    model = descriptor(small_salt, expansion, invariants=[Invariant(2, "V", "V")])
    nothing = (np.zeros(9, np.int32), np.zeros(0, np.int32), np.zeros((0, 3)))
    species, p_adj, got = np.searchsorted([11, 17], small_salt.numbers).astype(np.int32), None, []
    for atoms in (small_salt, skewed):
        potential = model.potential(lode=lode, accuracy=1e-7)
        system = (species, atoms.positions, atoms.cell.array, atoms.pbc, *nothing)
        p = potential.features(*system)
        p_adj = np.random.default_rng(0).normal(size=p.shape) if p_adj is None else p_adj
        got.append((p, *potential.features_backward(*system, p_adj=p_adj)))
    for plain, other in zip(*got, strict=True):
        np.testing.assert_allclose(other, plain, rtol=0, atol=2e-6 * np.abs(plain).max())


def ewald(atoms, q, alpha=0.7):
    """Energy and forces of point charges, summed until nothing is left."""
    cell, r = atoms.cell.array, atoms.positions
    energy, forces = screened_sum(r, q, alpha, [(np.array(n) - 3) @ cell for n in np.ndindex(7, 7, 7)])
    for n in np.ndindex(27, 27, 27):
        k = 2 * np.pi * np.linalg.inv(cell) @ (np.array(n) - 13)
        if not 0 < k @ k < (12.5 * alpha) ** 2:
            continue
        phases = np.exp(1j * r @ k)
        structure = (q * phases).sum()
        weight = 4 * np.pi / atoms.get_volume() * np.exp(-(k @ k) / (4 * alpha**2)) / (k @ k)
        energy += 0.5 * weight * abs(structure) ** 2
        forces += weight * (q * np.imag(phases * structure.conj()))[:, None] * k
    return COULOMB * energy, COULOMB * forces


def test_gaussian_sources_make_the_density_expansion(salt_cluster):
    """p = 0 is SOAP without a cutoff function."""
    cutoff, width = 9.0, 0.6
    periodic = salt_cluster.copy()
    periodic.set_cell(np.diag([26.0, 27.0, 28.0]))
    periodic.pbc = True
    functions = Tabulated(lambda r: np.repeat(radial.gto_functions(3, 3.0, r)[0][:, None, :], 3, axis=1))
    rho = DensityExpansion(
        name="rho", cutoff=cutoff, n_max=3, l_max=2, basis=functions, smoothing=Step(), accuracy=1e-8,
        density=Gaussian(width),
    )  # fmt: skip
    field = PotentialExpansion(name="V", n_max=3, l_max=2, exponent=0, smearing=width, basis=Gto(3.0), accuracy=1e-9)
    potential = descriptor(periodic, rho, field).potential(lode="ksum", accuracy=1e-9)
    expected = coefficients(potential, periodic, "rho")
    np.testing.assert_allclose(coefficients(potential, periodic, "V"), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("exponent", [1, 2, 3, 4, 6])
@pytest.mark.sanitize
def test_center_weight_removes_the_own_potential_of_an_atom(exponent, small_salt):
    whole = PotentialExpansion(n_max=2, l_max=1, exponent=exponent, basis=Gto(2.5))
    without = PotentialExpansion(n_max=2, l_max=1, exponent=exponent, basis=Gto(2.5), center_atom_weight=0.0)
    difference = fields(whole, small_salt, lode="ksum") - fields(without, small_salt, lode="ksum")
    own = small_salt.numbers[:, None] == [11, 17]
    lonely = Atoms("NaCl", positions=[[0, 0, 0], [500, 0, 0]])
    expected = fields(whole, lonely, lode="free")[0, 0, :, 0] if exponent > 1 else center_of(whole)
    np.testing.assert_allclose(difference[own][:, :, 0], np.tile(expected, (8, 1)), rtol=1e-7)
    assert np.abs(difference[~own]).max() == 0 and np.abs(difference[..., 1:]).max() == 0


def center_of(expansion):
    return expansion.tables([11, 17])["center"]


def test_free_boundaries_equal_a_large_box_for_a_short_ranged_field(salt_cluster):
    expansion = PotentialExpansion(n_max=3, l_max=3, exponent=6, basis=MultiWidth((0.9, 1.4, 2.0)))
    boxed = salt_cluster.copy()
    boxed.set_cell(45.0 * np.eye(3))
    boxed.pbc = True
    free = fields(expansion, salt_cluster)
    np.testing.assert_allclose(fields(expansion, boxed, lode="ksum", accuracy=1e-8), free, rtol=0, atol=2e-7)


@pytest.mark.parametrize("edge", [30.0, 40.0])
def test_free_boundaries_equal_a_large_box_up_to_its_background(edge, salt_cluster):
    """The neutralizing background of a cubic box adds 2 pi / 3 V sum_j |r' - r_ij|^2 and a constant."""
    expansion = PotentialExpansion(n_max=2, l_max=1, basis=Gto(2.5))
    nodes = radial_potential.Basis(expansion, 1.0)
    boxed = salt_cluster.copy()
    boxed.set_cell(edge * np.eye(3))
    boxed.pbc = True
    difference = fields(expansion, boxed, lode="ksum", accuracy=1e-7) - fields(expansion, salt_cluster)
    for channel, number in enumerate([11, 17]):
        r = salt_cluster.positions[salt_cluster.numbers == number] - salt_cluster.positions[:, None]
        factor = 2 * np.pi / (3 * edge**3)
        square = np.sqrt(4 * np.pi) * np.outer((r**2).sum(axis=(1, 2)), nodes.moment(0, 0))
        dipole = np.sqrt(3 / (4 * np.pi)) * r.sum(axis=1)[:, [1, 2, 0]]
        first = difference[:, channel, :, 0] - factor * square
        first -= first.mean(axis=0)
        np.testing.assert_allclose(first, 0, atol=3000 / edge**5)
        vector = -8 * np.pi / 3 * factor * nodes.moment(1, 1)[None, :, None] * dipole[:, None, :]
        np.testing.assert_allclose(difference[:, channel, :, 1:], vector, rtol=0, atol=12000 / edge**5)


@pytest.mark.parametrize("exponent", [1, 3, 6])
def test_features_of_a_pair_decay_with_the_distance(exponent):
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 2.0)))
    distances = np.array([5.0, 10.0, 20.0, 50.0, 100.0])
    v = []
    for distance in distances:
        v.append(fields(expansion, Atoms("NaCl", positions=[[0, 0, 0], [0, 0, distance]]))[0, 1])
    v = np.array(v)
    far = expansion.tables([11, 17])["far"]
    for l in range(3):
        at = l * l + l  # along z only m = 0
        y = np.sqrt((2 * l + 1) / (4 * np.pi))
        for n in range(2):
            series = sum(far[q, l, n] / distances ** (exponent + l + 2 * q) for q in range(len(far)))
            np.testing.assert_allclose(v[2:, n, at], y * series[2:], rtol=2e-5 if exponent > 1 else 1e-9)
            slope = np.log(v[-2, n, at] / v[-1, n, at]) / np.log(distances[-1] / distances[-2])
            assert slope == pytest.approx(exponent + l, rel=0.03)


@pytest.mark.sanitize
@pytest.mark.parametrize("exponent", [1, 3, 6])
def test_free_forces_are_derivatives_from_near_to_far(exponent):
    """Across the end of the table, too."""
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 2.0)))
    r_max = expansion.tables([11, 17])["real_r_max"][0]
    rng = np.random.default_rng(2)
    atoms = Atoms("NaClNaCl", positions=[[0, 0, 0], [2, 1, 0.5], [0, 1.5, r_max + 1e-5], [3, -1, 2 * r_max]])
    model = descriptor(atoms, expansion, invariants=[Invariant(2, "V", "V")])
    potential = model.potential()
    p = potential.features(*arguments(potential, atoms))
    p_adj = rng.normal(size=p.shape)
    gradient, strain = potential.features_backward(*arguments(potential, atoms), p_adj=p_adj)

    def value(moved):
        return np.vdot(p_adj, potential.features(*arguments(potential, moved)))

    for direction in directions(gradient.shape):
        slope = derivative(lambda x, d=direction: value(displaced(atoms, x * d)))
        assert slope == pytest.approx(np.vdot(gradient, direction), abs=1e-8 * np.linalg.norm(gradient))
    for a in range(3):
        unit = np.eye(3)[a][:, None] * np.ones(3)
        slope = derivative(lambda x, u=unit: value(displaced(atoms, x * atoms.positions @ u)))
        assert slope == pytest.approx(strain[a].sum(), abs=1e-8 * np.abs(strain).max())
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-12 * np.abs(gradient).max())


@pytest.mark.sanitize
def test_free_forces_at_the_center_of_another_atom():
    """A smeared source has no singularity, not even where two atoms are at the same place."""
    atoms = Atoms("NaClNa", positions=[[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [1.5, -1.0, 0.7]])
    expansion = PotentialExpansion(n_max=2, l_max=3, basis=MultiWidth((1.0, 2.0)))
    potential = descriptor(atoms, expansion, invariants=[Invariant(2, "V", "V")]).potential()
    p_adj = np.random.default_rng(4).normal(size=potential.features(*arguments(potential, atoms)).shape)
    gradient, _ = potential.features_backward(*arguments(potential, atoms), p_adj=p_adj)

    def value(x, at):
        moved = displaced(atoms, x * at)
        return np.vdot(p_adj, potential.features(*arguments(potential, moved)))

    for atom, axis in np.ndindex(2, 3):
        at = np.zeros((3, 3))
        at[atom, axis] = 1.0
        assert derivative(lambda x, at=at: value(x, at)) == pytest.approx(
            gradient[atom, axis], abs=1e-8 * np.linalg.norm(gradient)
        )


@pytest.mark.parametrize("lode", ["ksum", "mesh"])
def test_energy_is_smooth_along_a_strain_scan(lode):
    """The integers stay: no step in the energy where another k vector or mesh would be chosen anew."""
    atoms = liquid("molten_salt")
    form = QuadraticForm(PotentialExpansion(n_max=2, l_max=2, basis=MultiWidth((1.0, 2.0))), atoms)
    options = {"lode": lode, "accuracy": 2e-4}
    kept = form.model.potential(**options)
    form.value(kept, atoms)
    scan = np.linspace(-0.03, 0.03, 25)
    energies, anew = [], []
    for x in scan:
        moved = strained(atoms, x * np.eye(3))
        energies.append(form.value(kept, moved))
        anew.append(form.value(form.model.potential(**options), moved))
    assert roughness(scan, energies) < 1e-9
    assert roughness(scan, anew) > 2e-8  # so that this test can fail


def roughness(x, energies):
    """What a polynomial does not follow, relative to the range of the energies."""
    fit = np.polynomial.Polynomial.fit(x, energies, 12)
    return np.abs(fit(x) - energies).max() / np.ptp(energies)


def test_integers_are_chosen_anew_after_a_drift_of_ten_percent():
    atoms = liquid("molten_salt")
    potential = point_charges(1.0).potential(lode="ksum")
    evaluate(potential, atoms)
    first = potential.summary()
    assert "wave vectors" in first
    evaluate(potential, strained(atoms, 0.09 * np.eye(3)))
    assert potential.summary() == first
    evaluate(potential, strained(atoms, 0.12 * np.eye(3)))
    assert potential.summary() != first


def test_what_cannot_be_is_refused_with_a_sentence(small_salt, salt_cluster):
    expansion = PotentialExpansion(n_max=1, l_max=0, basis=Gto(2.0))
    with pytest.raises(ValueError, match=r"accuracy of the far field must be from 1e-12 to 0\.1, got 2"):
        fields(expansion, small_salt, accuracy=2.0)
    with pytest.raises(ValueError, match="mesh needs three positive integers, .* got 8 0 8"):
        fields(expansion, small_salt, lode="mesh", mesh=(8, 0, 8))
    with pytest.raises(ValueError, match="needs? two or three periodic directions"):
        fields(expansion, salt_cluster, lode="mesh")
    with pytest.raises(ValueError, match="the cell is periodic"):
        fields(expansion, small_salt, lode="free")
    with pytest.raises(ValueError, match="k_cutoff must be at most"):
        fields(expansion, small_salt, k_cutoff=1e3)
    with pytest.raises(ValueError, match="exponent"):
        PotentialExpansion(n_max=1, l_max=0, exponent=13, basis=Gto(2.0)).tables([11])
    flat = small_salt.copy()
    flat.cell[2] = flat.cell[0] + flat.cell[1]
    potential = descriptor(small_salt, expansion).potential()
    nothing = (np.zeros(9, np.int32), np.zeros(0, np.int32), np.zeros((0, 3)))
    species = np.zeros(8, np.int32)
    with pytest.raises(ValueError, match="no volume"):
        potential.expansion(species, flat.positions, flat.cell.array, flat.pbc, *nothing, name="V")


def test_ksum_meets_the_requested_accuracy():
    atoms = liquid("molten_salt")
    for expansion in (
        PotentialExpansion(n_max=3, l_max=2, basis=MultiWidth((0.9, 1.4, 2.0))),
        PotentialExpansion(n_max=3, l_max=2, exponent=6, basis=Gto(4.0)),
    ):
        form = QuadraticForm(expansion, atoms)
        exact, exact_strain = form.gradient(atoms, lode="ksum", accuracy=1e-9)
        for accuracy in (1e-3, 1e-5):
            gradient, strain = form.gradient(atoms, lode="ksum", accuracy=accuracy)
            assert relative(gradient, exact) < accuracy
            assert relative(strain, exact_strain) < 10 * accuracy
