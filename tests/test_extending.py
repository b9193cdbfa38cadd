# SPDX-License-Identifier: BSD-3-Clause
"""A stranger adds a pair potential and a layer: one class each, nothing of the core changed (docs/developer.md)."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPILER = os.environ.get("CXX", "c++").split()
NEEDED = [
    "base/spline.cpp", "pairs/pair_geometry.cpp", "pairs/pair_potential.cpp", "pairs/zbl.cpp",
    "simd/instruction_set.cpp", "simd/triple_kernels.cpp",
]  # fmt: skip


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    program = tmp_path_factory.mktemp("toys") / "toys"
    core = ROOT / "mlcalc/core"
    sources = [str(core / name) for name in NEEDED if (core / name).exists()]
    sources += [str(p) for p in (core / "pairs").glob("*.cpp") if str(p) not in sources]
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{core}"]
    try:
        subprocess.run([*COMPILER, *flags, str(ROOT / "tests/cpp/toys.cpp"), *sources, "-o", str(program)], check=True)
    except FileNotFoundError:
        pytest.skip("no C++ compiler")
    return [float(x) for x in subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()]


def test_a_pair_potential_needs_one_class(errors):
    assert errors[0] < 1e-9


def test_a_layer_needs_one_class(errors):
    assert errors[1] < 1e-8
