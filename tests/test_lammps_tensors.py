# SPDX-License-Identifier: BSD-3-Clause
"""Tensors and electric fields in LAMMPS, on any number of ranks, equal to the calculator."""

import ase.build
import numpy as np
import pytest
from lammps_runs import Job, engine, needs_lammps, run
from models import build, saved

from mlcalc import MLCalculator

pytestmark = needs_lammps
KINDS = ["tensors", "tensors far", "tensors kernel committee", "tensors kernel far", "tensors of channels",
         "tensors of channels with V"]  # fmt: skip
FAR = [kind for kind in KINDS if "far" in kind or "V" in kind]
SIX = ([0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2])  # xx yy zz xy xz yz
OUTPUTS = {"dipole": 3, "polarizability": 6, "spin": 3, "charge": 1}


@pytest.fixture(scope="module")
def crystal():
    """A rattled crystal of salt with a lower triangular cell."""
    atoms = ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat((2, 2, 1))
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [-0.05, 0.08, 1]], scale_atoms=True)
    atoms.rattle(0.15, seed=4)
    return atoms


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    kinds = {kind: kind for kind in [*KINDS, "tensors charges", "tensors alone", "linear rho x rho"]}
    return saved(kinds, tmp_path_factory.mktemp("models"))


def asked(names, sizes=OUTPUTS, number=0, group="all"):
    """Commands that define computes of these outputs and print them, for ``after`` and after the run."""
    lines = [f"compute t{name} {group} mlcalc/tensor {name}" for name in names]
    columns = []
    for name in names:
        columns += [f"c_t{name}"] if sizes[name] == 1 else [f"c_t{name}[{k + 1}]" for k in range(sizes[name])]
    lines.append(f"thermo_style custom step pe c_pv[1] c_pv[2] c_pv[3] c_pv[4] c_pv[5] c_pv[6] {' '.join(columns)}")
    lines.append("thermo_modify format float %.17g")
    text = " ".join(f"$({column}:%.17g)" for column in columns)
    dumped = " ".join(columns)
    after = [f'print "{text}" file tensors.{number}',
             f"write_dump all custom atoms.{number} id {dumped} modify sort id format float %.17g"]  # fmt: skip
    return "\n".join(lines), "\n".join(after)


def expected_of(atoms, model, names, **options):
    """Sums and shares of atoms, one after the other in LAMMPS's order."""
    calc, columns = MLCalculator(model, **options), []
    for name in names:
        shares = np.asarray(calc.get_property(f"{name}_atoms", atoms))
        columns.append(shares[(slice(None), *SIX)] if shares.ndim == 3 else shares.reshape(len(atoms), -1))
    shares = np.concatenate(columns, axis=1)
    return shares.sum(axis=0), shares


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_sums_and_atoms_are_those_of_the_calculator(ranks, crystal, paths, tmp_path):
    jobs, wanted = [], []
    for number, kind in enumerate(KINDS):
        names = [output.name for output in build(kind).outputs]
        before, after = asked(names, number=number)
        options = "lode ksum accuracy 1e-10" if kind in FAR else ""
        jobs.append(Job(crystal, paths[kind], options=options, after=before, run=f"run 0\n{after}"))
        given = {"lode": "ksum", "accuracy": 1e-10} if kind in FAR else {}
        wanted.append(expected_of(crystal, paths[kind], names, **given))
    run(tmp_path, jobs, ranks)
    for number, (total, shares) in enumerate(wanted):
        got = np.array((tmp_path / f"tensors.{number}").read_text().split(), dtype=float)
        dumped = np.loadtxt(tmp_path / f"atoms.{number}", skiprows=9, ndmin=2)[:, 1:]
        size = np.abs(shares).max()
        assert np.abs(dumped - shares).max() < 1e-10 * size, KINDS[number]
        assert np.abs(got - total).max() < 1e-10 * size * len(crystal), KINDS[number]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_forces_in_a_field_are_those_of_the_calculator(ranks, crystal, paths, tmp_path):
    field, jobs, wanted = (0.03, -0.02, 0.05), [], []
    for kind in KINDS:
        far = {"lode": "ksum", "accuracy": 1e-10} if kind in FAR else {}
        options = f"efield {' '.join(map(str, field))} {'lode ksum accuracy 1e-10' if far else ''}"
        jobs.append(Job(crystal, paths[kind], options=options))
        wanted.append(engine(crystal, paths[kind], electric_field=field, **far))
    for got, expected in zip(run(tmp_path, jobs, ranks)[0], wanted, strict=True):
        size = np.abs(expected["forces"]).max()
        assert np.abs(got["forces"] - expected["forces"]).max() < 1e-10 * size
        assert got["energy"] == pytest.approx(expected["energy"], rel=1e-11)
        assert np.abs(got["virial"] - expected["virial"]).max() < 1e-9 * np.abs(expected["virial"]).max()


def test_on_a_mesh_of_several_ranks(crystal, paths, tmp_path):
    """The same as on one rank, whose mesh is that of the calculator."""
    before, after = asked(["dipole"])
    big = crystal.repeat((1, 1, 2))
    job = Job(big, paths["tensors far"], options="lode mesh accuracy 1e-6", after=before, run=f"run 0\n{after}")
    _, shares = expected_of(big, paths["tensors far"], ["dipole"], lode="mesh", accuracy=1e-6)
    for ranks in (1, 2, 4):
        run(tmp_path / str(ranks), [job], ranks)
        dumped = np.loadtxt(tmp_path / str(ranks) / "atoms.0", skiprows=9, ndmin=2)[:, 1:]
        assert np.abs(dumped - shares).max() < 1e-9 * np.abs(shares).max()


def test_a_cluster_with_charges_and_a_group(paths, tmp_path, salt_cluster):
    before, after = asked(["dipole"], group="first")
    job = Job(salt_cluster, paths["tensors charges"], after="group first id <= 4\n" + before, run=f"run 0\n{after}")
    run(tmp_path, [job])
    shares = MLCalculator(paths["tensors charges"]).get_property("dipole_atoms", salt_cluster)
    got = np.array((tmp_path / "tensors.0").read_text().split(), dtype=float)
    assert np.allclose(got, shares[:4].sum(axis=0), rtol=1e-10)


@pytest.mark.parametrize("ranks", [1, 2])
def test_averages_and_units_during_dynamics(ranks, crystal, paths, tmp_path):
    """fix ave/time and a dump on their own steps, in units real; the last step is compared."""
    after = """velocity all create 300 7 loop geom
fix nve all nve
compute mu all mlcalc/tensor dipole
fix mean all ave/time 2 2 4 c_mu[1] c_mu[2] c_mu[3] file mean.txt
dump d all custom 4 atoms.txt id x y z c_mu[1] c_mu[2] c_mu[3]
dump_modify d sort id format float %.17g"""
    job = Job(crystal, paths["tensors far"], units="real", after=after, run="timestep 1\nrun 8", options="lode ksum")
    run(tmp_path, [job], ranks)
    frames = (tmp_path / "atoms.txt").read_text().split("ITEM: TIMESTEP\n")[1:]
    last = np.array([line.split() for line in frames[-1].splitlines()[8:]], dtype=float)
    moved = crystal.copy()
    moved.positions = last[:, 1:4]
    shares = MLCalculator(paths["tensors far"], lode="ksum").get_property("dipole_atoms", moved)
    assert np.abs(last[:, 4:] - shares).max() < 1e-5 * np.abs(shares).max()  # another list of k
    means = np.loadtxt(tmp_path / "mean.txt", ndmin=2)
    assert len(means) >= 2 and np.all(np.isfinite(means))
    lines = [line.split() for line in (tmp_path / "mean.txt").read_text().splitlines() if not line.startswith("#")]
    assert [int(line[0]) for line in lines][-1] == 8


def test_only_the_steps_that_ask_evaluate_tensors(crystal, paths, tmp_path):
    """On other steps the trajectory is that without a compute, and the values are of the step that asks."""
    plain = Job(crystal, paths["tensors"], after="fix nve all nve", run="run 10")
    before, after = asked(["dipole"])
    asks = Job(crystal, paths["tensors"], after=f"fix nve all nve\n{before}\nthermo 5", run=f"run 10\n{after}")
    (first, second), _ = run(tmp_path, [plain, asks])
    assert np.array_equal(first["positions"], second["positions"])


def test_a_field_survives_a_restart(crystal, paths, tmp_path):
    written = "run 0\nwrite_restart r\nclear\nread_restart r\ncompute e all pe/atom\ncompute w all stress/atom NULL virial\ncompute pv all pressure NULL virial\nrun 0"  # noqa: E501
    job = Job(crystal, paths["tensors"], options="efield 0 0 0.2", run=written)
    (got,), _ = run(tmp_path, [job])
    expected = engine(crystal, paths["tensors"], electric_field=(0, 0, 0.2))
    assert got["energy"] == pytest.approx(expected["energy"], rel=1e-11)


def test_tensors_alone_beside_another_potential(crystal, paths, tmp_path):
    style = f"""pair_style hybrid/overlay mlcalc lj/cut 6.0
pair_coeff * * mlcalc {paths["tensors alone"]} Cl Na
pair_coeff * * lj/cut 0.01 2.5"""
    before, after = asked(["dipole"])
    run(tmp_path, [Job(crystal, paths["tensors alone"], style=style, after=before, run=f"run 0\n{after}",
                       elements=["Cl", "Na"])])  # fmt: skip
    total, _ = expected_of(crystal, paths["tensors alone"], ["dipole"])
    got = np.array((tmp_path / "tensors.0").read_text().split(), dtype=float)
    assert np.allclose(got, total, rtol=1e-9, atol=1e-12)


MISTAKES = {
    "the model .* has no output quadrupole; it has polarizability, dipole, spin, charge": (
        "tensors", "", "compute q all mlcalc/tensor quadrupole"),
    "has no output dipole; it has none": ("linear rho x rho", "", "compute q all mlcalc/tensor dipole"),
    "takes the name of an output of the model, and nothing else": (
        "tensors", "", "compute q all mlcalc/tensor dipole peratom"),
    "an electric field needs a model with a vector output named dipole": ("linear rho x rho", "efield 0 0 1", ""),
    "efield needs 3 value": ("tensors", "efield 0 0", ""),
    "Expected floating point": ("tensors", "efield 0 0 z", ""),
    "contains charges times positions, which jump where a periodic system is wrapped": (
        "tensors charges", "efield 0 0 1", ""),
}  # fmt: skip


@pytest.mark.parametrize("sentence", MISTAKES)
def test_mistakes_end_with_a_sentence(sentence, crystal, paths, tmp_path):
    import re

    kind, options, after = MISTAKES[sentence]
    for ranks in (1, 2):
        job = Job(crystal, paths[kind], options=options, after=after)
        _, said = run(tmp_path / str(ranks), [job], ranks, check=False)
        assert re.search(sentence, " ".join(said.split())), said[-1500:]


def test_a_compute_needs_the_pair_style(crystal, paths, tmp_path):
    job = Job(crystal, paths["tensors"], style="pair_style lj/cut 6\npair_coeff * * 0.01 2.5",
              after="compute mu all mlcalc/tensor dipole")  # fmt: skip
    _, said = run(tmp_path, [job], check=False)
    assert "compute mlcalc/tensor needs one pair_style mlcalc and its pair_coeff before it" in " ".join(said.split())
    assert build("tensors").outputs
