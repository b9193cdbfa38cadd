# SPDX-License-Identifier: BSD-3-Clause
"""Molecules pulled apart: trained below 8 Angstrom, predicted to 60.

    python examples/dimers.py                    # a minute or two; pip install tblite

Pairs of molecules, like charges and charged with neutral, are labeled with GFN2-xTB at random orientations and
distances below 8 Angstrom (opposite charges would exchange an electron in vacuum). Two models of the interaction energy
are trained with free boundaries: SOAP alone, and the same SOAP with the far field, LODE. Isolated molecules, which have
no interaction, tell both where the curves end. Structures beyond 6.8 Angstrom are kept out of the fit: they say how
well a model continues, and scale the spread of its committee. Both models then follow pairs in orientations they have
not seen to 60 Angstrom. Writes dimers.xyz, both models, dimers.png and dimers.json.
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

FITTED_TO, TRAINED_TO = 6.8, 8.0  # distances of the centers in Angstrom; between the two is the validation set
LINES = 6  # unseen lines of each pair

# of the cutoffs 4, 5 and 6 the validation set prefers 5
RHO = {
    "name": "rho",
    "type": "density",
    "n_max": 5,
    "l_max": 3,
    "cutoff": 5.0,
    "density": {"type": "gaussian", "width": 0.4},
    "smoothing": {"type": "shifted_cosine", "width": 1.0},
}
FIELD = {
    "name": "V",
    "type": "potential",
    "exponent": 1,
    "smearing": 1.0,
    "n_max": 2,
    "l_max": 2,
    "basis": {"type": "multi_width", "widths": [1.0, 2.0]},
}
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


def molecules():
    return {"NH4+": Part(ammonium(), 1), "OH-": Part(hydroxide(), -1), "H2O": Part(molecule("H2O"), 0)}


def pairs():
    cation, anion, water = molecules().values()
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
    """Two molecules with their centers ``distance`` apart along z, labeled with what they do to each other."""
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
    """Dimers with distances of the centers from contact to TRAINED_TO, and isolated molecules."""
    frames = []
    for name, parts in pairs().items():
        for _ in tqdm(range(n_frames), desc=name, leave=False):
            a, b = (turned(part, rng) for part in parts)
            contact = np.ptp(a.positions[:, 2]) / 2 + np.ptp(b.positions[:, 2]) / 2 + 2.2
            distance = rng.uniform(contact, TRAINED_TO)
            atoms = interacting(a, b, [part.charge for part in parts], distance)
            atoms.info |= {"config_type": name, "split": "train" if distance < FITTED_TO else "validation"}
            frames.append(atoms)
    for name, part in molecules().items():
        for _ in range(n_frames // 3):
            atoms = turned(part, rng)
            atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((len(atoms), 3)))
            atoms.info |= {"config_type": name, "split": "train"}
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
                 "split": {"method": "key", "key": "split"}},
        "expansions": [RHO, FIELD] if name == "SOAP + LODE" else [RHO],
        "terms": [{**term, "regressor": {"type": "linear"}} for term in terms],
        "weights": {"energy": 0.001, "forces": 0.02, "config_types": dict.fromkeys(molecules(), 0.1)},
        # not by the validation set: SOAP cannot predict it at all, and would be regularized to nothing
        "solver": {"method": "qr", "criterion": "gcv"},
        "committee": {"members": members},
    }  # fmt: skip


def curves(models, distances, rng):
    """Interaction energies (LINES, n_distances) in eV along unseen lines, and the spread of the committees:
    {pair: {title: (energies, spreads)}}, where "GFN2-xTB" is the reference."""
    calculators = {title: MLCalculator(path) for title, path in models.items()}
    found = {}
    for name, parts in pairs().items():
        lines = []
        for _ in range(LINES):
            a, b = (turned(part, rng) for part in parts)
            lines.append([interacting(a, b, [part.charge for part in parts], d) for d in distances])
        energies = np.array([[atoms.get_potential_energy() for atoms in line] for line in lines])
        found[name] = {"GFN2-xTB": (energies, np.zeros_like(energies))}
        for title, calc in calculators.items():
            both = [[[calc.get_property(f"energy{what}", atoms) for what in ("", "_uncertainty")] for atoms in line]
                    for line in lines]  # fmt: skip
            found[name][title] = tuple(np.moveaxis(both, -1, 0))
    return found


def errors(found, distances):
    """Beyond the training distances, per pair: root mean square in eV of the reference itself, of each model's error
    and of its committee's spread."""
    far = np.array(distances) > TRAINED_TO

    def rms(values):
        return float(np.sqrt(np.mean(values[:, far] ** 2)))

    result = {}
    for pair, lines in found.items():
        truth = lines["GFN2-xTB"][0]
        models = {title: line for title, line in lines.items() if title != "GFN2-xTB"}
        result[pair] = {"energy": rms(truth)}
        result[pair] |= {title: rms(energies - truth) for title, (energies, _) in models.items()}
        result[pair] |= {f"spread of {title}": rms(spreads) for title, (_, spreads) in models.items()}
    return result


def plot(found, distances, path):
    """Of each pair the two lines that differ most where the training data end."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    distances = np.array(distances)
    figure, axes = plt.subplots(1, len(found), figsize=(3.5 * len(found), 3.5), layout="constrained")
    for ax, (pair, lines) in zip(axes, found.items(), strict=True):
        truth = lines["GFN2-xTB"][0]
        order = np.argsort(truth[:, np.searchsorted(distances, TRAINED_TO)])
        for k, line in enumerate(order[[0, -1]]):
            for title, color in (("SOAP", "tab:orange"), ("SOAP + LODE", "tab:blue")):
                ax.plot(distances, lines[title][0][line], color=color, label=None if k else title)
            energy, spread = (values[line] for values in lines["SOAP + LODE"])  # SOAP's would cover the panel
            ax.fill_between(distances, energy - 2 * spread, energy + 2 * spread, color="tab:blue", alpha=0.2, lw=0)
            ax.plot(distances, truth[line], "k.", ms=5, label=None if k else "GFN2-xTB")
        ax.axvspan(distances[0], TRAINED_TO, color="0.93", zorder=0)
        low, high = truth[:, distances > 5.5].min(), truth[:, distances > 5.5].max()
        margin = 0.15 * (high - low)
        ax.set(title=pair, xscale="log", xlabel="distance (Å)", ylim=(low - margin, high + margin))
        ax.set(xlim=(distances[0], distances[-1]))
        ax.set_xticks([5, 8, 16, 32, 60], labels=["5", "8", "16", "32", "60"])
        ax.minorticks_off()
    axes[0].set_ylabel("interaction energy (eV)")
    axes[0].legend(frameon=False, loc="upper right")
    figure.savefig(path, dpi=110)


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
        result = fit(options(title, args.output, args.members))
        models[title] = result.model_path
        error = result.report["errors"]["validation"]["all"]["energy"]["rmse"]
        print(f"{title}: {1e3 * error:.2f} meV/atom between {FITTED_TO:g} and {TRAINED_TO:g} Angstrom (validation)")
    distances = np.geomspace(4.6, 60, 32).tolist()
    found = curves(models, distances, rng)
    beyond = errors(found, distances)
    plot(found, distances, args.output / "dimers.png")
    lines = {
        pair: {title: [v.tolist() for v in pair_of] for title, pair_of in row.items()} for pair, row in found.items()
    }
    report = {"distances": distances, "rms_beyond_training": beyond, "curves": lines}
    (args.output / "dimers.json").write_text(json.dumps(report, indent=1))
    print(f"Root mean square in meV from {TRAINED_TO:g} to {distances[-1]:g} Angstrom, trained below {TRAINED_TO:g}:")
    for pair, row in beyond.items():
        print(f"  {pair:<15}" + "".join(f"  {title} {1e3 * value:.1f}" for title, value in row.items()))


if __name__ == "__main__":
    main()
