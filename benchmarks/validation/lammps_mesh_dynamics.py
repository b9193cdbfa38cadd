# SPDX-License-Identifier: BSD-3-Clause
"""Long dynamics of molten salt through the distributed mesh: NVE drift, and the conserved quantity of NPT.

    python benchmarks/validation/lammps_mesh_dynamics.py [--nve 20000] [--npt 5000] [--ranks 2]

1000 ions at 1300 K, SOAP + LODE (charges of the LAMMPS example, ZBL cores, and linear rho x rho and rho x V terms),
accuracy 1e-4, time step 1 fs. Prints the drift of the total energy in NVE (eV/atom/ps, least squares, with its standard
error) and, for NPT, the drift and the largest change of the conserved quantity between outputs 10 steps apart.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.io.lammpsdata import write_lammps_data

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "examples/lammps")]

START = """units metal
read_data melt.data
mass 1 22.98977
mass 2 35.453
pair_style mlcalc lode mesh accuracy 1e-4
pair_coeff * * model.mlcalc Na Cl
timestep 0.001
velocity all create 1300 1 mom yes
fix 1 all nvt temp 1300 1300 0.05
run {melt}
unfix 1
thermo 10
"""


def write_model(path):
    from make_model import salt_model

    from mlcalc.expansions import DensityExpansion, MultiWidth, PotentialExpansion
    from mlcalc.model import Invariant, Linear, Term

    model = salt_model(members=None)
    rho = DensityExpansion(name="rho", cutoff=4.5, n_max=3, l_max=3)
    field = PotentialExpansion(name="W", n_max=1, l_max=2, smearing=1.2, basis=MultiWidth((1.2,)))
    model.expansions += [rho, field]
    rng = np.random.default_rng(0)
    for name, invariant in (("soap", Invariant(2, "rho", "rho")), ("lode", Invariant(2, "rho", "W"))):
        model.terms.append(Term(name, [invariant]))
        n = model.n_features(name)
        model.terms[-1].regressor = Linear(0.3 / np.sqrt(n) * rng.normal(size=(2, n)))
    model.save(path)


def series(text):
    """Step and the last column of the last table of thermo output."""
    table = text.split("   Step")[-1].split("Loop time")[0].splitlines()[1:]
    rows = [line.split() for line in table if re.match(r"^ +\d+ ", line)]
    return np.array([[float(row[0]), float(row[-1])] for row in rows]).T


def drift(step, energy, n_atoms):
    """Slope of the energy in eV/atom/ps and its standard error."""
    time = step * 0.001
    design = np.stack([np.ones_like(time), time], axis=1)
    coefficients, residual, _, _ = np.linalg.lstsq(design, energy / n_atoms, rcond=None)
    noise = np.sqrt(residual[0] / (len(time) - 2)) if len(residual) else 0.0
    return coefficients[1], noise / np.sqrt(((time - time.mean()) ** 2).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nve", type=int, default=20000, help="steps of NVE")
    parser.add_argument("--npt", type=int, default=5000, help="steps of NPT")
    parser.add_argument("--melt", type=int, default=500, help="steps of NVT before")
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    from systems import molten_salt

    from mlcalc import lammps

    # LAMMPS's own conserved quantity drifts while a box expands a lot (with any potential), so the volume settles first
    npt = f"fix 1 all npt temp 1300 1300 0.1 iso 0 0 1\nrun {10 * options.melt}\n"
    runs = {
        "NVE": (options.nve, "fix 1 all nve\nthermo_style custom step temp press etotal\n"),
        "NPT": (options.npt, npt + "thermo_style custom step temp vol econserve\n"),
    }
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        write_model(directory / "model.mlcalc")
        atoms = molten_salt(5)
        write_lammps_data(directory / "melt.data", atoms, specorder=["Na", "Cl"], atom_style="atomic")
        for name, (steps, ensemble) in runs.items():
            if steps == 0:
                continue
            script = (
                START.format(melt=options.melt) + ensemble + "thermo_modify format float %.12g\n" + f"run {steps}\n"
            )
            (directory / "in.dynamics").write_text(script)
            done = lammps.run("in.dynamics", options.ranks, directory)
            if done.returncode != 0:
                raise SystemExit(done.stdout[-2000:])
            step, energy = series(done.stdout)
            slope, error = drift(step, energy, len(atoms))
            jump = np.abs(np.diff(energy)).max() / len(atoms)
            print(
                f"{name}: {steps} steps, {len(atoms)} atoms, {options.ranks} ranks: drift {slope:.2e} +- {error:.1e} "
                f"eV/atom/ps, largest change in 10 steps {jump:.2e} eV/atom, warnings {done.stdout.count('drifted')}",
                flush=True,
            )


if __name__ == "__main__":
    main()
