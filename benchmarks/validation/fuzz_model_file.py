# SPDX-License-Identifier: BSD-3-Clause
"""Feeds mutated model files of every kind to the reader, under AddressSanitizer and UBSan:

    python benchmarks/validation/fuzz_model_file.py [--mutations 20000] [--seed 1]

Fails if one of them crashes the reader, takes it more than a second or more memory than its size justifies, or is
refused without a sentence that names the file and the field. Those that are accepted then evaluate a crystal.
"""

import argparse
import datetime
import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "tests"))

import fuzzing  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        executable = fuzzing.build(directory, sanitizers="address,undefined")
        done = fuzzing.run(executable, directory, seed=arguments.seed, n_mutations=arguments.mutations)
        fault = directory / "fault.mlcalc"
        if fault.exists():
            Path("fault.mlcalc").write_bytes(fault.read_bytes())
        start = time.process_time()
        n_evaluated, n_refused = fuzzing.evaluate_accepted(directory / "accepted")
        seconds = time.process_time() - start
    print(f"{datetime.date.today()}, {platform.machine()}, {platform.system()} {platform.release()}, {cpu()}")
    print(f"seed {arguments.seed}")
    print(done.stdout, end="")
    print(
        f"of the accepted ones, {n_evaluated} evaluated NaCl and {n_refused} said why not, "
        f"{1e3 * seconds / max(1, n_evaluated + n_refused):.1f} ms each"
    )
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


def cpu():
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    sys.exit(main())
