# SPDX-License-Identifier: BSD-3-Clause
"""Features of atomic environments as labeled arrays: describe once, call on structures."""

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from ..model import Equivariant, Invariant, Model, Term
from .labels import channels, labels, n_components
from .views import UnknownSpecies, views

SAMPLE = np.dtype([("structure", np.int32), ("atom", np.int32), ("species", np.int32)])


class Block(NamedTuple):
    """Features in featomic's layout: values (n_samples, n_properties), samples (system, atom), properties (l, n_1, n_2)
    or (n)."""

    values: np.ndarray
    samples: np.ndarray
    properties: np.ndarray


@dataclass(frozen=True)
class Features:
    """What a Descriptor returns.

    values (n_samples, n_features); samples: structured array with fields structure, atom, species (atomic number) of
    each row; properties: what each column stands for, as :func:`mlcalc.running.labels.labels` describes it.
    """

    values: np.ndarray
    samples: np.ndarray
    properties: np.ndarray
    descriptor: "Descriptor"

    def of_species(self, species):
        """The rows (n, n_features) of one center species, symbol or atomic number."""
        return self.values[self.samples["species"] == _number(species)]

    def featomic_blocks(self, invariant=0):
        """The full set of features of one invariant in featomic's order, {(center, neighbor, ..): Block}.

        For nu = 2 of one expansion these are the blocks of SoapPowerSpectrum, keys (center_type, neighbor_1_type,
        neighbor_2_type) with neighbor_1_type <= neighbor_2_type, all (l, n_1, n_2); for two expansions the
        columns of featomic.clebsch_gordan.PowerSpectrum for each pair of neighbor types; for nu = 1 the blocks of
        SoapRadialSpectrum, keys (center_type, neighbor_type).
        Blocks that featomic leaves out because no such neighbors exist are zeros here. Raises ValueError for a
        selection of features, for mixed species and for an equivariant.
        """
        return self.descriptor._featomic_blocks(self, invariant)


class Descriptor:
    """Maps structures to features.

    >>> soap = Descriptor(["Na", "Cl"], DensityExpansion(cutoff=5.0, n_max=8, l_max=6))
    >>> features = soap(atoms)          # ase.Atoms, or a list of them
    >>> features.values.shape, features.properties[:3]

    `species` are symbols or atomic numbers; `expansions` one expansion or several, of a density or of a potential;
    `invariants` a list of mlcalc.model.Invariant, Equivariant, ChannelProduct and ChannelEquivariant, by default the
    invariants nu = 2 of every expansion with itself; `layers` a list of mlcalc.model.Mixing, for products of what they
    mix. `options` are those of the engine (``accuracy`` of the far field, ``n_threads``, ..). Raises ValueError for
    what does not fit.
    """

    def __init__(self, species, expansions, invariants=None, layers=(), **options):
        numbers = sorted({_number(s) for s in _listed(species)})
        expansions = _listed(expansions)
        if not numbers or not expansions:
            raise ValueError("a descriptor needs at least one species and one expansion")
        if invariants is None and layers:
            raise ValueError("a descriptor with layers needs the invariants that are made of them, for example "
                             "ChannelProduct.up_to(layer.name, (3, 2, 1))")  # fmt: skip
        if invariants is None:
            invariants = [Invariant(2, e.name, e.name) for e in expansions]
        self.model = Model(species=numbers, expansions=expansions, layers=_listed(layers),
                           terms=[Term("features", _listed(invariants))], boundaries=("periodic", "free"))  # fmt: skip
        self.options = options

    @classmethod
    def from_model(cls, model, term=0, **options):
        """The features that a term of a model is made of."""
        return cls(model.species, model.expansions, model.terms[term].invariants, model.layers, **options)

    @property
    def species(self):
        """Atomic numbers, ascending."""
        return list(self.model.species)

    @property
    def invariants(self):
        return self.model.terms[0].invariants

    @property
    def n_features(self):
        return len(self.properties)

    @property
    def cutoff(self):
        """The largest cutoff of the expansions in Angstrom, 0 if there are only potentials."""
        return self.model.cutoff

    @functools.cached_property
    def properties(self):
        """Labels of the features, one record per column; see Features."""
        return labels(self.model, self.invariants)

    def __call__(self, structures, progress=None):
        """Features of an ase.Atoms or of a list of them.

        `progress` shows a bar; by default for lists of more than 10 structures on a terminal. Raises ValueError for an
        empty structure, for species that were not described and for positions the engine refuses.
        """
        samples, values = [], []
        for k, atoms in enumerate(_with_progress(_listed(structures), progress)):
            values.append(self._potential(atoms).features(*self._views(atoms)))
            rows = np.zeros(len(atoms), SAMPLE)
            rows["structure"], rows["atom"], rows["species"] = k, np.arange(len(atoms)), atoms.numbers
            samples.append(rows)
        if not values:
            raise ValueError("there are no structures to describe")
        return Features(np.concatenate(values), np.concatenate(samples), self.properties, self)

    def expansion(self, atoms, name=None):
        """Coefficients c[i, channel, n, lm] of an expansion (the first, if not named), lm = l*l + l + m."""
        name = self.model.expansions[0].name if name is None else name
        return self._potential(atoms).expansion(*self._views(atoms), name=name)

    def gradients(self, atoms):
        """dp_i/dr_j, (n_atoms, n_features, n_atoms, 3), in 1/Angstrom, and dp_i/d(strain), (n_atoms, n_features, 3, 3).

        Dense: for small systems. A function of the features is differentiated by `backward`."""
        return self._potential(atoms).feature_gradients(*self._views(atoms))

    def backward(self, atoms, p_adj):
        """dE/dr (n_atoms, 3) and dE/d(strain) (3, 3) of any E(p) with dE/dp = `p_adj` (n_atoms, n_features)."""
        return self._potential(atoms).features_backward(*self._views(atoms), p_adj=p_adj)

    def select(self, indices):
        """A descriptor of these features only, given as indices into the columns, ascending.

        Raises ValueError for indices that are repeated, out of order or out of range, for some components of an
        equivariant without the others, or if an invariant loses all of its features: leave it out of the description
        instead."""
        indices = np.asarray(indices)
        if indices.ndim != 1 or not np.issubdtype(indices.dtype, np.integer) or len(indices) == 0:
            raise ValueError("a selection is a list of feature indices")
        if indices[0] < 0 or indices[-1] >= self.n_features or np.any(np.diff(indices) <= 0):
            raise ValueError(f"selected features must ascend from 0 to at most {self.n_features - 1}")
        chosen = []
        for k, invariant in enumerate(self.invariants):
            own = np.flatnonzero(self.properties["invariant"] == k).reshape(n_components(invariant), -1)
            chosen_of = np.isin(own, indices)
            if not np.array_equal(chosen_of.any(axis=0), chosen_of.all(axis=0)):
                raise ValueError(f"select all components of a feature of equivariant {k}, or none")
            kept = np.arange(own.shape[1]) if invariant.selection is None else np.asarray(invariant.selection)
            kept = kept[chosen_of[0]]
            if len(kept) == 0:
                raise ValueError(f"no feature of invariant {k} is selected; describe features without it")
            chosen.append(replace(invariant, selection=kept.astype(np.int32)))
        return Descriptor(self.species, self.model.expansions, chosen, self.model.layers, **self.options)

    def _potential(self, atoms):
        """The engine; a far field keeps its k list or mesh as long as it is asked for the same kind of system."""
        if "_engine" not in self.__dict__:
            self._engine = self.model.potential(**self.options)
        key = (len(atoms), tuple(atoms.pbc), atoms.cell.array.tobytes())
        if getattr(self, "_last", key) != key:
            self._engine.reset()
        self._last = key
        return self._engine

    def _views(self, atoms):
        if len(atoms) == 0:
            raise ValueError("a structure without atoms has no features")
        try:
            return views(self._potential(atoms), atoms)
        except UnknownSpecies as error:
            raise ValueError(
                f"the species {', '.join(error.symbols)} was not described, only {', '.join(error.known)}"
            ) from None

    def _featomic_blocks(self, features, k):
        invariant = self.invariants[k]
        if isinstance(invariant, Equivariant):
            raise ValueError("blocks of invariants are made; the columns of equivariants have labels")
        names = {invariant.a, getattr(invariant, "b", None)}
        if any(layer.name in names for layer in self.model.layers):
            raise ValueError("featomic's blocks are of expansions; the columns of what layers mix have labels")
        mixed = any(e.mixing is not None for e in self.model.expansions if e.name in names)
        if invariant.selection is not None or mixed:
            raise ValueError("featomic's blocks need all features of species that are not mixed")
        values = features.values[:, self.properties["invariant"] == k] / invariant.scale
        full, pairs = self._full_set(invariant, values)
        blocks = {}
        for center in self.species:
            rows = features.samples["species"] == center
            samples = np.stack([features.samples["structure"][rows], features.samples["atom"][rows]], axis=1)
            for species, pick, factor, properties in pairs:
                key = (center, *(self.species[a] for a in species))
                block = factor * full[rows][(slice(None), *pick)]
                blocks[key] = Block(block.reshape(len(samples), -1), samples, properties)
        return blocks

    def _full_set(self, invariant, values):
        """Values with all pairs of q, and for every key of featomic what to pick from them."""
        q1 = channels(self.model, invariant.a)
        if invariant.nu == 1:
            n = np.arange(q1[:, 1].max() + 1)
            return values, [((a,), (np.flatnonzero(q1[:, 0] == a),), 1.0, n[:, None]) for a in np.unique(q1[:, 0])]
        q2, same = channels(self.model, invariant.b), invariant.a == invariant.b
        n_l = 1 + min(self.model.shape(name)[1] for name in (invariant.a, invariant.b))
        full = values.reshape(len(values), n_l, -1)
        if same:
            symmetric = np.empty((len(values), n_l, len(q1), len(q1)))
            i, j = np.triu_indices(len(q1))
            symmetric[:, :, i, j] = symmetric[:, :, j, i] = np.where(i == j, full, full / np.sqrt(2))
            full = symmetric
        full = full.reshape(len(values), n_l, len(q1), len(q2))
        pairs = []
        for a in np.unique(q1[:, 0]):
            for b in np.unique(q2[:, 0]):
                if same and a > b:
                    continue
                pick = np.ix_(range(n_l), np.flatnonzero(q1[:, 0] == a), np.flatnonzero(q2[:, 0] == b))
                n1, n2 = q1[:, 1].max() + 1, q2[:, 1].max() + 1
                properties = np.stack(np.meshgrid(range(n_l), range(n1), range(n2), indexing="ij"), -1).reshape(-1, 3)
                pairs.append(((a, b), pick, np.sqrt(2) if same and a != b else 1.0, properties))
        return full, pairs


def _listed(value):
    if isinstance(value, list | tuple):
        return list(value)
    return [value]


def _number(species):
    if isinstance(species, str):
        if species not in atomic_numbers:
            raise ValueError(f"{species!r} is not the symbol of an element")
        return atomic_numbers[species]
    if isinstance(species, int | np.integer) and 1 <= species < len(chemical_symbols):
        return int(species)
    raise ValueError(f"a species is an element symbol or an atomic number, got {species!r}")


def _with_progress(structures, progress):
    from tqdm import tqdm  # here, because importing the package must not cost what only long lists need

    hide = None if progress is None else not progress  # None: shown on terminals only
    if progress is None and len(structures) <= 10:
        hide = True
    return tqdm(structures, disable=hide, unit="structure")
