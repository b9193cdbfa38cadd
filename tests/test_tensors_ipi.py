# SPDX-License-Identifier: BSD-3-Clause
"""i-PI hands the dipole on: from the extras of its ASE driver to its own output."""

import numpy as np
import pytest
from ase.io import write
from models import build

from mlcalc import MLCalculator

DRIVER = """
from ipi.pes._ase import ASEDriver
from mlcalc import MLCalculator

__DRIVER_NAME__, __DRIVER_CLASS__ = "custom", "TensorDriver"


class TensorDriver(ASEDriver):
    def __init__(self, template, model, *args, **kwargs):
        self.model = model
        super().__init__(template, *args, **kwargs)
        self.capabilities.append("dipole")

    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = MLCalculator(self.model)
"""
INPUT = """
<simulation verbosity="quiet">
  <output prefix="run">
    <trajectory filename="dipole" stride="1" extra_type="dipole"> extras </trajectory>
  </output>
  <total_steps>3</total_steps>
  <prng><seed>1</seed></prng>
  <ffdirect name="mlc" pbc="False">
    <pes>custom</pes>
    <pes_path>driver.py</pes_path>
    <parameters>{ template: start.xyz, model: model.mlcalc }</parameters>
  </ffdirect>
  <system>
    <initialize nbeads="1">
      <file mode="ase" units="angstrom">start.xyz</file>
      <velocities mode="thermal" units="kelvin">300</velocities>
    </initialize>
    <forces><force forcefield="mlc"/></forces>
    <motion mode="dynamics">
      <dynamics mode="nve"><timestep units="femtosecond">0.5</timestep></dynamics>
    </motion>
  </system>
</simulation>
"""


def test_the_dipole_is_an_output_of_ipi(tmp_path, monkeypatch, salt_cluster):
    scripting = pytest.importorskip("ipi.utils.scripting")
    softexit = pytest.importorskip("ipi.utils.softexit")
    monkeypatch.chdir(tmp_path)
    model = build("tensors")
    model.save("model.mlcalc")
    (tmp_path / "driver.py").write_text(DRIVER)
    salt_cluster.set_cell([30.0, 30.0, 30.0])
    salt_cluster.center()
    write("start.xyz", salt_cluster)
    try:
        scripting.InteractiveSimulation(INPUT).run(3)
    finally:  # or i-PI would answer the next Ctrl-C of pytest, with a restart file in the working folder
        softexit.softexit.reset()
    calc = MLCalculator(model)
    dipoles = np.loadtxt("run.dipole_0")
    assert dipoles.shape == (4, 3) and np.ptp(dipoles, axis=0).max() > 0
    expected = calc.get_property("dipole", salt_cluster)
    assert np.allclose(dipoles[0], expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())
