# SPDX-License-Identifier: BSD-3-Clause
"""What a structure would teach a model: the rows of its labels beside the information of the fit, the spread of a
committee, or its distance from what is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from scipy import linalg

from ..model import Linear, Model
from ..train.design import design_rows, of_size
from ..train.engine import Engine
from ..train.option_checks import DataError
from .greedy import farthest, log_det_gain, most_informative
from .names import LABELS

#: expected errors of labels where the model file does not say: eV per atom, eV/Å, eV per atom
USUAL = {"energy": 0.001, "forces": 0.1, "virial": 0.05}


@dataclass
class Candidate:
    """A structure, where it is from, ``rows`` (m, n) of what its labels would tell, the gain of them alone, and what is
    uncertain of it before (eV per atom; eV/Å, norm over x, y, z, of the worst atom)."""

    atoms: Atoms
    source: str
    index: int
    rows: np.ndarray
    gain: float = 0.0
    energy: float | None = None
    force: float | None = None
    worst_atom: int = -1

    @property
    def nbytes(self) -> int:
        """About what it holds in memory."""
        return self.rows.nbytes + sum(a.nbytes for a in self.atoms.arrays.values()) + 2000


@dataclass
class Choice:
    """A candidate that was taken, what it added (or how far it was), and the sentence why."""

    candidate: Candidate
    value: float
    reason: str


class Measure:
    """Makes candidates of structures and takes the best of them; ``known`` are structures that count as taken."""

    name = ""

    def __init__(self):
        self.known: list[np.ndarray] = []

    def candidate(self, atoms: Atoms, source: str = "", index: int = 0) -> Candidate:
        raise NotImplementedError

    def know(self, candidate: Candidate):
        """What it would teach is known already."""
        self.known.append(candidate.rows)

    def best(self, candidates: Sequence[Candidate], n: int) -> list[Choice]:
        """Up to n, the first the best; fewer where the others teach nothing."""
        gains = None if self.known else [c.gain for c in candidates]
        taken = most_informative([c.rows for c in candidates], n, gains, self.known)
        return [Choice(candidates[k], gain, self._reason(candidates[k], gain)) for k, gain in taken]

    def _reason(self, c: Candidate, gain: float) -> str:
        text = []
        if c.energy is not None:
            text.append(f"energy {1e3 * c.energy:.3g} meV/atom")
        if c.force is not None:
            symbol = chemical_symbols[c.atoms.numbers[c.worst_atom]]
            text.append(f"force {c.force:.3g} eV/Å on atom {c.worst_atom} ({symbol})")
        return f"adds {gain:.3g} to log det; uncertain {self.by}: {', '.join(text)}"

    by = ""

    def _uncertain(self, c: Candidate, parts: dict[str, np.ndarray], sigma: dict[str, float]) -> Candidate:
        """Puts down what is uncertain, from rows (m, n) divided by sigma whose squares sum up to variances."""
        if "energy" in parts:
            c.energy = float(np.linalg.norm(parts["energy"])) * sigma["energy"] / len(c.atoms)
        if "forces" in parts and len(c.atoms):
            of_atoms = np.linalg.norm(parts["forces"].reshape(len(c.atoms), -1), axis=1) * sigma["forces"]
            c.worst_atom = int(np.argmax(of_atoms))
            c.force = float(of_atoms[c.worst_atom])
        c.gain = log_det_gain(c.rows)
        return c


class Leverage(Measure):
    """D-optimality: the rows of the labels of a structure, in units in which the information of the fit is 1, so that
    their squares are variances of the fit. The linear model's information is exact: nothing else is assumed."""

    name, by = "leverage", "by the fit"

    def __init__(self, model: Model, labels=("energy", "forces"), engine: dict | None = None):
        super().__init__()
        if model.information is None:
            raise DataError(
                "the model file does not hold what its labels fix of the weights (option 'information' of the "
                "training); train it again with it, or select by --method committee or farthest"
            )
        self.engine, self.labels = Engine(model, engine), tuple(labels)
        names = [t.name for t in model.terms]
        self.terms = [names.index(name) for name in model.information.terms]
        self.sigmas, self.triangle = model.information.sigmas, model.information.matrix()

    def candidate(self, atoms, source="", index=0):
        sigma = of_size(self.sigmas, len(atoms))
        rows = self._rows(atoms)
        # virials of what is not periodic are no labels
        kinds = [kind for kind in self.labels if kind != "virial" or atoms.cell.rank == 3]
        parts = {}
        for kind in kinds:
            block = rows["sum" if kind == "energy" else kind] / sigma[kind]
            parts[kind] = linalg.solve_triangular(self.triangle, block.T, trans=1, check_finite=False).T
        stacked = np.concatenate([parts[kind] for kind in kinds]).astype(np.float32)
        return self._uncertain(Candidate(atoms, source, index, stacked), parts, sigma)

    def _rows(self, atoms):
        if self.labels == ("energy",) and all(self._is_linear(t) for t in self.terms):
            return {"sum": self._energy_row(atoms)[None, :]}  # without the derivatives that forces need
        return design_rows(self.engine, atoms, self.terms, forces="forces" in self.labels,
                           virial="virial" in self.labels and atoms.cell.rank == 3)  # fmt: skip

    def _is_linear(self, term):
        return isinstance(self.engine.model.terms[term].regressor, Linear)

    def _energy_row(self, atoms):
        parts = []
        for term in self.terms:
            features = self.engine.features(atoms, term)
            parts += [features[atoms.numbers == z].sum(axis=0) for z in self.engine.species]
        return np.concatenate(parts)


class Spread(Measure):
    """The members of a committee: their deviations are a sample of what the fit leaves open, and what one structure
    would decide of them is not counted for another."""

    name, by = "committee", "by the committee"

    def __init__(self, model: Model, labels=("energy", "forces"), engine: dict | None = None):
        super().__init__()
        if model.committee is None:
            raise DataError("the model has no committee; train it with committee.members, or select by another method")
        if "virial" in labels:
            raise DataError("members of a committee have no virials; name energy and forces as labels")
        self.engine, self.labels = Engine(model, engine), tuple(labels)
        self.sigmas = model.information.sigmas if model.information else USUAL
        self.scale = model.committee.scale / np.sqrt(model.committee.n_members - 1)

    def candidate(self, atoms, source="", index=0):
        sigma = of_size(self.sigmas, len(atoms))
        out = self.engine.compute(atoms, members=True, member_forces="forces" in self.labels)
        values = {"energy": out["member_energies"].sum(axis=0)[None, :]}
        if "forces" in self.labels:
            members = np.asarray(out["member_forces"])
            values["forces"] = members.reshape(len(members), -1).T
        parts = {k: self.scale * (values[k] - values[k].mean(axis=1, keepdims=True)) / sigma[k] for k in self.labels}
        stacked = np.concatenate([parts[kind] for kind in self.labels]).astype(np.float32)
        return self._uncertain(Candidate(atoms, source, index, stacked), parts, sigma)


class Farthest(Measure):
    """Farthest points [Imbalzano et al., JCP 148, 241730 (2018)] of the energy of a structure per atom as a row. In
    units of the information of the fit the training set is at the origin, and the distance from it is the standard
    deviation of the energy per atom; without the information nothing is known of the training set."""

    name = "farthest"

    def __init__(self, model: Model, labels=("energy",), engine: dict | None = None):
        super().__init__()
        self.leverage = Leverage(model, ("energy",), engine) if model.information else None
        self.engine = Engine(model, engine)

    def candidate(self, atoms, source="", index=0):
        if self.leverage is not None:
            made = self.leverage.candidate(atoms, source, index)
            made.rows = made.rows / np.float32(np.sqrt(max(1, len(atoms))))
            return made
        return Candidate(atoms, source, index, self.engine.mean_features(atoms)[None, :].astype(np.float32))

    def best(self, candidates, n):
        if not candidates:
            return []
        x = np.concatenate([c.rows for c in candidates])
        distance = np.linalg.norm(x, axis=1) if self.leverage is not None else None
        for row in self.known:
            apart = np.linalg.norm(x - row, axis=1)
            distance = apart if distance is None else np.minimum(distance, apart)
        return [Choice(candidates[k], d, self._far(d, first=(m == 0))) for m, (k, d) in
                enumerate(farthest(x, n, distance))]  # fmt: skip

    def _far(self, d: float, first: bool) -> str:
        if self.leverage is not None:
            sigma = 1e3 * self.leverage.sigmas["energy"]
            return f"{d:.3g} from the training set and from those before ({d * sigma:.3g} meV/atom by the fit)"
        if first and not self.known:
            return f"{d:.3g} from the mean of the candidates"
        return f"{d:.3g} from those before"


class Random(Measure):
    """At random, to compare with: by a hash of the positions, which is the same whatever comes with it."""

    name = "random"

    def __init__(self, model: Model, labels=("energy", "forces"), engine: dict | None = None):
        super().__init__()

    def candidate(self, atoms, source="", index=0):
        digest = hashlib.sha256(np.ascontiguousarray(atoms.positions).tobytes()).digest()
        return Candidate(atoms, source, index, np.zeros((0, 1), np.float32), int.from_bytes(digest[:6]) / 2**48)

    def best(self, candidates, n):
        order = sorted(range(len(candidates)), key=lambda k: -candidates[k].gain)[:n]
        return [Choice(candidates[k], candidates[k].gain, "at random") for k in order]


MEASURES = {measure.name: measure for measure in (Leverage, Spread, Farthest, Random)}


def measure_of(model: Model, method: str = "auto", labels=("energy", "forces"), engine: dict | None = None) -> Measure:
    """The measure of this name; auto: leverage where the model file has the information of the fit, else its
    committee, else farthest points."""
    if not model.has_energy or not model.terms:
        raise DataError("structures are selected by the features of an energy, and the model has none: it has tensors "
                        "or pair potentials alone; select by a model of the energy of the same species")  # fmt: skip
    if method == "auto":
        method = "leverage" if model.information else "committee" if model.committee else "farthest"
    if method not in MEASURES:
        raise DataError(f"the method must be auto, {', '.join(MEASURES)}, got {method}")
    unknown = [kind for kind in labels if kind not in LABELS]
    if unknown or not labels:
        raise DataError(f"labels are {', '.join(LABELS)}, got {', '.join(unknown) or 'none'}")
    return MEASURES[method](model, labels, engine)
