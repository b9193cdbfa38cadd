# SPDX-License-Identifier: BSD-3-Clause
"""i-PI hands the dipole on: from the extras of its ASE driver to its own output."""

import numpy as np
from ipi_runs import run_ipi
from models import build

from mlcalc import MLCalculator

OUTPUT = '<trajectory filename="dipole" stride="1" extra_type="dipole"> extras </trajectory>'


def test_the_dipole_is_an_output_of_ipi(tmp_path, monkeypatch, salt_cluster):
    model = build("tensors")
    salt_cluster.set_cell([30.0, 30.0, 30.0])
    salt_cluster.center()
    run_ipi(tmp_path, monkeypatch, salt_cluster, model, 3, OUTPUT, 0.5, 'pbc="False"', ["dipole"])
    calc = MLCalculator(model)
    dipoles = np.loadtxt("run.dipole_0")
    assert dipoles.shape == (4, 3) and np.ptp(dipoles, axis=0).max() > 0
    expected = calc.get_property("dipole", salt_cluster)
    assert np.allclose(dipoles[0], expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())
