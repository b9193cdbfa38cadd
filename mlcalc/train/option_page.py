# SPDX-License-Identifier: BSD-3-Clause
"""The page "All options", and the list behind it, made from the classes that check the options."""

from __future__ import annotations

import json
import types
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import PydanticUndefined

from .option_checks import tag_of
from .options import TrainOptions

HEAD = """# All options

What may stand in the options file of `mlcalc train`, made from the classes that check it: `mlcalc train --options`
prints this page, `mlcalc train --schema` the JSON schema that editors understand. *Required* options have no default.
Where a group has a `type` or `method`, the word alone may be written for the group: `smoothing: step`.
[Training](training.md) has examples and advice.
"""


class Option(NamedTuple):
    """One line of the page: the name with its groups, what it takes, its default (None if required), what it is."""

    path: str
    takes: str
    default: str | None
    text: str


class Group(NamedTuple):
    """A table of the page."""

    path: str
    text: str
    options: list[Option]


def groups(cls: type[BaseModel] = TrainOptions, path: str = "") -> list[Group]:
    """All groups of options, each with its own options, from the top."""
    mine, nested = [], []
    for name, info in cls.model_fields.items():
        where = f"{path}.{name}" if path else name
        mine.append(Option(where, _takes(info), _default(info), (info.description or "").strip()))
        nested += _nested(info.annotation, info.metadata, where)
    found = [Group(path, " ".join((cls.__doc__ or "").split()), mine)]
    for sub, where in nested:
        found += groups(sub, where)
    return found


def all_options() -> list[Option]:
    """Every option that can be written."""
    return [option for group in groups() for option in group.options]


def _nested(annotation: Any, metadata, where: str) -> list[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        tag = getattr(annotation, "tag", None)
        return [(annotation, f"{where}<{tag_of(annotation)}>" if tag else where)]
    if get_origin(annotation) is list:
        return [pair for part in get_args(annotation) for pair in _nested(part, (), f"{where}[]")]
    if get_origin(annotation) is dict:
        return _nested(get_args(annotation)[1], (), f"{where}.*")
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return [pair for part in get_args(annotation) for pair in _nested(part, (), where)]
    return []


def _takes(info) -> str:
    words = _words(info.annotation, (*info.metadata, info))
    return " or ".join(dict.fromkeys(words))


def _words(annotation: Any, metadata=()) -> list[str]:
    extras = [getattr(m, "json_schema_extra", None) or {} for m in metadata]
    listed = next((e["enum"] for e in extras if "enum" in e), None)
    if listed is not None:
        return [_value(v) for v in listed]
    if any("format" in e for e in extras):
        return ["size, e.g. 2 GB"]
    if get_origin(annotation) is Annotated:
        return _words(get_args(annotation)[0], get_args(annotation)[1:])
    if get_origin(annotation) in (Union, types.UnionType):
        return [w for part in get_args(annotation) for w in _words(part)]
    if get_origin(annotation) is Literal:
        return [f"`{v}`" for v in get_args(annotation)]
    if get_origin(annotation) is list:
        return ["list"]
    if get_origin(annotation) is dict:
        return ["mapping"]
    if annotation is type(None):
        return ["null"]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [f"`{tag_of(annotation)}`" if hasattr(annotation, "tag") else "group"]
    return [{float: "number", int: "integer", str: "text", bool: "`true` or `false`"}.get(annotation, str(annotation))]


def _value(value) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, dict) and len(value) == 1:
        return f"`{next(iter(value.values()))}`"
    if value is None:
        return "null"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _default(info) -> str | None:
    if info.is_required():
        return None
    if info.default is PydanticUndefined:
        return None
    if (info.json_schema_extra or {}).get("format") == "size":
        return f"`{info.default / 1e9:.3g} GB`"
    return _value(info.default)


def page() -> str:
    """The page as Markdown."""
    return HEAD + tables(TrainOptions)


def tables(cls: type[BaseModel]) -> str:
    """The options of a class and of its groups, as Markdown."""
    out = []
    for group in groups(cls):
        title = f"`{group.path}`" if group.path else "The file"
        out.append(f"\n## {title}\n\n{group.text}\n\n| option | takes | default | |\n|---|---|---|---|")
        for o in group.options:
            name = o.path.rpartition(".")[2]
            out.append(f"| `{name}` | {o.takes} | {o.default or '*required*'} | {o.text} |".replace("|  |", "| |"))
    return "\n" + "\n".join(out).replace("``", "`") + "\n"


def schema() -> str:
    """The JSON schema of options files, for editors that complete and check while one writes."""
    return json.dumps(TrainOptions.model_json_schema(), indent=1) + "\n"
