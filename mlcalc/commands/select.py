# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc select``: which of many structures to label."""

from __future__ import annotations

from pathlib import Path

from ..learn.names import CLOSEST, METHODS


def add_select_arguments(parser):
    parser.add_argument("model", help="a model file, *.mlcalc")
    parser.add_argument("data", nargs="+", help="candidates: trajectories in any format that ASE reads, LAMMPS's dumps")
    parser.add_argument("-n", "--number", type=int, required=True, help="how many to choose")
    parser.add_argument(
        "--method",
        choices=["auto", *METHODS],
        default="auto",
        help="leverage: the rows of their labels beside the information of the fit (D-optimality); committee: what its "
        "members disagree about; farthest: farthest points; default: the first that the model has",
    )
    parser.add_argument("--labels", nargs="+", default=["energy", "forces"], metavar="KIND",
                        help="what will be labeled: energy, forces, virial; default: energy forces")  # fmt: skip
    parser.add_argument(
        "--known", nargs="+", default=[], metavar="FILE", help="structures that count as chosen already"
    )
    parser.add_argument("--index", default=":", help="which structures, e.g. 1000: or ::5; default: all")
    parser.add_argument("--types", nargs="+", metavar="SYMBOL", help="elements of the types of dumps without a column")
    parser.add_argument("--closest", type=float, default=CLOSEST, metavar="FACTOR", help="leave out atoms closer than "
                        f"this part of the sum of their covalent radii; default: {CLOSEST}")  # fmt: skip
    parser.add_argument("--memory", default="1 GB", help="for the rows of candidates; default: 1 GB")
    parser.add_argument("--threads", type=int, default=1, help="0: all cores; default: 1")
    parser.add_argument("--output", "-o", default="selected.xyz", help="extxyz with the reasons; default: selected.xyz")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run_select(args) -> str:
    """Writes the structures that were chosen and returns a table of them."""
    from ..learn.selection import of_files, select
    from ..model import Model
    from ..train.frames import write_frames
    from ..train.option_checks import parse_bytes
    from ..train.progress import Progress

    output = Path(args.output)
    if output.resolve() in {Path(path).resolve() for path in [*args.data, *args.known]}:
        raise ValueError(f"{output} is one of the files that are read; name another output")
    chosen = select(
        Model.load(args.model), of_files(args.data, args.index, args.types), args.number, method=args.method,
        labels=args.labels, known=of_files(args.known), closest=args.closest, threads=args.threads,
        memory=parse_bytes(args.memory, "--memory"), progress=Progress(not args.quiet),
    )  # fmt: skip
    write_frames(output, chosen.frames())
    return "\n".join([table(chosen), chosen.summary(), f"{output}"])


def table(selection) -> str:
    """A line per structure: rank, file and number, why."""
    lines = []
    for rank, choice in enumerate(selection.chosen, 1):
        c = choice.candidate
        lines.append(f"{rank:>4}  {c.source}, structure {c.index}: {choice.reason}")
    return "\n".join(lines)
