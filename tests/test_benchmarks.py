# SPDX-License-Identifier: BSD-3-Clause
"""Every benchmark runs, in its smallest form. What it measures is looked at by people, not here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mpi import mpi_environment

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

# script: arguments of its smallest form, a number that must appear in what it prints
RUNS = {
    "all.py": (["--only", "tensors"], r"tensors.py: done in ([\d.]+) min"),
    "accuracy_cost.py": (["--only", "linear, rho x rho"], r"linear, rho x rho +([\d.]+)"),
    "features.py": (["--atoms", "64"], r"mlcalc, neighbor list given +(\S+) us/atom"),
    "linear.py": (["--atoms", "64"], r"mlcalc, energy \+ forces \+ virial +(\S+) us/atom"),
    "tensors.py": (["--atoms", "64"], r"Si, 64 atoms +(\S+)"),
    "systems.py": (["--salt", "2"], r"(\d+)"),
    "watch.py": (["--models", "bodies", "--seconds", "0.1"], r"bodies +([\d.]+)"),
    "versions.py": ([sys.executable, "--atoms", "64", "--turns", "1"], r"linear Si +(\S+)"),
    "kernel.py": (["--atoms", "64"], r"kernel 1000 points +(\S+)"),
    "gap.py": (["--quick", "--only", "Mo"], r"Mo, 200 points +54 +(\S+)"),
    "calculator.py": (["--quick"], r"linear calculator +(\S+)"),
    "far_field.py": (["--cells"], r"mesh +([\d.]+)"),
    "lammps.py": (["--cells", "2", "--seconds", "0.1", "--repeat", "1", "--points", "20"], r"linear.* ([\d.]+)"),
    "lammps_mesh.py": (["--sizes", "4000", "--steps", "1"], r"\| 4000 \| ([\d.]+)"),
    "mlearn.py": (["--elements", "Mo", "--models", "linear"], r"linear.* ([\d.]+)"),
    "body_orders.py": (["--systems", "Mo", "--models", "K 32, (3,3,3,3)"], r"K 32.* ([\d.]+) us/atom"),
    "learning_curves.py": (["--systems", "Si"], r"K 32.* ([\d.]+) s CPU"),
    "outside.py": (["--systems", "Mo", "--kinds", "linear"], r"with +([\d.]+) meV/atom"),
    "rmd17.py": (["--points", "20"], r"kernel.* ([\d.]+)"),
    "dimers.py": (["--kinds", "SOAP"], r"SOAP.* ([\d.]+)"),
    "training_scale.py": (["--frames", "20", "--threads", "1"], r"\n +20 .* ([\d.]+) MB"),
    "batio3.py": (["--kinds", "SOAP"], r"SOAP.* ([\d.]+)"),
    "batio3_tensors.py": (["--kinds", "featomic, ridge"], r"featomic, ridge +([\d.]+)"),
}
LONG = {
    "all.py",
    "accuracy_cost.py",
    "learning_curves.py",
    "outside.py",
    "mlearn.py",
    "rmd17.py",
    "body_orders.py",
    "dimers.py",
    "batio3.py",
    "batio3_tensors.py",
    "far_field.py",
    "lammps_mesh.py",
    "systems.py",
    "training_scale.py",
    "versions.py",
    "watch.py",
}
NEED_DATA = {
    "accuracy_cost.py",
    "batio3.py",
    "batio3_tensors.py",
    "body_orders.py",
    "dimers.py",
    "gap.py",
    "learning_curves.py",
    "mlearn.py",
    "outside.py",
    "rmd17.py",
    "watch.py",
}


def test_every_benchmark_is_run():
    scripts = {path.name for path in BENCHMARKS.glob("*.py") if "def main" in path.read_text()}
    assert scripts == set(RUNS)
    listed = set(re.findall(r'^    "(\w+)": \(\[', (BENCHMARKS / "all.py").read_text(), re.MULTILINE))
    assert {f"{name}.py" for name in listed} == scripts - {"all.py", "systems.py", "versions.py"}


@pytest.mark.parametrize("script", RUNS)
def test_benchmark(script, tmp_path, request):
    if script in LONG and not os.environ.get("MLCALC_BENCHMARKS"):
        pytest.skip("set MLCALC_BENCHMARKS=1 to run it, too (minutes)")
    if script in NEED_DATA:
        request.getfixturevalue("data")
    # beside the originals it would write over the results of the last real run
    shutil.copytree(BENCHMARKS, tmp_path / "benchmarks", ignore=shutil.ignore_patterns("results"))
    environment = mpi_environment()
    environment.pop("PYTHONSAFEPATH", None)  # scripts import their neighbors
    environment.setdefault("MLCALC_DATA", str(BENCHMARKS.parents[1] / "shared/data"))
    environment["MLCALC_CACHE"] = str(tmp_path / "cache")
    arguments, number = RUNS[script]
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}", *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    found = re.search(number, done.stdout)
    assert found, done.stdout
    assert float(found[1]) > 0
