# SPDX-License-Identifier: BSD-3-Clause
"""Random lives of a LAMMPS run: commands, fixes and reactions that change the list, the box, the domains, the groups or
the model between evaluations. Every evaluation leaves its atoms and its energy, to be compared with ASE."""

import re
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from lammps_runs import write_data

EXACT = 1e-9  # accuracy of the far field in ASE
KINDS = {"near": "linear zbl", "far": "linear V", "both": "linear soap + lode", "kernel": "kernel zeta 2"}
FAR = {"far", "both"}  # accurate to the request


@dataclass
class Snapshot:
    """What holds at an evaluation: model, elements of the types, IDs that are excluded, accuracy of the far field."""

    model: str
    elements: tuple
    gone: frozenset
    accuracy: float


@dataclass
class Life:
    """Writes a script of ``n_changes`` changes, drawn with a seed, for models by name (paths), far-fielded or not."""

    models: dict
    seed: int
    tiled: bool = False
    lines: list = field(default_factory=list)
    snapshots: list = field(default_factory=list)

    def __post_init__(self):
        self.random = np.random.default_rng(self.seed)
        self.model, self.elements = self.pick(list(self.models)), ("Na", "Cl")
        self.options, self.accuracy = "lode ksum accuracy 1e-8", 1e-8
        self.gone, self.hybrid = frozenset(), False

    def pick(self, choices):
        return choices[self.random.integers(len(choices))]

    def number(self):
        return int(self.random.integers(1, 90000))

    def write(self, directory, atoms, n_changes):
        write_data(directory / "life.data", atoms, ["Na", "Cl"])
        self.begin()
        self.lines.append("read_data life.data")
        self.prepare()
        self.style()
        self.evaluate()
        changes = [self.dynamics, self.settings, self.coefficients, self.restart, self.rerun, self.change_hybrid,
                   self.balance, self.monte_carlo, self.deposit, self.deform, self.exclude, self.change_box,
                   self.delete, self.plugin, self.types, self.skin]  # fmt: skip
        for _ in range(n_changes):
            change = self.pick(changes)
            self.lines.append(f'print "CHANGE {change.__name__}"')
            change()
            self.evaluate()
        return "\n".join(self.lines) + "\n"

    # ------------------------------------------------------------------------------------------------ the frame

    def begin(self):
        self.lines += ["clear", "units metal", "boundary p p p", "atom_modify map array"]
        self.lines += self.tiled * ["comm_style tiled"]

    def prepare(self):
        """What a new box needs, from a data or a restart file."""
        self.gone = frozenset()
        self.lines += ["neigh_modify every 1 delay 0 check yes", "group gone id 3 7 11", "timestep 0.0005",
                       "thermo_modify format float %.17g"]  # fmt: skip

    def style(self):
        if self.hybrid:
            self.lines += [f"pair_style hybrid/overlay mlcalc {self.options} zero 4.0", "pair_coeff * * zero"]
        else:
            self.lines += [f"pair_style mlcalc {self.options}"]
        self.coeff()

    def coeff(self):
        word = "mlcalc " if self.hybrid else ""
        self.lines += [f"pair_coeff * * {word}{self.models[self.model]} {' '.join(self.elements)}"]

    def evaluate(self, run="run 0 post no"):
        k = len(self.snapshots)
        self.lines += [run] if run else []
        self.lines += [f'print "ENERGY {k} $(pe:%.17g)"',
                       f"write_dump all custom {k}.dump id type x y z modify sort id format float %.17g"]  # fmt: skip
        self.snapshots.append(Snapshot(self.model, self.elements, self.gone, self.accuracy))

    # --------------------------------------------------------------------------------------------- the changes

    def dynamics(self):
        ensemble = self.pick(["nve", f"npt temp 300 300 0.1 {self.pick(['iso', 'aniso'])} 0 0 1"])
        self.lines += [f"velocity all create {self.pick([300, 3000])} {self.number()} loop geom",
                       f"fix move all {ensemble}",
                       f"run {self.pick([1, 5, 12])} post no", "unfix move"]  # fmt: skip

    def settings(self):
        """Without pair_coeff, unless under hybrid, where LAMMPS makes new styles."""
        self.options, self.accuracy = self.pick(
            [("lode ksum accuracy 1e-8", 1e-8), ("lode mesh accuracy 1e-5", 1e-5), ("lode mesh accuracy 1e-4", 1e-4),
             ("lode mesh accuracy 1e-5", 1e-5), ("accuracy 1e-6 threads 2", 1e-6)]
        )  # fmt: skip
        if self.hybrid:
            self.style()
        else:
            self.lines += [f"pair_style mlcalc {self.options}"]

    def coefficients(self):
        self.model, self.elements = self.pick(list(self.models)), self.pick([("Na", "Cl"), ("Cl", "Na")])
        self.coeff()

    def restart(self):
        gone = self.gone
        self.lines += ["write_restart life.restart", "clear"] + self.tiled * ["comm_style tiled"]
        self.lines += ["read_restart life.restart"]
        self.prepare()
        if self.hybrid:
            self.style()
        if gone and self.pick([True, False]):
            self.exclude()

    def rerun(self):
        self.lines += ["write_dump all custom again.dump id type x y z modify sort id format float %.17g",
                       "rerun again.dump dump x y z box yes"]  # fmt: skip
        self.evaluate(run="")

    def change_hybrid(self):
        self.hybrid = not self.hybrid
        self.style()

    def balance(self):
        kind = "rcb" if self.tiled else "shift xyz 10 1.01"
        if self.pick([True, False]):
            self.lines += [f"balance 1.0 {kind}"]
        else:
            self.lines += [f"fix even all balance 3 1.0 {kind}", "fix move all nve", "run 7 post no", "unfix even",
                           "unfix move"]  # fmt: skip

    def monte_carlo(self):
        self.lines += [f"fix mc all gcmc 1 3 2 1 {self.number()} 3000 -4.0 0.2 full_energy overlap_cutoff 1.5",
                       "run 3 post no", "unfix mc"]  # fmt: skip

    def deposit(self):
        self.lines += ["region here block EDGE EDGE EDGE EDGE EDGE EDGE",
                       f"fix grow all deposit 3 {self.pick([1, 2])} 1 {self.number()} region here near 1.6",
                       "run 4 post no", "unfix grow", "region here delete"]  # fmt: skip

    def deform(self):
        axis = self.pick(["x", "y", "z"])
        self.lines += [f"fix pull all deform 1 {axis} scale {self.pick([0.97, 1.03])} remap x", "fix move all nve",
                       "run 6 post no", "unfix pull", "unfix move"]  # fmt: skip

    def exclude(self):
        if self.gone:
            self.gone = frozenset()
            self.lines += ["neigh_modify exclude none"]
        else:
            self.gone = frozenset({3, 7, 11})
            self.lines += ["neigh_modify exclude group gone all"]

    def change_box(self):
        self.lines += [self.pick(["change_box all x scale 1.02 remap", "change_box all y scale 0.98 z scale 1.01 remap",
                                  "change_box all triclinic xy delta 0.7 remap"])]  # fmt: skip

    def delete(self):
        if self.pick([True, False]):
            self.lines += [f"group some id {self.random.integers(20, 40)}", "delete_atoms group some compress no",
                           "group some delete"]  # fmt: skip
        else:
            self.lines += ["region corner block EDGE 1.5 EDGE 1.5 EDGE 1.5", "delete_atoms region corner compress no",
                           "region corner delete"]  # fmt: skip

    def plugin(self):
        self.lines += ["plugin unload pair mlcalc", "plugin load ${plugin}"]
        self.style()

    def types(self):
        self.lines += [f"set type 1 type/ratio 2 0.2 {self.number()}"]

    def skin(self):
        self.lines += [f"neighbor {self.pick([0.3, 1.0, 2.0])} bin"]


def read_dump(path, elements, gone):
    """The atoms that are there for the model."""
    lines = path.read_text().splitlines()
    bounds = np.array([line.split() for line in lines[5:8]], dtype=float)
    tilt = bounds[:, 2] if bounds.shape[1] > 2 else np.zeros(3)
    xy, xz, yz = tilt
    low = bounds[:, 0] - [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = bounds[:, 1] - [max(0, xy, xz, xy + xz), max(0, yz), 0]
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = tilt
    rows = np.array([line.split() for line in lines[9:]], dtype=float)
    rows = rows[~np.isin(rows[:, 0], list(gone))]
    symbols = [elements[int(kind) - 1] for kind in rows[:, 1]]
    periodic = [flag[0] == "p" for flag in lines[4].split()[-3:]]
    return Atoms(symbols, rows[:, 2:5] - low, cell=cell, pbc=periodic)


def energies(text):
    """The energy of each evaluation in the output of LAMMPS."""
    return [float(value) for value in re.findall(r"^ENERGY \d+ (\S+)", text, re.M)]
