# SPDX-License-Identifier: BSD-3-Clause
"""Slabs in LAMMPS: what the engine computes in ASE on any number of ranks, and what LAMMPS's own slabs are."""

import re

import models
import numpy as np
import pytest
from finite_differences import displaced
from ions import charges_of
from lammps_runs import Job, assert_error_below_request, assert_same, engine, needs_lammps, run, write_data
from models import evaluate
from slabs import COULOMB, cut, ewald_of_slab, small_slab, with_axis
from test_lammps_agreement import salt
from test_lammps_manners import numbers, script_run, start
from test_lammps_mesh import TILED, field_model

pytestmark = [needs_lammps, pytest.mark.filterwarnings("ignore:this system has slab boundaries")]
PE = 'print "PE $(pe:%.17g) $(pxx:%.17g) $(pxy:%.17g)"\n'


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    kinds = ("linear V", "linear soap + lode", "linear p=6")
    return models.saved(dict(zip(kinds, kinds, strict=True)), tmp_path_factory.mktemp("slab"))


def salt_slab():
    """Open along z, oblique in the plane, not where the box begins."""
    atoms = salt() * (1, 1, 2)
    atoms.rattle(0.05, seed=5)
    cell = atoms.cell.array.copy()
    cell[1, 0] = 1.3
    atoms.set_cell(cell, scale_atoms=True)
    atoms.wrap()
    atoms.pbc = [True, True, False]
    return displaced(atoms, [0.0, 0.0, -7.0])


def salt_cut():
    atoms = salt()
    atoms.pbc = [True, True, False]
    return atoms


def jobs_of(paths):
    """By k-sum and mesh, with and without a near part, along any axis, in boxes that follow the atoms or do not."""
    atoms, both, field = salt_slab(), paths["linear soap + lode"], paths["linear V"]
    few = atoms[:9]
    return [
        Job(atoms, both, "lode ksum accuracy 1e-7"),
        Job(atoms, field, "lode ksum accuracy 1e-7 split 5.0", open="s"),
        Job(with_axis(salt_cut(), 0), both, "lode ksum accuracy 1e-7"),
        Job(with_axis(salt_cut(), 1), both, "lode ksum accuracy 1e-7", open="m", units="real"),
        Job(few, both, "lode ksum accuracy 1e-7"),
        Job(atoms, both, "lode mesh accuracy 1e-6"),
        Job(atoms, field, "lode mesh accuracy 1e-6 split 5.0"),
        Job(atoms, field, "lode mesh accuracy 1e-6", before="processors * * 1"),
        Job(atoms, field, "lode mesh accuracy 1e-6", open="m"),
        Job(few, field, "lode mesh accuracy 1e-6"),
        Job(with_axis(salt_cut() * (1, 1, 2), 0), field, "lode mesh accuracy 1e-5"),
        Job(with_axis(salt_cut() * (1, 1, 2), 1), both, "lode mesh accuracy 1e-5", open="s"),
        Job(atoms, field, "lode mesh mesh 30 30 90 order 9", before=TILED, after="balance 1.0 rcb"),
        Job(atoms, field, "lode mesh accuracy 1e-6", after="balance 1.0 shift xyz 5 1.0"),
    ]


@pytest.fixture(scope="module")
def on_one_rank(paths, tmp_path_factory):
    return run(tmp_path_factory.mktemp("one"), jobs_of(paths), 1)[0]


def test_slabs_in_lammps_are_those_of_the_engine(paths, on_one_rank):
    """To the accuracy: the padding follows the box, which is higher than the atoms."""
    for job, got in zip(jobs_of(paths), on_one_rank, strict=True):
        words = job.options.split()
        accuracy = float(words[3]) if words[2] == "accuracy" else 1e-6
        split = 5.0 if "split" in words else 0
        assert_same(got, engine(job.atoms, job.model, lode=words[1], accuracy=accuracy, split=split), 30 * accuracy)


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_slabs_over_ranks_are_those_of_one_rank(paths, on_one_rank, tmp_path, ranks):
    jobs = jobs_of(paths)
    results, text = run(tmp_path, jobs, ranks)
    assert text.count("particle mesh") >= 5 and text.count("slab padded to") >= len(jobs)
    assert "falls back" not in text
    for got, expected in zip(results, on_one_rank, strict=True):
        assert_same(got, expected)


@pytest.mark.parametrize(
    "solver, factors, tolerance", [("ewald 1e-10", (2.0, 3.0, 5.0), 1e-6), ("pppm 1e-7", (6.0,), 2e-5)]
)
def test_point_charges_are_those_of_lammps_with_a_large_gap(solver, factors, tolerance, tmp_path):
    """kspace_modify slab: images along z, corrected for their dipoles [Yeh, Berkowitz, J. Chem. Phys. 111, 3155
    (1999)]; what is left of them decays with the gap. LAMMPS has no slabs in oblique boxes, and leaves the correction,
    2 pi k_e M_z^2 / V, out of its virial."""
    atoms = small_slab()
    atoms.cell[1, 0] = 0.0
    results = evaluate(charges_of(atoms).potential(lode="ksum", accuracy=1e-10), atoms)
    virial = results["virial"][[0, 1, 0], [0, 1, 1]]
    q = np.where(atoms.numbers == 11, 1.0, -1.0)
    errors = []
    for factor in factors:
        style = f"""set type 1 charge 1.0
set type 2 charge -1.0
pair_style coul/long 9.0
pair_coeff * *
kspace_style {solver}
kspace_modify order 7 gewald 0.45 slab {factor}"""
        job = Job(atoms, None, style=style, before="atom_style charge", elements=["Na", "Cl"])
        (expected,), _ = run(tmp_path / str(factor), [job])
        volume = factor * (np.ptp(atoms.positions[:, 2]) + 2.0) * 42.0
        correction = 2 * np.pi * COULOMB * (q @ atoms.positions[:, 2]) ** 2 / volume
        in_plane = expected["virial"][[0, 1, 3]] + [correction, correction, 0.0]
        pairs = [(results["forces"], expected["forces"]), (virial, in_plane)]
        pairs.append((results["energies"].sum(), expected["energy"]))
        errors.append(max(np.abs(ours - theirs).max() / np.abs(theirs).max() for ours, theirs in pairs))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < tolerance
    assert results["energies"].sum() == pytest.approx(ewald_of_slab(atoms, q)[0], rel=1e-8)


DYNAMICS = """velocity all create 300 1
fix 1 all nve
timestep 0.00002
neigh_modify every 5 delay 0 check no
run 0
print "E $(etotal:%.17g) $(pe:%.17g)"
run 300
print "E $(etotal:%.17g) $(pe:%.17g)"
"""


@pytest.mark.parametrize("boundary", ["p p f", "p p s", "p p m"])
@pytest.mark.parametrize("method", ["ksum accuracy 1e-5", "mesh accuracy 1e-4"])
def test_energy_is_conserved_where_the_box_follows_the_atoms(method, boundary, paths, tmp_path):
    """eV/atom in 6 fs; kinetic and potential energy exchange far more."""
    write_data(tmp_path / "salt.data", salt_slab(), ["Na", "Cl"])
    head = start(paths["linear soap + lode"], f"lode {method}").replace("boundary p p p", f"boundary {boundary}")
    before, after = numbers(script_run(tmp_path, head + DYNAMICS, 2), "E ")
    assert abs(after[0] - before[0]) / 64 < 2e-9
    assert abs(after[1] - before[1]) / 64 > 1e-5


def test_a_restart_continues_a_slab(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt_slab(), ["Na", "Cl"])
    head = start(paths["linear soap + lode"], "lode mesh accuracy 1e-4").replace("boundary p p p", "boundary p p f")
    more = "velocity all create 300 1\nfix 1 all nve\ntimestep 0.0001\nrun 20\nwrite_restart now.restart\nrun 0\n" + PE
    before = script_run(tmp_path, head + more, 2)
    after = script_run(tmp_path, "read_restart now.restart\nrun 0\n" + PE, 3)
    np.testing.assert_allclose(numbers(after, "PE ")[0], numbers(before, "PE ")[0], rtol=1e-10)
    for text in (before, after):
        assert len(set(re.findall(r"slab padded to [\d.]+", text))) == 1


def test_boundaries_that_change_between_runs(paths, tmp_path):
    """From a slab in vacuum to a periodic cell, and back to a taller slab."""
    atoms = salt_slab()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    model, mesh = paths["linear soap + lode"], "lode mesh accuracy 1e-5"
    head = start(model, mesh).replace("boundary p p p", "boundary p p f")
    change = "run 0\n" + PE + "change_box all boundary p p p\nrun 0\n" + PE
    change += "change_box all boundary p p f z delta 0 9\nrun 0\n" + PE
    slab, periodic, taller = numbers(script_run(tmp_path, head + change, 2), "PE ")
    assert slab[0] == pytest.approx(taller[0], rel=1e-5)
    boxed = atoms.copy()
    boxed.cell[2] = [0, 0, np.ptp(atoms.positions[:, 2]) + 2.0]
    boxed.pbc = True
    assert periodic[0] == pytest.approx(engine(boxed, model, lode="mesh", accuracy=1e-5)["energy"], rel=1e-5)
    assert abs(periodic[0] - slab[0]) > 1e-2 * abs(slab[0])


@pytest.mark.parametrize("boundary, model, sentence", [
    ("p f f", "linear V", "three periodic directions, two or none, got one, a wire"),
    ("p p f", "linear p=6", "expansion 'V' has exponent 6"),
])  # fmt: skip
@pytest.mark.parametrize("ranks", [1, 3])
def test_what_no_far_field_is_defined_for_is_refused_by_name(boundary, model, sentence, ranks, paths, tmp_path):
    atoms = salt()
    atoms.wrap()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    script = start(paths[model]).replace("boundary p p p", f"boundary {boundary}") + "run 0\n"
    text = script_run(tmp_path, script, ranks, check=False)
    assert text.count("ERROR") == 1 and sentence in text.split("ERROR")[1]


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_field_of_lammps_across_a_slab(paths, tmp_path, ranks):
    """fix efield acts on the charges of the atoms, beside the model, and its work is in the conserved energy."""
    atoms = salt_slab()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"], "charge")
    head = start(paths["linear V"], "lode mesh accuracy 1e-5").replace("boundary p p p", "boundary p p f")
    head = head.replace("atom_modify", "atom_style charge\natom_modify")
    head += "set type 1 charge 0.7\nset type 2 charge -0.5\n"
    dump = "write_dump all custom {} id type z fx fy fz modify sort id format float %.17g\n"
    field = "fix e all efield 0.0 0.0 0.2\nfix_modify e energy yes\n"
    dynamics = """velocity all create 300 1
fix 1 all nve
timestep 0.0002
thermo_style custom step etotal pe f_e
run 0
print "E $(etotal:%.17g) $(pe:%.17g) $(f_e:%.17g)"
run 200
print "E $(etotal:%.17g) $(pe:%.17g) $(f_e:%.17g)"
"""
    text = script_run(
        tmp_path, head + "run 0\n" + dump.format("bare") + field + "run 0\n" + dump.format("field") + dynamics, ranks
    )
    bare, pulled = (np.loadtxt(tmp_path / name, skiprows=9) for name in ("bare", "field"))
    charge = np.where(bare[:, 1] == 1, 0.7, -0.5)
    expected = bare[:, 3:] + 0.2 * charge[:, None] * [0.0, 0.0, 1.0]
    np.testing.assert_allclose(pulled[:, 3:], expected, rtol=0, atol=1e-12)
    before, after = numbers(text, "E ")
    assert abs(after[0] - before[0]) < 1e-3 * abs(after[1] - before[1])
    assert abs(after[2] - before[2]) > 1e-3


def test_a_barostat_in_the_plane(paths, tmp_path):
    """Its conserved quantity, while the area changes by much."""
    write_data(tmp_path / "salt.data", salt_slab(), ["Na", "Cl"])
    head = start(paths["linear soap + lode"], "lode mesh accuracy 1e-5").replace("boundary p p p", "boundary p p f")
    dynamics = """velocity all create 300 1
fix 1 all npt temp 300 300 0.1 x 0 0 0.02 y 0 0 0.02 xy 0 0 0.02
timestep 0.00005
neigh_modify every 5 delay 0 check no
thermo_style custom step etotal pe lx ly xy
run 0
print "E $(econserve:%.17g) $(pe:%.17g) $(lx*ly:%.17g)"
run 200
print "E $(econserve:%.17g) $(pe:%.17g) $(lx*ly:%.17g)"
"""
    before, after = numbers(script_run(tmp_path, head + dynamics, 2), "E ")
    assert abs(after[2] / before[2] - 1) > 1e-3
    assert abs(after[1] - before[1]) > 1e-2
    assert abs(after[0] - before[0]) < 1e-3 * abs(after[1] - before[1])


def test_error_through_lammps_is_below_the_request(tmp_path):
    """Forces of a film of molten salt on two ranks, against a k-sum of much higher accuracy."""
    atoms = cut("molten_salt")
    field_model([11, 17]).save(tmp_path / "field.mlcalc")
    assert_error_below_request(tmp_path, atoms, tmp_path / "field.mlcalc", 1e-8, 1e-13)
