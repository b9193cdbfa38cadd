# SPDX-License-Identifier: BSD-3-Clause
"""Polarization, Born charges and polarizability of BaTiO3: held-out errors of models with and without the far field.

    python benchmarks/batio3_tensors.py [--folds 3] [--kinds ...]

15 structures of 135 atoms (MLCALC_DATA/batio3, MIT), in folds: each is predicted by a model of the others. The cell
dipoles of the data are on several branches; they are put on that of the first structure with the Born charges, whose
integral along the straight path (trapezoidal, minimum image) tells the number of quanta e R. Errors are root mean
squares over components, and relative to the standard deviation of the labels. "featomic, ridge" is the same
representation, lambda-SOAP of featomic's EquivariantPowerSpectrum, summed over the atoms of each species, with
generalized cross-validation.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import ase.io
import numpy as np
from training import data_folder

from mlcalc import DensityExpansion
from mlcalc.model.outputs import spherical
from mlcalc.running.views import views
from mlcalc.train import fit

RHO = {"name": "rho", "type": "density", "cutoff": 5.0, "n_max": 4, "l_max": 3}
V = {"name": "V", "type": "potential", "n_max": 1, "l_max": 2, "smearing": 1.4}
KINDS = {
    "rho x rho": ([RHO], ["rho rho"], False),
    "rho x rho, Born charges": ([RHO], ["rho rho"], True),
    "rho x rho + rho x V": ([RHO, V], ["rho rho", "rho V"], False),
    "rho x rho + rho x V, Born charges": ([RHO, V], ["rho rho", "rho V"], True),
}


def frames_on_one_branch():
    """The structures with mu (e Angstrom), alpha (the unit of the file) and born (e)."""
    frames = ase.io.read(data_folder("batio3") / "BaTiO3.xyz", ":")
    first, out = frames[0], []
    for atoms in frames:
        mu, start = (np.array(x.calc.results["polarization"]) for x in (atoms, first))
        charges = 0.5 * sum(x.arrays["born_charge"].reshape(-1, 3, 3) for x in (atoms, first))
        shift = atoms.get_scaled_positions(wrap=False) - first.get_scaled_positions(wrap=False)
        moved = (shift - np.round(shift)) @ atoms.cell.array
        expected = start + np.einsum("iab,ib->a", charges, moved)
        quanta = np.round(np.linalg.solve(atoms.cell.array.T, expected - mu))
        clean = atoms.copy()
        clean.info = {"mu": mu + quanta @ atoms.cell.array, "alpha": np.reshape(atoms.info["polarizability"], (3, 3))}
        clean.arrays["born"] = atoms.arrays["born_charge"]
        out.append(clean)
    return out


def errors_of_model(kind, frames, folds):
    """{quantity: [(labels, predictions)]} of the held-out structures."""
    expansions, products, born = KINDS[kind]
    dipole = {
        "name": "dipole",
        "key": "mu",
        "type": "vector",
        "unit": "e*Angstrom",
        "products": products,
        "error": 0.01,
    }
    if born:
        dipole["derivative"] = {"key": "born", "error": 0.05}
    alpha = {
        "name": "alpha",
        "key": "alpha",
        "type": "symmetric",
        "products": products,
        "baseline": "fit",
        "error": 0.01,
    }
    found = {"dipole": [], "Born charges": [], "polarizability": []}
    for test in folds:
        for k, atoms in enumerate(frames):
            atoms.info["set"] = "test" if k in test else "train"
        with tempfile.TemporaryDirectory() as folder:
            data = {"files": ["frames"], "split": {"method": "key", "key": "set"}}
            options = {"data": data, "model": str(Path(folder) / "m.mlcalc"), "expansions": expansions}
            options["targets"] = [dipole, alpha]
            result = fit(options, [atoms.copy() for atoms in frames], progress=False, figures=False)
            potential = result.model.potential()
            for k in test:
                potential.reset()
                out = potential.compute(*views(potential, frames[k]), energies=False, forces=False,
                                        tensors=["dipole", "alpha"], tensor_derivatives=["dipole"])  # fmt: skip
                found["dipole"].append((frames[k].info["mu"], out["dipole"].sum(axis=0)))
                found["polarizability"].append((frames[k].info["alpha"].ravel(), out["alpha"].sum(axis=0)))
                slopes = np.moveaxis(out["dipole derivatives"], 0, 1).reshape(len(frames[k]), 9)
                found["Born charges"].append((frames[k].arrays["born"], slopes))
    return found


def features_of_featomic(frames):
    """{o3_lambda: (n_structures, 2 lambda + 1, n_features)} of lambda-SOAP, summed over the atoms of each species."""
    from featomic import SphericalExpansion
    from featomic.clebsch_gordan import EquivariantPowerSpectrum

    rho = DensityExpansion(name="rho", cutoff=5.0, n_max=4, l_max=3)
    calculator = EquivariantPowerSpectrum(SphericalExpansion(**rho.to_featomic()))
    summed = {0: [], 1: [], 2: []}
    for atoms in frames:
        parts = {o3_lambda: [] for o3_lambda in summed}
        for key, block in calculator.compute(atoms, neighbors_to_properties=True).items():
            if key["o3_lambda"] in parts and key["o3_sigma"] == 1:
                parts[key["o3_lambda"]].append(block.values.sum(axis=0))
        for o3_lambda, blocks in parts.items():
            summed[o3_lambda].append(np.concatenate(blocks, axis=1))
    return {
        o3_lambda: np.array(x) / np.sqrt(np.mean(np.sum(np.array(x) ** 2, axis=(1, 2))))
        for o3_lambda, x in summed.items()
    }


def ridge(x, y):
    """Weights of the ridge with the strength of the lowest generalized cross-validation error."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    uy = u.T @ y
    outside = max(0.0, float(y @ y - uy @ uy))

    def score(lam):
        shrink = lam / (s**2 + lam)
        return (np.sum((shrink * uy) ** 2) + outside) / max(len(y) - np.sum(1 - shrink), 1e-9) ** 2

    lam = min(np.geomspace(1e-14, 1e1, 60) * s[0] ** 2, key=score)
    return vt.T @ (s * uy / (s**2 + lam))


def errors_of_featomic(frames, folds):
    """As errors_of_model."""
    x = features_of_featomic(frames)
    found = {"dipole": [], "polarizability": []}
    for quantity, kind, key, degrees in (
        ("dipole", "vector", "mu", (1,)),
        ("polarizability", "symmetric", "alpha", (0, 2)),
    ):
        y = np.array([atoms.info[key].ravel() for atoms in frames])
        predicted = np.zeros_like(y)
        for test in folds:
            train = [k for k in range(len(frames)) if k not in test]
            for o3_lambda in degrees:
                to = spherical(kind, o3_lambda)
                labels = y @ to.T
                mean = labels[train].mean(axis=0) * (o3_lambda == 0)
                w = ridge(np.concatenate(x[o3_lambda][train]), (labels[train] - mean).ravel())
                predicted[test] += (x[o3_lambda][test] @ w + mean) @ to
        found[quantity] = list(zip(y, predicted, strict=True))
    return found


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=[*KINDS, "featomic, ridge"], choices=[*KINDS, "featomic, ridge"])
    args = parser.parse_args()
    frames = frames_on_one_branch()
    order = np.random.default_rng(0).permutation(len(frames))
    folds = [order[k :: args.folds].tolist() for k in range(args.folds)]
    print(f"{'root mean square error (relative)':<36}{'dipole, e A':>20}{'Born charges, e':>20}{'polarizability':>20}")
    for kind in args.kinds:
        found = errors_of_featomic(frames, folds) if kind == "featomic, ridge" else errors_of_model(kind, frames, folds)
        cells = []
        for quantity in ("dipole", "Born charges", "polarizability"):
            pairs = found.get(quantity)
            if not pairs:
                cells.append("-")
                continue
            x, y = (np.concatenate([np.atleast_2d(pair[k]) for pair in pairs]) for k in (0, 1))
            rmse, spread = np.sqrt(np.mean((y - x) ** 2)), np.sqrt(np.mean((x - x.mean(axis=0)) ** 2))
            cells.append(f"{rmse:.4f} ({rmse / spread:.3f})")
        print(f"{kind:<36}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
