# SPDX-License-Identifier: BSD-3-Clause
"""`mlcalc check` of crystals: constants that are known of simple potentials, and a comparison with a reference."""

import json
import re
import sys

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from training_cases import labeled, options

from mlcalc import MLCalculator
from mlcalc.checks import phonons
from mlcalc.checks.crystal import Crystal, NoCrystal, check_equation_of_state, crystal_of, relaxed
from mlcalc.checks.curves import check_dimers
from mlcalc.checks.elastic import check_elastic, elastic_constants, independent, moduli
from mlcalc.checks.page import plain, table
from mlcalc.checks.phonons import check_phonons, lowest_and_highest, phonons_of, repeats_of
from mlcalc.checks.verdict import Check, worst
from mlcalc.cli import main
from mlcalc.commands.check_beside import Comparison, add_to_dimers, check_labels
from mlcalc.commands.check_model import check_model
from mlcalc.model import Model
from mlcalc.train import fit

#: central forces: elastic constants of fcc have C12 = C44
CENTRAL = {"sigma": 2.5, "epsilon": 0.3, "rc": 7.0, "ro": 5.0, "smooth": True}


def copper(n, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for k in range(n):
        atoms = bulk("Cu", "fcc", a=3.6 * rng.uniform(0.93, 1.1), cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.rattle(0.08, seed=seed + k)
        made.append(atoms)
    return made


@pytest.fixture(scope="module")
def copper_model(tmp_path_factory):
    """Trained on copper of EMT."""
    folder = tmp_path_factory.mktemp("copper")
    wanted = options(folder, data={"reference_energies": {"Cu": 0.0}}, solver={"regularization": 1e-4})
    wanted["expansions"][0] |= {"n_max": 6, "l_max": 4, "cutoff": 5.0}
    del wanted["outside"]
    return fit(wanted, labeled(copper(60), EMT()), progress=False, figures=False).model_path


@pytest.fixture(scope="module")
def central():
    calculator = LennardJones(**CENTRAL)
    return crystal_of(bulk("Cu", "fcc", a=3.7), calculator), calculator


def test_a_crystal_is_relaxed_and_reduced_to_its_primitive_cell():
    pytest.importorskip("spglib")
    atoms = bulk("Cu", "fcc", a=3.8, cubic=True).repeat((2, 1, 1))
    atoms.rattle(0.05, seed=1)
    crystal = crystal_of(atoms, EMT())
    assert len(crystal.atoms) == 1 and crystal.group.startswith("Fm-3m")
    assert np.abs(crystal.atoms.get_stress()).max() < 1e-3
    assert crystal.atoms.get_volume() == pytest.approx(relaxed(bulk("Cu"), EMT()).get_volume(), rel=1e-3)


@pytest.mark.parametrize(
    ("atoms", "reason"),
    [
        (fcc111("Cu", (1, 1, 3), vacuum=8), "not periodic in all directions"),
        (bulk("Cu", cubic=True).repeat(3), "108 atoms are more than 64; give the unit cell"),
        (molecule("H2O"), "not periodic in all directions"),
    ],
)
def test_what_is_no_crystal_is_said(atoms, reason):
    with pytest.raises(NoCrystal, match=reason):
        crystal_of(atoms, EMT())


def test_what_has_no_minimum_is_no_crystal():
    with pytest.raises(ValueError, match="there is no minimum near|not relaxed"):
        crystal_of(bulk("Cu", "fcc", a=3.7), LennardJones(sigma=9.0, epsilon=0.3, rc=4.6))


def test_the_equation_of_state_is_that_of_the_second_derivative(central):
    crystal, calculator = central
    check = check_equation_of_state(crystal, calculator)
    v0 = crystal.atoms.get_volume()
    assert check.verdict == "pass" and check.values["V0 (Å³/atom)"] == pytest.approx(v0, rel=1e-3)
    pressure = []
    for factor in (0.998, 1.002):
        atoms = crystal.atoms.copy()
        atoms.set_cell(atoms.cell * factor ** (1 / 3), scale_atoms=True)
        atoms.calc = calculator
        pressure.append(-atoms.get_stress()[:3].mean())
    assert check.values["B0 (GPa)"] == pytest.approx((pressure[0] - pressure[1]) / 0.004 / units.GPa, rel=0.03)


def test_elastic_constants_obey_cauchy_and_the_bulk_modulus(central):
    crystal, calculator = central
    c, removed = elastic_constants(crystal, calculator)
    assert removed < 1e-3
    found = independent(c)
    assert list(found) == ["C11 = C22 = C33 (GPa)", "C12 = C13 = C23 (GPa)", "C44 = C55 = C66 (GPa)"]
    c11, c12, c44 = found.values()
    assert c12 == pytest.approx(c44, rel=0.01) and c11 > c12 > 0  # central forces, no pressure
    bulk_modulus = check_equation_of_state(crystal, calculator).values["B0 (GPa)"]
    assert (c11 + 2 * c12) / 3 == pytest.approx(bulk_modulus, rel=0.02)
    assert moduli(c)["bulk modulus (GPa)"] == pytest.approx((c11 + 2 * c12) / 3)
    assert check_elastic(crystal, calculator).verdict == "pass"


def test_internal_coordinates_are_relaxed_at_each_strain():
    calculator = LennardJones(**CENTRAL)
    atoms = Atoms("Cu2", scaled_positions=[[0, 0, 0], [2 / 3, 1 / 3, 0.5]], pbc=True,
                  cell=[[2.6, 0, 0], [-1.3, 2.6 * np.sqrt(0.75), 0], [0, 0, 4.2]])  # fmt: skip
    crystal = crystal_of(atoms, calculator)
    c, _ = elastic_constants(crystal, calculator)
    clamped = []
    for sign in (1, -1):
        strain = np.diag([sign * 5e-3, 0, 0])
        stretched = crystal.atoms.copy()
        stretched.set_cell(stretched.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        stretched.calc = calculator
        clamped.append(stretched.get_stress()[0])
    c11 = (clamped[0] - clamped[1]) / 1e-2 / units.GPa
    assert c[0, 0] < c11 * (1 - 1e-3)  # relaxation softens
    assert c[0, 0] == pytest.approx(c[1, 1], rel=1e-6) and c[5, 5] == pytest.approx((c[0, 0] - c[0, 1]) / 2, rel=1e-3)


def test_a_crystal_that_yields_to_a_strain_fails():
    calculator = LennardJones(**CENTRAL)
    square = relaxed(bulk("Cu", "sc", a=2.7), calculator)  # at its volume, but shear lowers its energy
    crystal = Crystal(square)
    check = check_elastic(crystal, calculator)
    assert check.verdict == "fail" and "a strain lowers the energy" in check.reason
    phonon = check_phonons(crystal, calculator)
    assert phonon.verdict == "suspect" and re.search(r"imaginary modes, down to [\d.]+i THz at q = \(", phonon.reason)


def test_phonons_are_those_of_the_dynamical_matrix(central):
    crystal, calculator = central
    check = check_phonons(crystal, calculator)
    assert check.verdict == "pass" and len(check.curves) == 3
    assert check.values["lowest frequency (THz)"] == pytest.approx(0.0, abs=0.05)
    names = [name for _, name in check.ticks]
    assert names[0] == "Γ" and "X" in names and "L" in names
    # a frozen mode at X: neighboring planes of the cubic cell against each other, along the axis
    cell = bulk("Cu", "fcc", a=2 * crystal.atoms.cell.array.max(), cubic=True)
    cell.set_cell(np.eye(3) * crystal.atoms.get_volume() ** (1 / 3) * 4 ** (1 / 3), scale_atoms=True)
    moved = cell.copy()
    up = np.isclose(cell.get_scaled_positions()[:, 2] % 1.0, 0.0)
    moved.positions[up, 2] += 0.005
    moved.positions[~up, 2] -= 0.005
    moved.calc = calculator
    k = -moved.get_forces()[up, 2].mean() / 0.005
    omega = np.sqrt(k / cell.get_masses()[0]) / (2 * np.pi) * units.fs * 1e3
    at_x = [x for x, name in check.ticks if name == "X"][0]
    highest = max(np.interp(at_x, c.x, c.y) for c in check.curves)
    assert highest == pytest.approx(omega, rel=0.02)


def test_supercells_are_wide_and_not_too_large():
    for atoms in (bulk("Cu"), bulk("NaCl", "rocksalt", a=5.6), bulk("NaCl", "rocksalt", a=5.6, cubic=True)):
        n = repeats_of(atoms)
        assert len(atoms) * np.prod(n) <= phonons.ATOMS
    assert (repeats_of(bulk("Cu", "sc", a=4.0)) == 3).all()


def test_without_phonopy_phonons_are_skipped(central, monkeypatch):
    monkeypatch.setitem(sys.modules, "phonopy", None)
    check = check_phonons(*central)
    assert check.verdict == "skipped" and "pip install mlcalc[check]" in check.reason
    assert worst(["skipped", "pass"]) == "pass" and worst(["skipped", "suspect"]) == "suspect"


def test_a_model_is_as_good_as_its_reference(copper_model):
    notes: list[str] = []
    checks, _ = check_model(
        copper_model, bulk("Cu", "fcc", a=3.65, cubic=True), reference=EMT(), seconds=1, notes=notes
    )
    found = {c.name: c for c in checks}
    assert {"close pairs", "compression and expansion", "equation of state", "elastic constants", "phonons",
            "energy conservation", "heating"} == set(found) and notes == []  # fmt: skip
    for name in ("equation of state", "elastic constants", "phonons"):
        check = found[name]
        assert check.verdict == "pass" and set(check.values) == set(check.reference)
        for key, value in check.values.items():
            assert value == pytest.approx(check.reference[key], rel=0.1, abs=0.1), key
        assert name == "elastic constants" or any(c.style == "--" for c in check.curves)
    own = relaxed(bulk("Cu", "fcc", a=3.6), EMT())
    assert found["equation of state"].reference["V0 (Å³/atom)"] == pytest.approx(own.get_volume(), rel=2e-3)
    text = table(checks, {"Cu": 0.0})
    assert re.search(r"B0 \(GPa\) +[\d.]+   reference [\d.]+", text)


class Failing(Calculator):
    """Energies and forces of EMT, no stresses; fails where atoms are close."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, closest=0.0):
        super().__init__()
        self.closest, self.emt = closest, EMT()

    def calculate(self, atoms, properties, changes):
        if "stress" in properties:
            raise PropertyNotImplementedError("no stress")
        distances = atoms.get_all_distances(mic=atoms.pbc.any())
        if np.any(distances[distances > 0] < self.closest):
            raise RuntimeError("atoms too close")
        copy = atoms.copy()
        self.results = {p: self.emt.get_property(p, copy) for p in ("energy", "forces")}


def test_what_the_reference_cannot_do_is_a_note_and_harms_nothing(copper_model):
    notes: list[str] = []
    checks, _ = check_model(copper_model, bulk("Cu", "fcc", a=3.65), reference=Failing(3.0), seconds=0.0, notes=notes)
    found = {c.name: c for c in checks}
    assert found["elastic constants"].verdict == "pass" and not found["elastic constants"].reference
    assert any("the reference has no elastic constants" in note for note in notes)
    assert any("the reference has no pairs: atoms too close" in note for note in notes)
    assert found["equation of state"].reference["B0 (GPa)"] > 0  # which needs no stress
    json.dumps(plain(checks, {}, notes), allow_nan=False)


def test_curves_of_pairs_go_down_to_the_nuclear_repulsion(copper_model):
    model = Model.load(copper_model)
    check = check_dimers(model, MLCalculator(model, extrapolation=False))
    add_to_dimers(check, model, Comparison(EMT()))
    labels = [c.label for c in check.curves]
    assert labels == ["Cu-Cu", "Cu-Cu, ZBL", "Cu-Cu, reference"]
    (ratio,) = [v for name, v in check.values.items() if name.endswith("/ ZBL")]
    assert ratio == pytest.approx(1.0, abs=0.2)
    r, e = check.curves[1].x[0], check.curves[1].y[0]
    assert 0.1 < e / (14.4 * 29 * 29 / r) < 0.9  # screened


def test_labeled_structures_are_compared(copper_model, tmp_path):
    from ase.io import write

    write(tmp_path / "cu.xyz", labeled(copper(8, seed=77), EMT()))
    check = check_labels(Model.load(copper_model), [tmp_path / "cu.xyz"])
    assert check.verdict == "pass" and check.values["structures"] == 8
    wrong = labeled(copper(8, seed=77), EMT())
    for atoms in wrong:
        atoms.calc.results["forces"] = -atoms.calc.results["forces"]
    write(tmp_path / "wrong.xyz", wrong)
    assert check_labels(Model.load(copper_model), [tmp_path / "wrong.xyz"]).verdict == "fail"


def test_the_command_writes_one_page(copper_model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bulk("Cu", "fcc", a=3.65).write("cu<b>.xyz")
    labels = labeled(copper(3), EMT())
    labels[0].write("labels.xyz")
    command = ["check", str(copper_model), "cu<b>.xyz", "-o", "a.png", "--seconds", "1"]
    reference = ["--reference", "ase.calculators.emt:EMT", "--labeled", "labels.xyz"]
    status = main([*command, *reference])
    shown, numbers = capsys.readouterr().out, json.loads((tmp_path / "a.json").read_text())
    page = (tmp_path / "a.html").read_text()
    assert status == int(numbers["verdict"] == "fail") and "page: a.html" in shown
    sources = re.findall(r'src="([^"]{,30})', page)
    assert len(sources) >= 6 and all(s.startswith("data:image/png;base64,") for s in sources)
    for name, check in numbers["checks"].items():
        assert name.capitalize() in page and check["verdict"] in ("pass", "suspect", "fail")
    assert "difference (%)" in page and numbers["checks"]["equation of state"]["reference"]["B0 (GPa)"] > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--reference", "EMT"], "write the calculator as module:Class"),
        (["--reference", "ase.calculators.emt:TME"], "has no TME"),
        (["--reference", "no_such_module:X"], "no_such_module is needed for this and is not installed"),
        (["--reference", "ase.calculators.emt:EMT", "--arguments", "{"], "must be a JSON object"),
        (["--arguments", "{}"], "--arguments are those of --reference, which is not named"),
        (["--labeled", "nothing.xyz"], "nothing.xyz does not exist"),
        (["--output", "nowhere/a.png"], "there is no folder nowhere"),
        (["cu.xyz", "cu.xyz"], "cu.xyz is named twice"),
    ],
)
def test_bad_arguments_are_one_sentence(copper_model, tmp_path, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    bulk("Cu").write("cu.xyz")
    assert main(["check", str(copper_model), *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_several_structures_have_checks_of_their_own(copper_model, tmp_path):
    made = {"a": Atoms("Cu2", positions=[[0, 0, 0], [2.3, 0, 0]]), "b": bulk("Cu", cubic=True).repeat(3)}
    checks, _ = check_model(copper_model, made, seconds=0.0)
    names = [c.name for c in checks]
    assert "a: energy conservation" in names and "b: compression and expansion" in names
    skipped = [c for c in checks if c.verdict == "skipped"]
    assert [c.name for c in skipped] == ["b: equation of state, elastic constants, phonons"]


def test_frequencies_do_not_depend_on_the_cell_that_is_given(central):
    crystal, calculator = central
    rotated = crystal.atoms.copy()
    rotated.rotate(37, (1, 2, 3), rotate_cell=True)
    a, b = (lowest_and_highest(phonons_of(c, calculator))[2] for c in (crystal, Crystal(rotated)))
    assert a == pytest.approx(b, rel=1e-3)
    assert isinstance(check_phonons(crystal, calculator), Check)
