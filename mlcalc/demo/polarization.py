# SPDX-License-Identifier: BSD-3-Clause
"""The dipole that the ions induce in each other, along a run of LAMMPS: its error and its spectrum."""

from pathlib import Path

import numpy as np
from ase import Atoms
from scipy import signal

from .salt import induced_dipole

#: steps of 1 fs between values
EVERY = 5
#: lines of the LAMMPS input that write them
COMMANDS = f"compute mu all mlcalc/tensor induced\nfix mu all ave/time {EVERY} 1 {EVERY} c_mu[*] file induced.txt\n"
#: 1/cm of a cycle per fs
WAVENUMBER = 33356.41


def read_values(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps (n,) and dipoles (n, 3), e Angstrom, as ``fix ave/time`` wrote them."""
    rows = np.loadtxt(path, comments="#")
    return rows[:, 0].astype(int), rows[:, 1:4]


def relative_error(steps: np.ndarray, values: np.ndarray, frames: list[Atoms], n: int = 10) -> float:
    """Root mean square deviation of the values from the Ewald sum on ``n`` of the frames, relative to their spread."""
    rows = {step: value for step, value in zip(steps.tolist(), values, strict=True)}
    chosen = [atoms for atoms in frames if atoms.info["step"] in rows][:: max(1, len(frames) // n)]
    labels = np.array([induced_dipole(atoms) for atoms in chosen])
    found = np.array([rows[atoms.info["step"]] for atoms in chosen])
    return float(np.sqrt(np.mean((found - labels) ** 2)) / np.std(values))


def spectrum(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wavenumbers (1/cm) and the power spectrum of the derivative of the dipole, of largest value 1: the part of the
    infrared spectrum that is of the induced dipoles [Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967)]."""
    rate = np.gradient(values, EVERY, axis=0)
    frequency, power = signal.welch(rate, fs=1 / EVERY, nperseg=min(len(rate), 160), axis=0)
    power = power.sum(axis=1)
    return frequency * WAVENUMBER, power / power.max()
