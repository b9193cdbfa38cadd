# SPDX-License-Identifier: BSD-3-Clause
"""Labels of structures, by a calculator or through a queue of files, each kept as soon as it is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from ..files import write_json
from ..train.data import Structure
from ..train.frames import read_frames, write_frames
from ..train.option_checks import DataError
from .calculators import calculator_of
from .options import ReferenceOptions

#: of the largest uncertainty of an energy that a label may differ from what was expected
MANY_SIGMAS = 20.0


class Waiting(Exception):
    """Labels have to be made elsewhere before the loop goes on; its sentence says which, and where to put them."""


def name_of(atoms: Atoms) -> str:
    """A name by which a structure is found again, whatever digits of it a file keeps."""
    return str(atoms.info.get("name") or Structure(atoms).digest[:16])


def named(atoms: Atoms) -> Atoms:
    """A copy with its name in ``info``, and nothing there but why it was selected."""
    out = atoms.copy()
    out.info = {key: value for key, value in atoms.info.items() if key.startswith("selected")}
    out.info["name"] = name_of(atoms)
    out.arrays.pop("momenta", None)
    return out


def _aside(folder: Path) -> tuple[Path, dict[str, str]]:
    """The file of structures that are kept aside, and {name: why} in it."""
    path = folder / "aside.json"
    return path, json.loads(path.read_text()) if path.exists() else {}


class Reference:
    """Labels structures by a calculator of ASE. What fails is kept aside: {name: why} in ``aside.json``."""

    def __init__(self, options: ReferenceOptions, calculator=None):
        self.options = options
        self.calculator = calculator or calculator_of(options.calculator, options.given())

    def label(self, chosen: list[Atoms], folder: Path, progress) -> tuple[list[Atoms], dict[str, str]]:
        """Labeled structures and those kept aside {name: why}; what is in ``folder`` is not computed again."""
        folder.mkdir(parents=True, exist_ok=True)
        path, aside = _aside(folder)
        labeled = []
        for atoms in progress(chosen, total=len(chosen), desc="labels"):
            name = name_of(atoms)
            file = folder / f"{name}.xyz"
            if name in aside:
                continue
            if not file.exists():
                made, why = self._one(atoms, folder / name)
                if made is None:
                    aside[name] = why
                    write_json(path, aside, indent=1)
                    continue
                write_frames(file, made)
            labeled.append(read_frames(file)[0])
        return labeled, aside

    def _one(self, atoms: Atoms, folder: Path):
        """The labeled structure, or None and why not."""
        bare = atoms.copy()
        bare.calc = self.calculator
        if getattr(self.calculator, "directory", None) is not None and hasattr(self.calculator, "template"):
            self.calculator.directory = folder  # codes that work with files
        try:
            results = {"energy": float(bare.get_potential_energy()), "forces": np.array(bare.get_forces())}
            if atoms.pbc.all():
                results["stress"] = np.array(bare.get_stress())
        except NotImplementedError as error:
            raise DataError(f"the reference has no energies, forces or stresses: {error}") from error
        except Exception as error:  # every calculator has its own
            return None, f"the reference failed: {' '.join(str(error).split()) or type(error).__name__}"
        out = named(atoms)
        out.calc = SinglePointCalculator(out, **results)
        return out, ""


class Queue:
    """Structures whose labels are made elsewhere: ``to-label.xyz`` is written, ``labels.xyz`` is waited for."""

    calculator = None

    def __init__(self, options: ReferenceOptions):
        self.options = options

    def label(self, chosen, folder: Path, progress):
        """As of Reference. Raises Waiting if labels are missing."""
        folder.mkdir(parents=True, exist_ok=True)
        wanted, asked = folder / "to-label.xyz", folder / "labels.xyz"
        if not wanted.exists():
            write_frames(wanted, [named(atoms) for atoms in chosen])
        path, aside = _aside(folder)
        found = {name_of(atoms): atoms for atoms in read_frames(asked)} if asked.exists() else {}
        names = [name_of(atoms) for atoms in chosen]
        missing = [name for name in names if name not in found and name not in aside]
        if missing:
            there = f"{len(names) - len(missing)} of {len(names)} are there" if found else "none are there yet"
            raise Waiting(
                f"label the {len(names)} structures of {wanted} (energy and forces, stress where they are periodic), "
                f"write them to {asked} and start mlcalc learn again; {there}. What cannot be labeled goes into {path} "
                f'as {{"{missing[0]}": "why"}}'
            )
        without = [name for name in names if name in found and not _has_labels(found[name])]
        if without:
            raise DataError(f"{asked}: the structure {without[0]} has no 'energy' and 'forces'")
        return [found[name] for name in names if name in found], aside


def _has_labels(atoms: Atoms) -> bool:
    results = getattr(atoms.calc, "results", {})
    return {"energy", "forces"} <= set(results)


def sound(options: ReferenceOptions, labeled: list[Atoms], expected: list[tuple[float, float] | None]):
    """Labels that can be believed, and {name: why} of those kept aside: not finite, with too large a force, or far
    from the energy per atom that was ``expected``, (eV, standard deviation), None where nothing was."""
    good, aside = [], {}
    for atoms, guess in zip(labeled, expected, strict=True):
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        why = ""
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            why = "labels that are not numbers"
        elif options.max_force is not None and len(atoms) and np.abs(forces).max() > options.max_force:
            why = f"a force of {np.abs(forces).max():.3g} eV/Å, above reference.max_force"
        elif options.jump is not None and guess is not None:
            off = abs(energy / len(atoms) - guess[0])
            if off > max(options.jump, MANY_SIGMAS * guess[1]):
                why = f"an energy {off:.3g} eV per atom from what was expected, above reference.jump"
        if why:
            aside[name_of(atoms)] = why
        else:
            good.append(atoms)
    return good, aside
