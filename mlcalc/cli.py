# SPDX-License-Identifier: BSD-3-Clause
"""The command line, ``mlcalc <command>``. Commands import what they need when they run: ``--help`` is instant."""

import argparse
import os
import sys
from importlib.metadata import PackageNotFoundError, version

DESCRIPTION = """Machine-learned interatomic potentials that see the neighbourhood of an atom (SOAP) and
the far field of all the others (LODE): train them, and run them in ASE and in LAMMPS."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0, 1 for an error (one sentence on stderr), 130 for Ctrl-C."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.run is None:
        parser.print_help()
        return 0
    try:
        return args.run(args) or 0
    except KeyboardInterrupt:
        print("mlcalc: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of a pipe (head) has left
        return 0
    except Exception as error:
        if args.debug:
            raise
        print(f"mlcalc {args.command}: error: {sentence(error)}", file=sys.stderr)
        return 1


def sentence(error: BaseException) -> str:
    """What went wrong, on one line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}"
    if isinstance(error, ImportError) and error.name:
        return f"the Python package {error.name} is needed for this and is not installed ({error})"
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = " ".join(str(text).split())
    return text if text else f"{type(error).__name__} (run again with --debug for the details)"


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog="mlcalc", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"mlcalc {installed_version()}")
    parser.set_defaults(run=None, debug=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name, run, text, epilog=None):
        sub = commands.add_parser(
            name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.set_defaults(run=run)
        return sub

    for add in (add_lammps,):
        add(command)
    return parser


def installed_version() -> str:
    try:
        return version("mlcalc")
    except PackageNotFoundError:
        return "(not installed)"


def add_lammps(command) -> None:
    sub = command(
        "lammps",
        run_lammps,
        "Where the LAMMPS plugin is, and whether LAMMPS can load it.",
        epilog="With no argument: print the folder of the plugin, for LAMMPS_PLUGIN_PATH or 'plugin load'.",
    )
    sub.add_argument(
        "action", nargs="?", choices=["path", "check"], default="path", help="check: start LAMMPS and load the plugin"
    )
    sub.add_argument(
        "--lmp", help="LAMMPS executable to check; default: the one of this Python environment, or in PATH"
    )
    sub.add_argument("--mpirun", help="MPI launcher to check with it")


def run_lammps(args) -> int:
    from . import lammps

    if args.action == "path":
        print(lammps.plugin_path())
        return 0
    from .lammps_check import check

    good = True
    for passed, line in check(args.lmp, args.mpirun):
        print(f"[{'ok' if passed else 'NO'}] {line}", flush=True)
        good = good and passed
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
