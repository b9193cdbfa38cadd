# SPDX-License-Identifier: BSD-3-Clause
"""Checks of single options: each refusal is one sentence that names the entry."""

from __future__ import annotations

import dataclasses
import difflib
import reprlib
from typing import Any

from ase.data import chemical_symbols


class OptionError(ValueError):
    """An option that is unknown, missing or has an impossible value."""


class DataError(ValueError):
    """Data that cannot be used as the options ask."""


def nearest(key: str, known) -> str:
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f", did you mean '{close[0]}'?" if close else "."
    return f"{hint} Known here: {', '.join(known)}"


def check_keys(mapping: Any, known, where: str) -> dict:
    """``mapping`` as a dict; raises OptionError naming the nearest known key if one is unknown."""
    if not isinstance(mapping, dict):
        raise OptionError(f"{where} must be a mapping of option names to values, got {reprlib.repr(mapping)}")
    for key in mapping:
        if key not in known:
            raise OptionError(f"{where}: unknown option '{key}'{nearest(key, known)}")
    return mapping


def check_symbols(mapping: dict, where: str) -> dict:
    for symbol in mapping:
        if symbol not in chemical_symbols[1:]:
            raise OptionError(f"{where}: '{symbol}' is not a chemical symbol")
    return mapping


def choice(value, allowed, where):
    if value not in allowed:
        raise OptionError(f"{where} must be one of {', '.join(map(str, allowed))}, got {value!r}")


def number(value, where, *, low=None, strict=False, optional=False, integer=False):
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        # YAML 1.1 reads "1e-3" as text; users mean the number
        try:
            value = float(value)
        except (TypeError, ValueError):
            raise OptionError(f"{where} must be a number, got {value!r}") from None
    if value in (float("inf"), float("-inf")):
        raise OptionError(f"{where} must be a finite number, got {value}")
    if integer and value != int(value):
        raise OptionError(f"{where} must be a whole number, got {value!r}")
    if value != value or (low is not None and (value <= low if strict else value < low)):
        raise OptionError(f"{where} must be {'above' if strict else 'at least'} {low}, got {value}")
    return int(value) if integer else float(value)


def build(cls, mapping, where):
    """An instance of the options dataclass ``cls`` from a mapping, nested dataclasses included."""
    if isinstance(mapping, cls):
        return mapping
    names = [f.name for f in dataclasses.fields(cls)]
    mapping = check_keys({} if mapping is None else mapping, names, where)
    result = cls.__new__(cls)
    for f in dataclasses.fields(cls):
        if f.name in mapping:
            value = mapping[f.name]
        elif f.default is not dataclasses.MISSING:
            value = f.default
        elif f.default_factory is not dataclasses.MISSING:
            value = f.default_factory()
        else:
            raise OptionError(f"{where}: '{f.name}' is missing")
        setattr(result, f.name, value)
    result.check(where)
    return result


def parse_bytes(text, where) -> int:
    """Bytes of "2 GB", "500 MB" or a plain number."""
    if isinstance(text, (int, float)) and not isinstance(text, bool) and text >= 0:
        return int(text)
    factors = {"TB": 1e12, "GB": 1e9, "MB": 1e6, "KB": 1e3, "B": 1}
    for unit, factor in factors.items():
        if str(text).strip().upper().endswith(unit):
            return int(number(str(text).strip()[: -len(unit)], where, low=0) * factor)
    raise OptionError(f"{where} must be a size such as '2 GB', got {text!r}")
