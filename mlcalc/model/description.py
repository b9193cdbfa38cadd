# SPDX-License-Identifier: BSD-3-Clause
"""The model: what it is made of, how it is saved and loaded. docs/file-format.md describes the file."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _engine
from ..files import write_bytes
from .equivariants import Equivariant
from .expansions import DensityExpansion, Legendre, PotentialExpansion
from .information import Information
from .layers import Mixing
from .outputs import TensorKernel, TensorOutput, TensorPart, prefix_of
from .pair_table import TabulatedPairs
from .products import ChannelEquivariant, ChannelProduct
from .triples import TripleKernel

#: the newest that is written; a model is written as the oldest version that holds it: 4 has tensors, 3 layers, tables
#: of pairs and the Legendre basis, and 2 is what 0.1.0 reads
FORMAT_VERSION = 4
_DTYPES = {"F64": np.dtype("<f8"), "I32": np.dtype("<i4")}
_EXPANSIONS = {"density": DensityExpansion, "potential": PotentialExpansion}


@dataclass
class Invariant:
    """Rotation-invariant product of expansions: nu = 1 of ``a``, or nu = 2 of ``a`` and ``b`` (names of expansions).

    The features are multiplied by ``scale``; ``selection`` holds the ascending indices of the features that are kept
    (None: all).
    """

    nu: int
    a: str
    b: str | None = None
    scale: float = 1.0
    selection: np.ndarray | None = None


@dataclass
class Linear:
    """E_i = w[Z_i] . p_i; weights (n_species, n_features), or (n_members, n_species, n_features) of a committee.

    ``leverage[Z]`` (n_rows, n_columns), optional, is what the extrapolation measure ``|L p|^2`` of an environment
    needs: L^T L proportional to (sum over the training set p p^T + regularization)^-1, and the measure 1 for the
    outermost environment of the training set. p are the features ``leverage_columns``, ascending; None: all.
    """

    weights: np.ndarray
    leverage: dict[int, np.ndarray] | None = None
    leverage_columns: np.ndarray | None = None


@dataclass
class Kernel:
    """E_i = sum_M w_M (p_hat_i . p_hat_M)^zeta over the sparse points of the center's species.

    ``points[Z]`` (n_points, n_features) are features before normalization, ``weights[Z]`` (n_points,), or
    (n_members, n_points) of a committee; a species may have none. ``p_hat = p / sqrt(|p|^2 + epsilon^2)`` with
    ``normalize``, else p. [Bartok, Kondor, Csanyi, PRB 87, 184115 (2013)] ``edges[Z]``, optional, is the largest share
    of the prior variance that is left in the training set, by which the extrapolation measure is divided.
    """

    points: dict[int, np.ndarray]
    weights: dict[int, np.ndarray]
    zeta: int = 4
    normalize: bool = True
    epsilon: float = 1e-3
    precision: str = "double"
    edges: dict[int, float] | None = None


@dataclass
class Term:
    """A sum of energies over centers: a regressor on the concatenation of invariants. Without one: features only."""

    name: str
    invariants: list[Invariant | Equivariant | ChannelProduct]
    regressor: Linear | Kernel | None = None


class Zbl(NamedTuple):
    """Ziegler-Biersack-Littmark repulsion, switched off from ``inner`` to ``outer`` Angstrom as in LAMMPS.

    Each is a number for all pairs, or a symmetric nested list (n_species, n_species)."""

    inner: float | list
    outer: float | list

    def to_json(self) -> dict:
        """As in the model file."""
        return {name: np.asarray(value, dtype=float).tolist() for name, value in self._asdict().items()}


class Outermost(NamedTuple):
    """The largest mean extrapolation of the atoms of a structure of the data, of those with at least so many atoms: the
    mean over as many atoms or more is beyond it where a run has left the data, even if no single atom is far out."""

    mean: float
    atoms: int


class Committee(NamedTuple):
    """Number of weight sets, and the factor that calibrates their spread [Musil et al., JCTC 15, 906 (2019)]."""

    n_members: int
    scale: float = 1.0


@dataclass
class Model:
    """Reference energies (eV, per species) + optional ZBL repulsion + tables of pairs + kernels of triples + terms.

    ``layers`` mix the channels of expansions; products within their channels have any number of factors. ``species``
    are atomic numbers in ascending order, ``boundaries`` the kinds it was trained on ("periodic", "slab", "free"),
    ``provenance`` any JSON object: data, split, versions, errors. ``outputs`` are tensors besides the energy; with
    ``has_energy`` False a model has these alone. ``information`` is what the fit knew of the
    weights, ``outermost`` the structure of the data whose atoms are farthest out on average.
    """

    species: list[int]
    expansions: list[DensityExpansion | PotentialExpansion]
    terms: list[Term]
    reference_energies: list[float] | None = None
    zbl: Zbl | None = None
    committee: Committee | None = None
    boundaries: tuple[str, ...] = ("periodic",)
    provenance: dict = field(default_factory=dict)
    layers: list[Mixing] = field(default_factory=list)
    pairs: list[TabulatedPairs] = field(default_factory=list)
    triples: list[TripleKernel] = field(default_factory=list)
    outputs: list[TensorOutput] = field(default_factory=list)
    has_energy: bool = True
    information: Information | None = None
    outermost: Outermost | None = None

    def output(self, name):
        """The output of this name. Raises ValueError if there is none."""
        for output in self.outputs:
            if output.name == name:
                return output
        known = ", ".join(output.name for output in self.outputs) or "none"
        raise ValueError(f"the model has no output '{name}'; it has {known}")

    def expansion(self, name):
        """The expansion of this name."""
        return next(e for e in self.expansions if e.name == name)

    def shape(self, name):
        """(number of columns q, l_max) of the expansion or layer of this name."""
        for layer in self.layers:
            if layer.name == name:
                return layer.n_channels, layer.l_max
        expansion = self.expansion(name)
        n_channels = len(self.species) if expansion.mixing is None else len(expansion.mixing)
        return n_channels * expansion.n_max, expansion.l_max

    @property
    def cutoff(self):
        """The largest cutoff of the short range in Angstrom, pair potentials included; 0 if there is none."""
        cutoffs = [part.cutoff for part in [*self.expansions, *self.pairs, *self.triples] if hasattr(part, "cutoff")]
        return max([0.0, *cutoffs, *([float(np.max(self.zbl[1]))] if self.zbl else [])])

    def n_features(self, term):
        """Number of features of a term (by name or as object), after selection; all components of equivariants."""
        if isinstance(term, str):
            term = next(t for t in self.terms if t.name == term)
        return sum(getattr(i, "n_components", 1) * self.n_selected(i) for i in term.invariants)

    def n_selected(self, invariant):
        """Number of features of an invariant after selection, or of each component of an equivariant."""
        return self.full_size(invariant) if invariant.selection is None else len(invariant.selection)

    def full_size(self, invariant):
        """Number of features of an invariant before selection, or of each component of an equivariant."""
        n_a, l_a = self.shape(invariant.a)
        if isinstance(invariant, ChannelProduct):
            return n_a * len(invariant.paths)
        if invariant.nu == 1:
            return n_a
        if isinstance(invariant, Equivariant):
            return sum(len(block.q_1) for block in invariant.blocks((n_a, l_a), self.shape(invariant.b)))
        n_b, l_b = self.shape(invariant.b)
        n_l = min(l_a, l_b) + 1
        return n_l * (n_a * (n_a + 1) // 2 if invariant.a == invariant.b else n_a * n_b)

    def factors(self, term):
        """The number of factors of each feature of a term (by name), (n_features,)."""
        counts = []
        for invariant in next(t for t in self.terms if t.name == term).invariants:
            n = self.full_size(invariant)
            of_all = np.repeat(invariant.nu, n // np.size(invariant.nu))
            kept = of_all if invariant.selection is None else of_all[invariant.selection]
            counts.append(np.tile(kept, getattr(invariant, "n_components", 1)))
        return np.concatenate(counts)

    def potential(self, **options):
        """The engine for this model, an ``mlcalc._engine.Potential``; ``options`` are its keyword arguments."""
        return _engine.Potential(self.to_bytes(), **{"source": "<memory>", **options})

    def save(self, path):
        """Writes the file. Atomic: if the process is killed on the way, the old file is still there."""
        contents = self.to_bytes()
        write_bytes(Path(path), contents, durable=True)

    @classmethod
    def load(cls, path):
        """Reads a file. Raises RuntimeError with one sentence naming the file and the field if it is not valid."""
        return cls.from_bytes(Path(path).read_bytes(), source=str(path))

    def to_bytes(self):
        """The contents of the file. Raises RuntimeError naming the field if the model would not be valid."""
        document, tensors = self._document(), self._tensors()
        text = json.dumps(document, allow_nan=False)
        contents = _pack(text, tensors)
        _engine.check_model(contents)
        return contents

    def _document(self):
        version = self._version()
        layers = {"layers": [layer.to_json() for layer in self.layers]} if version >= 3 else {}
        outputs = {"outputs": [_output_to_json(output) for output in self.outputs]} if version >= 4 else {}
        energies = [float(e) for e in self._reference_energies()] if self.has_energy else None
        near = {"pairs": self.pairs, "triples": self.triples}
        near = {key: [entry.to_json() for entry in entries] for key, entries in near.items() if entries}
        fit = {"information": self.information.to_json()} if self.information else {}
        if self.outermost is not None:
            fit["outermost"] = Outermost(*self.outermost)._asdict()
        return {
            "format_version": version,
            "species": [int(number) for number in self.species],
            "units": {"energy": "eV", "length": "Angstrom"},
            "reference_energies": energies,
            "zbl": Zbl(*self.zbl).to_json() if self.zbl is not None else None,
            **near,
            "expansions": [expansion.to_json() for expansion in self.expansions],
            **layers,
            "terms": [_term_to_json(term, self.species) for term in self.terms],
            **outputs,
            "committee": _committee_to_json(self.committee),
            **fit,
            "boundaries": list(self.boundaries),
            "provenance": self.provenance,
        }

    def _version(self):
        """The oldest format that holds this model."""
        equivariants = any(hasattr(invariant, "o3_lambda") for term in self.terms for invariant in term.invariants)
        if equivariants or self.outputs or not self.has_energy or self.outermost is not None:
            return 4
        if any(_has_edge(term.regressor) for term in self.terms):
            return 4
        radii_of_pairs = self.zbl is not None and any(np.ndim(radius) for radius in self.zbl)
        parts = bool(self.layers or self.pairs or self.triples or self.information)
        return 3 if parts or radii_of_pairs or any(_is_new(e) for e in self.expansions) else 2

    def _reference_energies(self):
        return [0.0] * len(self.species) if self.reference_energies is None else self.reference_energies

    def _tensors(self):
        tensors = {} if self.information is None else {"information": self.information.triangle}
        for entry in [*self.pairs, *self.triples]:
            tensors |= entry.tensors()
        for expansion in self.expansions:
            for name, table in expansion.tables(self.species).items():
                tensors[f"expansions.{expansion.name}.{name}"] = table
        for layer in self.layers:
            tensors[f"layers.{layer.name}.mixing"] = layer.matrices
        n_members = 1 if self.committee is None else self.committee[0]
        for term in self.terms:
            tensors |= self._tables(term.invariants, f"terms.{term.name}.")
            n_features = self.n_features(term)
            if isinstance(term.regressor, Linear):
                shape = (n_members, len(self.species), n_features)
                tensors[f"terms.{term.name}.weights"] = _members(term.regressor.weights, shape, term.name)
                prefix = f"terms.{term.name}.leverage."
                for number, rows in (term.regressor.leverage or {}).items():
                    tensors[f"{prefix}{number}"] = np.asarray(rows, dtype=float)
                if term.regressor.leverage_columns is not None:
                    tensors[f"{prefix}columns"] = np.asarray(term.regressor.leverage_columns, dtype=np.int32)
            elif isinstance(term.regressor, Kernel):
                for number in self.species:
                    points = np.asarray(term.regressor.points.get(number, np.zeros((0, n_features))), dtype=float)
                    weights = term.regressor.weights.get(number, np.zeros((n_members, 0)))
                    tensors[f"terms.{term.name}.points.{number}"] = points
                    weights = _members(weights, (n_members, len(points)), term.name)
                    tensors[f"terms.{term.name}.weights.{number}"] = weights
        for output in self.outputs:
            for k, part in enumerate(output.parts):
                tensors |= self._part_tensors(output, part, prefix_of(output, k), n_members)
        return tensors

    def _tables(self, invariants, prefix):
        """Selections of features and tables of couplings."""
        tensors = {}
        for k, invariant in enumerate(invariants):
            if isinstance(invariant, ChannelProduct):
                nodes, paths = invariant.numbered(self.shape(invariant.a)[1])
                tensors[f"{prefix}table.{k}.nodes"], tensors[f"{prefix}table.{k}.paths"] = nodes.ravel(), paths.ravel()
            if invariant.selection is not None:
                tensors[f"{prefix}selection.{k}"] = np.asarray(invariant.selection, dtype=np.int32)
        return tensors

    def _part_tensors(self, output, part, prefix, n_members):
        tensors = self._tables(part.equivariants, prefix)
        n_features, n_mu = sum(map(self.n_selected, part.equivariants)), 2 * part.o3_lambda + 1
        if isinstance(part.regressor, Linear):
            shape = (n_members, len(self.species), n_features)
            return tensors | {prefix + "weights": _members(part.regressor.weights, shape, output.name)}
        kernel = part.regressor
        tensors |= self._tables(kernel.invariants, prefix + "scalar.")
        n_invariants = sum(map(self.n_selected, kernel.invariants))
        empty = {"points": (0, n_invariants), "tensors": (0, n_mu, n_features), "weights": (n_members, 0, n_mu)}
        for number in self.species:
            for kind, shape in empty.items():
                values = np.asarray(getattr(kernel, kind).get(number, np.zeros(shape)), dtype=float)
                if kind == "weights":
                    values = _members(values, (n_members, len(kernel.points.get(number, ())), n_mu), output.name)
                tensors[f"{prefix}{kind}.{number}"] = values
        return tensors

    @classmethod
    def from_bytes(cls, contents, source="<memory>"):
        """A model from the contents of a file; the engine checks all of it first, ``source`` stands in its messages."""
        _engine.check_model(contents, source)
        document, tensors = _unpack(contents)
        zbl, committee = document["zbl"], document["committee"]
        model = cls(
            species=document["species"],
            expansions=[],
            terms=[_term_from_json(entry, document, tensors) for entry in document["terms"]],
            reference_energies=document["reference_energies"],
            has_energy=document["reference_energies"] is not None,
            outputs=[_output_from_json(entry, document, tensors) for entry in document.get("outputs", [])],
            zbl=Zbl(**zbl) if zbl else None,
            committee=Committee(**committee) if committee else None,
            outermost=Outermost(**document["outermost"]) if "outermost" in document else None,
            boundaries=tuple(document["boundaries"]),
            provenance=document["provenance"],
            pairs=[TabulatedPairs.from_json(entry, tensors) for entry in document.get("pairs", [])],
            triples=[TripleKernel.from_json(entry, tensors) for entry in document.get("triples", [])],
        )
        if "information" in document:
            model.information = Information.from_json(document["information"], tensors["information"])
        for entry in document.get("layers", []):
            model.layers.append(Mixing.from_json(entry, tensors[f"layers.{entry['name']}.mixing"]))
        for entry in document["expansions"]:
            prefix = f"expansions.{entry['name']}."
            tables = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            model.expansions.append(_EXPANSIONS[entry["type"]].from_json(entry, tables))
        return model


def _is_new(expansion):
    """Does an expansion need format 3?"""
    return isinstance(expansion.basis, Legendre) or getattr(expansion, "center_weights", None) is not None


def _has_edge(regressor):
    """Does a regressor have what format 3 cannot say of extrapolation?"""
    return getattr(regressor, "edges", None) is not None or getattr(regressor, "leverage_columns", None) is not None


def _committee_to_json(committee):
    if committee is None:
        return None
    n_members, scale = committee
    return {"n_members": int(n_members), "scale": float(scale)}


def _term_to_json(term, species):
    regressor = None
    if isinstance(term.regressor, Linear):
        regressor = {"type": "linear", "leverage": term.regressor.leverage is not None}
        if term.regressor.leverage_columns is not None:
            regressor["leverage_columns"] = True
    elif isinstance(term.regressor, Kernel):
        kernel = term.regressor
        regressor = {
            "type": "kernel",
            "zeta": int(kernel.zeta),
            "normalize": bool(kernel.normalize),
            "epsilon": float(kernel.epsilon),
            "precision": kernel.precision,
        }
        if kernel.edges is not None:
            regressor["edges"] = [float(kernel.edges.get(number, 1.0)) for number in species]
    return {
        "name": term.name,
        "invariants": [_invariant_to_json(invariant) for invariant in term.invariants],
        "regressor": regressor,
    }


def _invariant_to_json(invariant):
    scale, selection = float(invariant.scale), invariant.selection is not None
    if isinstance(invariant, ChannelProduct):
        kind = {"within_channels": True, "a": invariant.a}
    else:
        kind = {"nu": int(invariant.nu), "a": invariant.a}
        if invariant.nu == 2:
            kind["b"] = invariant.b
    if hasattr(invariant, "o3_lambda"):
        kind |= {"o3_lambda": int(invariant.o3_lambda), "o3_sigma": int(invariant.o3_sigma)}
    return {**kind, "scale": scale, "selection": selection}


def _output_to_json(output):
    parts = []
    for part in output.parts:
        regressor = {"type": "linear"}
        if isinstance(part.regressor, TensorKernel):
            kernel = part.regressor
            regressor = {"type": "kernel", "zeta": int(kernel.zeta), "epsilon": float(kernel.epsilon),
                         "invariants": [_invariant_to_json(invariant) for invariant in kernel.invariants]}  # fmt: skip
        equivariants = [_invariant_to_json(equivariant) for equivariant in part.equivariants]
        parts.append({"equivariants": equivariants, "regressor": regressor})
    return {"name": output.name, "type": output.type, "unit": output.unit,
            "baseline": None if output.baseline is None else [float(x) for x in output.baseline],
            "origin": output.origin, "committee_scale": float(output.committee_scale), "parts": parts}  # fmt: skip


def _output_from_json(entry, document, tensors):
    settings = {key: entry[key] for key in ("unit", "baseline", "origin", "committee_scale")}
    output = TensorOutput(entry["name"], entry["type"], [], **settings)
    for k, part in enumerate(entry["parts"]):
        prefix, settings = prefix_of(output, k), part["regressor"]
        if settings["type"] == "linear":
            regressor = Linear(tensors[prefix + "weights"])
        else:
            stored = ({z: tensors[f"{prefix}{kind}.{z}"] for z in document["species"]}
                      for kind in ("points", "tensors", "weights"))  # fmt: skip
            invariants = _invariants_from_json(settings["invariants"], prefix + "scalar.", document, tensors)
            regressor = TensorKernel(invariants, *stored, zeta=settings["zeta"], epsilon=settings["epsilon"])
        equivariants = _invariants_from_json(part["equivariants"], prefix, document, tensors)
        output.parts.append(TensorPart(equivariants, regressor))
    return output


def _invariants_from_json(entries, prefix, document, tensors):
    l_max_of = {layer["name"]: layer["l_max"] for layer in document.get("layers", [])}
    invariants = []
    for k, invariant in enumerate(entries):
        selection = tensors[f"{prefix}selection.{k}"] if invariant["selection"] else None
        if invariant.pop("within_channels", False):
            table = {key: tensors[f"{prefix}table.{k}.{key}"] for key in ("nodes", "paths")}
            table = {"nodes": table["nodes"].reshape(-1, 3), "paths": table["paths"].reshape(-1, 2)}
            table["l_max"] = l_max_of[invariant["a"]]
            kind = ChannelEquivariant if "o3_lambda" in invariant else ChannelProduct
            invariants.append(kind(**{**invariant, **table, "selection": selection}))
        else:
            kind = Equivariant if "o3_lambda" in invariant else Invariant
            invariants.append(kind(**{**invariant, "selection": selection}))
    return invariants


def _term_from_json(entry, document, tensors):
    species = document["species"]
    prefix = f"terms.{entry['name']}."
    invariants = _invariants_from_json(entry["invariants"], prefix, document, tensors)
    regressor = entry["regressor"]
    if regressor is not None:

        def of_species(kind):
            return {number: tensors[f"{prefix}{kind}.{number}"] for number in species}

        if regressor["type"] == "linear":
            # format version 1 had no leverage
            leverage = of_species("leverage") if regressor.get("leverage") else None
            columns = tensors[f"{prefix}leverage.columns"] if regressor.get("leverage_columns") else None
            regressor = Linear(tensors[prefix + "weights"], leverage, columns)
        else:
            settings = {key: value for key, value in regressor.items() if key not in ("type", "edges")}
            edges = regressor.get("edges")
            settings["edges"] = None if edges is None else dict(zip(species, edges, strict=True))
            regressor = Kernel(of_species("points"), of_species("weights"), **settings)
    return Term(entry["name"], invariants, regressor)


def _members(weights, shape, term):
    """Weights with the axis of the committee members in front."""
    weights = np.asarray(weights, dtype=float)
    if weights.shape == shape[1:] and shape[0] == 1:
        weights = weights[None]
    if weights.shape != shape:
        raise ValueError(f"term {term!r}: the weights must have the shape {shape}, got {weights.shape}")
    return weights


def _pack(text, tensors):
    """The safetensors layout: 8 bytes length, header, tensors; float64 first, so that all of them are aligned."""
    header, blocks, offset = {}, [], 0
    for dtype in _DTYPES:
        for name, tensor in tensors.items():
            tensor = np.asarray(tensor)
            if ("I32" if tensor.dtype.kind == "i" else "F64") != dtype:
                continue
            block = np.ascontiguousarray(tensor, dtype=_DTYPES[dtype]).tobytes()
            shape, offsets = list(tensor.shape), [offset, offset + len(block)]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
            blocks.append(block)
            offset += len(block)
    data = b"".join(blocks)
    metadata = {"mlcalc": text, "checksum": _engine.checksum(text.encode(), data)}
    encoded = json.dumps({"__metadata__": metadata, **header}).encode()
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded + data


def _unpack(contents):
    """The description and the tensors of a file that the engine has checked."""
    n = int.from_bytes(contents[:8], "little")
    header = json.loads(contents[8 : 8 + n])
    document = json.loads(header.pop("__metadata__")["mlcalc"])
    tensors = {}
    for name, entry in header.items():
        begin, _ = entry["data_offsets"]
        count = math.prod(entry["shape"])
        tensor = np.frombuffer(contents, dtype=_DTYPES[entry["dtype"]], count=count, offset=8 + n + begin)
        tensors[name] = tensor.reshape(entry["shape"])
    return document, tensors
