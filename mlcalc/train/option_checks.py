# SPDX-License-Identifier: BSD-3-Clause
"""What every group of options shares: unknown and missing names, kinds of numbers, types, and the sentence of an error.

The options are pydantic models. They are the one table from which options files are checked, the page "All options" is
made and the JSON schema for editors comes.
"""

from __future__ import annotations

import difflib
import reprlib
from pathlib import Path
from typing import Annotated, Any

from ase.data import chemical_symbols
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    ValidationError,
    model_validator,
)


class OptionError(ValueError):
    """An option that is unknown, missing or has an impossible value."""


class DataError(ValueError):
    """Data that cannot be used as the options ask."""


def nearest(key: object, known) -> str:
    """The end of a sentence about an unknown name: the nearest known one, and all of them."""
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


class Options(BaseModel):
    """A group of options. Values are checked again when they are assigned; ``options["name"]`` is ``options.name``."""

    model_config = ConfigDict(extra="forbid", validate_assignment=False, arbitrary_types_allowed=False)

    def __getitem__(self, name: str):
        return getattr(self, name)

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value):
        """Unknown and missing names, before any value is looked at."""
        if isinstance(value, cls):
            return value
        value = {} if value is None else value
        if not isinstance(value, dict):
            raise ValueError(f"must be a mapping of option names to values, got {reprlib.repr(value)}")
        for key in value:
            if key not in cls.model_fields:
                raise ValueError(f": unknown option '{key}'{cls._belongs_to(key)}{nearest(key, cls.model_fields)}")
        for name, info in cls.model_fields.items():
            if info.is_required() and value.get(name) is None:
                raise ValueError(f": '{name}' is missing")
        return value

    @classmethod
    def _belongs_to(cls, key) -> str:
        """Where another type of the same group has this option."""
        kinds = [kind for kind in getattr(cls, "siblings", ()) if key in kind.model_fields]
        return f", which belongs to {' and '.join(tag_of(kind) for kind in kinds)}" if kinds else ""


def tag_of(kind) -> str:
    """The value of ``type`` (or ``method``) that stands for a group of options."""
    return kind.model_fields[kind.tag].annotation.__args__[0]


def one_of(*kinds):
    """An annotation: the group whose ``type`` is written. A name alone stands for the group without other options."""
    tag = kinds[0].tag
    for kind in kinds:
        kind.siblings = tuple(k for k in kinds if k is not kind)

    def written(value):
        return value.get(tag) if isinstance(value, dict) else getattr(value, tag, value)

    def mark(value):
        return f"<{written(value)}>"

    def spell(value):
        if isinstance(value, str):
            value = {tag: value}
        if not isinstance(value, (dict, *kinds)):
            raise ValueError(f"must be a mapping with '{tag}', got {reprlib.repr(value)}")
        names = [tag_of(kind) for kind in kinds]
        if written(value) is None:
            raise ValueError(f".{tag} must be one of {', '.join(names)}; it is missing")
        if written(value) not in names:
            raise ValueError(
                f".{tag} must be one of {', '.join(names)}, got {written(value)!r}{_hint(written(value), names)}"
            )
        return value

    union: Any = None
    for kind in kinds:
        tagged = Annotated[kind, Tag(f"<{tag_of(kind)}>")]
        union = tagged if union is None else union | tagged
    return Annotated[union, Discriminator(mark), BeforeValidator(spell)]


def _hint(value, names):
    close = difflib.get_close_matches(str(value).lower(), names, n=1, cutoff=0.4)
    return f", did you mean '{close[0]}'?" if close else ""


def choice(*allowed):
    """An annotation: one of these words, numbers or truth values."""

    def check(value):
        # True == 1 in Python; a choice of 1 or 2 is not a truth value
        if not any(value == a and isinstance(value, bool) == isinstance(a, bool) for a in allowed):
            names = [str(a).lower() if isinstance(a, bool) else str(a) for a in allowed if a is not None]
            raise ValueError(f"must be one of {', '.join(names)}, got {value!r}{_hint(value, names)}")
        return value

    return Annotated[Any, BeforeValidator(check), Field(json_schema_extra={"enum": list(allowed)})]


def word_or(word: str, annotation):
    """An annotation: this word, or something else."""

    def mark(value):
        return f"<{word}>" if value == word else f"<or {word}>"

    return Annotated[
        Annotated[choice(word), Tag(f"<{word}>")] | Annotated[annotation, Tag(f"<or {word}>")], Discriminator(mark)
    ]


def mapping_or(annotation, of):
    """An annotation: a value for all species, or a mapping {symbol: value}."""

    def mark(value):
        return "<mapping>" if isinstance(value, dict) else "<or {symbol: value}>"

    return Annotated[
        Annotated[dict[Symbol, of], Tag("<mapping>")] | Annotated[annotation, Tag("<or {symbol: value}>")],
        Discriminator(mark),
    ]


def text_or(group):
    """An annotation: text, or the options of a group."""

    def mark(value):
        return "<group>" if isinstance(value, (dict, group)) else "<or a mapping>"

    return Annotated[
        Annotated[group, Tag("<group>")] | Annotated[Text, Tag("<or a mapping>")],
        Discriminator(mark),
    ]


def _number(value):
    if isinstance(value, bool):
        raise ValueError(f"must be a number, got {value!r}")
    return value


def _symbol(value):
    if value not in chemical_symbols[1:]:
        raise ValueError(f": '{value}' is not a chemical symbol")
    return value


def _text(value):
    return str(value) if isinstance(value, (Path, int)) and not isinstance(value, bool) else value


def parse_bytes(text, where: str = "") -> int:
    """Bytes of "2 GB", "500 MB" or a plain number. Raises OptionError that names ``where``."""
    try:
        return _bytes(text)
    except ValueError as error:
        raise OptionError(f"{where} {error}".strip()) from None


def _bytes(text) -> int:
    if isinstance(text, (int, float)) and not isinstance(text, bool) and text >= 0:
        return int(text)
    factors = {"TB": 1e12, "GB": 1e9, "MB": 1e6, "KB": 1e3, "B": 1}
    for unit, factor in factors.items():
        if str(text).strip().upper().endswith(unit):
            try:
                return int(float(str(text).strip()[: -len(unit)]) * factor)
            except ValueError:
                break
    raise ValueError(f"must be a size such as '2 GB', got {text!r}")


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Whole = Annotated[int, BeforeValidator(_number)]
Count = Annotated[Whole, Field(ge=1)]
Text = Annotated[str, BeforeValidator(_text)]
Symbol = Annotated[str, AfterValidator(_symbol)]
Size = Annotated[int, BeforeValidator(_bytes), Field(json_schema_extra={"format": "size"})]
Truth = StrictBool

#: sentences for what pydantic finds wrong, by its name of the error
_SENTENCES = {
    "float_type": "must be a number, got {input}", "float_parsing": "must be a number, got {input}",
    "int_type": "must be a whole number, got {input}", "int_parsing": "must be a whole number, got {input}",
    "int_from_float": "must be a whole number, got {input}", "finite_number": "must be a finite number, got {input}",
    "int_parsing_size": "must be a smaller number, got {input}",
    "greater_than": "must be above {gt:g}, got {input}", "greater_than_equal": "must be at least {ge:g}, got {input}",
    "less_than": "must be below {lt:g}, got {input}", "less_than_equal": "must be at most {le:g}, got {input}",
    "bool_type": "must be true or false, got {input}", "string_type": "must be text, got {input}",
    "list_type": "must be a list, got {input}", "tuple_type": "must be a list, got {input}",
    "too_short": "must be a list with at least {min_length} entries, got {input}",
    "dict_type": "must be a mapping, got {input}", "missing": "is missing",
}  # fmt: skip


def _place(location) -> tuple[str, str]:
    """``expansions[0].basis``, and what else could have been written there."""
    out, other = "", ""
    if location and location[-1] == "[key]":  # the sentence names the key
        location = location[:-2]
    for part in location:
        if isinstance(part, int):
            out += f"[{part}]"
        elif part.startswith("<or "):
            other = part[4:-1]
        elif not part.startswith("<"):
            out += f".{part}" if out else part
    return out, other


def sentences(error: ValidationError, where: str) -> str:
    """What is wrong, each mistake with the name of its option."""
    out = []
    for item in error.errors(include_url=False):
        place, other = _place(item["loc"])
        context = item.get("ctx", {})
        if "error" in context:
            text = str(context["error"])
        else:
            text = _SENTENCES.get(item["type"], item["msg"] + ", got {input}")
            text = text.format(input=reprlib.repr(item["input"]), **context)
        if other and item["type"] != "value_error" or other and "must be a" in text:
            text = text.replace("must be ", f"must be {other} or ", 1)
        place = ".".join(filter(None, [where, place])) if where else place
        if text.startswith(":"):
            out.append(f"{place or 'options'}{text}")
        else:
            out.append(f"{place}{'' if text.startswith('.') or not place else ' '}{text}")
    return "; ".join(dict.fromkeys(out))


def build(cls, mapping, where: str):
    """Options of the class ``cls`` from a mapping. Raises OptionError with a sentence for each mistake."""
    try:
        return cls.model_validate(mapping if mapping is not None else {})
    except ValidationError as error:
        raise OptionError(sentences(error, where)) from None
