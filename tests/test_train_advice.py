# SPDX-License-Identifier: BSD-3-Clause
"""What the report says is missing in a training set: each sentence where it is true, and not where it is not."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from training_cases import known_data, options

from mlcalc.train import fit
from mlcalc.train.advice import lacking
from mlcalc.train.data import Structure
from mlcalc.train.repulsion import shortest_distances

DENSITIES = (0.9, 0.95, 1.0, 1.05, 1.1)


def cells(scales=(1.0,) * 6, force=1.0, stress=True):
    rng = np.random.default_rng(2)
    found = []
    for scale in scales:
        atoms = bulk("NaCl", "rocksalt", a=5.6 * scale, cubic=True)
        virial = np.eye(3) if stress else None
        found.append(Structure(atoms, -1.0, force * rng.normal(size=(len(atoms), 3)), virial))
    return found


def said(structures, species=(11, 17), shortest=None, estimated=(False, False)):
    if shortest is None:
        shortest = np.full((len(species), len(species)), 0.5)
    return lacking(structures, list(species), shortest, list(estimated))


def test_a_set_that_shows_everything_lacks_nothing():
    assert said(cells(DENSITIES)) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"structures": cells()}, "other densities: all cells have nearly one volume per atom (ClNa 22 to 22"),
        ({"shortest": np.array([[2.5, 2.3], [2.3, np.inf]])}, "close pairs: Na-Cl below 2.30, Cl-Cl (Angstrom)"),
        ({"estimated": (False, True)}, "separated atoms of Cl: their energy is an estimate"),
        ({"structures": cells(DENSITIES, force=0.1)}, "moving atoms: the root mean square force is 0.098 eV"),
        ({"structures": cells(DENSITIES, stress=False)}, "stresses: no periodic structure has one"),
    ],
)  # fmt: skip
def test_each_gap_is_named_alone(changes, sentence):
    [text] = said(**{"structures": cells(DENSITIES), **changes})
    assert text.startswith(sentence)


def test_one_composition_with_several_densities_is_enough():
    lone = [Structure(bulk("Na", cubic=True), -1.0, np.ones((2, 3)), np.eye(3))] * 5
    assert said(cells(DENSITIES) + lone) == []


def test_molecules_have_no_density_and_no_stress():
    molecules = [Structure(Atoms("NaCl", [[0, 0, 0], [0, 0, 2.4]]), -1.0, np.ones((2, 3))) for _ in range(6)]
    shortest = shortest_distances((s.atoms for s in molecules), [11, 17])
    [text] = said(molecules, shortest=shortest)
    assert text.startswith("close pairs: Na-Na, Na-Cl below 2.40, Cl-Cl")


def test_the_report_says_it(tmp_path):
    result = fit(options(tmp_path), known_data(), progress=False, figures=False)
    assert result.report["lacking"]
    text = (result.report_path / "report.txt").read_text()
    assert "What the training set does not show" in text and all(t in text for t in result.report["lacking"])
    assert any(t.startswith("separated atoms of Na, Cl") for t in result.report["lacking"])
