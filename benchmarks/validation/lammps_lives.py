# SPDX-License-Identifier: BSD-3-Clause
"""Random lives of LAMMPS runs, the long form of tests/test_lammps_random_lives.py:

    python benchmarks/validation/lammps_lives.py [--lives 300] [--changes 20] [--seed 1000]

Each life draws commands, fixes and reactions that change list, box, domains, groups or model between evaluations, and
compares every energy with ASE. Prints the lives that differ or fail; exit status 1 if there are any. A life may end by
itself: where its atoms fly apart, or where its domains cannot share the mesh that it asks for; such lives are counted.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "tests"), str(Path(__file__).parents[1])]

import models  # noqa: E402
from ase.build import bulk  # noqa: E402
from lammps_lives import EXACT, FAR, KINDS, Life, energies, read_dump  # noqa: E402
from training import machine  # noqa: E402

from mlcalc import lammps  # noqa: E402
from mlcalc.running.calculator import MLCalculator  # noqa: E402

#: ends of lives in which nothing is wrong
MAY_END = ("Lost atoms", "with tiled domains the mesh of the far field needs")


def live(paths, folder, seed, n_changes):
    """A sentence of what went wrong in one life, empty if nothing did."""
    folder.mkdir()
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=seed)
    life = Life(paths, seed, tiled=seed % 3 == 2)
    (folder / "in.life").write_text(life.write(folder, atoms, n_changes))
    plugin = f"{lammps.plugin_path()}/mlcalcplugin.so"
    try:
        done = lammps.run("in.life", 1 + seed % 4, folder, arguments=("-var", "plugin", plugin), timeout=300)
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode != 0:
        return next((line for line in done.stdout.splitlines() if "ERROR" in line), f"status {done.returncode}")
    for k, (energy, snapshot) in enumerate(zip(energies(done.stdout), life.snapshots, strict=True)):
        system = read_dump(folder / f"{k}.dump", snapshot.elements, snapshot.gone)
        system.calc = MLCalculator(paths[snapshot.model], lode="ksum", accuracy=EXACT)
        expected = system.get_potential_energy()
        tolerance = 20 * snapshot.accuracy if snapshot.model in FAR else 1e-9
        if not abs(energy - expected) <= tolerance * abs(expected):
            return f"evaluation {k}: {energy} eV in LAMMPS, {expected} eV in ASE ({snapshot})"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lives", type=int, default=300)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1000)
    arguments = parser.parse_args()
    n_wrong = n_ended = 0
    with tempfile.TemporaryDirectory() as name:
        paths = {kind: Path(name) / f"{kind}.mlcalc" for kind in KINDS}
        for kind, path in paths.items():
            models.build(KINDS[kind]).save(path)
        for seed in range(arguments.seed, arguments.seed + arguments.lives):
            problem = live(paths, Path(name) / str(seed), seed, arguments.changes)
            if any(end in problem for end in MAY_END):
                n_ended += 1
            elif problem:
                n_wrong += 1
                print(f"life {seed}: {problem}", flush=True)
    print(f"{machine()}\n{arguments.lives} lives of {arguments.changes} changes from seed {arguments.seed}: "
          f"{n_ended} ended early, {n_wrong} went wrong")  # fmt: skip
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
