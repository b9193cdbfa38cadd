# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc train`` and ``mlcalc eval``: arguments, and what they do."""

from __future__ import annotations

from pathlib import Path

from .option_checks import OptionError, build


def add_train_arguments(parser):
    parser.add_argument("options", nargs="?", help="options file (YAML)")
    parser.add_argument("--template", nargs="+", metavar="DATA", help="print a commented options file for these data")
    parser.add_argument("-o", "--output", help="with --template: write to this file instead")
    parser.add_argument("--dry-run", action="store_true", help="print rows, features, memory and time, and stop")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run_train(args) -> int:
    """Trains, or prints a template or an estimate. Errors are exceptions with one sentence."""
    if args.template:
        from .template import template

        text = template(args.template)
        if args.output:
            if Path(args.output).exists():
                raise OptionError(f"{args.output} exists already; name another file")
            Path(args.output).write_text(text)
            print(f"wrote {args.output}; look through it, then: mlcalc train {args.output}")
        else:
            print(text, end="")
        return 0
    if not args.options:
        raise OptionError("name an options file, or make one with --template DATA")
    if args.dry_run:
        from .estimate import dry_run

        print(dry_run(args.options)["text"])
        return 0
    from .run import fit

    result = fit(args.options, progress=not args.quiet)
    print(result.report["text"])
    print(f"\nmodel {result.model_path}   report {result.report_path}/")
    return 0


def add_eval_arguments(parser):
    parser.add_argument("model", help="model file (.mlcalc)")
    parser.add_argument("data", nargs="+", help="files with labelled structures, any format ASE reads")
    for name, default in (("energy", "energy"), ("forces", "forces"), ("stress", None), ("virial", None),
                          ("config-type", None), ("distance", None)):  # fmt: skip
        told = f"default {default}; 'none': there are no such labels" if default else "default none"
        parser.add_argument(f"--{name}", default=default, metavar="KEY", help=f"name of the {name} in the data; {told}")
    parser.add_argument("--report", help="folder of the report (default: DATA-report)")
    parser.add_argument("--predictions", help="extxyz file of predictions (default: in the report folder)")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run_eval(args) -> int:
    keys = {}
    for name in ("energy", "forces", "stress", "virial", "config_type", "distance"):
        value = getattr(args, name)
        keys[name] = None if value in (None, "none", "null") else value
    report = evaluate(args.model, args.data, keys, report=args.report, predictions=args.predictions,
                      threads=args.threads, progress=not args.quiet)  # fmt: skip
    print(report["text"])
    print(f"\nreport {report['folder']}/   predictions {report['predictions']}")
    return 0


def evaluate(model, data, keys=None, *, report=None, predictions=None, threads=0, engine=None, progress=True) -> dict:
    """Errors of a model on labelled structures: writes the report folder and the predictions as extxyz.

    ``model`` path or Model; ``data`` paths or a list of ase.Atoms; ``keys`` names of labels as in ``data`` of the
    options. Returns what is in report.json. Raises OptionError and DataError as training does."""
    from mlcalc.model import Model

    from .data import load_dataset
    from .data_options import DataOptions
    from .engine import n_threads
    from .errors import predict
    from .progress import Progress
    from .report import write_predictions, write_report

    loaded = model if isinstance(model, Model) else Model.load(model)
    frames = None
    paths = [data] if isinstance(data, (str, Path)) else list(data)
    if paths and not isinstance(paths[0], (str, Path)):
        frames, paths = paths, []
    wanted = {"files": [str(p) for p in paths], **(keys or {}), "split": {"validation": 0.0}}
    dataset = load_dataset(build(DataOptions, wanted, "data"), frames)
    known = set(int(z) for z in loaded.species)
    for s in dataset.structures:
        s.split = "test"
        unknown = sorted(set(s.atoms.get_chemical_symbols()) - {_symbol(z) for z in known})
        if unknown:
            raise OptionError(f"{s.source}, structure {s.index}: the model does not know {', '.join(unknown)}")
    bars = Progress(progress)
    results = predict(loaded, dataset.structures, n_threads(threads), engine, bars)
    folder = Path(report or (f"{Path(paths[0]).stem}-report" if paths else "eval-report"))
    scale = loaded.committee.scale if loaded.committee else None
    out = write_report(folder, results, scale=scale, extra={"data": dataset.describe()}, notes=dataset.notes)
    target = Path(predictions) if predictions else folder / "predictions.xyz"
    write_predictions(target, results, scale or 1.0)
    return out | {"folder": str(folder), "predictions": str(target)}


def _symbol(z: int) -> str:
    from ase.data import chemical_symbols

    return chemical_symbols[z]
