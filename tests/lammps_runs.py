"""Runs LAMMPS on ASE atoms and reads back what it computed, to full precision."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from ase.data import chemical_symbols
from far_fields import relative

from mlcalc import lammps

PRESSURE_UNIT = {"metal": 1.6021765e6, "real": 68568.415}  # LAMMPS's nktv2p
KCAL = 23.060548  # kcal/mol per eV in LAMMPS


def _available():
    try:
        lammps.command()
    except RuntimeError:
        return False
    return (Path(lammps.plugin_path()) / "mlcalcplugin.so").exists()


needs_lammps = pytest.mark.skipif(not _available(), reason="LAMMPS or the plugin is not installed")


def write_data(path, atoms, elements, style="atomic"):
    """A LAMMPS data file of atoms whose cell is lower triangular; charges, if any, are 0. Types follow ``elements``.
    Where a cluster is open there are 15 Angstrom between atoms and box, and 1 Angstrom where a slab is."""
    gap = 15.0 if not atoms.pbc.any() else 1.0
    cell, low = atoms.cell.array.copy(), np.zeros(3)
    for axis in np.flatnonzero(~atoms.pbc):
        cell[axis] = (np.ptp(atoms.positions[:, axis]) + 2 * gap) * np.eye(3)[axis]
        low[axis] = atoms.positions[:, axis].min() - gap
    assert abs(np.triu(cell, 1)).max() < 1e-12, "LAMMPS wants a lower triangular cell"
    with open(path, "w") as out:
        out.write(f"# test\n\n{len(atoms)} atoms\n{len(elements)} atom types\n\n")
        for axis, name in enumerate("xyz"):
            out.write(f"{low[axis]:.17g} {low[axis] + cell[axis, axis]:.17g} {name}lo {name}hi\n")
        if abs(np.tril(cell, -1)).max() > 0:
            out.write(f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz\n")
        out.write("\nMasses\n\n")
        for k, _ in enumerate(elements):
            out.write(f"{k + 1} {20.0 + k}\n")
        out.write(f"\nAtoms # {style}\n\n")
        charge = " 0" if style == "charge" else ""
        types = [elements.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
        for i, (kind, position) in enumerate(zip(types, atoms.positions, strict=True)):
            out.write("{} {}{} {:.17g} {:.17g} {:.17g}\n".format(i + 1, kind, charge, *position))


@dataclass
class Job:
    """One system in one LAMMPS script. ``run`` replaces the default ``run 0``; results are of its last step."""

    atoms: object
    model: Path
    options: str = ""
    units: str = "metal"
    before: str = ""  # commands before read_data
    style: str | None = None  # instead of "pair_style mlcalc options"
    after: str = ""  # commands after pair_coeff
    run: str = "run 0"
    open: str = "f"  # the boundary of directions that are not periodic
    elements: list = field(default_factory=list)

    def script(self, directory, number):
        elements = self.elements or [chemical_symbols[z] for z in sorted(set(self.atoms.numbers))]
        write_data(
            directory / f"{number}.data", self.atoms, elements, "charge" if "charge" in self.before else "atomic"
        )
        boundary = " ".join("p" if periodic else self.open for periodic in self.atoms.pbc)
        style = self.style or f"pair_style mlcalc {self.options}"
        coefficients = "" if self.style else f"pair_coeff * * {self.model} {' '.join(elements)}"
        columns = "c_e c_w[1] c_w[2] c_w[3] c_w[4] c_w[5] c_w[6]"
        return f"""
clear
units {self.units}
boundary {boundary}
atom_modify map array
{self.before}
read_data {number}.data
{style}
{coefficients}
compute e all pe/atom
compute w all stress/atom NULL virial
compute pv all pressure NULL virial
thermo_style custom step pe c_pv[1] c_pv[2] c_pv[3] c_pv[4] c_pv[5] c_pv[6]
thermo_modify format float %.17g
{self.after}
{self.run}
print "$(pe:%.17g) $(c_pv[1]:%.17g) $(c_pv[2]:%.17g) $(c_pv[3]:%.17g) $(c_pv[4]:%.17g) $(c_pv[5]:%.17g) $(c_pv[6]:%.17g) $(vol:%.17g)" file {number}.thermo
write_dump all custom {number}.dump id x y z fx fy fz {columns} modify sort id format float %.17g
"""  # noqa: E501

    def results(self, directory, number):
        """Energy, forces, virial (xx yy zz xy xz yz), energies, atom virials, positions; eV and Angstrom."""
        energy = KCAL if self.units == "real" else 1.0
        thermo = np.array((directory / f"{number}.thermo").read_text().split(), dtype=float)
        dump = np.loadtxt(directory / f"{number}.dump", skiprows=9, ndmin=2)
        return {
            "energy": thermo[0] / energy,
            "virial": thermo[1:7] * thermo[7] / PRESSURE_UNIT[self.units] / energy,
            "positions": dump[:, 1:4],
            "forces": dump[:, 4:7] / energy,
            "energies": dump[:, 7] / energy,
            "atom_virials": -dump[:, 8:14] / PRESSURE_UNIT[self.units] / energy,
        }


def run(directory, jobs, ranks=1, arguments=(), check=True):
    """Runs the jobs in one LAMMPS and returns the list of their results, and the text that LAMMPS wrote."""
    directory.mkdir(parents=True, exist_ok=True)
    script = "".join(job.script(directory, number) for number, job in enumerate(jobs))
    (directory / "in.test").write_text(script)
    done = lammps.run("in.test", ranks=ranks, directory=directory, timeout=120, arguments=arguments)
    if check and done.returncode != 0:
        raise AssertionError(done.stdout[-3000:])
    if not check:
        return None, done.stdout
    return [job.results(directory, number) for number, job in enumerate(jobs)], done.stdout


def engine(atoms, model, **options):
    """The same numbers from the engine through ASE."""
    from mlcalc.calculator import MLCalculator

    atoms = atoms.copy()
    atoms.calc = MLCalculator(model, **options)
    out = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "energies": atoms.get_potential_energies(),
    }
    if atoms.pbc.sum() > 1 and atoms.cell.rank == 3:
        order = [0, 1, 2, 5, 4, 3]  # ASE: xx yy zz yz xz xy
        out["virial"] = -atoms.get_stress()[order] * atoms.get_volume()
        out["atom_virials"] = -atoms.get_stresses()[:, order] * atoms.get_volume()
    return out


def assert_error_below_request(directory, atoms, model, exact, floor):
    """Forces and virial through the mesh on two ranks, against a k-sum of the accuracy ``exact``. Errors have to fall
    with the request and stay above ``floor``, so that this can fail. Returns {request: results}, results of the k-sum.
    """
    requests = (1e-3, 1e-4, 1e-5)
    jobs = [Job(atoms, model, f"lode ksum accuracy {exact}")]
    jobs += [Job(atoms, model, f"lode mesh accuracy {accuracy}") for accuracy in requests]
    (wanted, *meshes), _ = run(directory, jobs, 2)
    errors = [relative(got["forces"], wanted["forces"]) for got in meshes]
    for accuracy, error, got in zip(requests, errors, meshes, strict=True):
        assert error < accuracy
        assert relative(got["virial"], wanted["virial"]) < 10 * accuracy
    assert errors[0] > errors[1] > errors[2] > floor
    return dict(zip(requests, meshes, strict=True)), wanted


def assert_same(got, expected, tolerance=1e-10, names=None):
    for name in names or expected:
        scale = max(1.0, np.abs(expected[name]).max())
        error = np.abs(np.asarray(got[name]) - expected[name]).max() / scale
        assert error < tolerance, f"{name} differs by {error:.2e}"
