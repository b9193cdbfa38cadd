# SPDX-License-Identifier: BSD-3-Clause
"""What checks are compared with: another calculator, the nuclear repulsion, labeled structures."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from ..checks.crystal import Crystal, equation_of_state, relaxed
from ..checks.curves import VOLUMES, a_few_atoms, at_volume, dimer_curve, energy
from ..checks.elastic import elastic_constants
from ..checks.verdict import Check, Curve
from ..model import Model, Zbl
from ..running.calculator import MLCalculator
from ..train.data import load_dataset
from ..train.data_options import DataOptions
from ..train.errors import error_table, errors_of, predict
from ..train.option_checks import build

#: of the sum of covalent radii: nearer is the nuclear repulsion's, where other calculators fail
NEAR = 0.5
#: of a force of the labels: errors (root mean square) up to which a model passes, and from which it fails
GOOD, BAD = 0.3, 1.0
#: Å to which the whole nuclear repulsion acts in the curve beside those of pairs
REPULSION = 20.0


class Comparison:
    """Another calculator of ASE and what it says of a crystal; ``notes`` on what it cannot do."""

    def __init__(self, calculator):
        self.calculator = calculator
        self.notes: list[str] = []
        self._crystal: Crystal | None = None
        self._start: Crystal

    def _tried(self, what: str, function: Callable) -> Any:
        try:
            return function()
        except Exception as error:  # every calculator has its own
            text = f"the reference has no {what}: {' '.join(str(error).split()) or type(error).__name__}"
            if text not in self.notes:
                self.notes.append(text)
            return None

    def about(self, crystal: Crystal):
        """From now on it is about this crystal."""
        self._crystal, self._start = None, crystal

    def _own(self) -> Crystal:
        """The crystal relaxed by the reference; without stresses at the volume of its own equation of state."""
        if self._crystal is None:
            try:
                atoms = relaxed(self._start.atoms, self.calculator)
            except NotImplementedError:
                volume = equation_of_state(self._start, self.calculator)[0]["V0 (Å³/atom)"] * len(self._start.atoms)
                atoms = at_volume(self._start.atoms, volume / self._start.atoms.get_volume())
                atoms = relaxed(atoms, self.calculator, cell=False)
            self._crystal = Crystal(atoms, self._start.group)
        return self._crystal

    def equation_of_state(self):
        return self._tried("equation of state", lambda: equation_of_state(self._own(), self.calculator))

    def elastic_constants(self):
        return self._tried("elastic constants", lambda: elastic_constants(self._own(), self.calculator)[0])

    def phonons(self, made: Callable):
        """``made(crystal, calculator)``"""
        return self._tried("phonons", lambda: made(self._own(), self.calculator))

    def energies(self, what: str, frames: list[Atoms]) -> np.ndarray:
        """eV; NaN where it fails."""
        found = [self._tried(what, lambda a=atoms: energy(self.calculator, a)) for atoms in frames]
        return np.array([np.nan if e is None else e for e in found])


def add_to_dimers(check: Check, model: Model, reference: Comparison | None):
    """Puts the nuclear repulsion beside the curves of pairs, and what the reference has for them."""
    bare = Model(list(model.species), [], [], None, Zbl(REPULSION, REPULSION + 1.0), boundaries=model.boundaries)
    repulsion = MLCalculator(bare, extrapolation=False)
    pairs = list(itertools.combinations_with_replacement(range(len(model.species)), 2))
    for curve, (i, j) in zip(list(check.curves), pairs, strict=True):
        nuclear = dimer_curve(bare, repulsion, i, j, distances=curve.x)
        nuclear.label, nuclear.style = f"{curve.label}, ZBL", ":"
        check.curves.append(nuclear)
        check.values[f"{curve.label} at {curve.x[0]:.2f} Å / ZBL"] = float(curve.y[0] / nuclear.y[0])
        if reference is None:
            continue
        kinds = [model.species[i], model.species[j]]
        x = curve.x[curve.x > NEAR * sum(covalent_radii[z] for z in kinds)][::3]
        frames = [a_few_atoms(model.boundaries, kinds, [[0, 0, 0], [r, 0, 0]]) for r in x]
        alone = [a_few_atoms(model.boundaries, [z], [[0, 0, 0]]) for z in kinds]
        y = reference.energies("pairs", frames) - np.sum(reference.energies("single atoms", alone))
        check.curves.append(Curve(f"{curve.label}, reference", x, y, curve.names, "--"))
        if np.isfinite(y).any():
            mine = np.interp(x, curve.x, curve.y)
            check.values[f"{curve.label}, deepest (eV)"] = float(mine.min())
            check.reference[f"{curve.label}, deepest (eV)"] = float(np.nanmin(y))


def add_to_cold_curve(check: Check, atoms: Atoms, reference: Comparison):
    """Puts the curve of the reference beside it."""
    frames = [at_volume(atoms, factor) for factor in VOLUMES]
    y = reference.energies("compressed structures", frames) / len(atoms)
    if np.isfinite(y).any():
        check.curves.append(Curve("reference", VOLUMES, y - np.nanmin(y), check.curves[0].names, "--"))


def check_labels(model: Model, files: list[str], threads: int = 1) -> Check:
    """Errors on labeled structures beside the size of their forces. Labels are named energy and forces."""
    keys = {"files": [str(f) for f in files], "energy": "energy", "forces": "forces", "split": {"validation": 0.0}}
    structures = load_dataset(build(DataOptions, keys, "data")).structures
    predictions = predict(model, structures, threads)
    errors = errors_of(predictions)
    labels = np.concatenate([s.forces.ravel() for s in structures if s.forces is not None] or [np.zeros(0)])
    table = error_table(predictions)["train"]["all"]
    values = {"structures": float(len(structures))}
    for kind, unit in (("energy", "meV/atom"), ("forces", "meV/Å")):
        if table[kind]:
            values |= {f"{kind} {word.upper()} ({unit})": 1e3 * table[kind][word] for word in ("mae", "rmse")}
    size = float(np.sqrt(np.mean(labels**2))) if len(labels) else 0.0
    if not size > 0:
        return Check("labeled structures", "pass", "no forces to judge by", [], values)
    share = float(np.sqrt(np.mean(errors["forces"] ** 2))) / size
    verdict = "pass" if share < GOOD else "suspect" if share < BAD else "fail"
    reason = f"errors of forces are {100 * share:.3g} % of the forces (root mean squares)"
    return Check("labeled structures", verdict, reason, [], values)
