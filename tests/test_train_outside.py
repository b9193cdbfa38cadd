# SPDX-License-Identifier: BSD-3-Clause
"""Models hold together and repel where there are no data."""

import itertools

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cluster import Octahedron
from training_cases import RHO, SOAP, known_data, labeled, options, salt

from mlcalc import MLCalculator
from mlcalc.checks.curves import at_volume, dimer_curve, energy, isolated_energies
from mlcalc.commands.info import describe
from mlcalc.demo.salt import FumiTosi
from mlcalc.model import Model
from mlcalc.train import fit
from mlcalc.train.baseline import atomization
from mlcalc.train.repulsion import shortest_distances

KERNEL = {**SOAP, "regressor": {"type": "kernel", "zeta": 2, "points": 30}}
FAR = {"name": "V", "type": "potential", "exponent": 1, "smearing": 1.0, "n_max": 1, "l_max": 1}
LODE = {"name": "lode", "invariants": [{"nu": 2, "a": "rho", "b": "V"}], "regressor": {"type": "linear"}}
LAYER = {"name": "A", "inputs": ["rho"], "channels": 8, "l_max": 2, "mixing": {"method": "random"}}
BODIES = {"name": "bodies", "invariants": [{"a": "A", "l_max": [2, 2, 2]}], "regressor": {"type": "linear"}}
KINDS = {
    "linear": {"terms": [SOAP]},
    "kernel": {"terms": [KERNEL]},
    "far field": {"terms": [SOAP, LODE], "expansions": [RHO, FAR]},
    "bodies": {"terms": [BODIES], "layers": [LAYER]},
}


def trained(tmp_path, kind="linear", outside=None, **changes):
    """A model of the salt, with what is asked outside the data as by default, or not."""
    wanted = options(tmp_path, **KINDS[kind], **changes)
    if outside is None:
        del wanted["outside"]
    return fit(wanted, known_data(), progress=False, figures=False)


def dimer_energies(model: Model, pair, distances) -> np.ndarray:
    """Energy of two atoms beside that of both far from each other, eV."""
    calc, energies = MLCalculator(model), []
    for r in [*distances, 15.0]:
        atoms = Atoms(pair, [[0, 0, 0], [r, 0, 0]], cell=[30.0] * 3, pbc=True)
        energies.append(calc.get_potential_energy(atoms))
    return np.array(energies[:-1]) - energies[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_closer_than_in_the_data_repel(tmp_path, kind):
    model = trained(tmp_path, kind).model
    shortest = shortest_distances(known_data(), [11, 17])
    for i, j in ((0, 0), (0, 1), (1, 1)):
        r = np.linspace(0.1, 0.7, 13) * min(shortest[i, j], 4.0)
        energies = dimer_energies(model, [model.species[i], model.species[j]], r)
        assert (np.diff(energies) < 0).all() and energies[0] > 50 and energies[-1] > -1.0


def test_without_what_is_asked_outside_they_need_not(tmp_path):
    """The test above can fail: labels alone leave wells."""
    wells = []
    for seed in range(3):
        model = trained(tmp_path / str(seed), outside=False, seed=seed, data={"zbl": None}).model
        shortest = shortest_distances(known_data(), [11, 17])
        for i, j in ((0, 0), (0, 1), (1, 1)):
            r = np.linspace(0.1, 0.7, 13) * min(shortest[i, j], 4.0)
            energies = dimer_energies(model, [model.species[i], model.species[j]], r)
            wells.append(not (np.diff(energies) < 0).all())
    assert any(wells)


def deepest_well(model: Model, frames) -> float:
    """eV by which the energy of any pair falls on the way inward, from the shortest distances of these frames."""
    depths, calc = [], MLCalculator(model)
    shortest = shortest_distances(frames, model.species)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        curve = dimer_curve(model, calc, i, j)
        inner = curve.y[curve.x < 0.8 * min(shortest[i, j], 4.0)][::-1]
        depths.append(float(np.max(np.maximum.accumulate(inner) - inner)))
    return max(depths)


def test_rows_of_close_pairs_take_wells_away(tmp_path):
    """A model of ions without charges, hardly regularized: the repulsion alone does not outweigh its terms."""
    data = labeled(salt(40, amplitude=0.3), FumiTosi())
    fine = {**RHO, "name": "pairs", "n_max": 8, "l_max": 0, "density": {"type": "gaussian", "width": 0.25}}
    term = {**SOAP, "invariants": [{"nu": 1, "a": "pairs"}, {"nu": 2, "a": "rho"}]}
    wells = {}
    for close in (0.5, None):
        wanted = options(tmp_path / str(close), term, expansions=[fine, {**RHO, "n_max": 4, "l_max": 3}],
                         outside={"close": close}, solver={"regularization": 1e-10})  # fmt: skip
        wells[close] = deepest_well(fit(wanted, data, progress=False, figures=False).model, data)
    assert wells[None] > 1000 and wells[0.5] < 10


def off_the_curve(model: Model, frames, scales) -> float:
    """Largest deviation of expanded structures from the universal curve, as a part of their cohesion."""
    calc, worst = MLCalculator(model), 0.0
    alone = isolated_energies(model, calc)
    for atoms, s in itertools.product(frames, scales):
        separated = sum(alone[int(z)] for z in atoms.numbers)
        cohesion = separated - atoms.get_potential_energy()
        x = (s - 1) / 0.22
        part = (separated - energy(calc, at_volume(atoms, s**3))) / cohesion
        worst = max(worst, abs(part - (1 + x) * np.exp(-x)))
    return worst


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_pulled_apart_comes_apart_along_the_universal_curve(tmp_path, kind):
    frames, off = [bulk("NaCl", "rocksalt", a=a, cubic=True) for a in np.linspace(5.5, 5.8, 30)], {}
    for k, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=k)
    data = labeled(frames, FumiTosi())
    wide = {**RHO, "cutoff": 6.0, "n_max": 6}
    kept = {**KINDS[kind], "expansions": [wide, FAR] if kind == "far field" else [wide]}
    for expanded in (0.02, None):
        wanted = options(tmp_path / str(expanded), **kept, data={"reference_energies": {"Na": 0.0, "Cl": 0.0}})
        wanted |= {"outside": {"expanded": expanded}, "solver": {"regularization": 1e-6}}
        model = fit(wanted, data, progress=False, figures=False).model
        off[expanded] = off_the_curve(model, data[:4], (1.15, 1.2))
    assert off[0.02] < 0.17 and off[0.02] < 0.65 * off[None]


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (1, 0, 0), (0, 0, 0)])
def test_all_lengths_grow_alike_whatever_the_boundaries(pbc):
    """Along axes without a vector of the cell as well."""
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
    atoms.cell[~np.array(pbc, dtype=bool)] = 0
    atoms.pbc = pbc
    grown = at_volume(atoms, 1.2**3)
    assert np.allclose(grown.positions, 1.2 * atoms.positions) and np.allclose(grown.cell, 1.2 * atoms.cell.array)


def test_clusters_come_apart_too(tmp_path):
    data, off = [], {}
    for k in range(24):
        data.append(Octahedron("Cu", 3, 1, latticeconstant=3.6 + 0.01 * (k % 5)))
        data[k] = Atoms(data[k].symbols, data[k].positions)
        data[k].rattle(0.05, seed=k)
    data = labeled(data, EMT(), ("energy", "forces"))
    alone = float(EMT().get_potential_energy(Atoms("Cu", [[0, 0, 0]])))
    for expanded in (0.02, None):
        wanted = options(tmp_path / str(expanded), expansions=[{**RHO, "cutoff": 6.0, "n_max": 6}],
                         data={"reference_energies": {"Cu": alone}, "stress": None})  # fmt: skip
        wanted |= {"outside": {"expanded": expanded}, "solver": {"regularization": 1e-6}}
        off[expanded] = off_the_curve(fit(wanted, data, progress=False, figures=False).model, data[:3], (1.15, 1.25))
    assert off[0.02] < 0.05 and off[0.02] < 0.3 * off[None]


@pytest.mark.parametrize(
    "unknown",
    [{"reference_energies": "fit"}, {"reference_energies": {"Na": -100.0, "Cl": -100.0}},
     {"reference_energies": {"Na": 2.0, "Cl": 1.0}, "energy_offset": "curve"}],
)  # fmt: skip
def test_energies_that_are_not_known_pull_nothing_apart(tmp_path, unknown):
    """Without cohesion, with a mean in its place, or with energies that have a zero of their own, there is no curve."""
    data, weights = known_data(), []
    for k, atoms in enumerate(data):
        data[k] = atoms.copy()
        data[k].calc, data[k].info["curve"] = atoms.calc, k % 2
    for expanded in (0.15, None):
        wanted = options(tmp_path / str(expanded), data=unknown, solver={"regularization": 1e-3})
        wanted["outside"]["expanded"] = expanded
        weights.append(fit(wanted, data, progress=False, figures=False).model.terms[0].regressor.weights)
    assert np.array_equal(*weights)


@pytest.mark.parametrize("kind", ["linear", "kernel", "far field"])
def test_an_atom_far_from_all_others_has_its_reference_energy(tmp_path, kind):
    model = trained(tmp_path, kind, data={"reference_energies": {"Na": -1.0, "Cl": -2.5}}).model
    calc = MLCalculator(model)
    for z, reference in zip(model.species, model.reference_energies, strict=True):
        alone = Atoms([z], cell=[30.0] * 3, pbc=True)
        assert calc.get_potential_energy(alone) == pytest.approx(reference, abs=0.5)


def test_the_mean_and_what_it_takes_to_make_a_gas_of_atoms(tmp_path):
    """Enthalpies of formation of gaseous atoms at 298 K, kJ/mol, as tables of thermochemistry have them."""
    expected = {1: 218.0, 6: 716.9, 8: 249.2, 11: 107.5, 14: 450.0, 17: 121.3, 42: 659.0}
    found = atomization(list(expected)) / (units.kJ / units.mol)
    assert found == pytest.approx(list(expected.values()), abs=1.0)
    assert atomization([2, 10]).tolist() == [0.0, 0.0]  # a noble gas is a gas of atoms
    mean = fit(options(tmp_path, data={"reference_energies": "fit"}), known_data(), progress=False, figures=False)
    auto = fit(options(tmp_path), known_data(), progress=False, figures=False)
    difference = np.subtract(auto.model.reference_energies, mean.model.reference_energies)
    assert difference == pytest.approx(atomization([11, 17]), abs=1e-9)
    note = next(n for n in auto.report["notes"] if "separated atoms" in n)
    assert note.startswith("WARNING") and "Na, Cl" in note and "data.reference_energies" in note


def test_the_report_and_info_tell_what_is_outside(tmp_path):
    """The same numbers as the model itself gives, and a warning where pairs fall into each other."""
    sound = fit({**options(tmp_path, SOAP), "outside": {}}, known_data(), progress=False, figures=True)
    found = sound.report["outside"]
    alone = Atoms("Na", cell=[30.0] * 3, pbc=True)
    assert found["separated_atoms"]["Na"] == pytest.approx(MLCalculator(sound.model).get_potential_energy(alone))
    assert found["close_pairs"]["verdict"] == "pass" and found["cohesion"] > 0
    assert not any("has a well" in n for n in sound.report["notes"])
    assert (sound.report_path / "outside.png").stat().st_size > 10_000
    shown = describe(sound.model_path)
    assert "separated atoms (eV)     Na" in shown and "close pairs              pass" in shown
    holes = options(tmp_path / "holes", SOAP, data={"zbl": None}, seed=1)
    notes = fit(holes, known_data(), progress=False, figures=False).report["notes"]
    assert any(n.startswith("WARNING") and "has a well of" in n for n in notes)


def test_isolated_atoms_of_the_data_are_taken_where_there_are_some(tmp_path):
    sodium = Atoms("Na", cell=[20.0] * 3, pbc=True)
    sodium.calc = SinglePointCalculator(sodium, energy=-1.25)
    result = fit(options(tmp_path), [*known_data(), sodium], progress=False, figures=False)
    assert result.model.reference_energies[0] == -1.25
    note = next(n for n in result.report["notes"] if "separated atoms" in n)
    assert "Cl" in note and "Na" not in note.split(":")[1]


def test_energies_of_atoms_below_those_of_the_data_are_reported(tmp_path):
    low = {"Na": -100.0, "Cl": -100.0}
    notes = fit(options(tmp_path, data={"reference_energies": low}), known_data(), progress=False, figures=False).report
    assert any("fly apart" in n and "data.reference_energies" in n for n in notes["notes"])


def test_the_repulsion_reaches_to_the_shortest_distances_of_each_pair(tmp_path):
    result = trained(tmp_path)
    outer = np.array(result.model.zbl.outer)
    train = [a for a in known_data()]
    assert (outer <= shortest_distances(train, [11, 17])).all() and np.ptp(outer) > 0.1
    assert Model.load(result.model_path).zbl == result.model.zbl
    text = describe(result.model_path)
    assert f"Na-Cl from {result.model.zbl.inner[0][1]:.2f} to {outer[0, 1]:.2f} A" in text


def test_radii_beyond_the_data_are_reported(tmp_path):
    wanted = options(tmp_path, data={"zbl": {"inner": 3.0, "outer": 3.5}})
    notes = fit(wanted, known_data(), progress=False, figures=False).report["notes"]
    assert any("data.zbl.inner, 3 Å, is beyond the shortest distance" in n for n in notes)


def test_a_committee_disagrees_where_there_are_no_data(tmp_path):
    """By the sigma that is asked for, not by nothing."""
    result = trained(tmp_path, committee={"members": 8})
    calc = MLCalculator(result.model)
    close = Atoms("NaCl", [[0, 0, 0], [1.2, 0, 0]], cell=[30.0] * 3, pbc=True)
    usual = result.report["force_uncertainty"]["train"]["median"]
    assert calc.get_property("forces_uncertainty", close).max() > 10 * usual


def test_a_crystal_holds_together(tmp_path):
    """The cold curve has one minimum and rises to the energy of separated atoms, though all data are dense."""
    frames = []
    rng = np.random.default_rng(3)
    for a in np.linspace(3.4, 3.9, 24):
        atoms = bulk("Cu", "fcc", a, cubic=True)
        atoms.positions += rng.normal(scale=0.08, size=(4, 3))
        frames.append(atoms)
    from ase.calculators.emt import EMT

    data = labeled(frames, EMT())
    rho = {**RHO, "n_max": 5, "cutoff": 4.5}
    wanted = options(tmp_path, {**SOAP, "regressor": {"type": "kernel", "points": 40}}, expansions=[rho])
    del wanted["outside"]
    calc = MLCalculator(fit(wanted, data, progress=False, figures=False).model)
    scale = np.array([0.9, 1.0, 1.15, 1.3, 1.6, 2.2])
    energies = [calc.get_potential_energy(bulk("Cu", "fcc", 3.61 * x, cubic=True)) / 4 for x in scale]
    assert np.argmin(energies) == 1
    assert energies[-1] - energies[1] == pytest.approx(atomization([29])[0], abs=1.0)
