# SPDX-License-Identifier: BSD-3-Clause
"""Whatever commands change between two evaluations, the energy is that of ASE for the same atoms."""

import models
import pytest
from ase.build import bulk
from lammps_lives import EXACT, FAR, KINDS, Life, energies, read_dump
from lammps_runs import needs_lammps

from mlcalc import lammps
from mlcalc.calculator import MLCalculator

pytestmark = needs_lammps


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return models.saved(KINDS, tmp_path_factory.mktemp("lives"))


@pytest.mark.parametrize("seed", range(30))
def test_random_lives(paths, tmp_path, seed):
    ranks = 1 + seed % 2
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=seed)
    life = Life(paths, seed, tiled=seed % 3 == 2)
    (tmp_path / "in.life").write_text(life.write(tmp_path, atoms, 6))
    plugin = f"{lammps.plugin_path()}/mlcalcplugin.so"
    done = lammps.run("in.life", ranks, tmp_path, arguments=("-var", "plugin", plugin), timeout=100)
    assert done.returncode == 0, done.stdout[-2500:]
    got = energies(done.stdout)
    assert len(got) == len(life.snapshots) >= 7
    for k, (energy, snapshot) in enumerate(zip(got, life.snapshots, strict=True)):
        system = read_dump(tmp_path / f"{k}.dump", snapshot.elements, snapshot.gone)
        system.calc = MLCalculator(paths[snapshot.model], lode="ksum", accuracy=EXACT)
        expected = system.get_potential_energy()
        tolerance = 20 * snapshot.accuracy if snapshot.model in FAR else 1e-10
        assert energy == pytest.approx(expected, rel=max(tolerance, 1e-9), abs=1e-9), (k, snapshot)
