# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc train`` and ``mlcalc eval``: arguments, and what they do."""

from __future__ import annotations

from pathlib import Path


def add_train_arguments(parser):
    parser.add_argument("options", nargs="?", help="options file (YAML)")
    parser.add_argument("--template", nargs="+", metavar="DATA", help="print a commented options file for these data")
    parser.add_argument("-o", "--output", help="with --template: write to this file instead")
    parser.add_argument("--no-trial", action="store_true",
                        help="with --template: do not try which kind of model is best for the data")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print rows, features, memory and time, and stop")
    parser.add_argument("--options", dest="show", action="store_true", help="print a page about all options, and stop")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of options files, for editors")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run_train(args) -> int:
    """Trains, or prints a template, an estimate or what options there are. Errors are exceptions with one sentence."""
    if args.show or args.schema:
        from ..train.option_page import page, schema

        print(schema() if args.schema else page(), end="")
        return 0
    if args.template:
        return _print_template(args)
    if not args.options:
        raise ValueError("name an options file, or make one with --template DATA")
    from ..train.options import parse_options
    from ..train.team import communicator

    comm = communicator()
    if comm is None and parse_options(args.options).scan:
        return _run_scan(args)
    if args.dry_run:
        from ..train.estimate import dry_run

        print(dry_run(args.options)["text"])
        return 0
    from ..train.run import fit

    result = fit(args.options, progress=not args.quiet, comm=comm)
    if result is None:  # not rank 0
        return 0
    print(result.report["text"])
    print(f"\nmodel {result.model_path}   report {result.report_path}/")
    return 0


def _print_template(args) -> int:
    from ..train.template import template
    from ..train.trial import template_by_trial

    if args.output and Path(args.output).exists():
        raise ValueError(f"{args.output} exists already; name another file")
    if args.no_trial:
        text = template(args.template)
    else:
        text, trial = template_by_trial(args.template, progress=not args.quiet)
        if args.output:
            print(trial.text)
    if args.output:
        Path(args.output).write_text(text)
        print(f"wrote {args.output}; look through it, then: mlcalc train {args.output}")
    else:
        print(text, end="")
    return 0


def _run_scan(args) -> int:
    """Trains every combination, or says how many there are."""
    from ..scan.combinations import combinations
    from ..scan.run import scan
    from ..train.estimate import dry_run

    if args.dry_run:
        base, made, folder = combinations(args.options)
        representations = len({c.representation for c in made if c.options is not None})
        print(dry_run(base)["text"])
        print(f"scan         {len(made)} such trainings; rows are computed for {representations} representations")
        return 0
    result = scan(args.options, progress=not args.quiet)
    print(result.text)
    print(f"\nscan {result.folder}/scan.html")
    return 0


def add_eval_arguments(parser):
    parser.add_argument("model", help="model file (.mlcalc)")
    parser.add_argument("data", nargs="+", help="files with labeled structures, any format ASE reads")
    for name, default in (("energy", "energy"), ("forces", "forces"), ("stress", None), ("virial", None),
                          ("config-type", None), ("distance", None)):  # fmt: skip
        told = f"default {default}; 'none': there are no such labels" if default else "default none"
        parser.add_argument(f"--{name}", default=default, metavar="KEY", help=f"name of the {name} in the data; {told}")
    parser.add_argument("--target", action="append", default=[], metavar="NAME=KEY",
                        help="name of the labels of a tensor in the data; by default those of the training; may be "
                        "repeated")  # fmt: skip
    parser.add_argument("--report", help="folder of the report (default: DATA-report)")
    parser.add_argument("--predictions", help="extxyz file of predictions (default: in the report folder)")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run_eval(args) -> int:
    from ..train.evaluation import evaluate

    keys = {}
    for name in ("energy", "forces", "stress", "virial", "config_type", "distance"):
        value = getattr(args, name)
        keys[name] = None if value in (None, "none", "null") else value
    targets = dict(entry.partition("=")[::2] for entry in args.target)
    if not all(targets.values()):
        raise ValueError(f"--target takes NAME=KEY, got {', '.join(args.target)}")
    report = evaluate(args.model, args.data, keys, targets=targets, report=args.report, predictions=args.predictions,
                      threads=args.threads, progress=not args.quiet)  # fmt: skip
    print(report["text"])
    print(f"\nreport {report['folder']}/   predictions {report['predictions']}")
    return 0
