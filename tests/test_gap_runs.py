# SPDX-License-Identifier: BSD-3-Clause
"""A converted potential is a model like others: LAMMPS on ranks, restart, extrapolation, info, delta learning."""

import numpy as np
import pytest
from gap_files import Entry, crowd, write_gap
from lammps_runs import Job, needs_lammps, run
from training_cases import labeled

from mlcalc import MLCalculator, gap, lammps
from mlcalc.cli import main
from mlcalc.model import Model
from mlcalc.train import fit

PAIR, SOAP = "cutoff=4.0 cutoff_transition_width=0.8", "soap l_max=2 n_max=3 cutoff=3.5 atom_sigma=0.5"
TWO = SOAP + " n_species=2 species_Z={8 14}"
R = np.linspace(1.6, 3.6, 5)
X = np.array([[3.4, 0.1, 2.6], [4.2, 0.5, 3.1], [5.0, 0.2, 3.9], [4.6, 1.0, 2.4]])
TURBO = (
    "soap_turbo l_max=2 alpha_max={3 2} atom_sigma_r={0.5 0.5} atom_sigma_t={0.5 0.5} rcut_hard=4.0 rcut_soft=3.5 "
    "n_species=2 species_Z={8 14} central_weight={1 1}"
)
ENTRIES = [
    Entry(TWO + " Z=14 central_reference_all_species=T", 64), Entry(TWO + " Z=8", 64, zeta=4),
    Entry(f"distance_2b {PAIR} exponents=-1", 1, 5, "ard_se", theta=[0.2], points=1 / R),
    Entry(f"angle_3b {PAIR} Z=14 Z1=8 Z2=14", 3, 4, "ard_se", theta=[0.8, 0.6, 0.9], points=X),
    Entry(TURBO, 45, whole=True),
]  # fmt: skip


@pytest.fixture
def potential(tmp_path):
    """All kinds of coordinates in one."""
    write_gap(tmp_path / "gap.xml", ENTRIES)
    gap.convert(gap.read(tmp_path / "gap.xml")).save(tmp_path / "gap.mlcalc")
    return tmp_path / "gap.mlcalc"


@pytest.fixture
def silica():
    atoms = crowd(["Si"] * 6 + ["O"] * 8, a=7.0)
    atoms.set_cell(atoms.cell.cellpar(), scale_atoms=True)
    return atoms


@needs_lammps
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_lammps_has_the_same_numbers_on_any_ranks(ranks, potential, silica, tmp_path):
    atoms = silica.repeat(2)
    atoms.rattle(0.02, seed=3)
    results, _ = run(tmp_path, [Job(atoms, potential, elements=["O", "Si"])], ranks)
    atoms.calc = MLCalculator(potential)
    assert results[0]["energy"] == pytest.approx(atoms.get_potential_energy(), rel=1e-11)
    np.testing.assert_allclose(results[0]["forces"], atoms.get_forces(), rtol=0, atol=1e-9)
    virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
    np.testing.assert_allclose(results[0]["virial"], virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]], atol=1e-7)


@needs_lammps
def test_a_run_goes_on_from_a_restart_file(potential, silica, tmp_path):
    from lammps_runs import write_data

    write_data(tmp_path / "silica.data", silica, ["O", "Si"])
    start = f"units metal\nread_data silica.data\npair_style mlcalc\npair_coeff * * {potential} O Si\n"
    run_it = "fix 1 all nve\nthermo 1\nthermo_modify format float %.15g\ntimestep 0.0005\nrun {}\n"
    (tmp_path / "in.all").write_text(
        start + "write_restart first\n" + run_it.format(6) + 'print "$(pe:%.15g)" file a\n'
    )
    half = run_it.format(3) + "write_restart half\n"
    (tmp_path / "in.half").write_text(start + half)
    rest = "read_restart half\n" + run_it.format(3) + 'print "$(pe:%.15g)" file b\n'
    (tmp_path / "in.rest").write_text(rest)
    for script in ("in.all", "in.half", "in.rest"):
        done = lammps.run(script, ranks=2, directory=tmp_path, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
    energies = [float((tmp_path / name).read_text()) for name in "ab"]
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)


def test_extrapolation_and_information(potential, silica, capsys):
    calculator = MLCalculator(potential)
    measure = calculator.get_property("extrapolation", silica)
    assert measure.shape == (len(silica),) and np.all(measure >= 0) and np.all(measure <= 1 + 1e-9)
    assert main(["info", str(potential)]) == 0
    told = capsys.readouterr().out
    for part in ("converted from GAP P", "pair table pairs0: Si-Si", "triples triples0: center Si", "turbo0-14"):
        assert part in told, told


def test_a_correction_is_learned_on_top_of_it(potential, tmp_path):
    """A near and a far term; the sum is one file, which LAMMPS's plugin reads, too."""
    base = MLCalculator(potential)
    frames = [crowd(["Si"] * 3 + ["O"] * 5, seed=k, a=5.8) for k in range(16)]
    data = labeled(frames, base)
    for atoms in data:  # the truth is a little stiffer
        atoms.calc.results = {key: 1.05 * np.asarray(value) for key, value in atoms.calc.results.items()}
    V = {"name": "V", "type": "potential", "n_max": 1, "l_max": 1, "exponent": 1}
    rho = {"name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 4.0}
    terms = [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}},
             {"name": "lode", "invariants": [{"nu": 1, "a": "V"}], "regressor": {"type": "linear"}}]  # fmt: skip
    options = {
        "model": str(tmp_path / "sum.mlcalc"), "expansions": [rho, V], "terms": terms, "budget": {"threads": 1},
        "data": {"files": ["frames"], "stress": "stress", "split": {"validation": 0.2}, "baseline": str(potential)},
        "solver": {"regularization": 1e-4},
    }  # fmt: skip
    fit(options, data, progress=False, figures=False)
    model = Model.load(tmp_path / "sum.mlcalc")
    assert {"rho", "V", "base-rho0", "base-turbo0-14"} <= {e.name for e in model.expansions}
    assert model.pairs[0].name == "base-pairs0" and model.triples[0].name == "base-triples0"
    learned = MLCalculator(tmp_path / "sum.mlcalc")
    before, after = ([np.abs(c.get_property("forces", atoms) - atoms.get_forces()).max() for atoms in data]
                     for c in (base, learned))  # fmt: skip
    assert np.mean(after) < 0.5 * np.mean(before)
