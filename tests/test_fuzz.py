# SPDX-License-Identifier: BSD-3-Clause
import shutil

import fuzzing
import pytest


@pytest.mark.skipif(shutil.which(fuzzing.COMPILER[0]) is None, reason="needs a C++ compiler")
def test_mutated_model_files_are_refused_with_one_sentence(tmp_path):
    """The short form of benchmarks/validation/fuzz_model_file.py."""
    kinds = [
        "linear committee",
        "linear leverage",
        "linear mixed species",
        "kernel selected",
        "kernel zbl",
        "linear pair tables",
        "tensors kernel committee",
        "tensors alone",
        "tensors of channels",
    ]
    done = fuzzing.run(fuzzing.build(tmp_path), tmp_path, seed=1, n_mutations=300, kinds=kinds)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "300 mutants" in done.stdout
    n_evaluated, n_refused = fuzzing.evaluate_accepted(tmp_path / "accepted")
    assert n_evaluated > 3 * n_refused
