# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc check``: is a model sound where it has no data?"""

from __future__ import annotations

from pathlib import Path


def add_check_arguments(sub):
    sub.add_argument("model", help="a model file, *.mlcalc")
    sub.add_argument(
        "structures", nargs="*", help="crystals, liquids, molecules, any format that ASE reads; the last of each file"
    )
    sub.add_argument(
        "--output",
        "-o",
        default="check.png",
        help="picture; the page (.html) and the numbers (.json) have the same name; default: check.png",
    )
    sub.add_argument("--json", metavar="FILE", help="another name for the numbers")
    sub.add_argument("--reference", metavar="MODULE:CLASS", help="calculator of ASE to compare with")
    sub.add_argument("--arguments", metavar="JSON", help="of the reference; default: as in mlcalc learn")
    sub.add_argument("--labeled", nargs="+", default=[], metavar="FILE", help="labeled structures to compare with")
    sub.add_argument("--seconds", type=float, default=60.0, help="for heating; default: 60")
    sub.add_argument("--threads", type=int, default=1, help="default: 1")


def check_file(model, structures=(), output="check.png", *, json_output=None, threads=1, seconds=60.0, reference=None,
               arguments=None, labeled=(), say=print):  # fmt: skip
    """Runs all checks, writes picture, page and numbers, prints the verdicts and returns the worst."""
    from ..checks.page import table, write_checks
    from ..checks.verdict import worst
    from .check_model import check_model

    picture = Path(output)
    if not picture.suffix:
        picture = picture.with_suffix(".png")
    if not picture.parent.is_dir():
        raise ValueError(f"--output: there is no folder {picture.parent}")
    frames = _frames(structures)
    notes: list[str] = []
    checks, alone = check_model(
        model, frames, threads=threads, seconds=seconds, progress=lambda name: say(f"checking {name} .."),
        reference=_calculator(reference, arguments), labeled=labeled, notes=notes,
    )  # fmt: skip
    written = write_checks(picture, Path(model).name, checks, alone, notes, json_output)
    say("\n".join([table(checks, alone), *notes]))
    say(f"picture: {written[0]}   page: {written[1]}   numbers: {written[2]}")
    return worst(c.verdict for c in checks)


def _frames(structures) -> dict:
    """The last structure of each file, by a name that tells the files apart."""
    from ..train.data import read_frames

    paths = [structures] if isinstance(structures, (str, Path)) else list(structures)
    names = [Path(p).name for p in paths]
    keys = [name if names.count(name) == 1 else str(p) for name, p in zip(names, paths, strict=True)]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{next(k for k in keys if keys.count(k) > 1)} is named twice")
    return {key: read_frames(path, "-1")[0] for key, path in zip(keys, paths, strict=True)}


def _calculator(name, arguments):
    if name is None:
        if arguments is not None:
            raise ValueError("--arguments are those of --reference, which is not named")
        return None
    from ..learn.calculators import calculator_of
    from ..learn.options import ReferenceOptions

    return calculator_of(name, ReferenceOptions(calculator=name).given() if arguments is None else arguments)
