# SPDX-License-Identifier: BSD-3-Clause
"""LAMMPS as the client of a driver that speaks the i-PI protocol (fix ipi); here the driver is ASE."""

import os
import subprocess

import models
import numpy as np
import pytest
from ase.calculators.socketio import SocketIOCalculator
from lammps_runs import engine, needs_lammps, write_data
from test_lammps_manners import salt, start

from mlcalc import lammps

pytestmark = needs_lammps


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("kind, options", [("kernel zbl", ""), ("linear soap + lode", "lode ksum accuracy 1e-8")])
def test_a_driver_gets_energy_forces_and_virial(tmp_path, ranks, kind, options):
    """Positions and the cell change from call to call. Both codes convert with constants of seven digits."""
    models.build(kind).save(tmp_path / "model.mlcalc")
    atoms = salt()
    write_data(tmp_path / "salt.data", atoms, ["Na", "Cl"])
    name = f"mlcalc-{os.getpid()}-{ranks}"
    client = start("model.mlcalc", options) + f"fix 1 all ipi {name} 0 unix\nrun 1000\n"
    (tmp_path / "in.ipi").write_text(client)
    help_text = subprocess.run([*lammps.command(), "-h"], text=True, capture_output=True, timeout=60).stdout
    if " ipi " not in help_text.split("Fix styles")[1].split("Compute styles")[0].replace("\n", " "):
        pytest.skip("this LAMMPS was built without the package MISC and has no fix ipi")
    with SocketIOCalculator(unixsocket=name, timeout=60) as driver, open(tmp_path / "out", "w") as out:
        process = subprocess.Popen(
            [*lammps.command(ranks), "-in", "in.ipi"], cwd=tmp_path, env=lammps.environment(ranks), stdout=out,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for step in range(3):
                moved = atoms.copy()
                moved.rattle(0.05 * step, seed=step)
                moved.set_cell(moved.cell.array * (1 + 0.01 * step), scale_atoms=True)
                expected = engine(moved, tmp_path / "model.mlcalc", lode="ksum", accuracy=1e-8)
                moved.calc = driver
                assert moved.get_potential_energy() == pytest.approx(expected["energy"], rel=3e-6)
                scale = abs(expected["forces"]).max()
                np.testing.assert_allclose(moved.get_forces(), expected["forces"], atol=3e-6 * scale)
                virial = -moved.get_stress()[[0, 1, 2, 5, 4, 3]] * moved.get_volume()
                virial[3:] *= 2  # fix ipi sends the upper triangle and zeros, of which ASE takes the mean
                np.testing.assert_allclose(virial, expected["virial"], atol=3e-6 * abs(expected["virial"]).max())
        finally:
            driver.close()  # LAMMPS then ends by itself
            process.wait(timeout=60)
