# SPDX-License-Identifier: BSD-3-Clause
"""Long dynamics of salt through the distributed mesh: NVE drift, the conserved quantity of NPT, and NVE of a slab.

    python benchmarks/validation/lammps_mesh_dynamics.py [--nve 20000] [--npt 5000] [--slab 20000] [--ranks 2]

1000 ions of melt at 1300 K with a SOAP + LODE model that is trained first, on the data of ``mlcalc demo``; accuracy
1e-4, time step 1 fs. The slab is a crystal of 384 ions at 300 K, open along z between two (100) surfaces; its model is
the Fumi-Tosi potential, whose Coulomb part is the far field. Prints the drift of the conserved quantity (eV/atom/ps,
least squares, with its standard error) and its largest change between outputs 10 steps apart.

``econserve`` of LAMMPS 22Jul2025 cannot be taken for NPT with ``iso``: it counts 3 kT times the position of the
barostat's first thermostat, whose equations of motion have 1 kT, so it drifts with any potential. The two kT too many
are taken away here. ``--check-lammps`` shows it with Stillinger-Weber silicon in a minute.
"""

import argparse
import importlib.metadata
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.io import write
from ase.io.lammpsdata import write_lammps_data

sys.path[:0] = [str(Path(__file__).parents[2] / "tests"), str(Path(__file__).parents[1])]
TEMPERATURE = 1300.0
BOLTZMANN = 8.617343e-5  # eV/K, the value of LAMMPS
NPT = """fix 1 all npt temp {t} {t} 0.1 iso 0 0 1
variable conserved equal econserve-2*{k}*{t}*f_1[9]
thermo_style custom step temp vol pe v_conserved
"""
NVE = "fix 1 all nve\nvariable conserved equal etotal\nthermo_style custom step temp press pe v_conserved\n"
SALT = """units metal
boundary p p {}
read_data salt.data
mass 1 22.98977
mass 2 35.453
pair_style mlcalc lode mesh accuracy 1e-4
pair_coeff * * model.mlcalc Na Cl
"""
SILICON = """units metal
lattice diamond 5.2
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 28.0855
pair_style sw
pair_coeff * * {potentials}/Si.sw Si
"""
DYNAMICS = """timestep 0.001
velocity all create {t} 1 mom yes
fix 1 all nvt temp {t} {t} 0.05
run {melt}
unfix 1
thermo 10
{ensemble}
thermo_modify format float %.12g
run {steps}
"""


def train_model(folder):
    """SOAP + LODE as in the demo, with one function for the field, as ``model.mlcalc``; its errors on the test set."""
    from mlcalc.demo.data import Sampling, make_data
    from mlcalc.demo.models import options
    from mlcalc.train import fit

    write(folder / "salt.xyz", make_data(folder / "data", Sampling(), with_lammps=True), format="extxyz")
    chosen = options("soap-lode", str(folder / "salt.xyz"), members=1)
    del chosen["committee"]
    chosen["model"] = str(folder / "model.mlcalc")
    chosen["expansions"][-1] |= {"n_max": 1, "smearing": 1.2, "basis": {"type": "multi_width", "widths": [1.2]}}
    errors = fit(chosen, progress=False).report["errors"]["test"]["all"]
    return {name: errors[name]["rmse"] for name in ("energy", "forces", "stress")}


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


def simulate(name, directory, system, ensemble, steps, ranks, melt, n_atoms, temperature=TEMPERATURE):
    from mlcalc import lammps

    ensemble = ensemble.format(t=temperature, k=BOLTZMANN)
    script = system + DYNAMICS.format(t=temperature, melt=melt, ensemble=ensemble, steps=steps)
    (directory / "in.dynamics").write_text(script)
    done = lammps.run("in.dynamics", ranks, directory)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-2000:])
    step, energy = series(done.stdout)
    slope, error = drift(step - step[0], energy, n_atoms)
    jump = np.abs(np.diff(energy)).max() / n_atoms
    print(
        f"{name}: {steps} steps, {n_atoms} atoms, {ranks} ranks: drift {slope:.2e} +- {error:.1e} eV/atom/ps, largest "
        f"change in 10 steps {jump:.2e} eV/atom, warnings of the cell {done.stdout.count('has drifted')}",
        flush=True,
    )
    header, *rows = done.stdout.split("   Step")[-1].split("Loop time")[0].splitlines()
    rows = [row for row in rows if re.match(r"^ +\d+ ", row)]
    print("\n".join(["   Step" + header, *rows[:: steps // 50]]), flush=True)


def check_lammps(directory):
    """The conserved quantity as LAMMPS prints it, and as corrected here, for a potential of LAMMPS's own."""
    potentials = Path(importlib.metadata.distribution("lammps").locate_file("lammps/share/lammps/potentials"))
    for name, ensemble in (("econserve", NPT.replace("-2*{k}*{t}*f_1[9]", "")), ("corrected", NPT)):
        system = SILICON.format(potentials=potentials)
        simulate(f"NPT, Stillinger-Weber, {name}", directory, system, ensemble, 1000, 1, 200, 216, 1000.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nve", type=int, default=20000, help="steps of NVE")
    parser.add_argument("--npt", type=int, default=5000, help="steps of NPT")
    parser.add_argument("--slab", type=int, default=20000, help="steps of NVE of a slab")
    parser.add_argument("--melt", type=int, default=500, help="steps of NVT before")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--check-lammps", action="store_true", help="only show what econserve of LAMMPS does")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        if options.check_lammps:
            check_lammps(directory)
            return
        simulate_melt(directory, options)
        if options.slab:
            simulate_slab(directory, options)


def simulate_melt(directory, options):
    from systems import molten_salt

    runs = [(name, n, e) for name, n, e in (("NPT", options.npt, NPT), ("NVE", options.nve, NVE)) if n]
    if not runs:
        return
    errors = train_model(directory)
    print("model: root-mean-square test errors " + ", ".join(f"{k} {v:.3g}" for k, v in errors.items()), flush=True)
    atoms = molten_salt(5)
    write_lammps_data(directory / "salt.data", atoms, specorder=["Na", "Cl"], atom_style="atomic")
    for name, steps, ensemble in runs:
        simulate(name, directory, SALT.format("p"), ensemble, steps, options.ranks, options.melt, len(atoms))


def simulate_slab(directory, options):
    from ions import crystal_slab, fumi_tosi

    fumi_tosi().save(directory / "model.mlcalc")
    atoms = crystal_slab()
    write_lammps_data(directory / "salt.data", atoms, specorder=["Na", "Cl"], atom_style="atomic")
    system, steps = SALT.format("f"), options.slab
    simulate("NVE of a slab", directory, system, NVE, steps, options.ranks, options.melt, len(atoms), 300.0)


if __name__ == "__main__":
    main()
