# SPDX-License-Identifier: BSD-3-Clause
"""Training on published data, in short; the long form is in benchmarks/."""

import numpy as np
import pytest
from ase.io import read
from finite_differences import derivative, strained
from training_cases import RHO

from mlcalc.calculator import MLCalculator
from mlcalc.train import fit


def test_stress_of_barium_titanate_has_the_sign_of_strain(tmp_path, data):
    """Labels, predictions and the finite-strain derivative of the energy agree in sign and size."""
    frames = read(data / "batio3/BaTiO3.xyz", ":8")
    for k, atoms in enumerate(frames):
        atoms.info["set"] = "test" if k == 0 else "train"
    result = fit(
        {
            "model": str(tmp_path / "batio3.mlcalc"),
            "data": {"files": ["frames"], "energy": "total_energy", "stress": "stress",
                     "split": {"method": "key", "key": "set"}},
            "expansions": [{**RHO, "n_max": 3, "l_max": 2}],
            "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho", "select": {"n": 60}}],
                       "regressor": {"type": "linear"}}],
            "weights": {"energy": 0.002, "forces": 0.2, "virial": 0.02}, "solver": {"criterion": "gcv"},
        },
        frames, progress=False, figures=False,
    )  # fmt: skip
    assert not any("opposite sign" in note for note in result.report["notes"])
    label, volume = frames[0].get_stress(voigt=False), frames[0].get_volume()
    atoms = frames[0].copy()
    atoms.calc = MLCalculator(result.model_path)
    predicted = atoms.get_stress(voigt=False)
    assert np.corrcoef(label.ravel(), predicted.ravel())[0, 1] > 0.9
    assert np.linalg.norm(predicted - label) < 0.3 * np.linalg.norm(label)

    def energy(x):
        stretched = strained(frames[0], x * np.diag([1.0, 0.5, -0.3]))
        stretched.calc = atoms.calc
        return stretched.get_potential_energy()

    parts = volume * predicted * np.diag([1.0, 0.5, -0.3])  # which may nearly cancel
    assert derivative(energy) == pytest.approx(np.sum(parts), abs=1e-3 * np.abs(parts).max())
