# SPDX-License-Identifier: BSD-3-Clause
"""The density expansion and its invariants against featomic: values, position and strain gradients."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from featomic import SoapPowerSpectrum, SoapRadialSpectrum, SphericalExpansion
from finite_differences import derivative, directions, displaced, strained

from mlcalc import radial
from mlcalc.expansions import (
    Delta,
    DensityExpansion,
    Gaussian,
    Gto,
    LaplacianEigenstates,
    ShiftedCosine,
    Step,
    WillattScaling,
)
from mlcalc.features import Descriptor, Features
from mlcalc.model import Invariant

TRICLINIC = [[3.1, 0.0, 0.0], [0.7, 3.4, 0.0], [-0.4, 0.5, 2.9]]


def crystal(symbols, seed, cell=TRICLINIC):
    """Atoms at random in a triclinic cell smaller than the cutoffs here: every atom sees its own images."""
    rng = np.random.default_rng(seed)
    scaled = (np.arange(len(symbols))[:, None] * [0.45, 0.3, 0.62] + 0.05 * rng.random((len(symbols), 3))) % 1
    return ase.Atoms(symbols, scaled_positions=scaled, cell=cell, pbc=True)


def cluster():
    """A molecule, and one atom beyond everyone's cutoff."""
    positions = [[0, 0, 0], [0.9, 0.3, 0.1], [-0.4, 0.8, 0.2], [0.1, -1.3, 0.7], [20, 0, 0]]
    return ase.Atoms("OHHCO", positions)


STRUCTURES = {
    "one species, one atom": crystal(["Si"], 1),
    "two species": crystal(list("OHH"), 2),
    "five species": crystal(list("HCNOS"), 3, np.array(TRICLINIC) * 1.2),
    "cluster and isolated atom": cluster(),
}
EXPANSIONS = {
    "default": DensityExpansion(cutoff=4.0, n_max=6, l_max=5, accuracy=1e-12),
    "step": DensityExpansion(cutoff=3.3, n_max=4, l_max=3, smoothing=Step(), density=Gaussian(0.3), accuracy=1e-12),
    "scaled": DensityExpansion(
        cutoff=3.7, n_max=5, l_max=4, smoothing=ShiftedCosine(3.7), scaling=WillattScaling(1.5, 2.2, 4.0),
        density=Gaussian(0.6), center_atom_weight=0.0, accuracy=1e-12,
    ),
    "sharp": DensityExpansion(
        cutoff=3.5, n_max=6, l_max=2, density=Gaussian(0.2), center_atom_weight=0.7, accuracy=1e-12
    ),
}  # fmt: skip


def both(function):
    for mark, values in (("expansion", EXPANSIONS), ("atoms", STRUCTURES)):
        function = pytest.mark.parametrize(mark, values.values(), ids=values.keys())(function)
    return function


def soap(atoms, expansion="default", invariants=None):
    expansion = EXPANSIONS[expansion] if isinstance(expansion, str) else expansion
    return Descriptor(sorted(set(atoms.numbers)), expansion, invariants)


def featomic(calculator, atoms, gradients):
    return calculator.compute(atoms, gradients=["positions", "strain"] if gradients else None)


def assert_same(ours, expected, tolerance, size=None):
    size = np.abs(expected).max() if size is None else size
    # what symmetry makes zero is zero up to the rounding of features of order one
    assert np.abs(ours - expected).max() <= tolerance * size + 1e-14


def assert_close(ours, theirs, size=None):
    assert_same(ours, theirs, 1e-11, size)


@both
def test_coefficients_equal_featomic(expansion, atoms):
    descriptor = soap(atoms, expansion)
    c = descriptor.expansion(atoms)
    theirs = featomic(SphericalExpansion(**expansion.to_featomic()), atoms, gradients=False)
    seen = np.zeros_like(c)
    for key, block in theirs.items():
        l, a = key["o3_lambda"], descriptor.species.index(key["neighbor_type"])
        rows = block.samples["atom"]
        lm = slice(l * l, (l + 1) ** 2)
        assert_close(c[rows, a, :, lm], block.values.swapaxes(1, 2), np.abs(c).max())
        seen[rows, a, :, lm] = 1
    assert np.all(c[seen == 0] == 0)  # featomic leaves out what has no neighbors


def assert_blocks_equal(features, theirs, descriptor, atoms):
    """Values and both gradients of every block of featomic."""
    gradients, strains = descriptor.gradients(atoms)

    def blocks_of(values):
        return Features(values, features.samples, features.properties, descriptor).featomic_blocks()

    ours = features.featomic_blocks()
    moved = {(j, x): blocks_of(gradients[:, :, j, x]) for j in range(len(atoms)) for x in range(3)}
    strained = {(a, b): blocks_of(strains[:, :, a, b]) for a in range(3) for b in range(3)}
    sizes = [np.abs(values).max() for values in (features.values, gradients, strains)]
    for key, block in theirs.items():
        key = tuple(key.values)
        mine = ours[key]
        row = {tuple(sample): i for i, sample in enumerate(mine.samples)}
        rows = np.array([row[tuple(sample)] for sample in block.samples.values])
        assert np.array_equal(mine.properties, block.properties.values)
        assert_close(mine.values[rows], block.values, sizes[0])
        by_position = block.gradient("positions")
        expected = {pair: np.zeros_like(mine.values) for pair in moved}
        for (sample, _, atom), values in zip(by_position.samples.values, by_position.values, strict=True):
            for x in range(3):
                expected[atom, x][rows[sample]] = values[x]
        for pair, values in expected.items():
            assert_close(moved[pair][key].values, values, sizes[1])
        by_strain = block.gradient("strain")
        for a, b in strained:
            assert_close(
                strained[a, b][key].values[rows[by_strain.samples["sample"]]], by_strain.values[:, a, b], sizes[2]
            )


@both
def test_power_spectrum_and_its_gradients_equal_featomic(expansion, atoms):
    descriptor = soap(atoms, expansion)
    theirs = featomic(SoapPowerSpectrum(**expansion.to_featomic()), atoms, gradients=True)
    assert_blocks_equal(descriptor(atoms), theirs, descriptor, atoms)


@pytest.mark.parametrize("atoms", STRUCTURES.values(), ids=STRUCTURES.keys())
def test_radial_spectrum_and_its_gradients_equal_featomic(atoms):
    expansion = EXPANSIONS["scaled"]
    hypers = expansion.to_featomic()
    hypers["basis"] = {"radial": hypers["basis"]["radial"], "spline_accuracy": None}
    descriptor = soap(atoms, expansion, Invariant(1, "rho"))
    theirs = featomic(SoapRadialSpectrum(**hypers), atoms, gradients=True)
    assert_blocks_equal(descriptor(atoms), theirs, descriptor, atoms)


def test_eight_radial_functions_equal_featomic_as_far_as_its_own_orthonormalization_goes():
    # the GTO overlap is ill-conditioned: featomic inverts its square root in double precision, we in extended
    atoms, expansion = STRUCTURES["two species"], DensityExpansion(cutoff=4.0, n_max=8, l_max=3, accuracy=1e-12)
    ours = soap(atoms, expansion)(atoms).featomic_blocks()
    for key, block in SoapPowerSpectrum(**expansion.to_featomic()).compute(atoms).items():
        assert np.abs(ours[tuple(key.values)].values - block.values).max() < 1e-10 * np.abs(block.values).max()


NU_1_AND_2 = [Invariant(1, "rho"), Invariant(2, "rho", "rho")]


@both
def test_gradients_equal_finite_differences(expansion, atoms):
    descriptor = soap(atoms, expansion, NU_1_AND_2)
    gradients, strains = descriptor.gradients(atoms)
    size = max(np.abs(gradients).max(), np.abs(strains).max())  # alone in its cell an atom feels no displacement
    for direction in directions(atoms.positions.shape, n=1, seed=1):
        numerical = derivative(lambda x: descriptor(displaced(atoms, x * direction)).values)  # noqa: B023
        assert_same(np.einsum("ipjx,jx->ip", gradients, direction), numerical, 1e-8, size)
    for direction in directions((3, 3), n=1, seed=2):
        numerical = derivative(lambda x: descriptor(strained(atoms, x * direction)).values)  # noqa: B023
        assert_same(np.einsum("ipab,ab->ip", strains, direction), numerical, 1e-8, size)


@pytest.mark.sanitize
@both
def test_the_adjoint_is_the_transpose_of_the_gradients(expansion, atoms):
    descriptor = soap(atoms, expansion, NU_1_AND_2)
    gradients, strains = descriptor.gradients(atoms)
    w = np.random.default_rng(5).normal(size=gradients.shape[:2])
    position_adjoint, strain_adjoint = descriptor.backward(atoms, w)
    assert_same(position_adjoint, np.einsum("ip,ipjx->jx", w, gradients), 1e-12, np.abs(gradients).max())
    assert_same(strain_adjoint, np.einsum("ip,ipab->ab", w, strains), 1e-12, np.abs(strains).max())


@pytest.mark.sanitize
@both
def test_features_do_not_change_under_symmetries(expansion, atoms):
    descriptor = soap(atoms, expansion, NU_1_AND_2)
    values = descriptor(atoms).values
    turned = atoms.copy()
    turned.rotate(77.0, (0.3, -1.0, 0.4), rotate_cell=True)
    assert_same(descriptor(turned).values, values, 1e-12)
    moved = atoms.copy()
    moved.positions += [11.3, -7.1, 3.9]
    assert_same(descriptor(moved).values, values, 1e-12)
    order = np.random.default_rng(0).permutation(len(atoms))
    assert_same(descriptor(atoms[order]).values, values[order], 1e-12)
    if atoms.pbc.any():
        assert_same(descriptor(atoms.repeat((2, 1, 2))).values, np.tile(values, (4, 1)), 1e-12)


@pytest.mark.parametrize("expansion", [EXPANSIONS["default"], EXPANSIONS["scaled"]], ids=["default", "scaled"])
def test_features_and_gradients_are_continuous_when_an_atom_crosses_the_cutoff(expansion):
    def at(distance):
        atoms = ase.Atoms("CCO", [[0, 0, 0], [1.1, 0.2, 0], [0, 0, distance]])
        descriptor = soap(atoms, expansion)
        return descriptor(atoms).values, descriptor.gradients(atoms)[0]

    beyond, steps = at(expansion.cutoff + 1e-9), (1e-2, 1e-3, 1e-4)
    for step in steps:
        inside = at(expansion.cutoff - step)
        assert np.abs(inside[0] - beyond[0])[0].max() < 20 * step**2 * np.abs(beyond[0]).max()
        assert np.abs(inside[1] - beyond[1])[0].max() < 50 * step * np.abs(beyond[1]).max()


@pytest.mark.sanitize
def test_mixing_species_sums_their_coefficients():
    atoms = STRUCTURES["five species"]
    mixing = np.random.default_rng(2).normal(size=(2, 5))
    plain = EXPANSIONS["default"]
    mixed = replace(plain, mixing=mixing)
    expected = np.einsum("Ja,ianm->iJnm", mixing, soap(atoms, plain).expansion(atoms))
    assert_same(soap(atoms, mixed).expansion(atoms), expected, 1e-13)
    # gradients through the mixing
    descriptor = soap(atoms, mixed)
    (direction,) = directions(atoms.positions.shape, n=1)
    numerical = derivative(lambda x: descriptor(displaced(atoms, x * direction)).values)
    gradients = descriptor.gradients(atoms)[0]
    assert_same(np.einsum("ipjx,jx->ip", gradients, direction), numerical, 1e-8, np.abs(gradients).max())


def test_species_that_are_mixed_equally_are_the_same_species():
    atoms = STRUCTURES["two species"]
    one = atoms.copy()
    one.numbers[:] = 8
    mixed = replace(EXPANSIONS["default"], mixing=[[1.0, 1.0]])
    assert_same(soap(atoms, mixed)(atoms).values, soap(one)(one).values, 1e-13)


@pytest.mark.parametrize("basis", [LaplacianEigenstates(), Gto()], ids=["eigenstates", "gto"])
def test_delta_density_is_a_sum_of_radial_functions(basis):
    expansion = DensityExpansion(cutoff=3.2, n_max=4, l_max=2, density=Delta(), basis=basis, accuracy=1e-12)
    atoms = cluster()[:2]
    distance = atoms.get_distance(0, 1)
    r = np.array([distance, 0.0])
    if basis == Gto():
        functions = np.repeat(radial.gto_functions(4, 3.2, r)[0][:, None], 3, axis=1)
    else:
        functions = radial.laplacian_eigenstates(4, 2, 3.2, r)[0]
    c = soap(atoms, expansion).expansion(atoms)[0]  # of O: H is channel 0, O channel 1
    x, y, z = (atoms.positions[1] - atoms.positions[0]) / distance
    harmonics = [1 / np.sqrt(4 * np.pi), *(np.sqrt(3 / (4 * np.pi)) * np.array([y, z, x]))]
    for lm, value in enumerate(harmonics):
        assert_same(c[0, :, lm], value * functions[0, 0 if lm == 0 else 1], 1e-11, 1.0)
    d2 = np.sqrt(15 / (4 * np.pi)) * np.array([x * y, y * z, (3 * z * z - 1) / np.sqrt(12), z * x, (x * x - y * y) / 2])
    assert_same(c[0, :, 4:], functions[0, 2][:, None] * d2, 1e-11, 1.0)
    assert_same(c[1, :, 0], functions[1, 0] / np.sqrt(4 * np.pi), 1e-13, 1.0)


def test_nu_2_cannot_tell_some_environments_apart(data):
    """Three CH7 environments, and two CH6O, have the same lists of distances and angles around C: their nu = 2 features
    coincide though they are different [Pozdnyakov et al., PRL 125, 166001 (2020)]."""
    for name in ("powerspectrum-triplet.xyz", "bispectrum.xyz"):
        structures = ase.io.read(data / "completeness" / name, ":")
        expansion = DensityExpansion(cutoff=6.0, n_max=6, l_max=6, accuracy=1e-12)
        features = Descriptor(sorted(set(structures[0].numbers)), expansion)(structures)
        carbon = features.of_species("C")
        assert np.abs(carbon - carbon[0]).max() < 1e-10 * np.abs(carbon).max()
        hydrogen = features.of_species("H").reshape(len(structures), -1, carbon.shape[1])
        assert np.abs(hydrogen - hydrogen[0]).max() > 1e-4 * np.abs(hydrogen).max()  # they are not the same structure


RUN = """
import json, sys, numpy as np, ase.build
from mlcalc import _engine
from mlcalc.expansions import DensityExpansion
from mlcalc.features import Descriptor
atoms = ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True)
atoms.rattle(0.2, seed=1)
d = Descriptor(["Na", "Cl"], DensityExpansion(cutoff=4.5, n_max=5, l_max=9, accuracy=1e-5))
p = d(atoms).values
g, s = d.backward(atoms, np.cos(np.arange(p.size)).reshape(p.shape))
print(json.dumps([_engine.instruction_set(), p.tolist(), g.tolist(), s.tolist()]))
"""


def run_with(instruction_set):
    return subprocess.run(
        [sys.executable, "-c", RUN],
        env={**os.environ, "MLCALC_INSTRUCTION_SET": instruction_set},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.sanitize
def test_instruction_sets_agree_to_rounding():
    results = {}
    for name in ("baseline", "avx2", "avx512"):
        run = run_with(name)
        if run.returncode and "which this CPU does not have" in run.stderr:
            continue
        assert run.returncode == 0, run.stderr
        used, *results[name] = json.loads(run.stdout)
        assert used == name
    assert "baseline" in results
    for values in results.values():
        for ours, baseline in zip(values, results["baseline"], strict=True):
            assert_same(np.array(ours), np.array(baseline), 1e-13)


def test_an_unknown_instruction_set_is_refused():
    assert "MLCALC_INSTRUCTION_SET must be baseline, avx2 or avx512, got 'sse9'" in run_with("sse9").stderr
