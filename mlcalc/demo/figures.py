# SPDX-License-Identifier: BSD-3-Clause
"""The figures of the demo."""

from pathlib import Path

import matplotlib
import numpy as np
from ase.io import read

from .models import TITLES

COLORS = {"reference": "black", "soap": "tab:orange", "soap-lode": "tab:blue"}


def _axes(n: int, width: float = 4.2):
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, n, figsize=(width * n, 3.6), layout="constrained")
    return figure, np.atleast_1d(axes)


def parity(path: Path, predictions: dict[str, Path]) -> None:
    """Predicted against reference forces of the held-out configurations, one panel per model."""
    figure, axes = _axes(len(predictions))
    for ax, (name, file) in zip(axes, predictions.items(), strict=True):
        frames = read(file, ":")
        labels = np.concatenate([atoms.arrays["reference_forces"].ravel() for atoms in frames])
        forces = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
        span = np.abs(labels).max()
        ax.plot([-span, span], [-span, span], color="0.7", lw=1)
        ax.plot(labels, forces, ".", ms=2, color=COLORS[name])
        rmse = 1e3 * np.sqrt(np.mean((forces - labels) ** 2))
        ax.set(title=f"{TITLES[name]}: RMSE {rmse:.0f} meV/Å", xlabel="reference force (eV/Å)", ylabel="model (eV/Å)")
    figure.savefig(path, dpi=150)


def induced(path: Path, predictions: dict[str, Path], spectrum=None) -> None:
    """Predicted against reference induced dipoles of the held-out configurations and, if there is one, the spectrum
    (wavenumbers, power) of a run of LAMMPS."""
    figure, axes = _axes(1 + (spectrum is not None))
    for name, file in predictions.items():
        frames = read(file, ":")
        labels, found = (np.array([a.info[f"{kind}_induced"] for a in frames]) for kind in ("reference", "predicted"))
        axes[0].plot(labels.ravel(), found.ravel(), ".", ms=4, color=COLORS[name], label=TITLES[name])
    span = np.abs(labels).max()
    axes[0].plot([-span, span], [-span, span], color="0.7", lw=1)
    axes[0].set(title="induced dipole", xlabel="reference (e Å)", ylabel="model (e Å)")
    axes[0].legend(frameon=False)
    if spectrum is not None:
        axes[1].plot(*spectrum, color=COLORS["soap-lode"])
        axes[1].set(title="its spectrum in LAMMPS", xlabel="wavenumber (1/cm)", ylabel="power", xlim=(0, 500))
        axes[1].set_yticks([])
    figure.savefig(path, dpi=150)


def distributions(path: Path, curves: dict[str, dict[str, np.ndarray]]) -> None:
    """Radial distribution functions of the reference and the models, one panel per pair of elements."""
    pairs = [key for key in next(iter(curves.values())) if key != "r"]
    figure, axes = _axes(len(pairs), 3.8)
    for ax, pair in zip(axes, pairs, strict=True):
        for name, curve in curves.items():
            style = {"lw": 2.5, "alpha": 0.35} if name == "reference" else {"lw": 1.2}
            ax.plot(curve["r"], curve[pair], color=COLORS[name], label=TITLES.get(name, "reference"), **style)
        ax.set(title=pair, xlabel="r (Å)", ylabel="g(r)", xlim=(1.8, None))
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)
