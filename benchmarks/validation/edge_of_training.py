# SPDX-License-Identifier: BSD-3-Clause
"""Does the extrapolation measure keep still inside the training range, and speak outside of it? Small models of the
published sets are run in LAMMPS at temperatures of their training set, where they must not warn, and silicon is heated
at 0 bar until its melt expands.

    python benchmarks/validation/edge_of_training.py                        all, ten minutes
    python benchmarks/validation/edge_of_training.py --systems Si --steps 20000
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ase.build import bulk
from ase.io import read
from ase.io.lammpsdata import write_lammps_data
from training import data_folder, machine

from mlcalc import lammps
from mlcalc.train import fit

RHO = {
    "name": "rho", "type": "density", "n_max": 6, "l_max": 4, "cutoff": 5.0,
    "density": {"type": "gaussian", "width": 0.5}, "smoothing": {"type": "shifted_cosine", "width": 1.0},
}  # fmt: skip
REGRESSORS = {
    "kernel": {"type": "kernel", "zeta": 4, "points": 400},
    "linear": {"type": "linear"},
    "bodies": {"type": "linear"},
}
#: of the kind bodies: products of up to four factors
LAYER = {"name": "A", "inputs": ["rho"], "channels": 32, "l_max": 3, "mixing": "random"}
#: training file and temperatures of the training set, K
SYSTEMS = {
    "Si": ("mlearn/mlearn_Si_training.extxyz", (300, 1500)),
    "Mo": ("mlearn/mlearn_Mo_training.extxyz", (300, 3000)),
    "ethanol": ("rmd17/rmd17_ethanol_train_01.extxyz", (300, 500)),
}
INPUT = """units metal
atom_modify map yes
boundary {boundary}
atom_style {atom_style}
read_data start.data
{style}
velocity all create {first} 1 mom yes
timestep {timestep}
{ensemble}
{measure}
thermo 100
thermo_style custom step temp vol c_largest
run {steps}
"""


def start(system):
    """The atoms of a run."""
    if system == "ethanol":
        atoms = read(data_folder("rmd17") / Path(SYSTEMS[system][0]).name, 0)
        atoms.center(vacuum=8.0)
        return atoms
    return bulk(system, cubic=True).repeat(3)


def train(system, kind, folder):
    """The path of a small model, with the defaults of everything that is not in its expansion and regressor."""
    file = data_folder("mlearn").parent / SYSTEMS[system][0]
    path = folder / f"{system}-{kind}.mlcalc"
    term = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": REGRESSORS[kind]}
    settings = {"model": str(path), "data": {"files": [str(file)]}, "expansions": [RHO], "terms": [term]}
    if kind == "bodies":
        term["invariants"] = [{"a": "A", "l_max": [3, 3, 3, 3]}]
        settings["layers"] = [LAYER]
    fit({**settings, "budget": {"threads": 1}}, progress=False, figures=False)
    return path


MEASURE = "fix measure all pair 100 mlcalc extrapolation 1\ncompute largest all reduce max f_measure"
NO_MEASURE = "variable zero atom 0\ncompute largest all reduce max v_zero"


def run(atoms, model, ensemble, first, steps, folder, style=None):
    """(rows of step, temperature, volume and largest measure; step of the warning or None; largest of the run).

    ``style`` are lines of LAMMPS in place of the model, whose measure is 0; they may set charges."""
    elements = sorted(set(atoms.get_chemical_symbols()))
    atom_style = "charge" if style else "atomic"
    write_lammps_data(folder / "start.data", atoms, specorder=elements, masses=True, atom_style=atom_style)
    periodic = atoms.pbc.all()
    ours = f"pair_style mlcalc\npair_coeff * * {model} {' '.join(elements)}"
    text = INPUT.format(
        boundary="p p p" if periodic else "s s s", atom_style=atom_style, style=style or ours, first=first,
        measure=NO_MEASURE if style else MEASURE,
        timestep=0.001 if periodic else 0.0005, ensemble=ensemble, steps=steps,
    )  # fmt: skip
    (folder / "in.run").write_text(text)
    done = lammps.run("in.run", 1, folder, timeout=3600)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-1000:])
    rows = [
        [float(x) for x in line.split()]
        for line in done.stdout.splitlines()
        if re.match(r"\s+\d+(\s+\S+){3}\s*$", line)
    ]
    warned = re.search(r"the run has left .*: on step (\d+)", done.stdout)
    largest = re.search(r"largest of the run: (\S+)", done.stdout)
    return rows, int(warned[1]) if warned else None, float(largest[1]) if largest else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--kinds", nargs="+", choices=list(REGRESSORS), default=list(REGRESSORS))
    parser.add_argument("--steps", type=int, default=5000, help="of each run at constant temperature")
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for system in args.systems:
            for kind in args.kinds:
                model, atoms = train(system, kind, folder), start(system)
                for temperature in SYSTEMS[system][1]:
                    ensemble = f"fix 1 all langevin {temperature} {temperature} 0.1 4\nfix 2 all nve"
                    _, warned, largest = run(atoms, model, ensemble, temperature, args.steps, folder)
                    said = "no warning" if warned is None else f"WARNING on step {warned}"
                    print(
                        f"{system:8s} {kind:7s} {temperature:5d} K, {args.steps} steps: largest {largest:.3g}, {said}",
                        flush=True,
                    )
                if system == "Si":
                    ensemble = "fix 1 all npt temp 300 3400 0.1 iso 0 0 1.0"
                    rows, warned, largest = run(atoms, model, ensemble, 600, 8000, folder)
                    volume = {int(step): v / rows[0][2] for step, _, v, _ in rows}
                    when = "never" if warned is None else f"on step {warned} at {volume[warned]:.2f} of the volume"
                    print(f"{system:8s} {kind:7s} 300 to 3400 K in 8 ps: warned {when}; in the end {volume[8000]:.2f} "
                          f"of the volume, largest {largest:.3g}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
