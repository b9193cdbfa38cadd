# SPDX-License-Identifier: BSD-3-Clause
"""Runs i-PI with the calculator behind its ASE driver."""

import pytest
from ase.io import write

DRIVER = """
from ipi.pes._ase import ASEDriver
from mlcalc.calculator import MLCalculator

__DRIVER_NAME__, __DRIVER_CLASS__ = "custom", "MLCDriver"


class MLCDriver(ASEDriver):
    def __init__(self, template, model, *args, **kwargs):
        self.model = model
        super().__init__(template, *args, **kwargs)
        self.capabilities.extend({capabilities})

    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = MLCalculator(self.model)
"""
INPUT = """
<simulation verbosity="quiet">
  <output prefix="run">
    {output}
  </output>
  <total_steps>{steps}</total_steps>
  <prng><seed>1</seed></prng>
  <ffdirect name="mlc" {settings}>
    <pes>custom</pes>
    <pes_path>driver.py</pes_path>
    <parameters>{{ template: start.xyz, model: model.mlcalc }}</parameters>
  </ffdirect>
  <system>
    <initialize nbeads="1">
      <file mode="ase" units="angstrom">start.xyz</file>
      <velocities mode="thermal" units="kelvin">300</velocities>
    </initialize>
    <forces><force forcefield="mlc"/></forces>
    <motion mode="dynamics">
      <dynamics mode="nve"><timestep units="femtosecond">{timestep}</timestep></dynamics>
    </motion>
  </system>
</simulation>
"""


def run_ipi(folder, monkeypatch, atoms, model, steps, output, timestep=1.0, settings="", capabilities=()):
    """Dynamics of the atoms in ``folder``, which becomes the working folder; ``output`` is what i-PI shall write,
    ``capabilities`` what the driver gives beside energy, forces and stress."""
    scripting = pytest.importorskip("ipi.utils.scripting")
    softexit = pytest.importorskip("ipi.utils.softexit")
    monkeypatch.chdir(folder)
    model.save("model.mlcalc")
    (folder / "driver.py").write_text(DRIVER.format(capabilities=list(capabilities)))
    write("start.xyz", atoms)
    text = INPUT.format(output=output, steps=steps, timestep=timestep, settings=settings)
    try:
        scripting.InteractiveSimulation(text).run(steps)
    finally:  # or i-PI would answer the next Ctrl-C of pytest, with a restart file in the working folder
        softexit.softexit.reset()
