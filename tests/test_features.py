# SPDX-License-Identifier: BSD-3-Clause
"""The Descriptor: labels, selections, featomic's vocabulary, and what it refuses."""

import itertools
import json
import re
from pathlib import Path

import ase.build
import numpy as np
import pytest
from featomic import LodeSphericalExpansion, SoapPowerSpectrum, SphericalExpansion
from featomic.clebsch_gordan import PowerSpectrum

from mlcalc.expansions import (
    DensityExpansion,
    Gaussian,
    Gto,
    MultiWidth,
    PotentialExpansion,
    ShiftedCosine,
    Step,
    WillattScaling,
)
from mlcalc.features import Descriptor
from mlcalc.model import Invariant

RHO = DensityExpansion(cutoff=4.0, n_max=3, l_max=2, accuracy=1e-6)
V = PotentialExpansion(n_max=2, l_max=3, basis=MultiWidth((1.0, 1.5)), accuracy=1e-6)
ALL = [Invariant(1, "rho"), Invariant(2, "rho", "rho", scale=0.5), Invariant(2, "rho", "V")]


@pytest.fixture
def salt():
    atoms = ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.1, seed=3)
    return atoms


def test_every_column_is_what_its_label_says(salt):
    descriptor = Descriptor(["Na", "Cl"], [RHO, V], ALL)
    features = descriptor(salt)
    rho, v = descriptor.expansion(salt, "rho"), descriptor.expansion(salt, "V")
    assert features.values.shape == (8, descriptor.n_features) and len(features.properties) == 6 + 63 + 72
    for column, (invariant, l, a, n, b, m) in zip(features.values.T, features.properties.tolist(), strict=True):
        if invariant == 0:
            expected = rho[:, a, n, 0]
        else:
            lm = slice(l * l, (l + 1) ** 2)
            other = rho if invariant == 1 else v
            factor = (-1) ** l / np.sqrt(2 * l + 1) * (0.5 if invariant == 1 else 1.0)
            if invariant == 1 and (a, n) != (b, m):
                factor *= np.sqrt(2)
            expected = factor * np.sum(rho[:, a, n, lm] * other[:, b, m, lm], axis=1)
        assert np.abs(column - expected).max() < 1e-13 * np.abs(features.values).max()


def test_a_list_of_structures_is_stacked_and_labeled(salt):
    descriptor = Descriptor(["Na", "Cl", "K"], RHO)
    other = ase.build.bulk("KCl", "rocksalt", a=6.3)
    features = descriptor([salt, other], progress=False)
    assert features.samples["structure"].tolist() == [0] * 8 + [1] * 2
    assert features.samples["atom"].tolist() == [*range(8), 0, 1]
    assert features.samples["species"].tolist() == [*salt.numbers, *other.numbers]
    assert np.array_equal(features.values[8:], descriptor(other).values)
    assert np.array_equal(features.of_species("K"), features.values[8:9])


def test_a_long_list_shows_its_progress_when_asked(salt, capsys):
    Descriptor(["Na", "Cl"], RHO)([salt] * 3, progress=True)
    assert "3/3" in capsys.readouterr().err
    Descriptor(["Na", "Cl"], RHO)([salt] * 3)
    assert capsys.readouterr().err == ""


def test_a_selection_keeps_its_columns(salt):
    full = Descriptor(["Na", "Cl"], [RHO, V], ALL)
    chosen = np.array([0, 4, 7, 30, 68, 69, 140])
    part = full.select(chosen)
    assert np.array_equal(part.properties, full.properties[chosen])
    assert np.array_equal(part(salt).values, full(salt).values[:, chosen])
    gradients, strains = full.gradients(salt)
    assert np.allclose(part.gradients(salt)[0], gradients[:, chosen], rtol=0, atol=1e-14 * np.abs(gradients).max())
    again = part.select([1, 3, 5])
    assert np.array_equal(again(salt).values, full(salt).values[:, chosen[[1, 3, 5]]])


@pytest.mark.parametrize("indices", [[], [3, 2], [1, 1], [-1], [141], [0.5], [0, 70]])
def test_selections_that_make_no_sense_are_refused(indices):
    with pytest.raises(ValueError, match="select"):
        Descriptor(["Na", "Cl"], [RHO, V], ALL).select(indices)


@pytest.mark.parametrize("exponent", range(1, 7))
def test_density_times_potential_equals_the_cross_spectrum_of_featomic(exponent, salt):
    salt.set_cell(salt.cell.array @ [[1, 0, 0], [0.12, 0.97, 0], [-0.08, 0.15, 1.05]], scale_atoms=True)
    rho = DensityExpansion(cutoff=4.0, n_max=3, l_max=2, accuracy=1e-12)
    v = PotentialExpansion(n_max=2, l_max=2, exponent=exponent, smearing=1.2, basis=Gto(3.0), accuracy=1e-12)
    options = {"lode": "ksum", "k_cutoff": 6.0}
    ours = Descriptor(["Na", "Cl"], [rho, v], Invariant(2, "rho", "V"), **options)(salt).featomic_blocks()
    theirs = PowerSpectrum(
        SphericalExpansion(**rho.to_featomic()), LodeSphericalExpansion(**v.to_featomic(k_cutoff=6.0))
    ).compute(salt)
    size = max(np.abs(block.values).max() for block in theirs)
    tolerance = 1e-11 if exponent % 2 else 1e-9  # featomic loses digits for even p
    for key, block in theirs.items():
        labels = block.properties.values
        for first, second in itertools.product((11, 17), repeat=2):
            mine = ours[key["center_type"], first, second]
            columns = (labels[:, 1] == first) & (labels[:, 3] == second)
            assert np.array_equal(mine.properties, labels[columns][:, [0, 2, 4]])
            assert np.array_equal(mine.samples, block.samples.values)
            assert np.abs(mine.values - block.values[:, columns]).max() < tolerance * size


FEATOMIC = {
    "cutoff": {"radius": 4.2, "smoothing": {"type": "ShiftedCosine", "width": 0.6}},
    "density": {
        "type": "Gaussian",
        "width": 0.35,
        "scaling": {"type": "Willatt2018", "rate": 1.0, "scale": 2.0, "exponent": 4},
        "center_atom_weight": 0.5,
    },
    "basis": {
        "type": "TensorProduct",
        "max_angular": 4,
        "radial": {"type": "Gto", "max_radial": 5},
        "spline_accuracy": None,
    },
}


@pytest.mark.parametrize("form", [dict, json.dumps, lambda hypers: SoapPowerSpectrum(**hypers)])
def test_hyperparameters_of_featomic_are_accepted_and_produced(form):
    expansion = DensityExpansion.from_featomic(form(FEATOMIC), name="soap", accuracy=1e-7)
    assert expansion == DensityExpansion(
        name="soap", cutoff=4.2, n_max=6, l_max=4, smoothing=ShiftedCosine(0.6), density=Gaussian(0.35),
        scaling=WillattScaling(1.0, 2.0, 4.0), center_atom_weight=0.5, accuracy=1e-7,
    )  # fmt: skip
    assert expansion.to_featomic() == FEATOMIC


def test_hyperparameters_of_other_calculators():
    step = {**FEATOMIC, "cutoff": {"radius": 4.2, "smoothing": {"type": "Step"}}, "density": {"type": "DiracDelta"}}
    expansion = DensityExpansion.from_featomic(step)
    assert expansion.smoothing == Step() and DensityExpansion.from_featomic(expansion.to_featomic()) == expansion
    radial = {**FEATOMIC, "basis": {"radial": {"type": "Gto", "max_radial": 5}, "spline_accuracy": None}}
    assert DensityExpansion.from_featomic(radial).l_max == 0
    v = PotentialExpansion(n_max=3, l_max=2, exponent=3, smearing=1.1, basis=Gto(2.5), center_atom_weight=0.0)
    lode = LodeSphericalExpansion(**v.to_featomic(k_cutoff=4.0))
    assert PotentialExpansion.from_featomic(lode) == v


def changed(path, value):
    hypers = json.loads(json.dumps(FEATOMIC))
    *folders, last = path.split(".")
    entry = hypers
    for folder in folders:
        entry = entry[folder]
    if value is None:
        del entry[last]
    else:
        entry[last] = value
    return hypers


@pytest.mark.parametrize(
    "hypers, message",
    [
        (changed("cutoff.radius", None), "hypers.cutoff.radius is missing"),
        (changed("cutoff.smoothing.type", "Tanh"), "hypers.cutoff.smoothing.type must be ShiftedCosine or Step, got"),
        (changed("basis.radial.type", "SphericalBessel"), "hypers.basis.radial.type must be Gto"),
        (changed("density.color", "red"), "hypers.density.color is not known here"),
        (changed("density.scaling.type", "Linear"), "hypers.density.scaling.type must be Willatt2018"),
        (changed("basis", 3), "hypers.basis must be an object, got 3"),
        (changed("cutoff.radius", -1.0), "cutoff must be a positive number, got -1.0"),
    ],
)
def test_hyperparameters_that_have_no_counterpart_are_refused(hypers, message):
    with pytest.raises(ValueError, match=message):
        DensityExpansion.from_featomic(hypers)


@pytest.mark.parametrize("group", ["smoothing", "density", "basis"])
@pytest.mark.parametrize("wrong", ["ShiftedCosine", "Gaussian", "gausian", None, 3])
def test_an_entry_with_an_unknown_type_is_no_expansion(group, wrong):
    entry = RHO.to_json()
    assert DensityExpansion.from_json(entry) == RHO
    with pytest.raises(ValueError, match=f"{group}.type must be one of"):
        DensityExpansion.from_json({**entry, group: {"type": wrong}})
    field = PotentialExpansion(n_max=1, l_max=1)
    assert PotentialExpansion.from_json(field.to_json()) == field
    with pytest.raises(ValueError, match="basis.type must be one of gto, multi_width, tabulated"):
        PotentialExpansion.from_json({**field.to_json(), "basis": {"type": wrong}})


def test_what_an_entry_leaves_out_has_the_defaults_of_the_class():
    entry = {"name": "rho", "type": "density", "n_max": 3, "l_max": 2, "cutoff": 4.0}
    assert DensityExpansion.from_json(entry) == DensityExpansion(cutoff=4.0, n_max=3, l_max=2)
    entry = {"name": "V", "type": "potential", "n_max": 2, "l_max": 1, "smearing": 1.5}
    assert PotentialExpansion.from_json(entry) == PotentialExpansion(n_max=2, l_max=1, smearing=1.5)
    with pytest.raises(ValueError, match="an expansion has no 'cutof'"):
        DensityExpansion.from_json(
            {"name": "rho", "type": "density", "n_max": 3, "l_max": 2, "cutoff": 4.0, "cutof": 1}
        )


def test_what_featomic_cannot_express_is_refused(salt):
    with pytest.raises(ValueError, match="GTO basis without mixing"):
        DensityExpansion(cutoff=4.0, n_max=2, l_max=1, mixing=[[1.0, 2.0]]).to_featomic()
    with pytest.raises(ValueError, match="need all features"):
        Descriptor(["Na", "Cl"], RHO).select([1, 2])(salt).featomic_blocks()


def broken(salt, what):
    atoms = salt.copy()
    if what == "empty":
        return ase.Atoms()
    if what == "species":
        atoms.numbers[0] = 19
    if what == "nan":
        atoms.positions[3, 1] = np.nan
    if what == "infinite":
        atoms.positions[3, 1] = np.inf
    if what == "coincident":
        atoms.positions[1] = atoms.positions[0]
    if what == "flat cell":
        atoms.cell[2] = atoms.cell[0]
    return atoms


@pytest.mark.parametrize(
    "what, message",
    [
        ("empty", "a structure without atoms has no features"),
        ("species", "the species K was not described, only Na, Cl"),
        ("nan", "finite"),
        ("infinite", "finite"),
        ("coincident", "atoms 0 and 1 are at the same place"),
        ("flat cell", "volume|cell"),
    ],
)
def test_structures_that_cannot_be_described_are_refused(salt, what, message):
    with pytest.raises(ValueError, match=message) as error:
        Descriptor(["Na", "Cl"], RHO)(broken(salt, what))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "species, expansions, message",
    [([], RHO, "at least one species"), (["Na"], [], "one expansion"), (["Xx"], RHO, "'Xx' is not the symbol"),
     ([0], RHO, "symbol or an atomic number, got 0")],
)  # fmt: skip
def test_descriptions_that_make_no_sense_are_refused(species, expansions, message):
    with pytest.raises(ValueError, match=message):
        Descriptor(species, expansions)


def test_the_documentation_runs(capsys):
    text = (Path(__file__).parents[1] / "docs/features.md").read_text()
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, namespace)
    assert namespace["features"].values.shape == (2, 5 * 12 * 13 // 2)
    shape, labels, many, turning = capsys.readouterr().out.splitlines()
    assert shape == f"(2, {4 * 12 * 13 // 2 + 4 * 12 * 4})"
    assert labels.startswith("('invariant', 'l', ") and "'l_2', 'o3_lambda', 'o3_sigma', 'o3_mu')" in labels
    assert set(namespace["vectors"].properties["o3_mu"]) == {-1, 0, 1}
    assert many.startswith(f"(2, {8 * len(namespace['many'].invariants[0].paths)}) [")
    assert turning == f"(2, {3 * 8 * len(namespace['turning'].invariants[0].paths)}) 1"
