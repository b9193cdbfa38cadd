# SPDX-License-Identifier: BSD-3-Clause
"""Labels of the wrong sign, in other units, of other structures: what is read is what was meant, or it is said."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import voigt_6_to_full_3x3_stress
from ase.units import Bohr, GPa, Hartree, Rydberg, kcal, kJ, mol
from training_cases import known_data, options

from mlcalc.train import fit
from mlcalc.train.data import load_dataset
from mlcalc.train.data_options import DataOptions

SMALL = {
    "expansions": [{"name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 4.0,
                    "density": {"type": "gaussian", "width": 0.5}}],
    "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}],
}  # fmt: skip


def label(atoms):
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **results, stress=atoms.get_stress())
    return atoms


def copper(n):
    rng, made = np.random.default_rng(0), []
    for k in range(n):
        atoms = bulk("Cu", "fcc", 3.65 * (1 + rng.uniform(-0.04, 0.05)), cubic=True) * (2, 1, 1)
        atoms.rattle(0.08, seed=k)
        made.append(label(atoms))
    return made


@pytest.fixture(scope="module")
def cu():
    return copper(20)


def with_factors(frames, energy=1.0, forces=1.0, stress=1.0, length=1.0):
    made = []
    for atoms in frames:
        copy = atoms.copy()
        copy.set_cell(atoms.cell.array * length, scale_atoms=True)
        copy.calc = SinglePointCalculator(
            copy, energy=atoms.get_potential_energy() * energy, forces=atoms.get_forces() * forces,
            stress=atoms.get_stress() * stress,
        )  # fmt: skip
        made.append(copy)
    return made


def trained(tmp_path, frames, **changes):
    data = {"files": ["frames"], "stress": "stress", "split": {"validation": 0.15, "test": 0.15}}
    data.update(changes.pop("data", {}))
    wanted = {"model": str(tmp_path / "m.mlcalc"), "data": data, **SMALL, **changes}
    return fit(wanted, frames, progress=False, figures=False)


def warnings_of(result):
    return [note for note in result.report["notes"] if "opposite sign" in note or "are the units right" in note]


@pytest.mark.parametrize("virial", [0.005, 0.05, 0.5, 100.0])
def test_stresses_of_the_wrong_sign_are_said_whatever_their_weight(tmp_path, cu, virial):
    right = trained(tmp_path, cu, weights={"virial": virial})
    assert warnings_of(right) == []
    (wrong,) = warnings_of(trained(tmp_path, with_factors(cu, stress=-1), weights={"virial": virial}))
    assert "the labels of the stresses seem to have the opposite sign" in wrong and "stress_sign" in wrong


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"forces": -1}, "labels of the forces seem to have the opposite sign"),
        ({"forces": Bohr / Hartree}, "energies agree with forces .* times as large"),
        ({"energy": 1 / Hartree}, "forces agree with energies 27.* times as large"),
        ({"stress": 1 / (Hartree / Bohr**3)}, "energies and forces agree with stresses .* times as large"),
        ({"stress": 1 / GPa}, "stresses agree with energies and forces .* times as large"),
    ],
)
def test_labels_that_contradict_each_other_are_said(tmp_path, cu, factors, said):
    import re

    assert re.search(said, " ".join(warnings_of(trained(tmp_path, with_factors(cu, **factors)))))


@pytest.mark.parametrize("kind", ["linear", "kernel"])
def test_good_labels_are_not_doubted(tmp_path, kind):
    term = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": kind}}
    for n in (6, 12, 30):
        result = fit(options(tmp_path, term), known_data()[:n], progress=False, figures=False)
        assert warnings_of(result) == []


ENERGIES = {"eV": 1.0, "meV": 1e-3, "hartree": Hartree, "rydberg": Rydberg, "kcal/mol": kcal / mol, "kJ/mol": kJ / mol}
LENGTHS = {"Angstrom": 1.0, "bohr": Bohr, "nm": 10.0}
STRESSES = {"GPa": GPa, "kbar": 0.1 * GPa, "bar": 1e-4 * GPa, "eV/Angstrom^3": 1.0, "hartree/bohr^3": Hartree / Bohr**3,
            "rydberg/bohr^3": Rydberg / Bohr**3}  # fmt: skip


@pytest.mark.parametrize("form", ["stress", "virial", "compressive", "vasp", "lammps", "matrix"])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("energy", ENERGIES)
def test_labels_in_every_unit_and_form_are_the_same_labels(cu, energy, length, form):
    """The same structures written in other units and orders are read as they were."""
    e, l = ENERGIES[energy], LENGTHS[length]
    made = with_factors(cu[:3], 1 / e, l / e, l**3 / e, 1 / l)
    for atoms, original in zip(made, cu, strict=False):
        stress = atoms.calc.results.pop("stress")
        xx, yy, zz, yz, xz, xy = stress
        atoms.info["label"] = {
            "stress": stress, "virial": -original.get_volume() * original.get_stress() / e, "compressive": -stress,
            "vasp": np.array([xx, yy, zz, xy, yz, xz]), "lammps": np.array([xx, yy, zz, xy, xz, yz]),
            "matrix": voigt_6_to_full_3x3_stress(stress),
        }[form]  # fmt: skip
    units = {"energy": energy, "length": length}
    if form == "compressive":
        units["stress_sign"] = "compressive"
    if form in ("vasp", "lammps"):
        units["stress_order"] = form
    kind = "virial" if form == "virial" else "stress"
    read = load_dataset(DataOptions(files=["frames"], units=units, split={"validation": 0}, **{kind: "label"}), made)
    plain = load_dataset(DataOptions(files=["frames"], stress="stress", split={"validation": 0}), cu[:3])
    for a, b in zip(read.structures, plain.structures, strict=True):
        np.testing.assert_allclose(a.atoms.positions, b.atoms.positions, rtol=1e-7, atol=1e-9)
        assert a.energy == pytest.approx(b.energy, rel=1e-9)
        np.testing.assert_allclose(a.forces, b.forces, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(a.virial, b.virial, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("unit", STRESSES)
def test_a_stress_may_have_a_unit_of_its_own(cu, unit):
    made = with_factors(cu[:3], 1 / Hartree, Bohr / Hartree, 1 / STRESSES[unit], 1 / Bohr)
    units = {"energy": "hartree", "length": "bohr", "stress": unit}
    settings = {"files": ["frames"], "stress": "stress", "split": {"validation": 0}}
    read = load_dataset(DataOptions(**settings, units=units), made)
    plain = load_dataset(DataOptions(**settings), cu[:3])
    for a, b in zip(read.structures, plain.structures, strict=True):
        np.testing.assert_allclose(a.virial, b.virial, rtol=1e-6)


@pytest.mark.parametrize("form", ["stress", "virial"])
def test_a_model_of_other_units_is_the_same_model(tmp_path, cu, form):
    """Trained on the labels as stress or virial, in atomic units and in eV: the same model, whose virial is minus the
    derivative of its energy by strain."""
    made = with_factors(cu, 1 / Hartree, Bohr / Hartree, Bohr**3 / Hartree, 1 / Bohr)
    key = {"stress": "stress", "virial": None}
    if form == "virial":
        for atoms, original in zip(made, cu, strict=True):
            atoms.info["w"] = -original.get_volume() * original.get_stress() / Hartree
        key = {"stress": None, "virial": "w"}
    solver = {"regularization": 1e-6}
    plain = trained(tmp_path, cu, solver=solver)
    other = trained(tmp_path, made, solver=solver, data={"units": {"energy": "hartree", "length": "bohr"}, **key})
    a, b = (r.report["errors"]["test"]["all"] for r in (plain, other))
    for kind in ("energy", "forces", "stress"):
        assert a[kind]["rmse"] == pytest.approx(b[kind]["rmse"], rel=1e-3)
    from mlcalc import MLCalculator

    test = cu[0].copy()
    predicted = []
    for result in (plain, other):
        test.calc = MLCalculator(result.model)
        predicted.append((test.get_forces(), test.get_stress()))
    for x, y in zip(*predicted, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-4 * np.abs(x).max())
    strained, h = [], 1e-5
    for sign in (1, -1):
        atoms = cu[0].copy()
        atoms.set_cell(atoms.cell.array @ np.diag([1 + sign * h, 1, 1]), scale_atoms=True)
        atoms.calc = test.calc
        strained.append(atoms.get_potential_energy())
    slope = (strained[0] - strained[1]) / (2 * h) / cu[0].get_volume()
    assert slope == pytest.approx(predicted[1][1][0], abs=1e-6)
    assert np.corrcoef(predicted[1][1], cu[0].get_stress())[0, 1] > 0.9


def test_stresses_of_what_is_not_periodic_are_said(cu):
    made = with_factors(cu[:6])
    for atoms in made[:4]:
        atoms.pbc = False
    notes = load_dataset(DataOptions(files=["frames"], stress="stress"), made).notes
    assert any("4 structures with a stress or virial are not periodic" in note for note in notes)


@pytest.mark.parametrize("pbc, kind", [(False, "free"), ([True, False, True], "slabs")])
def test_other_boundaries_under_a_far_field_are_said(pbc, kind, tmp_path):
    frames = [a.copy() for a in known_data()]
    for k, (atoms, full) in enumerate(zip(frames, known_data(), strict=True)):
        atoms.calc = SinglePointCalculator(atoms, energy=full.get_potential_energy(), forces=full.get_forces())
        if k % 3 == 1:
            atoms.pbc = pbc
    v = {"name": "V", "type": "potential", "n_max": 1, "l_max": 1}
    terms = [{"name": "lode", "invariants": [{"nu": 1, "a": "V"}], "regressor": {"type": "linear"}}]
    wanted = options(tmp_path, expansions=[v], terms=terms, data={"stress": None})
    notes = fit(wanted, frames, progress=False, figures=False).report["notes"]
    assert any(f"of 30 structures 10 are {kind} (the first: frames, structure 1), the others" in n for n in notes)


def test_a_label_called_none_is_missing(cu):
    made = with_factors(cu[:4])
    for k, atoms in enumerate(made):
        atoms.info["e"] = "None" if k == 1 else 1.0
    data = load_dataset(DataOptions(files=["frames"], energy="e"), made)
    assert [s.energy is None for s in data.structures] == [False, True, False, False]


def test_structures_without_a_config_type_have_the_default_one(tmp_path):
    frames = known_data()[:12]
    named = []
    for k, atoms in enumerate(frames):
        copy = atoms.copy()
        copy.calc = atoms.calc
        if k % 2:
            copy.info["kind"] = "bulk"
        named.append(copy)
    data = load_dataset(DataOptions(files=["frames"], config_type="kind"), named)
    assert [s.config_type for s in data.structures] == ["default", "bulk"] * 6
    assert any("6 structures without 'kind' are of the config type 'default'" in note for note in data.notes)
    report = fit(options(tmp_path, data={"config_type": "kind"}), named, progress=False, figures=False).report
    assert set(report["errors"]["train"]) == {"all", "default", "bulk"}


def test_elements_come_from_the_training_data(tmp_path):
    given = {"Na": -1.0, "Cl": -3.0, "K": -5.0}
    result = fit(options(tmp_path, data={"reference_energies": given}), known_data(), progress=False, figures=False)
    assert result.model.species == [11, 17]
    assert any(note.startswith("K: a reference energy is given") for note in result.report["notes"])
