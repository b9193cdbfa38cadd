# SPDX-License-Identifier: BSD-3-Clause
"""Structures and their labels: reading with named keys, units and checks."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import ase
import numpy as np
from ase.units import GPa, Hartree, Rydberg, kcal, kJ, mol

from ..running.boundaries import kind_of
from .data_checks import suspicious
from .data_options import DataOptions
from .frames import read_frames
from .label_values import finite, matrix_of_six
from .option_checks import DataError, OptionError
from .splits import SPLITS, assign_splits
from .target_labels import TensorLabel, check_baseline, jumps, read_label

ENERGY_UNITS = {"eV": 1.0, "meV": 1e-3, "hartree": Hartree, "rydberg": Rydberg, "kcal/mol": kcal / mol,
                "kJ/mol": kJ / mol}  # fmt: skip
LENGTH_UNITS = {"Angstrom": 1.0, "bohr": 0.529177210903, "nm": 10.0}
STRESS_UNITS = {"eV/Angstrom^3": 1.0, "GPa": GPa, "kbar": 0.1 * GPa, "bar": 1e-4 * GPa,
                "hartree/bohr^3": Hartree / LENGTH_UNITS["bohr"] ** 3,
                "rydberg/bohr^3": Rydberg / LENGTH_UNITS["bohr"] ** 3}  # fmt: skip


DEFAULT_TYPE = "default"  # of structures without the entry that others have


@dataclass
class Structure:
    """A structure and its labels in eV and Angstrom; a label that is not there is None.

    ``virial`` (3, 3) is -dE/d strain in eV; ``forces`` (n_atoms, 3)."""

    atoms: ase.Atoms
    energy: float | None = None
    forces: np.ndarray | None = None
    virial: np.ndarray | None = None
    config_type: str = "all"
    split: str = "train"
    distance: float | None = None
    offset_group: str | None = None
    source: str = ""
    index: int = 0
    baseline: dict | None = None  # energy, forces, virial of the models that the fit starts from
    tensors: dict[str, TensorLabel] = field(default_factory=dict)

    def remaining(self, kind: str):
        """A label (energy, forces, virial) minus what the baseline says; None if there is no such label."""
        value = getattr(self, kind)
        return value if value is None or self.baseline is None else value - self.baseline[kind]

    @property
    def digest(self) -> str:
        """Hash of what the structure is (species, positions to 1e-6 Angstrom, cell), not of its labels."""
        h = hashlib.sha256(np.asarray(self.atoms.numbers, dtype=np.int32).tobytes())
        for values in (self.atoms.positions, np.asarray(self.atoms.cell)):
            h.update((np.round(values, 6) + 0.0).tobytes())
        h.update(np.asarray(self.atoms.pbc, dtype=np.int8).tobytes())
        return h.hexdigest()


@dataclass
class Dataset:
    structures: list[Structure]
    notes: list[str] = field(default_factory=list)

    def of(self, split: str) -> list[Structure]:
        return [s for s in self.structures if s.split == split]

    @property
    def species(self) -> list[int]:
        """Atomic numbers of the training structures: what a model of these data can know."""
        return sorted({int(z) for s in self.of("train") for z in s.atoms.numbers})

    @property
    def boundaries(self) -> list[str]:
        """Kinds of all structures: periodic, slab, wire, free."""
        return sorted({kind_of(s.atoms.pbc) for s in self.structures})

    @property
    def geometry_digest(self) -> str:
        """Hash over structures, config types and splits, in order, not over labels."""
        parts = [f"{s.digest} {s.split}" for s in self.structures]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """Hash over structures, labels and splits, in order."""
        h = hashlib.sha256()
        for s in self.structures:
            h.update(f"{s.digest} {s.split} {s.config_type} {s.offset_group} {s.energy!r}".encode())
            tensors = [x for name in sorted(s.tensors) for x in (s.tensors[name].value, s.tensors[name].derivative)]
            for label in (s.forces, s.virial, *tensors):
                h.update(b"-" if label is None else np.ascontiguousarray(label, dtype=float).tobytes())
        return h.hexdigest()

    def describe(self) -> dict:
        """Counts per split, for the report and the provenance."""
        table = {}
        for split in SPLITS:
            members = self.of(split)
            types: dict[str, int] = {}
            for s in members:
                types[s.config_type] = types.get(s.config_type, 0) + 1
            table[split] = {
                "structures": len(members),
                "atoms": int(sum(len(s.atoms) for s in members)),
                "energies": sum(s.energy is not None for s in members),
                "forces": sum(s.forces is not None for s in members),
                "virials": sum(s.virial is not None for s in members),
                "config_types": types,
            }
        return table


@contextmanager
def located(s: Structure):
    """Says which structure it was that something could not be computed for."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{s.source}, structure {s.index}: {error}") from error


def found_keys(atoms: ase.Atoms) -> list[str]:
    """Names under which ``atoms`` carries anything, with where: info, arrays, or the results of its calculator."""
    results = getattr(atoms.calc, "results", {}) if atoms.calc is not None else {}
    keys = [f"{k} (info)" for k in atoms.info]
    keys += [f"{k} (per atom)" for k in atoms.arrays if k not in ("numbers", "positions")]
    return sorted(keys + [f"{k} (standard)" for k in results])


def _lookup(atoms, key):
    """ASE moves standard names into a calculator; ``free_energy`` alone is not taken for ``energy``.

    The word None, which some programs write where there is no value, is none."""
    results = atoms.calc.results if atoms.calc is not None else {}
    for place in (atoms.info, atoms.arrays, results):
        if key in place:
            value = place[key]
            return None if isinstance(value, str) and value in ("None", "none", "null") else value
    return None


def has_key(atoms, key) -> bool:
    """Does a frame have anything under this name?"""
    return _lookup(atoms, key) is not None


def _tensor(value, order, what, where):
    if value.size == 9:
        matrix = value.reshape(3, 3)
        if not np.allclose(matrix, matrix.T, atol=1e-4 * max(1e-8, np.abs(matrix).max())):
            raise DataError(f"{where}: {what} is not symmetric")
        return 0.5 * (matrix + matrix.T)
    if value.size == 6:
        return matrix_of_six(value, order)
    raise DataError(f"{where}: {what} has {value.size} numbers, 6 or 9 are needed")


def _structure(atoms, keys, options: DataOptions, where) -> Structure:
    units = options.units
    to_ev, to_angstrom = ENERGY_UNITS[units.energy], LENGTH_UNITS[units.length]
    finite(atoms.positions, "a position", where)
    labels = {name: None if key is None else _lookup(atoms, key) for name, key in keys.items()}
    clean = atoms.copy()
    clean.calc = None
    clean.set_cell(atoms.cell * to_angstrom)
    clean.positions = atoms.positions * to_angstrom
    s = Structure(clean)
    if labels["energy"] is not None:
        energy = finite(labels["energy"], "the energy", where)
        if energy.size != 1:
            raise DataError(f"{where}: the energy has {energy.size} numbers")
        s.energy = float(energy.reshape(())) * to_ev
    if labels["forces"] is not None:
        forces = finite(labels["forces"], "a force", where)
        if forces.shape != (len(atoms), 3):
            raise DataError(f"{where}: forces have shape {forces.shape}, expected ({len(atoms)}, 3)")
        s.forces = forces * (to_ev / to_angstrom)
    if labels["virial"] is not None:
        s.virial = to_ev * _tensor(finite(labels["virial"], "the virial", where), units.stress_order, "virial", where)
    if labels["stress"] is not None:
        if not clean.cell.rank == 3:
            raise DataError(f"{where}: a stress needs a three-dimensional cell")
        stress = _tensor(finite(labels["stress"], "the stress", where), units.stress_order, "stress", where)
        to_stress = STRESS_UNITS[units.stress] if units.stress else to_ev / to_angstrom**3
        stress = stress * to_stress * (1 if units.stress_sign == "tensile" else -1)
        s.virial = -stress * clean.get_volume()
    return s


def _missing(keys, frames, where):
    """A named key that no frame of a file has is a mistake of the options, not missing data."""
    for name, key in keys.items():
        if key is None or any(_lookup(a, key) is not None for a in frames):
            continue
        found = sorted({k for a in frames for k in found_keys(a)})
        raise DataError(
            f"{where}: no structure has '{key}', named as the {name} key. Keys found: {', '.join(found) or 'none'}. "
            f"Name the right one, or write '{name}: null' for this file if it has no such labels"
        )


def _missing_targets(targets, frames):
    """A key of a target that no frame of any file has is a mistake of the options."""
    for t in targets:
        for key in [t.key, *([t.derivative.key] if t.derivative else [])]:
            if all(_lookup(a, key) is None for a in frames):
                found = sorted({k for a in frames for k in found_keys(a)})
                raise DataError(
                    f"targets '{t.name}': no structure has '{key}'. Keys found: {', '.join(found) or 'none'}"
                )


def _count(target, structures) -> str:
    labels = [s.tensors[target.name] for s in structures]
    derivatives = sum(x.derivative is not None for x in labels)
    of_derivative = f", {derivatives} with derivatives" if target.derivative else ""
    return f"{target.name}: {sum(x.value is not None for x in labels)} structures with '{target.key}'{of_derivative}"


def load_dataset(options: DataOptions, frames=None, seed: int = 1, targets=()) -> Dataset:
    """The structures of all files (or ``frames``, a list of ase.Atoms) with checked labels, also those of the
    ``targets`` (TargetOptions), and splits.

    Raises DataError if a named key is absent, a label is not finite, or a split is empty where it is needed."""
    structures, notes = [], []
    sources = [(f, read_frames(f.path, f.index)) for f in options.files] if frames is None else [(None, list(frames))]
    for file, atoms_list in sources:
        where = file.path if file is not None else "frames"
        keys = {}
        for name in ("energy", "forces", "stress", "virial"):
            keys[name] = getattr(options, name) if file is None else file.label(name, options)
        named = {name: getattr(options, name) for name in ("config_type", "distance", "energy_offset")}
        if file is not None and file.config_type is not None:
            named["config_type"] = None
        _missing({**keys, **named}, atoms_list, where)
        if file is None or file is options.files[-1]:
            _missing_targets(targets, [atoms for _, part in sources for atoms in part])
        for k, atoms in enumerate(atoms_list):
            s = _structure(atoms, keys, options, f"{where}, structure {k}")
            s.source, s.index = where, k
            _annotate(s, atoms, file, options, where)
            for t in targets:
                s.tensors[t.name] = read_label(t, s.atoms, lambda key, a=atoms: _lookup(a, key),
                                               options.units.stress_order, f"{where}, structure {k}")  # fmt: skip
            structures.append(s)
        part = structures[-len(atoms_list) :]
        counts = [sum(getattr(s, name) is not None for s in part) for name in ("energy", "forces", "virial")]
        notes.append(f"{where}: {len(part)} structures, {counts[0]} energies, {counts[1]} forces, {counts[2]} stresses")
    if not structures:
        raise DataError("no structures were given")
    data = Dataset(structures, notes)
    for t in targets:
        check_baseline(t, structures)
        notes += [_count(t, structures), *jumps(t, structures)]
    _filter(data, options)
    assign_splits(data.structures, options.split, seed)
    _note_defaults(data, options)
    data.notes += suspicious(data)
    return data


def _note_defaults(data: Dataset, options: DataOptions):
    """Says how many structures lack an entry that others have."""
    if options.config_type is None:
        return
    n = sum(s.config_type == DEFAULT_TYPE for s in data.structures)
    if n:
        data.notes.append(f"{n} structures without '{options.config_type}' are of the config type '{DEFAULT_TYPE}'")


def _annotate(s, atoms, file, options, where):
    for name, attribute in (("config_type", "config_type"), ("distance", "distance"),
                            ("energy_offset", "offset_group")):  # fmt: skip
        key = getattr(options, name)
        if key is None:
            continue
        value = _lookup(atoms, key)
        if value is None:  # other structures have it, or the file would have been refused
            value = DEFAULT_TYPE if name == "config_type" else None
        elif name == "distance":
            value = float(finite(value, "the distance", f"{where}, structure {s.index}"))
        else:
            value = str(value)
        setattr(s, attribute, value)
    if file is not None and file.config_type is not None:
        s.config_type = file.config_type
    if options.split.method == "file":
        if file is None or file.split is None:
            raise OptionError(f"data.split.method is file, but {where} has no 'split' (train, validation or test)")
        s.split = file.split
    if options.split.method in ("group", "key"):
        key = options.split.group if options.split.method == "group" else options.split.key
        value = _lookup(atoms, key)
        if value is None:
            raise DataError(f"{where}, structure {s.index}: no '{key}', named for the split. "
                            f"Keys found: {', '.join(found_keys(atoms)) or 'none'}")  # fmt: skip
        s.split = str(value)


def _filter(data: Dataset, options: DataOptions):
    if options.max_force is not None:
        keep = [s for s in data.structures if s.forces is None or np.abs(s.forces).max() <= options.max_force]
        dropped = len(data.structures) - len(keep)
        if dropped:
            data.notes.append(f"{dropped} structures with a force above {options.max_force} eV/Angstrom left out")
        data.structures = keep
    if not data.structures:
        raise DataError(f"data.max_force {options.max_force} leaves no structure")


def data_file_hashes(options: DataOptions) -> dict:
    """SHA-256 of every data file, for the provenance."""
    return {Path(file.path).name: sha256_of(file.path) for file in options.files}


def sha256_of(path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
