# SPDX-License-Identifier: BSD-3-Clause
"""Molecules pulled apart: trained below 8 Angstrom, predicted to 60.

    python examples/dimers.py                    # about five minutes; pip install tblite

Pairs of molecules, like charges and charged with neutral, are labelled with GFN2-xTB at random orientations and
distances below 8 Angstrom (opposite charges would exchange an electron in vacuum). Two models of the interaction energy
are trained with free boundaries: SOAP alone, and the same SOAP with the far field, LODE. Both then follow each pair to
60 Angstrom along a line they have not seen. Writes dimers.xyz, both models, dimers.png and dimers.json.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from tqdm import tqdm

from mlcalc import MLCalculator
from mlcalc.train import fit

TRAINED_TO = 8.0

RHO = {"name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 4.0,
       "density": {"type": "gaussian", "width": 0.4}}  # fmt: skip
FIELD = {"name": "V", "type": "potential", "exponent": 1, "smearing": 1.0, "n_max": 2, "l_max": 2,
         "basis": {"type": "multi_width", "widths": [1.0, 2.0]}}  # fmt: skip

KEPT = {"n": 80}  # features of each product, the farthest points of all


def ammonium():
    """NH4+ from methane."""
    ion = molecule("CH4")
    ion.symbols[0] = "N"
    return ion


def hydroxide():
    return Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])


class Part(NamedTuple):
    """A molecule and its charge."""

    atoms: Atoms
    charge: int


def pairs():
    cation, anion, water = Part(ammonium(), 1), Part(hydroxide(), -1), Part(molecule("H2O"), 0)
    return {
        "NH4+ ... NH4+": (cation, cation),
        "OH- ... OH-": (anion, anion),
        "NH4+ ... H2O": (cation, water),
        "OH- ... H2O": (anion, water),
    }


def turned(part, rng):
    """The molecule in a random orientation, slightly distorted, its center at the origin."""
    atoms = part.atoms.copy()
    atoms.positions -= atoms.positions.mean(axis=0)
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    atoms.positions = atoms.positions @ rotation + 0.02 * rng.standard_normal((len(atoms), 3))
    return atoms


def xtb(atoms, charge):
    """Energy and forces of GFN2-xTB, in eV and Angstrom [Bannwarth, Ehlert, Grimme, JCTC 15, 1652 (2019)]."""
    from ase.units import Bohr, Hartree
    from tblite.interface import Calculator

    calculator = Calculator("GFN2-xTB", atoms.numbers, atoms.positions / Bohr, charge=float(charge))
    calculator.set("verbosity", 0)
    result = calculator.singlepoint()
    return float(result.get("energy")) * Hartree, -np.array(result.get("gradient")) * Hartree / Bohr


def interacting(a, b, charges, distance):
    """Two molecules with their centers ``distance`` apart along z, labelled with what they do to each other."""
    b = b.copy()
    b.positions += [0, 0, distance]
    atoms = a + b
    energy, forces = xtb(atoms, sum(charges))
    apart = [xtb(part, charge) for part, charge in zip((a, b), charges, strict=True)]
    energy -= sum(e for e, _ in apart)
    forces -= np.concatenate([f for _, f in apart])
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def training_data(n_frames, rng):
    """Dimers with distances of the centers from contact to TRAINED_TO."""
    frames = []
    for name, parts in pairs().items():
        for _ in tqdm(range(n_frames), desc=name, leave=False):
            a, b = (turned(part, rng) for part in parts)
            contact = np.ptp(a.positions[:, 2]) / 2 + np.ptp(b.positions[:, 2]) / 2 + 2.2
            atoms = interacting(a, b, [part.charge for part in parts], rng.uniform(contact, TRAINED_TO))
            atoms.info["config_type"] = name
            frames.append(atoms)
    return frames


def options(name, folder, members):
    """SOAP sees the neighbors; with LODE each molecule also sees the field of the other one."""
    near = {"name": "soap", "invariants": [{"nu": 1, "a": "rho"}, {"nu": 2, "a": "rho", "b": "rho", "select": KEPT}]}
    far = {"name": "lode", "invariants": [{"nu": 2, "a": "rho", "b": "V", "select": KEPT}]}
    terms = [near, far] if name == "SOAP + LODE" else [near]
    return {
        "model": str(folder / f"{name.replace(' ', '')}.mlcalc"),
        "data": {"files": [str(folder / "dimers.xyz")], "config_type": "config_type", "reference_energies": "zero",
                 "split": {"method": "fraction", "validation": 0.2}},
        "expansions": [RHO, FIELD] if name == "SOAP + LODE" else [RHO],
        "terms": [{**term, "regressor": {"type": "linear"}} for term in terms],
        "weights": {"energy": 0.001, "forces": 0.02},
        "solver": {"method": "qr"},
        "committee": {"members": members},
    }  # fmt: skip


def curves(models, distances, rng):
    """Interaction energy and spread of the committee along one line per pair: {pair: {model: (energies, spreads)}}."""
    found = {}
    for name, parts in pairs().items():
        a, b = (turned(part, rng) for part in parts)
        line = [interacting(a, b, [part.charge for part in parts], d) for d in distances]
        found[name] = {"GFN2-xTB": ([atoms.get_potential_energy() for atoms in line], None)}
        for title, path in models.items():
            calculator = MLCalculator(path)
            energies = [calculator.get_property("energy", atoms) for atoms in line]
            spreads = [calculator.get_property("energy_uncertainty", atoms) for atoms in line]
            found[name][title] = (energies, spreads)
    return found


def errors(found, distances):
    """Root-mean-square error in eV beyond the training distances, per pair and model."""
    far = np.array(distances) > TRAINED_TO
    result = {}
    for pair, lines in found.items():
        truth = np.array(lines["GFN2-xTB"][0])
        result[pair] = {title: float(np.sqrt(np.mean((np.array(line[0]) - truth)[far] ** 2)))
                        for title, line in lines.items() if title != "GFN2-xTB"}  # fmt: skip
    return result


def plot(found, distances, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(4 * len(found), 3.6), layout="constrained")
    for ax, (pair, lines) in zip(axes, found.items(), strict=True):
        ax.axvspan(distances[0], TRAINED_TO, color="0.93", label="training data")
        ax.plot(distances, lines["GFN2-xTB"][0], "k.", ms=7, label="GFN2-xTB")
        for title, color in (("SOAP", "tab:orange"), ("SOAP + LODE", "tab:blue")):
            energy, spread = np.array(lines[title])
            ax.plot(distances, energy, color=color, label=title)
            ax.fill_between(distances, energy - spread, energy + spread, color=color, alpha=0.25, lw=0)
        ax.set(title=pair, xscale="log", xlabel="distance (Å)", ylabel="interaction energy (eV)")
        ax.set_xticks([4, 8, 16, 32, 60], labels=["4", "8", "16", "32", "60"])
        ax.minorticks_off()
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60, help="training dimers of each pair")
    parser.add_argument("--members", type=int, default=8, help="of the committee")
    parser.add_argument("--output", type=Path, default=Path("dimers"), help="folder")
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    args.output.mkdir(parents=True, exist_ok=True)
    write(args.output / "dimers.xyz", training_data(args.frames, rng), format="extxyz")
    models = {}
    for title in ("SOAP", "SOAP + LODE"):
        models[title] = fit(options(title, args.output, args.members)).model_path
    distances = np.geomspace(4.2, 60, 24).tolist()
    found = curves(models, distances, rng)
    beyond = errors(found, distances)
    plot(found, distances, args.output / "dimers.png")
    report = {"distances": distances, "rmse_beyond_training": beyond, "curves": found}
    (args.output / "dimers.json").write_text(json.dumps(report, indent=1))
    print(f"RMSE in meV from {TRAINED_TO:g} to {distances[-1]:g} Angstrom, trained below {TRAINED_TO:g}:")
    for pair, row in beyond.items():
        print(f"  {pair:<15}" + "".join(f"{title:>14} {1e3 * value:8.1f}" for title, value in row.items()))


if __name__ == "__main__":
    main()
