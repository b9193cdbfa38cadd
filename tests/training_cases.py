# SPDX-License-Identifier: BSD-3-Clause
"""Structures, options and a model of known weights for the tests of training."""

import functools

import numpy as np
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from mlcalc.calculator import MLCalculator
from mlcalc.expansions import DensityExpansion, Gaussian, ShiftedCosine
from mlcalc.model import Invariant, Linear, Model, Term

RHO = {
    "name": "rho", "type": "density", "n_max": 3, "l_max": 2, "cutoff": 4.0,
    "density": {"type": "gaussian", "width": 0.4}, "smoothing": {"type": "shifted_cosine", "width": 0.5},
}  # fmt: skip
SOAP = {"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}
KERNEL = {**SOAP, "regressor": {"type": "kernel", "zeta": 2, "points": 12}}


def salt(n, seed=0, amplitude=0.15):
    """Rattled and strained rock salt cells of 8 atoms."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(n):
        atoms = bulk("NaCl", "rocksalt", a=5.2 * rng.uniform(0.97, 1.05), cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.rattle(amplitude, seed=100 * seed + k)
        made.append(atoms)
    return made


def pushed(atoms, fraction=0.7):
    """With one atom pushed to this part of its shortest distance."""
    out = atoms.copy()
    d = out.get_all_distances(mic=True)
    np.fill_diagonal(d, np.inf)
    i, j = np.unravel_index(d.argmin(), d.shape)
    out.positions[j] = out.positions[i] + fraction * out.get_distance(i, j, mic=True, vector=True)
    return out


def labeled(frames, calculator, properties=("energy", "forces", "stress")):
    out = []
    for atoms in frames:
        copy = atoms.copy()
        results = {p: np.array(calculator.get_property(p, copy)) for p in properties}
        copy.calc = SinglePointCalculator(copy, **results)
        out.append(copy)
    return out


def options(tmp_path, term=None, **changes):
    data = {"files": ["frames"], "stress": "stress", "split": {"validation": 0.2, "test": 0.2}}
    data.update(changes.pop("data", {}))
    return {
        "model": str(tmp_path / "model.mlcalc"), "data": data, "expansions": [dict(RHO)],
        "terms": changes.pop("terms", None) or [term or SOAP],
        "weights": {"energy": 0.001, "forces": 0.01, "virial": 0.01}, "budget": {"threads": 1},
        # known models are recovered: they need not repel
        "outside": {"separated": None, "close": None, "expanded": None}, **changes,
    }  # fmt: skip


def known_model(seed=1, zbl=None, reference=(-1.0, -3.0)):
    rho = DensityExpansion(
        name="rho", n_max=3, l_max=2, cutoff=4.0, density=Gaussian(0.4), smoothing=ShiftedCosine(0.5)
    )
    model = Model([11, 17], [rho], [Term("soap", [Invariant(2, "rho", "rho")])], list(reference), zbl)
    n = model.n_features("soap")
    model.terms[0].regressor = Linear(np.random.default_rng(seed).normal(size=(2, n)) / n)
    return model


@functools.cache
def _known_data():
    return tuple(labeled(salt(30), MLCalculator(known_model())))


def known_data():
    """30 structures labeled by the known model; the list is new, the structures are not to be changed."""
    return list(_known_data())


@functools.cache
def _argon():
    rng = np.random.default_rng(0)
    frames = []
    for k in range(40):
        atoms = bulk("Ar", "fcc", a=5.3 * rng.uniform(0.97, 1.06), cubic=True)
        atoms.rattle(0.12, seed=k)
        atoms.info["config_type"] = "odd" if k % 2 else "even"
        frames.append(atoms)
    # the smooth cutoff: a jump in the labels could not be learned
    return tuple(labeled(frames, LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0, ro=4.0, smooth=True)))


def argon():
    """40 rattled cells of a Lennard-Jones crystal, of two config types."""
    return list(_argon())


ARGON_RHO = {**RHO, "n_max": 5, "l_max": 3, "cutoff": 6.0, "density": {"type": "gaussian", "width": 0.5}}
