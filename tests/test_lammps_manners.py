"""What a production user expects of a pair style."""

import re
import subprocess
import sys

import models
import numpy as np
import pytest
from ase.build import bulk
from lammps_runs import KCAL, PRESSURE_UNIT, Job, assert_same, engine, needs_lammps, run, write_data

from mlcalc import lammps

pytestmark = needs_lammps


def salt(seed=1):
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (2, 2, 2)
    atoms.rattle(0.15, seed=seed)
    return atoms


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Model files by kind."""
    directory = tmp_path_factory.mktemp("models")

    class Paths(dict):
        def __missing__(self, kind):
            path = directory / (re.sub(r"\W+", "_", kind) + ".mlcalc")
            models.build(kind).save(path)
            self[kind] = path
            return path

    return Paths()


def numbers(text, label):
    """The numbers after each occurrence of a label, as a list of arrays."""
    return [np.array(line.split(label)[1].split(), dtype=float) for line in text.splitlines() if line.startswith(label)]


def script_run(directory, script, ranks=1, arguments=(), check=True):
    (directory / "in.test").write_text(script)
    done = lammps.run("in.test", ranks=ranks, directory=directory, timeout=120, arguments=arguments)
    assert not check or done.returncode == 0, done.stdout[-2500:]
    return done.stdout


def with_salt(folder):
    """The folder with salt.data in it."""
    write_data(folder / "salt.data", salt(), ["Na", "Cl"])
    return folder


def start(model, options="", units="metal", data="salt.data"):
    return f"""
units {units}
boundary p p p
atom_modify map array
read_data {data}
pair_style mlcalc {options}
pair_coeff * * {model} Na Cl
thermo_modify format float %.17g
"""


@pytest.mark.parametrize("ranks", [1, 3])
def test_every_short_range_kind_of_model(paths, tmp_path, ranks):
    atoms = salt()[:48]
    atoms.set_cell(np.diag([11.2, 11.2, 11.2]))
    kinds = models.SHORT_RANGED
    results, _ = run(tmp_path, [Job(atoms, paths[kind]) for kind in kinds], ranks)
    for kind, got in zip(kinds, results, strict=True):
        assert_same(got, engine(atoms, paths[kind]))


def test_components_uncertainty_and_threads(paths, tmp_path):
    """compute pair, fix pair, compute reduce and OpenMP threads, against ASE."""
    from mlcalc.calculator import MLCalculator

    atoms = salt()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    model = paths["linear committee"]
    text = script_run(
        tmp_path,
        start(model, "uncertainty yes threads 2")
        + """
compute parts all pair mlcalc
fix sigma all pair 1 mlcalc uncertainty 0 force_uncertainty 1
compute largest all reduce max f_sigma[1] f_sigma[2]
compute total all reduce sum f_sigma[1] f_sigma[2]
thermo_style custom step pe c_parts[1] c_parts[2] c_parts[3] c_parts[4] c_largest[1] c_largest[2] c_total[1] c_total[2]
run 0
print "PARTS $(pe:%.17g) $(c_parts[1]:%.17g) $(c_parts[2]:%.17g) $(c_parts[3]:%.17g) $(c_parts[4]:%.17g)"
print "SIGMA $(c_largest[1]:%.17g) $(c_largest[2]:%.17g) $(c_total[1]:%.17g) $(c_total[2]:%.17g)"
""",
        ranks=2,
    )
    atoms.calc = MLCalculator(model)
    energy = atoms.get_potential_energy()
    per_atom = atoms.calc.get_property("energies_uncertainty", atoms)
    per_force = np.linalg.norm(atoms.calc.get_property("forces_uncertainty", atoms), axis=1)
    parts = numbers(text, "PARTS ")[0]
    assert parts[0] == pytest.approx(energy, rel=1e-12)
    assert parts[1:4].sum() == pytest.approx(energy, rel=1e-12)
    assert parts[3] == pytest.approx(-(1.3 + 2.4) * 32, rel=1e-12)  # the reference energies
    assert parts[4] == pytest.approx(atoms.calc.get_property("energy_uncertainty", atoms), rel=1e-9)
    expected = [per_atom.max(), per_force.max(), per_atom.sum(), per_force.sum()]
    np.testing.assert_allclose(numbers(text, "SIGMA ")[0], expected, rtol=1e-9)


@pytest.mark.parametrize("ranks", [1, 3])
def test_too_large_an_uncertainty_warns_once_or_stops_the_run_after_its_output(paths, tmp_path, ranks):
    atoms = salt()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    model = paths["linear committee"]
    dynamics = """
velocity all create 3000 1
fix 1 all nve
fix sigma all pair 1 mlcalc force_uncertainty 1
compute largest all reduce max f_sigma
thermo 1
thermo_style custom step c_largest
run 20
print "LAST $(step) $(c_largest)"
"""
    text = script_run(tmp_path, start(model, "uncertainty yes") + dynamics, ranks)
    rows = np.array(re.findall(r"^ +(\d+) +([\d.]+) *$", text, re.M), dtype=float)
    assert len(rows) == 21
    limit = np.sort(rows[:, 1])[-4] * 0.999999
    first = int(rows[np.argmax(rows[:, 1] > limit), 0])
    stopped = script_run(tmp_path, start(model, f"max_uncertainty {limit} stop") + dynamics, ranks)
    assert stopped.count("has an uncertainty of") == 1
    assert numbers(stopped, "LAST ")[0][0] == first
    assert f"on step {first}; the run stops here" in stopped
    warned = script_run(tmp_path, start(model, f"max_uncertainty {limit} warn") + dynamics, ranks)
    assert warned.count("has an uncertainty of") == 1
    assert numbers(warned, "LAST ")[0][0] == 20


def test_restart_continues_the_unbroken_run(paths, tmp_path):
    atoms = salt()
    cell = atoms.cell.array.copy()
    cell[1, 0] = 0.8
    atoms.set_cell(cell, scale_atoms=True)
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    model = paths["linear zbl"]
    ensemble = "fix 1 all npt temp 300 300 0.1 tri 0 0 1\n"
    dump = "write_dump all custom {} id x y z vx vy vz modify sort id format float %.17g\n"
    unbroken = "velocity all create 600 1\nrun 20\nwrite_restart half.restart\nrun 100\n"
    script_run(tmp_path, start(model, "accuracy 1e-4") + ensemble + unbroken + dump.format("a"), 2)
    text = script_run(tmp_path, "read_restart half.restart\n" + ensemble + "run 100\n" + dump.format("b"), 2)
    a, b = (np.loadtxt(tmp_path / name, skiprows=9) for name in "ab")
    assert np.abs(a - b).max() < 1e-8
    assert "mlcalc model" in text


def test_restart_refuses_another_file_under_the_same_name(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    (tmp_path / "model.mlcalc").write_bytes(paths["linear rho"].read_bytes())
    script_run(tmp_path, start("model.mlcalc") + "run 0\nwrite_restart now.restart\n")
    script_run(tmp_path, "read_restart now.restart\nrun 0\n", 2)
    (tmp_path / "model.mlcalc").write_bytes(paths["linear rho x rho"].read_bytes())
    text = script_run(tmp_path, "read_restart now.restart\nrun 0\n", 2, check=False)
    assert re.search(
        r"ERROR: .*The restart file was written with .* of checksum fnv1a64:\w+, but the file now has", text
    )


def test_hybrid_overlay_and_scaled(paths, tmp_path):
    """Atoms of NULL types are neither centers nor sources; overlaid styles add; scaled ones scale."""
    atoms = salt()
    atoms.numbers[::5] = 18
    model = paths["linear zbl"]
    elements = ["Na", "Cl", "Ar"]
    ours = f"pair_coeff * * mlcalc {model} Na Cl NULL\n"
    lj = "pair_coeff * 3 lj/cut 0.01 3.0\n"
    jobs = [
        Job(atoms, model, elements=elements, style=f"pair_style hybrid mlcalc lj/cut 5.0\n{ours}{lj}"),
        Job(atoms, model, elements=elements, style=f"pair_style hybrid/overlay mlcalc lj/cut 5.0\n{ours}{lj}"),
        Job(atoms, model, elements=elements, style="pair_style hybrid/overlay zero 5.0 lj/cut 5.0\n"
            f"pair_coeff * * zero\n{lj}"),
        Job(atoms, model, elements=elements, style="variable half equal 0.5\npair_style hybrid/scaled v_half mlcalc "
            f"1.0 lj/cut 5.0\n{ours}{lj}"),
    ]  # fmt: skip
    results, _ = run(tmp_path, jobs, 2)
    ions = atoms[atoms.numbers != 18]
    expected = engine(ions, model)
    for name in ("energy", "forces", "virial"):
        both = {k: results[k][name] for k in range(4)}
        mine = np.zeros_like(both[2])
        if name == "forces":
            mine[atoms.numbers != 18] = expected[name]
        else:
            mine = expected[name]
        assert_same({name: both[0] - both[2]}, {name: mine})
        assert_same({name: both[1] - both[2]}, {name: mine})
        assert_same({name: both[3] - both[2]}, {name: 0.5 * mine})


def test_two_models_add_up_under_hybrid_overlay(paths, tmp_path):
    atoms = salt()
    first, second = paths["linear rho x rho"], paths["kernel zeta 2"]
    style = f"pair_style hybrid/overlay mlcalc mlcalc\npair_coeff * * mlcalc 1 {first} Na Cl\npair_coeff * * mlcalc 2 {second} Na Cl\n"  # noqa: E501
    (got,), _ = run(tmp_path, [Job(atoms, first, style=style)], 2)
    one, two = engine(atoms, first), engine(atoms, second)
    assert_same(got, {name: one[name] + two[name] for name in one})


def test_rerun_repeats_the_energies_of_a_dump(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    model = paths["linear zbl"]
    run_and_dump = """
fix 1 all npt temp 300 300 0.1 iso 0 0 0.5
velocity all create 1000 1
thermo_style custom step pe press
thermo 10
dump 1 all custom 10 traj id type x y z
dump_modify 1 format float %.17g
run 30
"""
    again = "thermo_style custom step pe\nthermo 10\nrerun traj dump x y z\n"
    first = script_run(tmp_path, start(model) + run_and_dump, 2)
    second = script_run(tmp_path, start(model) + again, 1)
    rows = [np.array(re.findall(r"^ +(0|10|20|30) +(-[\d.]+)", text, re.M), dtype=float) for text in (first, second)]
    assert rows[0].shape == (4, 2)
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-12)


def test_minimize_and_box_relax_find_zero_force_and_pressure(paths, tmp_path):
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True)
    atoms.rattle(0.05, seed=2)
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    text = script_run(
        tmp_path,
        start(paths["linear zbl"])
        + """
fix 1 all box/relax iso 0.0 vmax 0.01
thermo_style custom step pe press fmax
min_modify line quadratic
minimize 0 1e-6 300 1000
unfix 1
minimize 0 1e-7 200 1000
print "LAST $(press) $(fmax)"
""",
        2,
    )
    pressure, force = numbers(text, "LAST ")[0]
    assert abs(force) < 1e-4
    assert abs(pressure) < 200.0


@pytest.mark.parametrize(
    "kind, options",
    [("kernel zeta 2", ""), ("linear soap + lode", "lode ksum"), ("kernel rho x V", "lode mesh mesh 15 15 15 order 7")],
)
def test_pressure_is_the_volume_derivative_of_the_energy(paths, tmp_path, kind, options):
    """In one run, so that k list and mesh are those of the first volume; every component of a strain."""
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    strain = 5e-5
    changes = "".join(
        f"change_box all x scale {factor} y scale {factor} z scale {factor} remap\nrun 0\n"
        'print "PE $(pe:%.17g) $(c_pv:%.17g) $(vol:%.17g)"\n'
        for factor in (1.0, 1 + strain, (1 - strain) / (1 + strain))
    )
    script = start(paths[kind], options) + "compute pv all pressure NULL virial\nthermo_style custom step pe c_pv\n"
    middle, high, low = numbers(script_run(tmp_path, script + changes, 2), "PE ")
    volume = middle[2]
    slope = (high[0] - low[0]) / (high[2] - low[2])
    assert middle[1] / PRESSURE_UNIT["metal"] == pytest.approx(-slope, rel=2e-6)
    assert high[2] / volume == pytest.approx((1 + strain) ** 3, rel=1e-12)


def test_partitions_do_not_talk_to_each_other(paths, tmp_path):
    for k, seed in enumerate((1, 2)):
        write_data(tmp_path / f"{k}.data", salt(seed), ["Na", "Cl"])
    script = "variable k world 0 1\n" + start(paths["linear zbl"], data="${k}.data") + (
        "thermo_style custom step pe\nrun 0\nprint \"PE $(pe:%.17g)\" file ${k}.pe\n"
    )  # fmt: skip
    (tmp_path / "in.test").write_text(script)
    done = lammps.run("in.test", 3, tmp_path, partitions="1 2", timeout=60)
    assert done.returncode == 0, done.stdout
    for k, seed in enumerate((1, 2)):
        energy = float((tmp_path / f"{k}.pe").read_text().split()[1])
        assert energy == pytest.approx(engine(salt(seed), paths["linear zbl"])["energy"], rel=1e-12)


def test_lammps_as_a_python_library_and_aselib(paths, tmp_path):
    """ASE's LAMMPSlib is one more witness; `from lammps import lammps` finds the plugin."""
    script = f"""
import numpy as np
import mlcalc.lammps
mlcalc.lammps.enable()
from ase.calculators.lammpslib import LAMMPSlib
from ase.build import bulk
atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (2, 2, 2)
atoms.rattle(0.15, seed=1)
model = {str(paths["kernel zeta 2"])!r}
atoms.calc = LAMMPSlib(lmpcmds=["pair_style mlcalc", f"pair_coeff * * {{model}} Na Cl"],
                       atom_types={{"Na": 1, "Cl": 2}}, keep_alive=True, log_file="log")
theirs = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
from mlcalc.calculator import MLCalculator
atoms.calc = MLCalculator(model)
ours = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
for a, b, tolerance in zip(theirs, ours, (1e-10, 1e-10, 2e-7)):  # ASE and LAMMPS differ in the value of a bar
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())
print("same")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().endswith("same"), done.stderr[-2000:]


def test_log_tells_model_terms_timing_and_memory(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    text = script_run(tmp_path, start(paths["linear committee"]) + "run 0\ninfo memory\n")
    assert re.search(r"mlcalc model \S+ \(fnv1a64:\w+\): Na Cl; terms term0; cutoff 4.2 Angstrom, committee of 4", text)
    assert "short range" in text and "far field" in text
    assert (tmp_path / "log.cite").exists() or "SOAP [1] and LODE [2]" in text


def test_per_atom_sums_are_the_totals(paths, tmp_path):
    results, _ = run(tmp_path, [Job(salt(), paths["kernel zbl"], units=u) for u in ("metal", "real")], 3)
    for got in results:
        assert got["energies"].sum() == pytest.approx(got["energy"], rel=1e-12)
        np.testing.assert_allclose(got["atom_virials"].sum(axis=0), got["virial"], atol=1e-9 * abs(got["virial"]).max())
    assert results[0]["energy"] * KCAL == pytest.approx(results[1]["energy"] * KCAL, rel=1e-12)


def test_restart_keeps_the_k_list_of_a_changed_cell(paths, tmp_path):
    """In NPT the k list is that of the cell of the first step, so a restart must know that cell."""
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    model = paths["linear soap + lode"]
    deform = "fix 1 all deform 1 x final 0 12.0 remap x\nfix 2 all nve\n"
    energy = 'print "PE $(pe:%.17g) $(pxx:%.17g)"\n'
    options = "lode ksum accuracy 1e-3"
    first = start(model, options) + deform + "run 40\nunfix 1\nwrite_restart now.restart\nrun 0\n" + energy
    before = script_run(tmp_path, first, 2)
    after = script_run(tmp_path, "read_restart now.restart\nrun 0\n" + energy)
    np.testing.assert_allclose(numbers(after, "PE ")[0], numbers(before, "PE ")[0], rtol=1e-10)
    # without that memory the list differs
    write_now = script_run(tmp_path, "read_restart now.restart\nwrite_data now.data\n")
    assert write_now
    fresh = script_run(tmp_path, start(model, options, data="now.data") + "run 0\n" + energy)
    assert abs(numbers(fresh, "PE ")[0] - numbers(before, "PE ")[0]).max() > 1e-9


@pytest.mark.parametrize("kind", ["linear zbl", "kernel two cutoffs"])
def test_heat_flux_is_the_rate_of_the_center_of_energy(paths, tmp_path, kind):
    """J = d/dt sum_i r_i e_i in free space, from two short steps either way."""
    atoms = salt()[:14]
    atoms.pbc = False
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    script = (
        start(paths[kind]).replace("p p p", "f f f")
        + """
velocity all create 3000 1 mom no
fix 1 all nve
timestep 1e-5
compute ke all ke/atom
compute pe all pe/atom
compute s all centroid/stress/atom NULL virial
compute J all heat/flux ke pe s
variable rx atom (c_ke+c_pe)*x
variable ry atom (c_ke+c_pe)*y
variable rz atom (c_ke+c_pe)*z
compute R all reduce sum v_rx v_ry v_rz
thermo_style custom step c_J[1] c_J[2] c_J[3] c_R[1] c_R[2] c_R[3]
thermo_modify format float %.17g
thermo 1
run 2
"""
    )
    text = script_run(tmp_path, script, 3)
    rows = np.array([r.split() for r in re.findall(r"^ +[012] +-?\d.*$", text, re.M)], dtype=float)
    assert len(rows) == 3
    rate = (rows[2, 4:] - rows[0, 4:]) / 2e-5
    np.testing.assert_allclose(rows[1, 1:4], rate, rtol=0, atol=1e-5 * abs(rate).max())


def test_a_wrong_heat_flux_is_refused(paths, tmp_path):
    write_data(tmp_path / "salt.data", salt(), ["Na", "Cl"])
    parts = "compute ke all ke/atom\ncompute pe all pe/atom\ncompute s all {} NULL virial\n"
    flux = parts + "compute J all heat/flux ke pe s\n"
    plain = script_run(tmp_path, start(paths["linear zbl"]) + flux.format("stress/atom") + "run 0\n", 2, check=False)
    assert "compute heat/flux needs centroid/stress/atom" in plain
    script = start(paths["linear soap + lode"]) + flux.format("centroid/stress/atom") + "run 0\n"
    assert "has no heat flux for a model with a far field" in script_run(tmp_path, script, 2, check=False)
