# SPDX-License-Identifier: BSD-3-Clause
"""Reference calculators of ASE by their names, and energies of separated atoms from them."""

from __future__ import annotations

import importlib
import json

from ase import Atoms
from ase.data import atomic_numbers

#: Å, edge of the cell where the calculator needs one
BOX = 15.0


def calculator_of(name: str, arguments: str | dict = "{}"):
    """An ASE calculator from ``module:Class`` and its arguments, a mapping or a JSON object. An argument that is a
    mapping with ``class`` (and ``arguments``) is made in the same way, such as the profile of a code with its command.

    Raises ValueError with a sentence if there is no such class, or it does not take the arguments."""
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"write the calculator as module:Class, such as tblite.ase:TBLite, not {name!r}")
    try:
        made = getattr(importlib.import_module(module), attribute)
    except AttributeError:
        raise ValueError(f"the module {module} has no {attribute}") from None
    try:
        given = json.loads(arguments) if isinstance(arguments, str) else arguments
    except json.JSONDecodeError as error:
        raise ValueError(f"the arguments of the calculator must be a JSON object: {error}") from None
    if not isinstance(given, dict):
        raise ValueError(f"the arguments of the calculator must be a JSON object, not {arguments}")
    try:
        return made(**{key: _argument(value) for key, value in given.items()})
    except (TypeError, KeyError) as error:
        raise ValueError(f"{name}: {error}") from None


def _argument(value):
    if isinstance(value, dict) and "class" in value:
        return calculator_of(value["class"], value.get("arguments", {}))
    return value


def isolated_energies(symbols, calculator, periodic: bool = False) -> dict[str, float]:
    """Energy, eV, of an atom of each element with an ASE calculator, in a cell of 15 Å if ``periodic``.

    Spin is the calculator's business: without it atoms with open shells are too high by as much as an eV. Raises
    ValueError that names the element for what is none, and what the calculator cannot do."""
    energies = {}
    for symbol in symbols:
        if symbol not in atomic_numbers or symbol == "X":
            raise ValueError(f"{symbol} is no chemical element")
        atoms = Atoms(symbol, cell=[BOX] * 3 if periodic else None, pbc=periodic)
        atoms.calc = calculator
        try:
            energies[symbol] = float(atoms.get_potential_energy())
        except Exception as error:  # every calculator has its own
            raise ValueError(f"{symbol}: the calculator failed: {error}") from error
    return energies
