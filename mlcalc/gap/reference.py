# SPDX-License-Identifier: BSD-3-Clause
"""What QUIP itself computes with a potential, by its Python package quippy, in a process of its own.

A process for each potential, because quippy 0.10.3 keeps the basis of the first soap_turbo that a process has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress

PACKAGE = "quippy-ase"


class NoQuippy(RuntimeError):
    """quippy is not installed."""


def quippy_potential(path, label):
    """The calculator of quippy for the potential of this label, or the only one of a file."""
    from quippy.potential import Potential

    here = os.getcwd()
    os.chdir(Path(path).resolve().parent)  # where its files of sparse points are
    try:
        return Potential(f"xml_label={label}" if label else "IP GAP", param_filename=Path(path).name)
    finally:
        os.chdir(here)


def results_of(calculator, atoms):
    """energies (n,), forces (n, 3), stress (3, 3) as nested lists."""
    copy = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    has_stress = atoms.cell.rank == 3
    properties = ["energy", "energies", "forces"] + (["stress"] if has_stress else [])
    calculator.calculate(copy, properties=properties)
    found = calculator.results
    stress = voigt_6_to_full_3x3_stress(found["stress"]) if has_stress else np.zeros((3, 3))
    out = {"energies": found["energies"], "forces": found["forces"], "stress": stress}
    return {key: np.array(value).tolist() for key, value in out.items()}


def quippy_results(path, label, frames) -> list[dict]:
    """For each structure what `results_of` gives, computed in a new process. Raises NoQuippy, or RuntimeError with what
    quippy says."""
    entries = [{"numbers": a.numbers.tolist(), "positions": a.positions.tolist(), "cell": a.cell.array.tolist(),
                "pbc": a.pbc.tolist()} for a in frames]  # fmt: skip
    request = json.dumps({"path": str(path), "label": label, "frames": entries})
    done = subprocess.run([sys.executable, "-P", "-m", __name__], input=request, capture_output=True, text=True)
    if done.returncode == 3:
        raise NoQuippy(f"{PACKAGE} is not installed (pip install {PACKAGE}), so there is nothing to compare with")
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RuntimeError(f"quippy failed: {' '.join(lines[-3:])}")
    return json.loads(done.stdout.rsplit("RESULTS", 1)[1])


def _main():
    try:
        import quippy.potential  # noqa: F401
    except ImportError:
        return 3
    request = json.loads(sys.stdin.read())
    calculator = quippy_potential(request["path"], request["label"])
    print("RESULTS" + json.dumps([results_of(calculator, Atoms(**frame)) for frame in request["frames"]]))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
