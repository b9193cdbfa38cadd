# SPDX-License-Identifier: BSD-3-Clause
"""BaTiO3 with stress: errors on held-out structures, and the sign and size of stress by finite strain.

python benchmarks/batio3.py
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from ase.io import read
from training import data_folder, machine, measured, save


def options(kind: str, folder: str, threads: int) -> dict:
    rho = {
        "name": "rho", "type": "density", "n_max": 6, "l_max": 4, "cutoff": 5.0,
        "density": {"type": "gaussian", "width": 0.4}, "smoothing": {"type": "shifted_cosine", "width": 1.0},
    }  # fmt: skip
    expansions = [rho]
    terms = [
        {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}, {"nu": 1, "a": "rho"}], "regressor": {"type": "linear"}}
    ]
    if kind == "SOAP+LODE":
        expansions.append({
            "name": "V", "type": "potential", "n_max": 2, "l_max": 2, "exponent": 1, "smearing": 1.0,
            "basis": {"type": "gto", "radius": 3.0},
        })  # fmt: skip
        terms.append(
            {
                "name": "lode",
                "invariants": [{"nu": 2, "a": "rho", "b": "V", "select": {"n": 200}}],
                "regressor": {"type": "linear"},
            }  # fmt: skip
        )
    return {
        "model": f"{folder}/batio3-{kind}.mlcalc",
        "data": {"files": ["frames"], "energy": "total_energy", "stress": "stress",
                 "split": {"method": "key", "key": "set"}},
        "expansions": expansions,
        "terms": terms,
        "weights": {"energy": 0.0005, "forces": 0.02, "virial": 0.002},
        "solver": {"refit": True, "terms": True},
        "budget": {"threads": threads, "memory": "4 GB"},
    }  # fmt: skip


def frames():
    made = read(data_folder("batio3") / "BaTiO3.xyz", ":")
    for k, atoms in enumerate(made):
        atoms.info["set"] = "test" if k % 5 == 4 else "validation" if k % 5 == 2 else "train"
    return made


def train(kind, folder, threads):
    from mlcalc.train import fit

    result = fit(options(kind, folder, threads), frames(), progress=False)
    return {"errors": {s: t["all"] for s, t in result.report["errors"].items()}, "model": str(result.model_path)}


def strain_check(model: str) -> dict:
    """For one test structure: stress of the calculator, the same by finite strain of its energy, and the label."""
    from mlcalc.calculator import MLCalculator

    atoms = frames()[4]
    label = atoms.get_stress(voigt=False)
    calculator = MLCalculator(model)
    copy = atoms.copy()
    copy.calc = calculator
    predicted = copy.get_stress(voigt=False)
    numerical = np.zeros((3, 3))
    h = 1e-4
    for a in range(3):
        for b in range(3):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[a, b] += 0.5 * sign * h
                strain[b, a] += 0.5 * sign * h
                strained = atoms.copy()
                strained.set_cell(atoms.cell @ strain, scale_atoms=True)
                strained.calc = calculator
                energies.append(strained.get_potential_energy())
            numerical[a, b] = (energies[0] - energies[1]) / (2 * h) / atoms.get_volume()
    return {
        "difference": float(np.abs(predicted - numerical).max()),
        "largest": float(np.abs(predicted).max()),
        "correlation": float(np.corrcoef(label.ravel(), predicted.ravel())[0, 1]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kinds", nargs="+", default=["SOAP", "SOAP+LODE"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", help="folder for models and reports (default: a temporary one)")
    arguments = parser.parse_args()
    print(machine())
    labels = np.array([a.get_stress() for a in frames()])
    print(f"12 training and 3 test structures of 135 atoms; stress labels spread by {1e3 * labels.std():.2f} meV/A^3")
    print(f"{'test MAE':<12} {'energy (meV/atom)':>18} {'force (meV/A)':>14} {'stress (meV/A^3)':>17}")
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or temporary
        Path(folder).mkdir(parents=True, exist_ok=True)
        for kind in arguments.kinds:
            found, cost = measured(train, kind, folder, arguments.threads, threads=arguments.threads)
            check, _ = measured(strain_check, found["model"])
            e = found["errors"]["test"]
            print(f"{kind:<12} {1e3 * e['energy']['mae']:>18.3f} {1e3 * e['forces']['mae']:>14.1f} "
                  f"{1e3 * e['stress']['mae']:>17.3f}   {cost['wall_s']:.0f} s   {cost['peak_gb']:.2f} GB")  # fmt: skip
            print(f"    by finite strain: differs by {check['difference']:.1e} of {check['largest']:.1e} eV/A^3; "
                  f"correlation with the label {check['correlation']:.3f}", flush=True)  # fmt: skip
            results[kind] = {**found, **cost, "finite_strain": check}
    save("batio3", results)


if __name__ == "__main__":
    main()
