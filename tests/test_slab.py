# SPDX-License-Identifier: BSD-3-Clause
"""The far field of slabs, periodic in two directions and open along the third: against sums in two dimensions, finite
differences, and itself with other padding."""

import harmonics
import numpy as np
import pytest
from ase import Atoms
from far_fields import QuadraticForm, arguments, choice, descriptor, fields, liquid, relative
from finite_differences import check_virials_of_atoms, derivative, directions, displaced, strained
from ions import point_charges
from models import build, evaluate, linear_model
from slabs import COULOMB, cut, ewald_of_slab, small_slab, smeared_potential, with_axis
from test_mesh import EXPANSIONS

from mlcalc import radial
from mlcalc.expansions import Gto, MultiWidth, PotentialExpansion
from mlcalc.model import Invariant

BOTH = pytest.mark.parametrize("lode", ["ksum", "mesh"])
WIDE = PotentialExpansion(n_max=2, l_max=2, basis=MultiWidth((1.0, 1.8)))
SLAB_EXPANSIONS = {name: EXPANSIONS[name] for name in ("p=1", "l=3", "gto", "one pseudo-species")}


def projected(expansion, atoms, i):
    """V of atom i by integrating the potential of all atoms over its radial functions, (n_channels, n_max, lm)."""
    x, w = np.polynomial.legendre.leggauss(60)
    r, wr = 8.0 * (x + 1), 8.0 * w
    c, wc = np.polynomial.legendre.leggauss(28)
    phi = 2 * np.pi / 56 * np.arange(56)
    s = np.sqrt(1 - c * c)[:, None]
    unit = np.stack([s * np.cos(phi), s * np.sin(phi), c[:, None] + 0 * phi], axis=-1).reshape(-1, 3)
    weights = np.repeat(wc, 56) * 2 * np.pi / 56
    y = np.concatenate([harmonics.real_harmonics(l, unit) for l in range(expansion.l_max + 1)], axis=1)
    functions = radial.gto_functions(expansion.n_max, expansion.basis.radius, r)[0]
    out = []
    for z in sorted(set(atoms.numbers)):
        d = [
            atoms.positions[i] - atoms.positions[j] + r[:, None, None] * unit
            for j in np.flatnonzero(atoms.numbers == z)
        ]
        potential = sum(smeared_potential(atoms.cell.array, one, expansion.smearing, 7.5) for one in d)
        out.append(np.einsum("rn,r,rd,d,dk->nk", functions, wr * r * r, potential, weights, y, optimize=True))
    return np.array(out)


def test_the_field_is_that_of_sums_over_the_plane():
    """Of each species by itself, charged, without any background."""
    atoms = small_slab(n=4)
    expansion = PotentialExpansion(n_max=3, l_max=2, smearing=1.0, basis=Gto(3.0), accuracy=1e-11)
    expected = projected(expansion, atoms, 1)
    scale = np.abs(expected).max()
    for accuracy in (1e-3, 1e-5, 1e-10):
        for lode in ("ksum", "mesh"):
            if lode == "mesh" and accuracy < 1e-6:
                continue
            v = fields(expansion, atoms, lode=lode, accuracy=accuracy)[1]
            np.testing.assert_allclose(v, expected, rtol=0, atol=max(0.1 * accuracy, 1e-10) * scale)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_point_charges_have_the_energy_and_forces_of_an_ewald_sum_of_two_dimensions(axis):
    atoms = small_slab()
    q = np.where(atoms.numbers == 11, 1.0, -1.0)
    energy, forces = ewald_of_slab(atoms, q)
    distances = atoms.get_all_distances(mic=True)
    model = point_charges(distances[~np.eye(len(atoms), dtype=bool)].min() / 12)
    turned = with_axis(atoms, axis)
    results = evaluate(model.potential(lode="ksum", accuracy=1e-10), turned)
    assert results["energies"].sum() == pytest.approx(energy, rel=1e-8)
    order = np.roll(np.arange(3), axis - 2)
    np.testing.assert_allclose(results["forces"], forces[:, order], rtol=0, atol=1e-8 * np.abs(forces).max())


@BOTH
def test_the_force_on_a_charge_above_a_charged_plate(lode):
    """2 pi k_e sigma q at any height, and none between two plates of the same charge; the other way round below."""
    plate = Atoms("Na9", [[i, j, 0.0] for i in (0.0, 1.0, 2.0) for j in (0.0, 1.0, 2.0)], cell=[3, 3, 1], pbc=[1, 1, 0])
    potential = point_charges(1.0).potential(lode=lode, accuracy=1e-8)
    for height in (9.0, 14.0, -11.0):
        atoms = plate + Atoms("Cl", [[0.4, 1.2, height]])
        force = evaluate(potential, atoms)["forces"][-1]
        expected = -np.sign(height) * 2 * np.pi * COULOMB  # one charge per square Angstrom
        np.testing.assert_allclose(force, [0.0, 0.0, expected], rtol=0, atol=1e-6 * abs(expected))
    second = plate.copy()
    second.positions[:, 2] = 21.0
    atoms = plate + second + Atoms("Cl", [[0.4, 1.2, 9.0]])
    force = evaluate(potential, atoms)["forces"][-1]
    np.testing.assert_allclose(force, 0.0, rtol=0, atol=1e-6 * 2 * np.pi * COULOMB)


@pytest.mark.parametrize("liquid_name, axis", [("molten_salt", 2), ("water", 0)])
@pytest.mark.parametrize("name", SLAB_EXPANSIONS)
def test_forces_meet_the_requested_accuracy(name, liquid_name, axis):
    atoms = cut(liquid_name, axis)
    form = QuadraticForm(SLAB_EXPANSIONS[name], atoms)
    exact, exact_strain = form.gradient(atoms, lode="ksum", accuracy=1e-8)
    for accuracy in (1e-3, 1e-4, 1e-5, 1e-6):
        for lode, split in (("ksum", 0), ("mesh", 0), ("mesh", 6.0)):
            gradient, strain = form.gradient(atoms, lode=lode, accuracy=accuracy, split=split)
            assert relative(gradient, exact) < accuracy
            assert relative(strain, exact_strain) < 25 * accuracy


@pytest.mark.sanitize
@pytest.mark.parametrize("exponent", [0, 1])
@pytest.mark.parametrize("split", [0, 5.0])
@BOTH
def test_forces_and_virial_are_derivatives_of_what_is_summed(lode, split, exponent):
    """All nine components, far from converged."""
    atoms = small_slab()
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, basis=MultiWidth((1.0, 1.8)))
    form = QuadraticForm(expansion, atoms)
    options = {"mesh": (8, 10, 27), "order": 7} if lode == "mesh" else {"accuracy": 1e-2}
    form.check_derivatives(form.model.potential(lode=lode, split=split, **options), atoms)
    tilted = harmonics.turned(atoms, harmonics.random_rotation(4))
    form.check_derivatives(form.model.potential(lode=lode, split=split, **options), tilted)


@pytest.mark.parametrize("split", [0, 4.5])
@BOTH
def test_virials_of_atoms_are_strain_derivatives_of_their_energies(lode, split):
    model = linear_model([EXPANSIONS["l=3"]], [[Invariant(1, "V"), Invariant(2, "V", "V")]], 3)
    accuracy = 1e-9 if lode == "ksum" else 1e-7
    potential = model.potential(lode=lode, accuracy=accuracy, split=split)
    check_virials_of_atoms(potential, small_slab(), tolerance=100 * accuracy)


@BOTH
def test_training_rows_are_those_of_the_field(lode):
    atoms = small_slab()
    potential = descriptor(atoms, WIDE, invariants=[Invariant(2, "V", "V")]).potential(lode=lode, accuracy=1e-7)
    given = arguments(potential, atoms)
    p_adj = np.random.default_rng(0).normal(size=potential.features(*given).shape)
    gradient, strain = potential.features_backward(*given, p_adj=p_adj)
    rows, strain_rows = potential.feature_gradients(*given)
    tolerance = 1e-11 if lode == "ksum" else 1e-5
    for got, expected in ((rows, gradient), (strain_rows, strain)):
        got = np.einsum("if,if...->...", p_adj, got)
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("mixing", [None, ((1.0, -0.7),)])
@BOTH
def test_cells_of_any_axis_and_direction_are_the_same_slab(lode, mixing):
    atoms = small_slab()
    expansion = PotentialExpansion(n_max=2, l_max=2, basis=MultiWidth((1.0, 1.8)), mixing=mixing)
    model = linear_model([expansion], [[Invariant(1, "V"), Invariant(2, "V", "V")]], 3)
    expected = evaluate(model.potential(lode=lode, accuracy=1e-9 if lode == "ksum" else 1e-7), atoms)
    rotation = harmonics.random_rotation(2)
    left_handed = atoms.copy()
    left_handed.set_cell(atoms.cell.array[[1, 0, 2]])
    skewed = atoms.copy()
    skewed.set_cell(np.array([[1, 0, 0], [60, 1, 0], [3, -2, 1]]) @ atoms.cell.array)
    cases = [(left_handed, np.eye(3)), (harmonics.turned(atoms, rotation), rotation)]
    cases += [(with_axis(atoms, axis), np.eye(3)[np.roll(np.arange(3), axis - 2)]) for axis in (0, 1)]
    if lode == "ksum" or mixing is None:
        cases.append((skewed, np.eye(3)))
    for other, turn in cases:
        got = evaluate(model.potential(lode=lode, accuracy=1e-9 if lode == "ksum" else 1e-7), other)
        tolerance = 1e-9 if lode == "ksum" else 1e-6
        scale = np.abs(expected["forces"]).max()
        np.testing.assert_allclose(got["forces"], expected["forces"] @ turn.T, rtol=0, atol=tolerance * scale)
        np.testing.assert_allclose(got["energies"], expected["energies"], rtol=0, atol=tolerance * scale)
        virial = turn @ expected["virial"] @ turn.T
        np.testing.assert_allclose(got["virial"], virial, rtol=0, atol=10 * tolerance * np.abs(virial).max())


@BOTH
def test_vacuum_and_padding_change_nothing(lode):
    """The third vector of the cell, where the slab is in it, and how far the padded cell reaches."""
    atoms = small_slab()
    accuracy = 1e-6
    model = linear_model([WIDE], [[Invariant(1, "V"), Invariant(2, "V", "V")]], 3)
    potential = model.potential(lode=lode, accuracy=accuracy)
    expected = evaluate(potential, atoms)
    scale = np.abs(expected["forces"]).max()
    for third in ([0, 0, 0], [0, 0, 300.0], [9.0, -8.0, 20.0]):
        cell = atoms.cell.array.copy()
        cell[2] = third
        other = displaced(atoms, [0, 0, 37.0])
        other.set_cell(cell)
        got = evaluate(model.potential(lode=lode, accuracy=accuracy), other)
        np.testing.assert_allclose(got["forces"], expected["forces"], rtol=0, atol=1e-9 * scale)
    tall = strained(atoms, np.diag([0, 0, 1.5]))
    potential = model.potential(lode=lode, accuracy=accuracy)
    evaluate(potential, tall)
    padding = potential.summary().split("padded to ")[1].split()[0]
    got = evaluate(potential, atoms)
    assert potential.summary().split("padded to ")[1].split()[0] == padding
    np.testing.assert_allclose(got["forces"], expected["forces"], rtol=0, atol=accuracy * scale)
    assert got["energies"].sum() == pytest.approx(expected["energies"].sum(), abs=accuracy * scale)


@BOTH
def test_a_field_of_short_range_is_that_of_a_periodic_cell_with_vacuum(lode):
    expansion = PotentialExpansion(n_max=2, l_max=2, exponent=0, basis=MultiWidth((1.0, 1.8)))
    atoms = small_slab()
    boxed = atoms.copy()
    boxed.cell[2] = [0, 0, 45.0]
    boxed.pbc = True
    expected = fields(expansion, boxed, lode="ksum", accuracy=1e-9)
    v = fields(expansion, atoms, lode=lode, accuracy=1e-6)
    np.testing.assert_allclose(v, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


@BOTH
def test_atoms_that_outgrow_the_padding_get_another(lode):
    atoms = small_slab()
    accuracy = 1e-5
    model = linear_model([WIDE], [[Invariant(1, "V"), Invariant(2, "V", "V")]], 3)
    potential = model.potential(lode=lode, accuracy=accuracy)
    padded = []
    for stretch in (0.0, 0.02, 0.6, 2.0):
        tall = strained(atoms, np.diag([0, 0, stretch]))
        got = evaluate(potential, tall)
        expected = evaluate(model.potential(lode="ksum", accuracy=1e-8), tall)["forces"]
        assert relative(got["forces"], expected) < accuracy
        padded.append(float(potential.summary().split("padded to ")[1].split()[0].rstrip(",;")))
    assert padded[0] == padded[1] < padded[2] < padded[3]


def test_a_slab_with_a_large_gap_is_periodic_up_to_its_dipole():
    """Images along z add -2 pi / V (z - z')^2 to the potential, which the field of a slab does not have
    [Yeh, Berkowitz, J. Chem. Phys. 111, 3155 (1999)]."""
    atoms = small_slab()
    model = point_charges(1.0)
    q = np.where(atoms.numbers == 11, 1.0, -1.0)
    slab = evaluate(model.potential(lode="ksum", accuracy=1e-9), atoms)["forces"]
    errors = []
    for height in (15.0, 20.0, 40.0):
        periodic = atoms.copy()
        cell = atoms.cell.array.copy()
        cell[2] = [0, 0, height]
        periodic.set_cell(cell)
        periodic.pbc = True
        forces = evaluate(model.potential(lode="ksum", accuracy=1e-9), periodic)["forces"]
        dipole = q @ atoms.positions[:, 2]
        forces[:, 2] -= 4 * np.pi * COULOMB / periodic.get_volume() * q * dipole
        errors.append(np.abs(forces - slab).max() / np.abs(slab).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-7


@BOTH
def test_an_electric_field_along_the_normal(lode):
    """Of a model with a dipole, -mu E with its forces and virial; mu is that of the whole slab."""
    atoms = small_slab()
    field = np.array([0.0, 0.0, 0.3])
    model = build("tensors far")
    plain = model.potential(lode=lode, accuracy=1e-8)
    pulled = model.potential(lode=lode, accuracy=1e-8, electric_field=tuple(field))
    before, after = evaluate(plain, atoms, tensors=["dipole"]), evaluate(pulled, atoms)
    dipole = before["dipole"].sum(axis=0)
    assert abs(dipole[2]) > 1e-3
    assert after["energies"].sum() == pytest.approx(before["energies"].sum() - dipole @ field, abs=1e-10)
    direction = directions(atoms.positions.shape, n=1)[0]
    slope = derivative(lambda x: evaluate(pulled, displaced(atoms, x * direction), forces=False)["energies"].sum())
    assert slope == pytest.approx(-np.vdot(after["forces"], direction), abs=1e-8 * np.linalg.norm(after["forces"]))
    strain = directions((3, 3), n=1, seed=1)[0]
    slope = derivative(lambda x: evaluate(pulled, strained(atoms, x * strain), forces=False)["energies"].sum())
    assert slope == pytest.approx(-np.vdot(after["virial"], strain), abs=1e-8 * np.abs(after["virial"]).max())


@pytest.mark.parametrize("pbc", [(True, False, False), (False, False, True)])
@pytest.mark.parametrize("lode", ["auto", "ksum", "mesh"])
def test_wires_are_refused_by_name(pbc, lode, small_salt):
    small_salt.pbc = pbc
    with pytest.raises(ValueError, match="three periodic directions, two or none, got one, a wire"):
        fields(PotentialExpansion(n_max=1, l_max=0, basis=Gto(2.0)), small_salt, lode=lode)


@pytest.mark.parametrize("exponent", [2, 3, 6])
def test_exponents_without_a_truncated_kernel_are_refused_by_name(exponent):
    expansion = PotentialExpansion(n_max=1, l_max=0, exponent=exponent, basis=Gto(2.0))
    with pytest.raises(ValueError, match=f"expansion 'V' has exponent {exponent}; give the slab vacuum and make every"):
        fields(expansion, small_slab())


def test_what_cannot_be_a_slab_is_refused_with_a_sentence():
    expansion = PotentialExpansion(n_max=1, l_max=0, basis=Gto(2.0))
    atoms = small_slab()
    with pytest.raises(ValueError, match="free boundaries were asked for, but the cell is periodic"):
        fields(expansion, atoms, lode="free")
    species = np.zeros(8, np.int32)
    nothing = (np.zeros(9, np.int32), np.zeros(0, np.int32), np.zeros((0, 3)))
    flat = atoms.cell.array.copy()
    flat[1] = 2 * flat[0]
    potential = descriptor(atoms, expansion).potential()
    with pytest.raises(ValueError, match="the two lattice vectors of a slab span no area"):
        potential.expansion(species, atoms.positions, flat, atoms.pbc, *nothing, name="V")
    far = atoms.copy()
    far.positions[0, 2] += 1e7
    with pytest.raises(ValueError, match="memory limit"):
        fields(expansion, far, lode="ksum")


def test_one_atom_and_one_layer_are_slabs():
    expansion = PotentialExpansion(n_max=2, l_max=2, smearing=1.0, basis=Gto(3.0))
    atoms = small_slab(n=4)[:2]
    atoms.positions[:, 2] = 3.0
    expected = projected(expansion, atoms, 0)[0]
    v = fields(expansion, atoms, accuracy=1e-6)[0, 0]
    np.testing.assert_allclose(v, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert "slab padded to" in choice(expansion, atoms)


def test_the_choice_depends_on_size():
    for atoms, method in ((small_slab(), "k-sum"), (cut("molten_salt").repeat((2, 2, 1)), "particle mesh")):
        said = choice(EXPANSIONS["p=1"], atoms)
        assert method in said and "slab padded to" in said
    assert "slab" not in choice(EXPANSIONS["p=1"], liquid("molten_salt"))


def test_a_slab_too_high_is_refused_with_its_height():
    atoms = small_slab()
    atoms.positions[0, 2] += 3e4
    sentence = r"memory limit.*; the box of the slab is 3\d+(\.\d+)? Angstrom high, and with its padding 6\d+"
    for lode in ("ksum", "mesh"):
        with pytest.raises(ValueError, match=sentence):
            fields(PotentialExpansion(n_max=1, l_max=0, basis=Gto(2.0)), atoms, lode=lode, memory_limit=1 << 20)
