# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the fuzzer of model files, tests/fuzz/fuzz_model_file.cpp, under sanitizers."""

import os
import subprocess
from pathlib import Path

import models
import nlohmann_json

ROOT = Path(__file__).parent.parent
READER = [ROOT / f"mlcalc/core/{name}.cpp" for name in ("checked_json", "safetensors", "model")]
SOURCES = [*READER, ROOT / "tests/fuzz/fuzz_model_file.cpp"]
COMPILER = os.environ.get("CXX", "c++").split()


def build(directory, sanitizers="address"):
    """Compiles the fuzzer into this directory and returns its path."""
    # in one piece: most of the time goes into the JSON header
    everything = directory / "everything.cpp"
    everything.write_text("".join(f'#include "{source}"\n' for source in SOURCES))
    include = [f"-I{ROOT / 'mlcalc/core'}", f"-isystem{Path(next(iter(nlohmann_json.__path__))) / 'include'}"]
    sanitize = [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    executable = directory / "fuzz_model_file"
    command = [*COMPILER, "-std=c++17", "-O1", "-g1", *sanitize, *include, str(everything), "-o", str(executable)]
    subprocess.run(command, check=True)
    return executable


def run(executable, directory, *, seed, n_mutations, kinds=models.EVERY_KIND_OF_MODEL):
    """Mutates models of these kinds. Returns the completed process, with its text output."""
    files = []
    for k, kind in enumerate(kinds):
        files.append(directory / f"{k}.mlcalc")
        models.build(kind).save(files[-1])
    command = [str(executable), str(seed), str(n_mutations), *map(str, files)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True)
