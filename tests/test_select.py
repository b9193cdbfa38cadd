# SPDX-License-Identifier: BSD-3-Clause
"""Choosing structures to label: what a greedy choice must fulfil, and what must be left out."""

import itertools
import sys

import ase.db
import ase.io
import numpy as np
import pytest
from training_cases import KERNEL, SOAP, known_data, options, pushed, salt

from mlcalc.cli import main
from mlcalc.learn.greedy import farthest, log_det_gain, most_informative
from mlcalc.learn.measures import MEASURES, measure_of
from mlcalc.learn.names import METHODS
from mlcalc.learn.selection import select
from mlcalc.model import Information, Model, combined
from mlcalc.train import DataError, fit
from mlcalc.train.frames import stream_frames

DUMP = """ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
8
ITEM: BOX BOUNDS pp pp pp
0 {a}
0 {a}
0 {a}
ITEM: ATOMS id type x y z
"""


def trained(folder, term=SOAP, **changes):
    wanted = options(folder, term, weights={"energy": 0.001, "forces": 0.1, "virial": 0.05}, **changes)
    return fit(wanted, known_data()[:16], progress=False, figures=False).model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("select"))


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("committee"), committee={"members": 5})


def candidates(frames):
    return [(atoms, "frames", k) for k, atoms in enumerate(frames)]


def information(model, frames):
    """log det of the information of the fit with the labels of some structures, from the rows themselves."""
    matrix = model.information.matrix()
    total = matrix.T @ matrix
    potential = measure_of(model, "leverage").engine
    for atoms in frames:
        energy, gradient, _ = potential.design(atoms, [0])
        energy = energy / (model.information.sigmas["energy"] * np.sqrt(len(atoms)))
        forces = gradient.reshape(-1, len(energy)) / model.information.sigmas["forces"]
        total = total + np.outer(energy, energy) + forces.T @ forces
    return np.linalg.slogdet(total)[1]


def random_rows(n=20, columns=6, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rng.integers(1, 9), columns)) * rng.uniform(0.1, 3) for _ in range(n)]


def test_the_gain_of_rows_is_that_of_the_determinant():
    rows, rng = random_rows(), np.random.default_rng(1)
    triangle = np.triu(rng.normal(size=(6, 6)))
    for b in rows:
        before, after = triangle.T @ triangle, triangle.T @ triangle + b.T @ b
        expected = np.linalg.slogdet(after)[1] - np.linalg.slogdet(before)[1]
        assert log_det_gain(b, triangle) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("known", [(), (0, 3)])
def test_a_lazy_choice_is_that_of_looking_at_all(known):
    rows = random_rows()
    there = [rows[k] for k in known]
    kept = [b.copy() for b in rows]
    chosen = most_informative(rows, 6, known=there)
    total = np.eye(6) + sum((b.T @ b for b in there), np.zeros((6, 6)))
    taken = []
    for k, added in chosen:
        gains = [np.linalg.slogdet(total + b.T @ b)[1] - np.linalg.slogdet(total)[1] for b in rows]
        gains = [-1.0 if m in taken else gain for m, gain in enumerate(gains)]
        assert k == int(np.argmax(gains)) and added == pytest.approx(max(gains), rel=1e-9)
        total += rows[k].T @ rows[k]
        taken.append(k)
    assert all(np.array_equal(a, b) for a, b in zip(rows, kept, strict=True))


def test_a_greedy_choice_is_near_the_best_of_all():
    rows = random_rows(9, 4)
    greedy = sum(gain for _, gain in most_informative(rows, 3))
    best = max(log_det_gain(np.concatenate(part)) for part in itertools.combinations(rows, 3))
    assert (1 - 1 / np.e) * best <= greedy <= best + 1e-9


def test_what_teaches_nothing_is_not_taken():
    b = np.ones((1, 3))
    assert len(most_informative([1e6 * b, 1e-7 * b, 0 * b], 3)) == 1


def test_farthest_points_begin_far_from_what_is_known():
    x = np.array([[1.0, 0], [0, 3.0], [0, 2.9], [-2.0, 0], [0, 3.0]])
    chosen = farthest(x, 5, np.linalg.norm(x, axis=1))
    assert [k for k, _ in chosen] == [1, 3, 0, 2]
    assert [d for _, d in chosen] == pytest.approx([3.0, 2.0, 1.0, 0.1])


@pytest.mark.parametrize("changes", [{}, {"committee": {"members": 4}}, {"term": KERNEL}])
def test_the_triangle_of_the_fit_is_its_information(tmp_path, changes):
    """Against the rows of the training set, one by one, and the strength that was used."""
    wanted = options(tmp_path, solver={"regularization": 1e-2}, data={"energy_offset": None}, **changes)
    result = fit(wanted, known_data(), progress=False, figures=False)
    model = Model.load(result.model_path)
    matrix = model.information.matrix()
    assert np.array_equal(matrix, np.triu(matrix)) and model.information.terms == ["soap"]
    engine, total = measure_of(model, "leverage").engine, np.zeros_like(matrix)
    train = result.model.provenance["data"]["members"]["frames"]["train"]
    spans = [[int(x) for x in part.split("-")] for part in train.split(", ")]
    for k in [k for span in spans for k in range(span[0], span[-1] + 1)]:
        atoms = known_data()[k]
        energy, gradient, strain = engine.design(atoms, [0])
        rows = [energy[None] / (0.001 * np.sqrt(8)), gradient.reshape(-1, len(energy)) / 0.01]
        xx, yy, zz, yz, xz, xy = (strain[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)))
        rows.append(np.stack([xx, yy, zz, yz, xz, xy]) / (0.01 * np.sqrt(8)))
        total += sum(b.T @ b for b in rows)
    prior = matrix.T @ matrix - total
    if "term" not in changes:
        assert np.allclose(prior, 1e-2 * np.eye(len(prior)), atol=1e-9 * np.abs(total).max())
    else:
        points = model.terms[0].regressor.points
        p = [x / np.sqrt((x * x).sum(axis=1, keepdims=True) + 1e-6) for x in (points[11], points[17])]
        at = len(p[0])
        kernels = [(x @ x.T) ** 2 for x in p]
        for block, kernel in ((prior[:at, :at], kernels[0]), (prior[at:, at:], kernels[1])):
            assert np.allclose(block, 1e-2 * kernel, atol=1e-8 * np.abs(total).max())


def test_information_is_stored_checked_and_left_out_where_it_does_not_fit(tmp_path, model):
    path = tmp_path / "m.mlcalc"
    model.save(path)
    again = Model.load(path)
    assert again.information.terms == model.information.terms and again.information.sigmas == model.information.sigmas
    assert np.array_equal(again.information.matrix(), model.information.matrix())
    full = model.information
    wrong = {"shape": Information(full.terms, full.sigmas, full.triangle[:-1]),
             "is no term": Information(["other"], full.sigmas, full.triangle),
             "there twice": Information(["soap", "soap"], full.sigmas, full.triangle),
             "sigmas.forces": Information(full.terms, {**full.sigmas, "forces": -1.0}, full.triangle)}  # fmt: skip
    for sentence, bad in wrong.items():
        again.information = bad
        with pytest.raises(RuntimeError, match=sentence):
            again.to_bytes()
    again.information = full
    assert combined(again, Model([11, 17], [], [], [0.0, 0.0]), "x").information is full


def test_the_best_structures_have_more_information_than_any_others(model):
    frames = salt(24, seed=5, amplitude=0.3)
    chosen = select(model, candidates(frames), 4, closest=0.2).chosen
    best = information(model, [c.candidate.atoms for c in chosen])
    before = information(model, [])
    assert best - before == pytest.approx(sum(c.value for c in chosen), rel=1e-4)
    rng = np.random.default_rng(0)
    others = [information(model, [frames[k] for k in rng.choice(24, 4, replace=False)]) for _ in range(30)]
    assert best > max(others)


@pytest.mark.parametrize("method", ["leverage", "farthest", "committee"])
def test_little_memory_changes_the_choice_little(committee, method):
    frames = salt(40, seed=6, amplitude=0.25)
    memory = 150_000 if method == "leverage" else 60_000
    whole = select(committee, candidates(frames), 4, method=method)
    streamed = select(committee, candidates(frames), 4, method=method, memory=memory)
    value = [sum(c.value for c in s.chosen) for s in (whole, streamed)]
    assert value[1] > 0.97 * value[0]
    assert whole.n_candidates == streamed.n_candidates == 40
    with pytest.raises(DataError, match="give more memory"):
        select(committee, candidates(frames), 4, method=method, memory=100)


@pytest.mark.parametrize("method", ["leverage", "farthest", "committee"])
def test_a_structure_unlike_the_training_set_comes_first_and_what_is_known_does_not_come(committee, method):
    odd = salt(1, seed=9, amplitude=0.6)[0]
    frames = [*known_data()[:10], odd]
    first = select(committee, candidates(frames), 3, method=method, closest=0.2)
    assert first.chosen[0].candidate.index == 10 and first.chosen[0].reason
    again = select(committee, candidates(frames), 3, method=method, known=candidates([odd]), closest=0.2)
    assert 10 not in [c.candidate.index for c in again.chosen] and again.removed["duplicate"] == 1


def test_what_the_training_set_has_teaches_little(model):
    """Leverage of a training structure: the labels of one that was seen add at most log 2 in each direction."""
    measure = measure_of(model)
    seen = [measure.candidate(known_data()[k].copy()).gain for k in range(6)]
    new = [measure.candidate(a).gain for a in salt(6, seed=11, amplitude=0.45)]
    assert max(seen) < min(new)


def test_the_predicted_error_is_that_of_the_covariance(model):
    atoms = salt(1, seed=3)[0]
    candidate = measure_of(model, labels=("energy", "forces")).candidate(atoms)
    matrix = model.information.matrix()
    covariance = np.linalg.inv(matrix.T @ matrix)
    energy, gradient, _ = measure_of(model).engine.design(atoms, [0])
    assert candidate.energy == pytest.approx(np.sqrt(energy @ covariance @ energy) / 8, rel=1e-4)
    of_atoms = np.sqrt(np.einsum("iaw,wv,iav->i", gradient, covariance, gradient))
    assert candidate.worst_atom == np.argmax(of_atoms)
    assert candidate.force == pytest.approx(of_atoms.max(), rel=1e-4)


def test_energies_alone_are_the_same_by_features_and_by_rows(model):
    measure = measure_of(model, labels=("energy",))
    atoms = salt(1, seed=3)[0]
    assert np.allclose(measure._rows(atoms)["sum"][0], measure.engine.design(atoms, [0])[0], rtol=1e-10)


def test_what_must_not_be_labeled_is_left_out_and_counted(model):
    good = salt(3, seed=4)
    close, broken, foreign = pushed(good[0]), good[1].copy(), good[2].copy()
    close.positions[1] = close.positions[0] + [0.6, 0, 0]
    broken.positions[0, 0] = np.nan
    foreign.numbers[0] = 8
    found = select(model, candidates([*good, good[1].copy(), close, broken, foreign]), 3)
    assert found.removed == {"duplicate": 1, "close": 1, "broken": 1, "unknown": 1} and found.unknown == ["O"]
    for text in ("3 of 7", "1 duplicates", "1 with atoms too close", "unknown: O"):
        assert text in found.summary()
    with pytest.raises(DataError, match="no structure is left to choose from: .*1 with elements"):
        select(model, candidates([foreign]), 1)


def test_a_model_without_information_says_so_and_farthest_points_do_without(model):
    bare = Model.from_bytes(model.to_bytes())
    bare.information = None
    frames = candidates(salt(6, seed=4))
    with pytest.raises(DataError, match="train it again with it"):
        select(bare, frames, 2, method="leverage")
    with pytest.raises(DataError, match="no committee"):
        select(bare, frames, 2, method="committee")
    found = select(bare, frames, 3)
    assert found.method == "farthest" and "from the mean of the candidates" in found.chosen[0].reason
    with pytest.raises(DataError, match="labels are energy, forces, virial, got charges"):
        select(model, frames, 2, labels=("charges",))
    with pytest.raises(DataError, match="at least one structure"):
        select(model, frames, 0)


def test_files_are_read_one_frame_at_a_time(tmp_path, monkeypatch):
    frames = salt(5, seed=2)
    for atoms in frames:
        atoms.set_cell([5.2] * 3)
    ase.io.write(tmp_path / "a.xyz", frames)
    ase.io.write(tmp_path / "a.traj", frames)
    with open(tmp_path / "a.dump", "w") as stream:
        for step, atoms in enumerate(frames):
            stream.write(DUMP.format(step=step, a=5.2))
            for k, (z, r) in enumerate(zip(atoms.numbers, atoms.positions, strict=True), 1):
                stream.write(f"{k} {1 if z == 11 else 2} {r[0]:.8f} {r[1]:.8f} {r[2]:.8f}\n")
    for name in ("a.xyz", "a.traj", "a.dump"):
        read = list(stream_frames(tmp_path / name, types=["Na", "Cl"]))
        assert len(read) == 5
        for a, b in zip(read, frames, strict=True):
            assert a.get_chemical_formula() == b.get_chemical_formula()
            assert np.allclose(a.get_all_distances(mic=True), b.get_all_distances(mic=True), atol=1e-5)
        for index, n in ((":3", 3), ("::2", 3), ("-2:", 2), ("-1", 1), ("0", 1)):
            assert len(list(stream_frames(tmp_path / name, index))) == n
        first = next(stream_frames(tmp_path / name))
        assert len(first) == 8
    with pytest.raises(DataError, match="has no structures at index '7'"):
        list(stream_frames(tmp_path / "a.xyz", "7"))
    with pytest.raises(DataError, match="does not exist"):
        list(stream_frames(tmp_path / "none.xyz"))


def test_the_command_writes_what_it_chose_and_why(tmp_path, monkeypatch, capsys, model):
    monkeypatch.chdir(tmp_path)
    model.save("m.mlcalc")
    ase.io.write("run.xyz", salt(12, seed=8))
    assert main(["select", "m.mlcalc", "run.xyz", "-n", "3", "--quiet", "--threads", "2"]) == 0
    out = capsys.readouterr().out
    assert "3 of 12 structures by leverage" in out and "log det" in out and "selected.xyz" in out
    made = ase.io.read("selected.xyz", ":")
    assert [a.info["selected"] for a in made] == [1, 2, 3]
    values = [a.info["selected_value"] for a in made]
    assert values == sorted(values, reverse=True) and all("meV/atom" in a.info["selected_because"] for a in made)
    assert main(["select", "m.mlcalc", "run.xyz", "-n", "3", "-o", "run.xyz"]) == 1
    assert "name another output" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from Linux")
def test_memory_does_not_grow_with_the_number_of_candidates(model):
    """The short form of benchmarks/validation/selection.py."""
    import resource

    def many(n):
        rng = np.random.default_rng(0)
        base = salt(1)[0]
        for k in range(n):
            atoms = base.copy()
            atoms.positions += rng.normal(scale=0.2, size=atoms.positions.shape)
            yield atoms, "made", k

    select(model, many(200), 5, memory=3e5, labels=("energy",))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = select(model, many(2000), 5, memory=3e5, labels=("energy",))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert found.n_candidates == 2000 and grown < 10_000  # kB


def test_on_silicon_there_is_more_information_than_by_cur_and_farthest_points(tmp_path, data):
    """The short form of benchmarks/validation/selection.py: scikit-matter on mean features, at equal number."""
    from skmatter.sample_selection import CUR, FPS

    frames = ase.io.read(data / "mlearn/mlearn_Si_training.extxyz", "::4")
    rho = {"name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 4.5}
    wanted = options(tmp_path, expansions=[rho], weights={}, data={"stress": None})
    model = fit(wanted, frames[:12], progress=False, figures=False).model
    measure = measure_of(model)
    rows = [measure.candidate(atoms).rows.astype(float) for atoms in frames[12:]]
    means = np.array([measure.engine.features(atoms, 0).mean(axis=0) for atoms in frames[12:]])

    def added(chosen):
        b = np.concatenate([rows[k] for k in chosen])
        return np.linalg.slogdet(np.eye(b.shape[1]) + b.T @ b)[1]

    for n in (3, 8):
        ours = [c.candidate.index for c in select(model, candidates(frames[12:]), n, closest=0.0).chosen]
        others = [CUR(n_to_select=n).fit(means), FPS(n_to_select=n, initialize=0).fit(means)]
        assert added(ours) > max(added(other.selected_idx_) for other in others)


def test_predictions_of_a_long_file_are_written_as_they_come(tmp_path, monkeypatch, capsys, committee):
    """The least certain structures are printed, the first the worst, and a database has the same as extxyz."""
    monkeypatch.chdir(tmp_path)
    committee.save("m.mlcalc")
    frames = [*salt(29, seed=1, amplitude=0.05), *salt(1, seed=9, amplitude=0.6)]
    ase.io.write("run.traj", frames)
    assert main(["predict", "m.mlcalc", "run.traj", "-o", "p.xyz", "--quiet"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].endswith("run.traj, structure 29") and out[-2] == "and 10 that are more certain"
    forces = [float(line.split()[2]) for line in out[1:21]]
    assert forces == sorted(forces, reverse=True) and out[-1] == "30 structures: p.xyz"
    assert main(["predict", "m.mlcalc", "run.traj", "-o", "p.db", "--quiet"]) == 0
    made = ase.io.read("p.xyz", ":")
    with ase.db.connect("p.db") as database:
        rows = list(database.select())
    assert len(made) == len(rows) == 30 and sorted(p.name for p in tmp_path.glob("*p.db*")) == ["p.db"]
    for atoms, row in zip(made, rows, strict=True):
        assert row.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        assert row.energy_uncertainty == pytest.approx(atoms.info["energy_uncertainty"], rel=1e-5)
        assert np.allclose(row.data.forces_uncertainty, atoms.arrays["forces_uncertainty"], atol=1e-6)
    frames[3].numbers[0] = 8
    ase.io.write("bad.xyz", frames)
    assert main(["predict", "m.mlcalc", "bad.xyz", "-o", "bad.db", "--quiet"]) == 1
    assert "bad.xyz, structure 3: the model does not know O" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.glob("*bad*")) == ["bad.xyz"]
    assert main(["predict", "m.mlcalc", "run.traj", "-o", "run.traj", "--quiet"]) == 1
    assert "name another output" in capsys.readouterr().err


def test_the_names_of_the_methods_are_those_of_the_measures():
    assert tuple(MEASURES) == METHODS
