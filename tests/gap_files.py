# SPDX-License-Identifier: BSD-3-Clause
"""Small potentials of QUIP with random sparse points, written for the tests."""

from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

VERSION = 1769700636
KINDS = {"ard_se": 1, "dot_product": 2, "pp": 4}


@dataclass
class Entry:
    """A gpCoordinates element; without ``points`` they are random ones of length 1 with ``size`` numbers."""

    descriptor: str
    size: int = 1
    n: int = 4
    covariance: str = "dot_product"
    zeta: float = 2
    theta: list = field(default_factory=list)
    delta: float = 0.5
    f0: float = 0.0
    permutations: list = field(default_factory=list)
    points: np.ndarray | None = None
    last: float = 0.0
    whole: bool = False  # without a component of sigma0 at the end

    def numbers(self, rng):
        if self.points is not None:
            return np.asarray(self.points, dtype=float).reshape(-1, self.size)
        rows = rng.random((self.n, self.size))
        if self.covariance == "dot_product" and self.size > 1:
            rows[:, -1] *= self.whole
            rows /= np.linalg.norm(rows, axis=1)[:, None]
            if not self.whole:
                rows[:, -1] = self.last
        return rows


def write_gap(path, entries, *, e0=None, version=VERSION, core="", init="IP GAP label=P", seed=3, alpha=0.7):
    """Writes the XML file of a potential with these coordinates, label P."""
    rng = np.random.default_rng(seed)
    text = f'<P><Potential label="P" init_args="{init}"/>{core}<GAP_params label="P" gap_version="{version}"><GAP_data>'
    text += "".join(f'<e0 Z="{z}" value="{e}"/>' for z, e in (e0 or {14: -0.5, 8: 0.25}).items()) + "</GAP_data>"
    text += f'<gpSparse label="P" n_coordinate="{len(entries)}" fitted="T">\n'
    for k, entry in enumerate(entries):
        rows = entry.numbers(rng)
        permutations = entry.permutations or [list(range(1, entry.size + 1))]
        zeta = f'zeta="{entry.zeta}"' if entry.covariance == "dot_product" else ""
        file = ""
        if entry.size > 100:  # quippy reads no longer lines
            (path.parent / f"points{k}").write_text("\n".join(repr(float(x)) for x in rows.ravel()) + "\n")
            file = f'sparseX_filename="points{k}"'
        text += (
            f'<gpCoordinates label="P{k + 1}" dimensions="{entry.size}" signal_variance="{entry.delta}" '
            f'signal_mean="{entry.f0}" sparsified="T" n_permutations="{len(permutations)}" {zeta} '
            f'covariance_type="{KINDS[entry.covariance]}" n_sparseX="{len(rows)}" {file}>\n'
        )
        if entry.theta:
            text += "<theta>" + " ".join(map(repr, entry.theta)) + " </theta>\n"
        text += f"<descriptor>{entry.descriptor}</descriptor>\n"
        for i, permutation in enumerate(permutations):
            text += f'<permutation i="{i + 1}">{" ".join(map(str, permutation))} </permutation>\n'
        for i, row in enumerate(rows):
            body = "" if file else " ".join(repr(float(x)) for x in row)
            weight, cutoff = alpha * rng.uniform(-1, 1), rng.uniform(0.2, 1.0)
            text += f'<sparseX i="{i + 1}" alpha="{weight!r}" sparseCutoff="{cutoff!r}">{body} </sparseX>\n'
        text += "</gpCoordinates>\n"
    path.write_text(text + "</gpSparse></GAP_params></P>\n")


def crowd(symbols, seed=1, a=5.6, closest=1.6):
    """Atoms at random places of a triclinic cell, none closer than `closest`."""
    rng = np.random.default_rng(seed)
    cell = np.diag(a * rng.uniform(0.95, 1.05, 3)) + rng.uniform(-0.3, 0.3, (3, 3))
    atoms = Atoms(cell=cell, pbc=True)
    for symbol in symbols:
        while True:
            trial = atoms + Atoms(symbol, positions=[rng.random(3) @ cell])
            if len(trial) == 1 or trial.get_distances(-1, range(len(trial) - 1), mic=True).min() > closest:
                atoms = trial
                break
    return atoms
