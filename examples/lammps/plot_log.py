# SPDX-License-Identifier: BSD-3-Clause
"""Draws columns of a LAMMPS log against the step, one below the other.

python examples/lammps/plot_log.py log.lammps Temp Density c_worst --limit 0.045 -o halt.png

A horizontal line at ``--limit`` is drawn in the last of them.
"""

import argparse

import matplotlib
from lammps.formats import LogFile

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("columns", nargs="+", help="as in the header of the table in the log")
    parser.add_argument("--labels", nargs="+", help="what to write beside the axes, one for each column")
    parser.add_argument("--limit", type=float)
    parser.add_argument("--output", "-o", default="log.png")
    args = parser.parse_args()
    table = max(LogFile(args.log).runs, key=lambda run: len(run["Step"]))  # the longest run of the log
    figure, axes = plt.subplots(
        len(args.columns), 1, figsize=(6, 2 * len(args.columns)), sharex=True, squeeze=False, layout="constrained"
    )
    for ax, column, label in zip(axes[:, 0], args.columns, args.labels or args.columns, strict=True):
        ax.plot(table["Step"], table[column])
        ax.set_ylabel(label)
    if args.limit:
        axes[-1, 0].axhline(args.limit, color="black", ls="--", label="limit: the run stops")
        axes[-1, 0].legend(frameon=False)
    axes[-1, 0].set_xlabel("step")
    figure.savefig(args.output, dpi=100)


if __name__ == "__main__":
    main()
