# SPDX-License-Identifier: BSD-3-Clause
"""Cost of the engine beside that of another version of mlcalc, by turns, in microseconds of CPU time per atom.

    python benchmarks/versions.py OTHER_PYTHON [--atoms 512] [--turns 7]

OTHER_PYTHON is the interpreter of an environment with the other version. Both load the same model files: linear and
kernel models of silicon and salt, energy + forces + virial; a linear committee of 8, the mean alone and with the forces
of all members; salt in a model of 2 and of 40 species.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

WORKER = """
import json, sys, time
import numpy as np
from mlcalc import full_neighbor_list, _engine
folder = sys.argv[1]
for line in sys.stdin:
    case = json.loads(line)
    data = np.load(f"{folder}/{case['atoms']}.npz")
    with open(f"{folder}/{case['model']}.mlcalc", "rb") as file:
        potential = _engine.Potential(file.read(), case["model"])
    species = np.searchsorted(potential.species, data["numbers"])
    pairs = [data[k] for k in ("first", "j", "r_ij")]
    def run():
        potential.compute(species, data["positions"], data["cell"], True, *pairs, **case["options"])
    run()
    best, n = 1e9, 0
    start = time.process_time()
    while time.process_time() - start < 0.4 or n < 3:
        t = time.process_time(); run(); best = min(best, time.process_time() - t); n += 1
    print(json.dumps(1e6 * best / len(species)), flush=True)
"""

CASES = {
    "linear Si": ("si", "linear-si", {}),
    "linear salt": ("salt", "linear-salt", {}),
    "kernel Si": ("si", "kernel-si", {}),
    "kernel salt": ("salt", "kernel-salt", {}),
    "committee of 8, mean": ("si", "committee-si", {}),
    "committee of 8, forces of all": ("si", "committee-si", {"members": True, "member_forces": True}),
    "kernel committee of 8, mean": ("si", "kernel-committee-si", {}),
    "kernel committee of 8, forces of all": ("si", "kernel-committee-si", {"members": True, "member_forces": True}),
    "salt, model of 2 species": ("salt", "linear-salt", {}),
    "salt, model of 40 species": ("salt", "linear-40", {}),
}


def write_inputs(folder, n_atoms):
    import numpy as np
    from timing import rattled

    from mlcalc import DensityExpansion, Invariant, Kernel, Linear, Model, Term, full_neighbor_list
    from mlcalc.model import Committee

    rho = DensityExpansion(cutoff=5.0, n_max=8, l_max=6)
    rng = np.random.default_rng(0)

    def save(name, species, kernel=False, n_members=None):
        committee = None if n_members is None else Committee(n_members, 1.0)
        model = Model(species=species, expansions=[rho], terms=[Term("soap", [Invariant(2, "rho", "rho")])],
                      committee=committee)  # fmt: skip
        n, members = model.n_features("soap"), () if n_members is None else (n_members,)
        if kernel:
            points = {s: np.abs(rng.normal(size=(1000 // len(species), n))) for s in species}
            weights = {s: rng.normal(size=(*members, len(points[s]))) for s in species}
            model.terms[0].regressor = Kernel(points, weights, zeta=2)
        else:
            model.terms[0].regressor = Linear(rng.normal(size=(*members, len(species), n)) / n)
        model.save(folder / f"{name}.mlcalc")

    save("linear-si", [14])
    save("linear-salt", [11, 17])
    save("linear-40", sorted({11, 17, *range(21, 59)}))
    save("kernel-si", [14], kernel=True)
    save("kernel-salt", [11, 17], kernel=True)
    save("committee-si", [14], n_members=8)
    save("kernel-committee-si", [14], kernel=True, n_members=8)
    for name, kind in {"si": "Si", "salt": "NaCl"}.items():
        atoms = rattled(kind, n_atoms)
        first, j, r_ij = full_neighbor_list(atoms, rho.cutoff)
        np.savez(folder / f"{name}.npz", numbers=atoms.numbers, positions=atoms.positions, cell=np.array(atoms.cell),
                 first=first, j=j, r_ij=r_ij)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other_python")
    parser.add_argument("--atoms", type=int, default=512)
    parser.add_argument("--turns", type=int, default=7, help="the smallest cost of this many is taken")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, args.atoms)
        workers = [subprocess.Popen([python, "-c", WORKER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    text=True, cwd=name) for python in (sys.executable, args.other_python)]  # fmt: skip
        print(f"{'us/atom':40s} {'this':>8s} {'other':>8s} {'ratio':>7s}")
        for case, (atoms, model, options) in CASES.items():
            request = json.dumps({"atoms": atoms, "model": model, "options": options}) + "\n"
            costs = [[], []]
            for _ in range(args.turns):
                for worker, cost in zip(workers, costs, strict=True):
                    worker.stdin.write(request)
                    worker.stdin.flush()
                    cost.append(float(worker.stdout.readline()))
            ours, other = min(costs[0]), min(costs[1])
            print(f"{case:40s} {ours:8.2f} {other:8.2f} {ours / other:7.3f}", flush=True)
        for worker in workers:
            worker.stdin.close()
            worker.wait()


if __name__ == "__main__":
    main()
