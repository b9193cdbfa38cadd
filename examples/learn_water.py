# SPDX-License-Identifier: BSD-3-Clause
"""The loop of ``mlcalc learn`` in twenty lines: water dimers, with GFN2-xTB as the reference. python learn_water.py"""

import ase.io
from ase.build import molecule
from tblite.ase import TBLite

from mlcalc import MLCalculator, UncertaintyError
from mlcalc.learn import select
from mlcalc.md import Run, Settings
from mlcalc.train import fit

OPTIONS = {
    "model": "water.mlcalc", "data": {"files": ["water.xyz"], "split": {"validation": 0.2}}, "keep_checkpoint": True,
    "expansions": [{"name": "rho", "type": "density", "n_max": 4, "l_max": 3, "cutoff": 4.5}],
    "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}],
    "committee": {"members": 4}, "solver": {"regularization": 0.01}, "weights": {"forces": 0.05},
}  # fmt: skip

start, second = molecule("H2O"), molecule("H2O")
second.rotate(110, "y")
second.translate([2.9, 0.3, 0.0])
start += second
chosen, labeled = [start.copy() for _ in range(14)], []
for k, atoms in enumerate(chosen):
    atoms.rattle(0.05, seed=k)
for turn in range(4):
    for atoms in chosen:
        atoms.info, atoms.calc = {}, TBLite(method="GFN2-xTB", verbosity=0)
        atoms.get_forces()
    labeled += chosen
    ase.io.write("water.xyz", labeled)
    model = fit(OPTIONS, progress=False).model  # rows of new structures only
    atoms = start.copy()
    atoms.calc = MLCalculator("water.mlcalc", uncertainty=0.3, on_uncertainty="raise")
    run = Run(atoms, Settings(temperature=300.0, timestep=0.5, steps=500, every=5, seed=turn), f"run-{turn}")
    try:
        run.run()
    except UncertaintyError as error:
        print(error)
    passed = [(atoms, "run", k) for k, atoms in enumerate(ase.io.read(f"run-{turn}.xyz", ":"))]
    chosen = select(model, passed, 5, seen=labeled).frames()
    print(f"{len(labeled)} labels, {run.dynamics.nsteps} steps before the limit")
