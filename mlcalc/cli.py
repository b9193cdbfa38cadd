# SPDX-License-Identifier: BSD-3-Clause
"""The command line, ``mlcalc <command>``. Commands import what they need when they run: ``--help`` is instant."""

import argparse
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

DESCRIPTION = """Machine-learned interatomic potentials that see the neighborhood of an atom (SOAP) and
the far field of all the others (LODE): train them, and run them in ASE and in LAMMPS."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0, 1 for an error (one sentence on stderr), 130 for Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    parser = make_parser(next((word for word in argv if not word.startswith("-")), None))
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    try:
        return COMMANDS[args.command].run(args) or 0
    except KeyboardInterrupt:
        print(f"mlcalc: interrupted{COMMANDS[args.command].after_interrupt}", file=sys.stderr)
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


class Command(NamedTuple):
    """A command: its help, what adds its arguments to a parser, what runs it, what to do after Ctrl-C."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]
    after_interrupt: str = ""


def make_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; only ``chosen`` has its arguments, whose definition may need slow imports."""
    parser = argparse.ArgumentParser(prog="mlcalc", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"mlcalc {installed_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name, help=command.help, description=command.help, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        if name == chosen:
            command.add_arguments(sub)
    return parser


def installed_version() -> str:
    try:
        return version("mlcalc")
    except PackageNotFoundError:
        return "(not installed)"


def add_lammps(sub) -> None:
    sub.epilog = "With no argument: print the folder of the plugin, for LAMMPS_PLUGIN_PATH or 'plugin load'."
    sub.add_argument(
        "action",
        nargs="?",
        choices=["path", "check"],
        default="path",
        help="check: start LAMMPS and load the plugin,\
 on one rank and on two, and explain what is wrong",
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
    from .lammps.check import check

    good = True
    for passed, line in check(args.lmp, args.mpirun):
        print(f"[{'ok' if passed else 'NO'}] {line}", flush=True)
        good = good and passed
    return 0 if good else 1


def add_info(sub) -> None:
    sub.add_argument("model", help="a model file, *.mlcalc")
    sub.add_argument("--provenance", action="store_true", help="all that is known of its training, as JSON")
    sub.add_argument("--json", action="store_true", help="the complete description, as stored in the file")


def run_info(args) -> None:
    from .commands.info import describe, document, provenance

    show = document if args.json else provenance if args.provenance else describe
    print(show(args.model))


def add_md(sub) -> None:
    sub.epilog = """Writes OUTPUT.xyz (trajectory), OUTPUT.csv (table) and OUTPUT.checkpoint. For large systems and many
processes use LAMMPS with pair_style mlcalc."""
    sub.add_argument("structure", help="initial structure, any format that ASE reads; its last frame")
    sub.add_argument("--model", "-m", required=True, help="a model file, *.mlcalc")
    sub.add_argument("--ensemble", choices=["nve", "nvt", "npt"], default="nvt", help="default: nvt")
    sub.add_argument("--temperature", "-T", type=float, default=300.0, metavar="K", help="default: 300")
    sub.add_argument("--pressure", "-P", type=float, default=1.0, metavar="BAR", help="default: 1")
    sub.add_argument("--timestep", "-t", type=float, default=1.0, metavar="FS", help="default: 1")
    sub.add_argument("--thermostat-time", type=float, default=100.0, metavar="FS", help="default: 100")
    sub.add_argument("--barostat-time", type=float, default=1000.0, metavar="FS", help="default: 1000")
    sub.add_argument("--steps", "-n", type=int, default=1000, help="total, also after a restart; default: 1000")
    sub.add_argument("--every", type=int, default=10, help="steps between frames and checkpoints; default: 10")
    sub.add_argument("--seed", type=int, default=0, help="of initial velocities and thermostat; default: 0")
    sub.add_argument("--repeat", type=int, nargs=3, metavar=("A", "B", "C"), help="repeat the structure")
    sub.add_argument("--output", "-o", default="md", help="prefix of the files; default: md")
    sub.add_argument("--restart", action="store_true", help="continue from OUTPUT.checkpoint")
    sub.add_argument("--threads", type=int, default=1, help="default: 1")
    sub.add_argument("--accuracy", type=float, default=1e-5, help="of far-field forces, relative; default: 1e-5")
    sub.add_argument(
        "--max-uncertainty",
        type=lambda text: text if text == "auto" else float(text),
        metavar="EV/A",
        help="stop if the force on an atom is more uncertain, norm over x, y, z (committees); "
        "auto: three times the largest in the training set",
    )


def run_md(args) -> None:
    from tqdm import tqdm

    from .running.calculator import MLCalculator
    from .running.md import Run, Settings
    from .train.data import read_frames

    settings = Settings(
        ensemble=args.ensemble,
        temperature=args.temperature,
        pressure=args.pressure,
        timestep=args.timestep,
        thermostat_time=args.thermostat_time,
        barostat_time=args.barostat_time,
        steps=args.steps,
        every=args.every,
        seed=args.seed,
    )
    atoms = read_frames(args.structure, "-1")[0]
    if args.repeat:
        if min(args.repeat) < 1:
            raise ValueError(f"repeat takes three positive numbers, got {' '.join(map(str, args.repeat))}")
        atoms = atoms.repeat(args.repeat)
    atoms.calc = MLCalculator(
        args.model,
        threads=args.threads,
        accuracy=args.accuracy,
        uncertainty=args.max_uncertainty,
        on_uncertainty="raise",
    )
    run = Run(atoms, settings, args.output, restart=args.restart)
    with tqdm(total=settings.steps, initial=run.dynamics.nsteps, unit="step", file=sys.stderr) as bar:
        run.run(progress=bar.update)
    print(f"trajectory: {run.trajectory}\ntable: {run.table}")
    print("continue: the same command with a larger --steps, and --restart")


def add_train(sub) -> None:
    from .commands.train import add_train_arguments

    sub.epilog = """Begin with: mlcalc train --template DATA.xyz -o options.yaml
Every option: mlcalc train --options"""
    add_train_arguments(sub)


def run_train(args) -> int:
    from .commands.train import run_train

    return run_train(args)


def add_eval(sub) -> None:
    from .commands.train import add_eval_arguments

    add_eval_arguments(sub)


def run_eval(args) -> int:
    from .commands.train import run_eval

    return run_eval(args)


def add_predict(sub) -> None:
    sub.epilog = """Structures are read and written one after the other, and the least certain are printed. OUTPUT is
extxyz, or a database of ASE if it ends in .db: energy, forces, stress where there is a cell, of a committee also
energy_uncertainty and forces_uncertainty, extrapolation where the model has the measure, and predicted_NAME of each
tensor that is defined for the structure. What the structures
carry otherwise is kept."""
    sub.add_argument("model", help="a model file, *.mlcalc")
    sub.add_argument("data", nargs="+", help="files with structures, any format that ASE reads; labels are not needed")
    sub.add_argument("--index", default=":", help="which structures, e.g. 0 or -10: or ::5; default: all")
    sub.add_argument("--output", "-o", default="predictions.xyz", help="extxyz, or NAME.db; default: predictions.xyz")
    sub.add_argument("--threads", type=int, default=1, help="default: 1")
    sub.add_argument(
        "--lode", choices=["auto", "ksum", "mesh", "free"], default="auto", help="evaluator of the far field"
    )
    sub.add_argument("--accuracy", type=float, default=1e-5, help="of far-field forces, relative; default: 1e-5")
    sub.add_argument("--quiet", action="store_true", help="no progress bar")


def run_predict(args) -> None:
    from .commands.predict import predict_files

    options = {"threads": args.threads, "lode": args.lode, "accuracy": args.accuracy}
    print(predict_files(args.model, args.data, args.index, args.output, progress=not args.quiet, **options))


def add_select(sub) -> None:
    from .commands.select import add_select_arguments

    sub.epilog = """Candidates pass by once, whatever their number; those that repeat others, have atoms too close or
unknown elements are left out and counted. Each structure that is chosen says why."""
    add_select_arguments(sub)


def run_select(args) -> None:
    from .commands.select import run_select

    print(run_select(args))


def add_learn(sub) -> None:
    sub.epilog = """Everything is in one folder: labels, models, runs and report.html. A loop that was stopped or killed
goes on with the same command. Every option: mlcalc learn --options"""
    sub.add_argument("options", nargs="?", help="options file (YAML)")
    sub.add_argument("--options", dest="show", action="store_true", help="print a page about all options, and stop")
    sub.add_argument("--quiet", action="store_true", help="no progress bars")


def run_learn(args) -> None:
    from .commands.learn import run_learn

    print(run_learn(args))


def add_features(sub) -> None:
    sub.epilog = (
        "OUTPUT holds one array per term (n_atoms, n_features), beside it NAME-columns: what each feature is, and "
        "'structure' and 'numbers' (n_atoms,)."
    )
    sub.add_argument("model", help="a model file or a descriptor, *.mlcalc")
    sub.add_argument("data", help="structures, any format that ASE reads")
    sub.add_argument("--index", default=":", help="which structures, e.g. 0 or -10: or ::5; default: all")
    sub.add_argument("--term", action="append", help="only this term; may be repeated")
    sub.add_argument("--output", "-o", default="features.npz", help="default: features.npz")


def run_features(args) -> None:
    from .commands.features_file import write_features

    for name, shape in write_features(args.model, args.data, args.index, args.term, args.output).items():
        print(f"{name}: {shape[0]} atoms x {shape[1]} features")
    print(args.output)


def add_convert(sub) -> None:
    sub.epilog = "Which potentials convert, and how well they agree: docs/gap.md."
    sub.add_argument(
        "potential",
        help="XML file of QUIP, its files of sparse points beside it; or a file of LAMMPS's pair_style table",
    )
    sub.add_argument("--output", "-o", required=True, help="the model file to write, *.mlcalc")
    sub.add_argument(
        "--species", nargs="+", metavar="SYMBOL", help="the model is for these; default: all it was made for"
    )
    sub.add_argument(
        "--check", metavar="FRAMES", help="compare with quippy, where it is installed, for the structures of this file"
    )
    sub.add_argument(
        "--pairs", nargs="+", metavar="A-B=SECTION", help="of a table: which section is for which pair of elements"
    )
    sub.add_argument(
        "--smoothing", type=float, metavar="A", help="of a table: Angstrom before its end over which it goes to zero"
    )
    sub.add_argument("--units", choices=["metal", "real"], help="of a table; default: as its first line says, or metal")
    sub.add_argument("--quiet", action="store_true", help="no progress bar")


def run_convert(args) -> None:
    from .commands.convert import convert_file

    options = {"check": args.check, "pairs": args.pairs, "smoothing": args.smoothing, "units": args.units}
    print(convert_file(args.potential, args.output, args.species, progress=not args.quiet, **options))


def add_check(sub) -> None:
    from .commands.check import add_check_arguments

    sub.epilog = """Pairs of atoms that are close and far; with STRUCTURES their compression and expansion, equation of
state, elastic constants and phonons of crystals, a short run at constant energy and heating until it breaks. Exit
status 1 if a check fails."""
    add_check_arguments(sub)


def run_check(args) -> int:
    from .commands.check import check_file

    options = {"json_output": args.json, "threads": args.threads, "seconds": args.seconds, "labeled": args.labeled}
    options |= {"reference": args.reference, "arguments": args.arguments}
    return int(check_file(args.model, args.structures, args.output, **options) == "fail")


def add_isolated(sub) -> None:
    sub.epilog = "Spin is the calculator's business: without it, atoms with open shells are too high."
    sub.add_argument("species", nargs="+", help="chemical symbols")
    sub.add_argument("--calculator", required=True, help="of ASE, as module:Class, such as tblite.ase:TBLite")
    sub.add_argument("--arguments", default="{}", metavar="JSON", help="of the calculator; default: {}")
    sub.add_argument("--periodic", action="store_true", help="in a periodic cell of 15 Angstrom")


def run_isolated(args) -> None:
    from .learn.calculators import calculator_of, isolated_energies

    energies = isolated_energies(args.species, calculator_of(args.calculator, args.arguments), args.periodic)
    listed = ", ".join(f"{symbol}: {energy:.6f}" for symbol, energy in energies.items())
    print(f"data:\n  reference_energies: {{{listed}}}")


def add_demo(sub) -> None:
    sub.epilog = """Nothing is downloaded or precomputed. Without LAMMPS the reference is an Ewald sum in Python and the
dynamics are ASE's."""
    sub.add_argument(
        "--output", "-o", default="mlcalc-demo", help="folder for everything it makes; default: mlcalc-demo"
    )
    sub.add_argument("--ranks", type=int, default=2, help="MPI ranks of LAMMPS; default: 2")
    sub.add_argument("--quick", action="store_true", help="everything small, to see whether it works")
    sub.add_argument("--no-lammps", action="store_true", help="as if LAMMPS were not installed")


def run_demo(args) -> None:
    from pathlib import Path

    from .demo.run import Demo

    Demo(Path(args.output), quick=args.quick, ranks=args.ranks, with_lammps=not args.no_lammps).run()


COMMANDS = {
    "demo": Command("Data, training, dynamics in LAMMPS and ASE, from nothing in a few minutes.", add_demo, run_demo),
    "train": Command(
        "From a data set to a model, with a report of its errors.",
        add_train,
        run_train,
        "; the same command continues where it was",
    ),
    "eval": Command("The errors of a model on labeled structures, as a report and as predictions.", add_eval, run_eval),
    "predict": Command(
        "Energies, forces, stresses and uncertainties of structures, with or without labels.", add_predict, run_predict
    ),
    "select": Command("The structures of trajectories that would teach a model most.", add_select, run_select),
    "learn": Command(
        "From a first structure to a model: label, train, run, select, and again.",
        add_learn,
        run_learn,
        "; the same command continues where it was",
    ),
    "info": Command("What a model file is made of, what it was trained on, and how good it was.", add_info, run_info),
    "features": Command("The invariants of every atom of a data set, as a NumPy file.", add_features, run_features),
    "convert": Command(
        "A Gaussian approximation potential of QUIP, or a table of LAMMPS, as a model file.", add_convert, run_convert
    ),
    "check": Command("Is a model sound where it has no data? Verdicts and a picture.", add_check, run_check),
    "isolated": Command(
        "Energies of separated atoms from a calculator of ASE, for data.reference_energies.", add_isolated, run_isolated
    ),
    "md": Command("Molecular dynamics with ASE: trajectory, table, progress, exact restart.", add_md, run_md),
    "lammps": Command("Where the LAMMPS plugin is, and whether LAMMPS can load it.", add_lammps, run_lammps),
}


if __name__ == "__main__":
    sys.exit(main())
