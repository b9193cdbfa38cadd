# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the fuzzer of model files, tests/fuzz/fuzz_model_file.cpp, under sanitizers."""

import os
import subprocess
from pathlib import Path

import ase.build
import models
import nlohmann_json
import numpy as np

from mlcalc import _engine

ROOT = Path(__file__).parent.parent
READER = [
    ROOT / f"mlcalc/core/model/{name}.cpp"
    for name in (
        "checked_json",
        "coupling",
        "description",
        "channel_table",
        "safetensors",
        "reader",
        "read_pairs",
        "read_expansions",
        "read_terms",
        "read_outputs",
    )
]
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
    """Mutates models of these kinds. Returns the completed process with its text output; the mutants that were accepted
    are in ``directory / "accepted"``."""
    (directory / "accepted").mkdir()
    files = []
    for k, kind in enumerate(kinds):
        files.append(directory / f"{k}.mlcalc")
        models.build(kind).save(files[-1])
    command = [str(executable), str(seed), str(n_mutations), str(directory / "accepted"), *map(str, files)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True)


def evaluate_accepted(directory):
    """Evaluates NaCl with every accepted mutant, in this process. Returns how many gave numbers and how many said why
    not; anything but a sentence is an exception."""
    n_evaluated = n_refused = 0
    atoms = ase.build.bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.positions += np.random.default_rng(0).uniform(-0.2, 0.2, atoms.positions.shape)
    for path in sorted(directory.iterdir()):
        try:
            potential = _engine.Potential(path.read_bytes(), path.name, memory_limit=1 << 26)
            if min(potential.cutoff, 9.0) != potential.cutoff or not set(atoms.numbers) <= set(potential.species):
                continue
            results = models.evaluate(potential, atoms, atom_virials=True, members=True)
            assert results["forces"].shape == (8, 3)
            n_evaluated += 1
        except (ValueError, RuntimeError) as error:
            assert str(error) and "\n" not in str(error)
            n_refused += 1
    return n_evaluated, n_refused
