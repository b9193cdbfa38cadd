# SPDX-License-Identifier: BSD-3-Clause
"""All checks of a model, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ase import Atoms
from ase.data import chemical_symbols

from ..checks.crystal import NoCrystal, check_equation_of_state, crystal_of
from ..checks.curves import check_cold_curve, check_dimers, isolated_energies
from ..checks.dynamics import check_conservation, check_heating
from ..checks.elastic import check_elastic
from ..checks.phonons import check_phonons
from ..checks.verdict import Check, failed
from ..model import Model
from ..running.calculator import MLCalculator
from ..train.cost import repeats
from .check_beside import Comparison, add_to_cold_curve, add_to_dimers, check_labels

#: atoms of a small cell: it is repeated to as many
ATOMS = 64
CRYSTAL = ("equation of state", "elastic constants", "phonons")


def check_model(path, atoms: Atoms | dict[str, Atoms] | None = None, *, seconds: float = 60.0, threads: int = 1,
                progress=None, reference=None, labeled=(), notes: list[str] | None = None):  # fmt: skip
    """(checks, isolated energies {symbol: eV}) of a model file, with a structure (or several {name: structure}) also
    those that need one.

    ``seconds`` is what heating may take; ``progress(name)`` is called before each check; ``reference`` is a calculator
    of ASE to compare with, whose failures go into ``notes``; ``labeled`` files of labeled structures. Raises ValueError
    for a structure with elements that the model does not know."""
    model = Model.load(path)
    tell = progress or (lambda name: None)
    given = {"": atoms} if isinstance(atoms, Atoms) else dict(atoms or {})
    for structure in given.values():
        _check_structure(model, structure)
    calculator = MLCalculator(str(path), threads=threads, extrapolation=False)
    other = Comparison(reference) if reference is not None else None
    alone = {chemical_symbols[z]: e for z, e in isolated_energies(model, calculator).items()}
    tell("close pairs")
    checks = [check_dimers(model, calculator)]
    add_to_dimers(checks[0], model, other)
    if labeled:
        tell("labeled structures")
        checks.append(check_labels(model, labeled, threads))
    for name, structure in given.items():
        made = _checks_of(model, calculator, structure, other, seconds / len(given), tell)
        for check in made:
            check.name = f"{name}: {check.name}" if len(given) > 1 else check.name
        checks += made
    if other is not None and notes is not None:
        notes += other.notes
    return checks, alone


def _check_structure(model: Model, atoms: Atoms):
    unknown = sorted({chemical_symbols[z] for z in atoms.numbers if z not in model.species})
    if unknown:
        raise ValueError(f"the structure has {', '.join(unknown)}, which the model does not know")
    if not len(atoms):
        raise ValueError("the structure has no atoms")


def _checks_of(model, calculator, atoms: Atoms, other: Comparison | None, seconds: float, tell) -> list[Check]:
    """Those that need a structure."""
    checks = []
    if atoms.pbc.all():
        tell("compression and expansion")
        checks.append(check_cold_curve(model, calculator, atoms))
        if other is not None:
            add_to_cold_curve(checks[-1], atoms, other)
        checks += _crystal_checks(calculator, atoms, other, tell)
        atoms = atoms.repeat(repeats(atoms, ATOMS))
    tell("energy conservation")
    checks.append(check_conservation(atoms, calculator))
    tell("heating")
    checks.append(check_heating(atoms, calculator, seconds=seconds))
    return checks


def _crystal_checks(calculator, atoms: Atoms, other: Comparison | None, tell) -> list[Check]:
    """Those of a crystal, or why there are none."""
    tell("relaxation")
    try:
        crystal = crystal_of(atoms, calculator)
    except NoCrystal as reason:
        return [Check(", ".join(CRYSTAL), "skipped", str(reason))]
    except Exception as error:
        return [failed("relaxation", error)]
    if other is not None:
        other.about(crystal)
    made, checks = (check_equation_of_state, check_elastic, check_phonons), []
    for name, make in zip(CRYSTAL, made, strict=True):
        tell(name)
        checks.append(_guarded(name, partial(make, crystal, calculator, other)))
    return checks


def _guarded(name: str, make: Callable[[], Check]) -> Check:
    """A model that breaks in one check is looked at in the others, too."""
    try:
        return make()
    except Exception as error:
        return failed(name, error)
