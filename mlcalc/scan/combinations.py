# SPDX-License-Identifier: BSD-3-Clause
"""The combinations of a scan: every value of every option with every value of the others."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from ..train.checkpoint import key_of
from ..train.option_checks import OptionError, nearest
from ..train.options import TrainOptions, parse_mapping, read_mapping

#: combinations of one scan
MOST = 500
#: options that the scan sets
OWN = ("model", "report", "checkpoint", "keep_checkpoint", "keep_representation", "scan")


@dataclass
class Combination:
    """One of them: its number from 1, the values of the options that are scanned, and its options, or the sentence why
    it has none."""

    number: int
    values: dict
    options: TrainOptions | None
    failed: str = ""

    @property
    def representation(self) -> str:
        """What rows depend on."""
        return key_of(self.options)[:16] if self.options is not None else ""

    def key(self, data_digest: str) -> str:
        """Hash of what its result depends on."""
        assert self.options is not None
        described = {k: v for k, v in self.options.as_dict().items() if k not in OWN}
        return hashlib.sha256(json.dumps([described, data_digest], sort_keys=True).encode()).hexdigest()[:12]


def combinations(options) -> tuple[TrainOptions, list[Combination], Path]:
    """The options without the scan, all combinations, and the folder of the scan.

    A value that an option cannot have makes its combinations fail; an option that there is not, or a scan without a
    combination that can be trained, raises OptionError."""
    mapping, relative_to = read_mapping(options)
    wanted = parse_mapping(copy.deepcopy(mapping), relative_to)
    _check(wanted.scan)
    plain = {key: value for key, value in mapping.items() if key != "scan"}
    base = parse_mapping(copy.deepcopy(plain), relative_to)
    folder = Path(f"{base.model.removesuffix('.mlcalc')}-scan")
    made = []
    for number, values in enumerate(itertools.product(*wanted.scan.values()), start=1):
        chosen = dict(zip(wanted.scan, values, strict=True))
        made.append(_combination(number, chosen, plain, relative_to))
    _check_names(wanted.scan, plain, relative_to)
    if all(c.failed for c in made):
        raise OptionError(f"scan: none of the {len(made)} combinations can be trained; the first: {made[0].failed}")
    return base, made, folder


def _check(scan: dict):
    """Values and their number."""
    if not scan:
        raise OptionError("scan: write {option: [values]}, such as scan: {weights.forces: [0.05, 0.1]}")
    total = 1
    for path, values in scan.items():
        first = path.split(".")[0].split("[")[0]
        if first in OWN:
            raise OptionError(f"scan: '{first}' is set by the scan, leave it out")
        for k, value in enumerate(values):
            if value in values[:k]:
                raise OptionError(f"scan: '{path}' has the value {value!r} twice")
        total *= len(values)
    if total > MOST:
        raise OptionError(f"scan: these are {total} combinations, at most {MOST} are trained; scan fewer values")


def _combination(number, values: dict, plain: dict, relative_to) -> Combination:
    try:
        return Combination(number, values, _with(plain, values, relative_to))
    except OptionError as error:
        return Combination(number, values, None, str(error))


def _check_names(scan: dict, plain: dict, relative_to):
    """An option none of whose values can be is a mistake. Raises OptionError with the sentence of the first value."""
    for path, values in scan.items():
        sentences = []
        for value in values:
            try:
                _with(plain, {path: value}, relative_to)
                break
            except OptionError as error:
                sentences.append(str(error))
        else:
            # alone it may be impossible: with others, such as n_max and l_max of both, it need not
            if len(scan) == 1 or "unknown option" in sentences[0] or sentences[0].startswith("scan:"):
                raise OptionError(sentences[0] if sentences[0].startswith("scan:") else f"scan: {sentences[0]}")


def _with(plain: dict, values: dict, relative_to) -> TrainOptions:
    """The options with these values."""
    mapping = copy.deepcopy(plain)
    for path, value in values.items():
        put(mapping, path, value)
    return parse_mapping(mapping, relative_to)


def put(options: dict, path: str, value):
    """Writes a value at a dotted path; entries of lists are named by their ``name`` or their number from 0."""
    node, walked = options, ""
    *groups, last = path.replace("[", ".").replace("]", "").split(".")
    for part in groups:
        node = _child(node, part, path, walked)
        walked = f"{walked}.{part}" if walked else part
    if isinstance(node, list):
        node[_place(node, last, path, walked)] = copy.deepcopy(value)
    elif isinstance(node, dict):
        node[last] = copy.deepcopy(value)
    else:
        raise OptionError(_no_group(path, walked, node))


def _child(node, part: str, path: str, walked: str):
    if isinstance(node, list):
        return node[_place(node, part, path, walked)]
    if not isinstance(node, dict):
        raise OptionError(_no_group(path, walked, node))
    if node.get(part) is None:
        node[part] = {}
    return node[part]


def _place(entries: list, part: str, path: str, walked: str) -> int:
    if part.isdigit() and int(part) < len(entries):
        return int(part)
    names = [e.get("name") for e in entries if isinstance(e, dict)]
    if part in names:
        return next(k for k, e in enumerate(entries) if isinstance(e, dict) and e.get("name") == part)
    known = [n for n in names if n is not None] or [str(k) for k in range(len(entries))]
    raise OptionError(f"scan: '{path}': there is no '{part}' in {walked}{nearest(part, known)}")


def _no_group(path: str, walked: str, node) -> str:
    return f"scan: '{path}': {walked} is {node!r}, which has no options of its own; write it as a mapping"
