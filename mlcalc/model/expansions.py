# SPDX-License-Identifier: BSD-3-Clause
"""Descriptions of the expansions that a model is made of: what is expanded, on which basis, with which cutoff.

They are values: frozen, hashable, checked when made. The core sees only the tables that `tables` returns.
"""

import functools
import math
from dataclasses import MISSING, dataclass, field, fields, replace

import numpy as np

from . import featomic_hypers, radial, radial_potential
from .bases import Gto, LaplacianEigenstates, Legendre, MultiWidth, Tabulated
from .checks import count, positive, require


def name_of(kinds, value):
    """What a description calls the class of `value`: the key of `kinds`."""
    return next(name for name, kind in kinds.items() if type(value) is kind)


def make(kinds, entry, what):
    """The object that ``{"type": name, ...}``, or a name alone, describes; ValueError if it is not one of `kinds`."""
    entry = {"type": entry} if isinstance(entry, str) else entry
    require(isinstance(entry, dict), f"{what} must be a type or an object with one, got {entry!r}")
    name = entry.get("type")
    require(name in kinds, f"{what}.type must be one of {', '.join(kinds)}, got {name!r}")
    known = [f.name for f in fields(kinds[name]) if f.name != "functions"]
    unknown = [key for key in entry if key not in ("type", *known)]
    of_type = f"of type {name} takes {', '.join(known) or 'nothing else'}"
    require(not unknown, f"{what} {of_type}, got {unknown[0] if unknown else ''!r}")
    required = [f.name for f in fields(kinds[name]) if f.default is MISSING]
    missing = [key for key in required if entry.get(key) is None]
    require(not missing, f"{what} needs {missing[0] if missing else ''!r}")
    return kinds[name](**{key: value for key, value in entry.items() if key != "type"})


def arguments_of(cls, entry, tables):
    """The arguments of an expansion that an entry of a description has, still as JSON; mixing from the tables."""
    known = {f.name for f in fields(cls) if f.init}
    unknown = [key for key in entry if key not in known | {"type"}]
    require(not unknown, f"an expansion has no {unknown[0] if unknown else ''!r}")
    missing = [f.name for f in fields(cls) if f.init and f.default is MISSING and entry.get(f.name) is None]
    require(not missing, f"{missing[0] if missing else ''!r} is missing")
    require(not entry.get("mixing") or "mixing" in tables, "an expansion that mixes species needs its mixing matrix")
    out = {key: value for key, value in entry.items() if key in known}
    return out | {"mixing": tables["mixing"] if entry.get("mixing") else None}


@dataclass(frozen=True)
class ShiftedCosine:
    """f_c(r): 1 below cutoff - width, (1 + cos(pi (r - cutoff + width) / width)) / 2 up to the cutoff; Angstrom."""

    width: float = 0.5

    def __post_init__(self):
        object.__setattr__(self, "width", positive(self.width, "the smoothing width"))


@dataclass(frozen=True)
class Step:
    """f_c(r) = 1 below the cutoff. Energies jump when an atom crosses it: for comparisons, not for dynamics."""


@dataclass(frozen=True)
class Gaussian:
    """Each neighbor is (pi s^2)^(-3/4) exp(-r^2 / 2 s^2) with s = `width` in Angstrom."""

    width: float = 0.4

    def __post_init__(self):
        object.__setattr__(self, "width", positive(self.width, "the width of the Gaussian density"))

    def expanded(self, basis, n_max, l_max, cutoff, r):
        """I_nl(r) of one neighbor at distance r and two derivatives, (3, len(r), l_max + 1, n_max)."""
        return basis.smeared(n_max, l_max, cutoff, self.width, r)


@dataclass(frozen=True)
class Delta:
    """Each neighbor is a point, as in ACE [Drautz, PRB 99, 014104 (2019)]."""

    def expanded(self, basis, n_max, l_max, cutoff, r):
        """As `Gaussian.expanded`: the basis itself."""
        return basis.with_derivatives(n_max, l_max, cutoff, r)


@dataclass(frozen=True)
class WillattScaling:
    """u(r) = rate / (rate + (r / scale)**exponent), scale in Angstrom [Willatt et al., PCCP 20, 29661 (2018)]."""

    rate: float
    scale: float
    exponent: float

    def __post_init__(self):
        object.__setattr__(self, "rate", positive(self.rate, "the rate of the radial scaling"))
        object.__setattr__(self, "scale", positive(self.scale, "the scale of the radial scaling"))
        require(math.isfinite(self.exponent) and self.exponent >= 0,
                f"the exponent of the radial scaling must be at least 0, got {self.exponent!r}")  # fmt: skip
        object.__setattr__(self, "exponent", float(self.exponent))


# what a description calls them
SMOOTHINGS = {"shifted_cosine": ShiftedCosine, "step": Step}
DENSITIES = {"gaussian": Gaussian, "delta": Delta}
DENSITY_BASES = {
    "gto": Gto,
    "laplacian_eigenstates": LaplacianEigenstates,
    "legendre": Legendre,
    "tabulated": Tabulated,
}


@dataclass(frozen=True, kw_only=True)
class DensityExpansion:
    """Expansion of the density of neighbors within `cutoff` (Angstrom) on radial functions and spherical harmonics.

    c^a_i,nlm = sum_{j in a, r_ij < cutoff} f_c(r_ij) u(r_ij) Y_lm(r_ij) I_nl(r_ij), n = 0 .. n_max - 1, l = 0 .. l_max
    [Bartok, Kondor, Csanyi, PRB 87, 184115 (2013)].

    `mixing` is a matrix (n_channels, n_species), species in ascending order, that makes pseudo-species
    c_J = sum_a u_Ja c_a [Willatt, Musil, Ceriotti, PCCP 20, 29661 (2018)]. `center_weights`, of the same shape,
    replaces it for the center atom, which adds center_atom_weight times its column. `accuracy` is the largest error of
    the tabulated radial functions and slopes, relative to the largest value and slope of each. Raises ValueError, with
    one sentence, for anything that cannot be.
    """

    cutoff: float
    n_max: int
    l_max: int
    name: str = "rho"
    smoothing: ShiftedCosine | Step = ShiftedCosine()
    density: Gaussian | Delta = Gaussian()
    scaling: WillattScaling | None = None
    basis: Gto | LaplacianEigenstates | Legendre | Tabulated = Gto()
    center_atom_weight: float = 1.0
    mixing: tuple[tuple[float, ...], ...] | None = None
    center_weights: tuple[tuple[float, ...], ...] | None = None
    accuracy: float = 1e-9
    _table: radial.Table | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        assign = functools.partial(object.__setattr__, self)
        require(isinstance(self.name, str) and self.name, f"an expansion needs a name, got {self.name!r}")
        assign("cutoff", positive(self.cutoff, "cutoff"))
        assign("n_max", count(self.n_max, "n_max", 1))
        assign("l_max", count(self.l_max, "l_max", 0))
        assign("accuracy", positive(self.accuracy, "accuracy"))
        require(
            math.isfinite(self.center_atom_weight), f"center_atom_weight must be finite, got {self.center_atom_weight}"
        )
        for value, kinds, what in (
            (self.smoothing, (ShiftedCosine, Step), "smoothing"),
            (self.density, (Gaussian, Delta), "density"),
            (self.scaling, (WillattScaling, type(None)), "scaling"),
            (self.basis, (Gto, LaplacianEigenstates, Legendre, Tabulated), "basis"),
        ):
            names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
            require(isinstance(value, kinds), f"{what} must be {names}, got {value!r}")
        width = getattr(self.smoothing, "width", 0.0)
        require(width <= self.cutoff, f"the smoothing width must not exceed the cutoff {self.cutoff}, got {width}")
        if isinstance(self.basis, Gto):
            radius = self.basis.radius
            require(
                radius in (None, self.cutoff), f"the GTO radius of a density is its cutoff {self.cutoff}, got {radius}"
            )
            assign("basis", Gto())
            radial.gto_basis(self.n_max, self.cutoff)
        if self.mixing is not None:
            assign("mixing", mixing_matrix(self.mixing))
        if self.center_weights is not None:
            assign("center_weights", mixing_matrix(self.center_weights))

    def to_json(self):
        """The entry of this expansion in the description of a model file."""
        return {
            "name": self.name, "type": "density", "n_max": self.n_max, "l_max": self.l_max, "cutoff": self.cutoff,
            "smoothing": {"type": name_of(SMOOTHINGS, self.smoothing), **vars(self.smoothing)},
            "density": {"type": name_of(DENSITIES, self.density), **vars(self.density)},
            "scaling": None if self.scaling is None else dict(vars(self.scaling)),
            "basis": {"type": name_of(DENSITY_BASES, self.basis), **self._basis_settings()},
            "center_atom_weight": float(self.center_atom_weight), "mixing": self.mixing is not None,
            **({} if self.center_weights is None else {"center_weights": True}), "accuracy": self.accuracy,
        }  # fmt: skip

    def _basis_settings(self):
        return dict(vars(self.basis)) if isinstance(self.basis, Legendre) else {}

    @classmethod
    def from_json(cls, entry, tables=None):
        """The inverse of `to_json`; what the entry leaves out has the defaults of this class.

        `tables` are the tensors stored with it, needed for tabulated bases and mixing. Raises ValueError that names a
        key or a type which is not known."""
        tables = tables or {}
        arguments = arguments_of(cls, entry, tables)
        if arguments.pop("center_weights", False):
            require("center_weights" in tables, "an expansion with weights of the center atom needs their matrix")
            arguments["center_weights"] = tables["center_weights"]
        for key, kinds in (("smoothing", SMOOTHINGS), ("density", DENSITIES), ("basis", DENSITY_BASES)):
            if key in arguments:
                arguments[key] = make(kinds, arguments[key], key)
        if arguments.get("scaling") is not None:
            arguments["scaling"] = make({"willatt": WillattScaling}, {"type": "willatt", **entry["scaling"]}, "scaling")
        table = tables.get("radial")
        tabulated = isinstance(arguments.get("basis"), Tabulated)
        require(not tabulated or table is not None, "a tabulated basis needs its table")
        out = cls(**arguments)
        if table is not None:
            object.__setattr__(out, "_table", radial.Table(out.cutoff, np.asarray(table, dtype=float)))
        return out

    @classmethod
    def from_table(cls, table, cutoff, **options):
        """The expansion of a density of points on functions that are known by their table alone.

        `table` (n_knots, 3, l_max + 1, n_max) holds values and two derivatives at uniform knots from 0 to `cutoff`;
        the value of l = 0 at the first knot is that of the center atom. `options` are further arguments of this class.
        """
        table = np.ascontiguousarray(table, dtype=float)
        require(table.ndim == 4 and table.shape[1] == 3 and len(table) > 1,
                f"a table must have shape (n_knots, 3, l_max + 1, n_max), got {table.shape}")  # fmt: skip
        out = cls(cutoff=cutoff, n_max=table.shape[3], l_max=table.shape[2] - 1, density=Delta(), basis=Tabulated(),
                  **options)  # fmt: skip
        object.__setattr__(out, "_table", radial.Table(out.cutoff, table))
        return out

    @classmethod
    def from_featomic(cls, hypers, name="rho", **options):
        """The expansion of a featomic SoapPowerSpectrum or SphericalExpansion: a calculator, its dictionary or JSON.

        `options` are further arguments of this class (``mixing``, ``accuracy``)."""
        return replace(cls.from_json({"name": name, **featomic_hypers.density_from_featomic(hypers)}), **options)

    def to_featomic(self):
        """The dictionary of hyperparameters that featomic's SOAP calculators take."""
        return featomic_hypers.density_to_featomic(self.to_json())

    def tables(self, species):
        """The tensors of this expansion: ``radial`` (n_knots, 3, l_max + 1, n_max) with u(r) I_nl(r) and derivatives,
        and ``mixing`` (n_channels, n_species) if species are mixed. Raises ValueError if the accuracy is out of reach.
        """
        table = self._table
        if table is None:
            table = _density_table(self.cutoff, self.n_max, self.l_max, self.density, self.scaling, self.basis,
                                   self.accuracy)  # fmt: skip
        out = {"radial": table.data}
        if self.mixing is not None:
            n, n_species = len(self.mixing[0]), len(species)
            require(n == n_species, f"the mixing matrix needs one column for each of {n_species} species, got {n}")
            out["mixing"] = np.array(self.mixing)
        if self.center_weights is not None:
            n_channels = len(species) if self.mixing is None else len(self.mixing)
            shape = np.shape(self.center_weights)
            require(shape == (n_channels, len(species)),
                    f"center_weights must have the shape {(n_channels, len(species))}, got {shape}")  # fmt: skip
            out["center_weights"] = np.array(self.center_weights)
        return out


def mixing_matrix(mixing):
    """`mixing` as nested tuples, so that an expansion stays hashable."""
    matrix = np.asarray(mixing, dtype=float)
    require(matrix.ndim == 2 and matrix.size and np.all(np.isfinite(matrix)),
            f"mixing must be a finite matrix (n_channels, n_species), got shape {matrix.shape}")  # fmt: skip
    return tuple(tuple(row) for row in matrix.tolist())


@functools.lru_cache(maxsize=64)
def _density_table(cutoff, n_max, l_max, density, scaling, basis, accuracy):
    """u(r) I_nl(r) on [0, cutoff]."""

    def functions(r):
        out = density.expanded(basis, n_max, l_max, cutoff, r)
        if scaling is None:
            return out
        u = radial.willatt_scaling(scaling.rate, scaling.scale, scaling.exponent, r)
        return radial.multiply(out, u[:, :, None, None])

    # a scaling with a fractional exponent is not smooth at r = 0, where no neighbor can be
    rough = scaling is not None and not scaling.exponent.is_integer()
    return radial.tabulate(functions, cutoff, accuracy, x_min=0.1 * cutoff if rough else 0.0)


POTENTIAL_BASES = {"gto": Gto, "multi_width": MultiWidth, "tabulated": Tabulated}


@dataclass(frozen=True, kw_only=True)
class PotentialExpansion:
    """Expansion of the smeared 1/r^p field of all atoms, p = `exponent`, on radial functions and spherical harmonics.

    `smearing` (Angstrom) is the width of the Gaussian charge. [Grisafi & Ceriotti, JCP 151, 204105 (2019)]"""

    n_max: int
    l_max: int
    name: str = "V"
    exponent: int = 1
    smearing: float = 1.0
    basis: Gto | MultiWidth | Tabulated = MultiWidth()
    center_atom_weight: float = 1.0
    mixing: tuple[tuple[float, ...], ...] | None = None
    accuracy: float = 1e-9
    _tables: dict | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        assign = functools.partial(object.__setattr__, self)
        assign("n_max", count(self.n_max, "n_max", 1))
        assign("l_max", count(self.l_max, "l_max", 0))
        assign("exponent", count(self.exponent, "exponent", 0))
        assign("smearing", positive(self.smearing, "smearing"))
        assign("accuracy", positive(self.accuracy, "accuracy"))
        if isinstance(self.basis, Gto):
            require(self.basis.radius is not None, "the GTO basis of a potential needs a radius in Angstrom")
        if isinstance(self.basis, MultiWidth):
            assign("basis", self.basis.resolved(self.n_max, self.smearing))
            n = len(self.basis.widths)
            require(n == self.n_max, f"a multi-width basis needs n_max = {self.n_max} widths, got {n}")
        if self.mixing is not None:
            assign("mixing", mixing_matrix(self.mixing))

    def to_json(self):
        """The entry of this expansion in the description of a model file."""
        basis = {"type": name_of(POTENTIAL_BASES, self.basis)}
        if isinstance(self.basis, Gto):
            basis["radius"] = self.basis.radius
        if isinstance(self.basis, MultiWidth):
            basis["widths"] = list(self.basis.widths)
        return {
            "name": self.name, "type": "potential", "n_max": self.n_max, "l_max": self.l_max,
            "exponent": self.exponent, "smearing": self.smearing, "basis": basis,
            "center_atom_weight": float(self.center_atom_weight), "mixing": self.mixing is not None,
            "accuracy": self.accuracy,
        }  # fmt: skip

    @classmethod
    def from_json(cls, entry, tables=None):
        """The inverse of `to_json`; what the entry leaves out has the defaults of this class.

        `tables` are the tensors stored with it. Raises ValueError that names a key or a type which is not known."""
        arguments = arguments_of(cls, entry, tables or {})
        if "basis" in arguments:
            arguments["basis"] = make(POTENTIAL_BASES, arguments["basis"], "basis")
        out = cls(**arguments)
        object.__setattr__(out, "_tables", tables if tables and "reciprocal" in tables else None)
        return out

    @classmethod
    def from_featomic(cls, hypers, name="V", **options):
        """The expansion of a featomic LodeSphericalExpansion: a calculator, its dictionary or JSON.

        `options` are further arguments of this class (``mixing``, ``accuracy``)."""
        return replace(cls.from_json({"name": name, **featomic_hypers.potential_from_featomic(hypers)}), **options)

    def to_featomic(self, k_cutoff):
        """The dictionary of hyperparameters that featomic's LodeSphericalExpansion takes; k_cutoff in 1/Angstrom."""
        return featomic_hypers.potential_to_featomic(self.to_json(), k_cutoff)

    def tables(self, species):
        """The tensors of this expansion; docs/file-format.md lists them."""
        return radial_potential.potential_tables(self, species) if self._tables is None else self._tables
