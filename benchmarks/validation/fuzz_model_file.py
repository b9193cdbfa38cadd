# SPDX-License-Identifier: BSD-3-Clause
"""Feeds mutated model files of every kind to the reader, under AddressSanitizer and UBSan:

    python benchmarks/validation/fuzz_model_file.py [--mutations 20000] [--seed 1] [--rounds 1] [--minutes 600]

Fails if one of them crashes the reader, takes it more than a second or more memory than its size justifies, or is
refused without a sentence that names the file and the field. Those that are accepted then evaluate a crystal. Rounds
have seeds of their own, so a million mutants are 50 rounds, in one go or in several; none begins after the minutes.
"""

import argparse
import datetime
import platform
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "tests"))

import fuzzing  # noqa: E402


@dataclass
class Totals:
    """What all rounds gave."""

    mutants: int = 0
    accepted: int = 0
    slowest: float = 0.0  # s
    largest: float = 0.0  # MB
    ratio: float = 0.0  # memory by size of the file
    evaluated: int = 0
    refused: int = 0  # by the evaluation
    seconds: float = 0.0  # of the evaluation
    reasons: Counter = field(default_factory=Counter)

    def add(self, text):
        """The output of one round of the fuzzer."""
        mutants, accepted = re.search(r"^(\d+) mutants of \d+ files: (\d+) accepted", text, re.M).groups()
        slowest, largest, ratio = re.search(
            r"slowest (\S+) s, most memory (\S+) MB, at most (\S+) times", text
        ).groups()
        self.mutants += int(mutants)
        self.accepted += int(accepted)
        self.slowest = max(self.slowest, float(slowest))
        self.largest = max(self.largest, float(largest))
        self.ratio = max(self.ratio, float(ratio))
        for count, reason in re.findall(r"^ *(\d+)  (.+)$", text, re.M):
            self.reasons[reason] += int(count)

    def evaluate(self, directory):
        start = time.process_time()
        evaluated, refused = fuzzing.evaluate_accepted(directory)
        self.seconds += time.process_time() - start
        self.evaluated += evaluated
        self.refused += refused

    def __str__(self):
        return (
            f"{self.mutants} mutants: {self.accepted} accepted, {self.mutants - self.accepted} refused for "
            f"{len(self.reasons)} different reasons\nslowest {self.slowest:.3f} s, most memory {self.largest:.2f} MB, "
            f"at most {self.ratio:.1f} times the size of the file + 64 KiB\nof the accepted ones, {self.evaluated} "
            f"evaluated NaCl and {self.refused} said why not, "
            f"{1e3 * self.seconds / max(1, self.evaluated + self.refused):.1f} ms each"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=20000, help="of each round")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600.0, help="no round begins later")
    arguments = parser.parse_args()
    totals, status, start = Totals(), 0, time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        executable = fuzzing.build(Path(directory), sanitizers="address,undefined")
        seeds = range(arguments.seed, arguments.seed + arguments.rounds)
        for seed in seeds:
            if status != 0 or time.monotonic() - start > 60 * arguments.minutes:
                seeds = range(arguments.seed, seed)
                break
            status = one_round(executable, Path(directory) / str(seed), seed, arguments.mutations, totals)
    print(f"{datetime.date.today()}, {platform.machine()}, {platform.system()} {platform.release()}, {cpu()}")
    print(f"{len(seeds)} rounds of {arguments.mutations}, seeds from {arguments.seed}\n{totals}")
    for reason, count in sorted(totals.reasons.items()):
        print(f"{count:6d}  {reason}")
    return status


def one_round(executable, directory, seed, n_mutations, totals):
    """Returns the exit status of the fuzzer, and leaves the mutant that was treated wrongly as fault.mlcalc."""
    directory.mkdir()
    done = fuzzing.run(executable, directory, seed=seed, n_mutations=n_mutations)
    fault = directory / "fault.mlcalc"
    if fault.exists():
        Path("fault.mlcalc").write_bytes(fault.read_bytes())
    if done.returncode != 0:
        print(f"seed {seed}: {done.stderr}", file=sys.stderr)
        return done.returncode
    totals.add(done.stdout)
    totals.evaluate(directory / "accepted")
    for path in directory.glob("**/*.mlcalc"):
        path.unlink()
    print(f"seed {seed}: {totals.mutants} mutants so far", file=sys.stderr, flush=True)
    return 0


def cpu():
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    sys.exit(main())
