# SPDX-License-Identifier: BSD-3-Clause
"""Data: nothing is misread in silence."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

from mlcalc.train.data import data_file_hashes, load_dataset
from mlcalc.train.data_options import DataOptions, FileOptions
from mlcalc.train.option_checks import DataError, OptionError, build
from mlcalc.train.splits import split_record


def data_options(**entries):
    return build(DataOptions, {"files": ["frames"], **entries}, "data")


def frames(n=10, labels=("energy", "forces", "stress")):
    rng = np.random.default_rng(3)
    made = []
    for k in range(n):
        atoms = Atoms("NaCl", rng.normal(size=(2, 3)), cell=[4.0, 5.0, 6.0], pbc=True)
        values = {"energy": -float(k), "forces": rng.normal(size=(2, 3)), "stress": 0.01 * rng.normal(size=6)}
        atoms.calc = SinglePointCalculator(atoms, **{name: values[name] for name in labels})
        atoms.info["config_type"] = "odd" if k % 2 else "even"
        made.append(atoms)
    return made


def test_labels_survive_a_file(tmp_path):
    made = frames()
    ase.io.write(tmp_path / "a.xyz", made)
    data = load_dataset(data_options(files=[str(tmp_path / "a.xyz")], stress="stress"))
    for s, atoms in zip(data.structures, made, strict=True):
        assert s.energy == pytest.approx(atoms.get_potential_energy())
        assert np.allclose(s.forces, atoms.get_forces(), atol=1e-7)
        xx, yy, zz, yz, xz, xy = -120.0 * atoms.get_stress()
        assert np.allclose(s.virial, [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]], atol=1e-6)
    assert list(data_file_hashes(data_options(files=[str(tmp_path / "a.xyz")])))[0] == "a.xyz"


def test_an_absent_key_is_an_error_that_lists_what_there_is():
    made = frames()
    for atoms in made:
        atoms.info["dft_energy"] = 1.0
    with pytest.raises(DataError, match=r"'REF_energy'.*dft_energy \(info\).*energy \(standard\)"):
        load_dataset(data_options(energy="REF_energy"), made)


def test_a_file_without_forces_must_say_so(tmp_path):
    ase.io.write(tmp_path / "with.xyz", frames())
    ase.io.write(tmp_path / "without.xyz", frames(labels=("energy",)))
    files = [str(tmp_path / "with.xyz"), str(tmp_path / "without.xyz")]
    with pytest.raises(DataError, match=r"without.xyz: no structure has 'forces'.*write 'forces: null'"):
        load_dataset(data_options(files=files))
    files[1] = {"path": files[1], "forces": None}
    data = load_dataset(data_options(files=files))
    assert [s.forces is None for s in data.structures] == [False] * 10 + [True] * 10


@pytest.mark.parametrize("what", ["energy", "forces", "positions"])
def test_not_a_number_is_refused(what):
    made = frames()
    if what == "energy":
        made[3].calc.results["energy"] = np.nan
    elif what == "forces":
        made[3].calc.results["forces"][0, 0] = np.inf
    else:
        made[3].positions[0, 0] = np.nan
    with pytest.raises(DataError, match="structure 3"):
        load_dataset(data_options(), made)


def test_units_and_the_sign_of_stress():
    made = frames(labels=("energy", "forces"))
    for atoms in made:
        # kbar, compressive, VASP's order of shear
        atoms.info["s"] = np.array([10.0, 20.0, 30.0, 1.0, 2.0, 3.0])
    units = {"stress": "kbar", "stress_sign": "compressive", "stress_order": "vasp"}
    s = load_dataset(data_options(stress="s", units=units), made).structures[0]
    expected = np.array([[10.0, 1.0, 3.0], [1.0, 20.0, 2.0], [3.0, 2.0, 30.0]]) * 0.1 * GPa * 120.0
    assert np.allclose(s.virial, expected)


def test_energies_in_hartree_and_bohr():
    s = load_dataset(data_options(units={"energy": "hartree", "length": "bohr"}), frames()).structures[2]
    assert s.energy == pytest.approx(-2 * 27.211386, rel=1e-6)
    assert s.atoms.cell[0, 0] == pytest.approx(4.0 * 0.529177211)


def test_random_splits_are_reproducible_stratified_and_complete():
    options = data_options(config_type="config_type", split={"validation": 0.2, "test": 0.2})
    first, again, other = (load_dataset(options, frames(40), seed) for seed in (1, 1, 2))
    assert [s.split for s in first.structures] == [s.split for s in again.structures]
    assert [s.split for s in first.structures] != [s.split for s in other.structures]
    assert first.digest == again.digest != other.digest
    for kind in ("even", "odd"):
        splits = [s.split for s in first.structures if s.config_type == kind]
        assert (splits.count("train"), splits.count("validation"), splits.count("test")) == (12, 4, 4)


def test_groups_stay_together():
    made = frames(30)
    for k, atoms in enumerate(made):
        atoms.info["trajectory"] = k // 5
    data = load_dataset(data_options(split={"method": "group", "group": "trajectory", "validation": 0.34}), made)
    by_group = [{s.split for s in data.structures[k : k + 5]} for k in range(0, 30, 5)]
    assert all(len(splits) == 1 for splits in by_group)
    assert len(data.of("validation")) == 10


def test_splits_by_file_and_by_key(tmp_path):
    ase.io.write(tmp_path / "a.xyz", frames())
    path = str(tmp_path / "a.xyz")
    files = [{"path": path, "split": "train"}, {"path": path, "split": "test"}]
    data = load_dataset(data_options(files=files, split={"method": "file"}))
    assert len(data.of("train")) == len(data.of("test")) == 10
    assert any("also in the training set" in note for note in data.notes)
    assert split_record(data.structures) == {path: {"train": "0-9", "test": "0-9"}}
    with pytest.raises(OptionError, match="has no 'split'"):
        load_dataset(data_options(files=[path], split={"method": "file"}))
    made = frames()
    for k, atoms in enumerate(made):
        atoms.info["set"] = "train" if k < 9 else "holdout"
    with pytest.raises(DataError, match="holdout"):
        load_dataset(data_options(split={"method": "key", "key": "set"}), made)


def test_unlikely_units_are_noticed():
    made = frames()
    for atoms in made:
        atoms.calc.results["stress"] = np.full(6, 12.0)
    notes = load_dataset(data_options(stress="stress"), made).notes
    assert any("median stress" in note for note in notes)


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match="nowhere.xyz does not exist"):
        load_dataset(data_options(files=["nowhere.xyz"]))
    assert FileOptions(path="x").label("energy", data_options(energy="e")) == "e"
    assert FileOptions(path="x", energy=None).label("energy", data_options(energy="e")) is None


def test_a_distance_must_be_a_number_and_a_limit_must_leave_something():
    made = frames()
    for atoms in made:
        atoms.info["separation"] = "far"
    with pytest.raises(DataError, match="structure 0: the distance is not a number"):
        load_dataset(data_options(distance="separation"), made)
    with pytest.raises(DataError, match="leaves no structure"):
        load_dataset(data_options(max_force=1e-9), made)
