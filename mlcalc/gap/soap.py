# SPDX-License-Identifier: BSD-3-Clause
"""Coordinates of the descriptor ``soap`` as expansions and kernels of a model."""

import math
from dataclasses import dataclass

import numpy as np

from ..model import DensityExpansion, Invariant, Kernel, ShiftedCosine, Step, Term, radial
from . import soap_radial

ACCURACY, ACCEPTABLE = 1e-12, 1e-10
NEAREST = 0.5  # Angstrom: tables of functions that are not smooth at r = 0 are checked from here
NORMALIZED = ("normalise", "normalize")  # the keyword of QUIP is spelled in the British way
TINY = 1e-20  # where a center may have no density at all, its kernel is zero
CENTER_EVERYWHERE, ONE_OVER_2L = 1426512068, 1423143769  # versions of GAP that changed defaults
COMPRESSED = {"nu_r": "2", "nu_s": "2", "z_mix": "F", "r_mix": "F", "sym_mix": "F", "k": "0", "coupling": "T",
              "z_map": "", "z_map_file": ""}  # fmt: skip


@dataclass(frozen=True)
class Soap:
    """The settings of a descriptor ``soap`` that decide its numbers; lengths in Angstrom."""

    n_max: int
    l_max: int
    cutoff: float
    width: float
    sigma: float
    central_weight: float
    exponent: float
    species: tuple[int, ...]  # 0: one channel for all
    center_everywhere: bool
    over_2l: bool
    decay: tuple[float, float, float]  # exponent, scale, rate
    basis: str
    diagonal: bool
    normalize: bool
    sigma0: float
    zeta: int

    @classmethod
    def of(cls, c):
        """Those of a coordinate. Raises ValueError with one sentence for what a model cannot be."""
        if c.covariance != "dot_product":
            raise ValueError(f"soap with covariance_type={c.covariance} instead of dot_product cannot be converted")
        if c.zeta not in range(1, 7):
            raise ValueError(f"zeta = {c.zeta:g} of a soap kernel must be an integer from 1 to 6")
        if c.logical("average"):
            raise ValueError("soap with average=T has one kernel for a whole structure, which is no sum over atoms")
        for key, default in COMPRESSED.items():
            if c.text(key, default=default).strip(".").upper()[:1] != default[:1]:
                what = f"soap with {key}={c.options[key]} (compressed species or radial channels)"
                raise ValueError(f"{what} cannot be converted")
        basis = c.text("radial_basis", default="EQUISPACED_GAUSS") or "EQUISPACED_GAUSS"
        if basis not in soap_radial.BASES:
            raise ValueError(f"soap with radial_basis={basis} cannot be converted")
        species = c.integers("species_z")[: c.integer("n_species", default="1")]
        everywhere = c.logical("central_reference_all_species", default="T" if len(species) == 1 else "F")
        decay = tuple(c.number(f"cutoff_{k}", default=v) for k, v in (("dexp", "0"), ("scale", "1"), ("rate", "1")))
        if min(decay) < 0 or decay[1] == 0:
            raise ValueError("soap with a cutoff_dexp, cutoff_scale or cutoff_rate below zero cannot be converted")
        return cls(c.integer("n_max"), c.integer("l_max"), c.number("cutoff"),
                   c.number("cutoff_transition_width", default="0.5"), c.number("atom_sigma", "atom_gaussian_width"),
                   c.number("central_weight", default="1"), c.number("basis_error_exponent", default="10"),
                   tuple(species), everywhere or c.version < CENTER_EVERYWHERE, c.version >= ONE_OVER_2L, decay, basis,
                   c.logical("diagonal_radial"), c.logical(*NORMALIZED, default="T"),
                   c.number("covariance_sigma0", default="0"), int(c.zeta))  # fmt: skip

    @property
    def n_features(self):
        n_q = len(self.species) * self.n_max
        n_pairs = n_q * (len(self.species) + 1) // 2 if self.diagonal else n_q * (n_q + 1) // 2
        return n_pairs * (self.l_max + 1)

    def functions(self, r):
        """u(r) h_nl(r) with two derivatives, (3, len(r), l_max + 1, n_max)."""
        basis = soap_radial.basis_of(self.basis, self.n_max, self.l_max, self.cutoff, self.sigma, self.exponent)
        out = soap_radial.functions(basis, self.l_max, r)
        if not self.over_2l:  # the engine has a 1 / sqrt(2l + 1) in the power spectrum, versions of 2015 had none
            out = out * (2 * np.arange(self.l_max + 1) + 1)[:, None] ** 0.25
        exponent, scale, rate = self.decay
        if exponent == 0:
            return out
        if rate > 0:
            u = radial.willatt_scaling(rate, scale, exponent, r)
        else:
            # (scale / r)^exponent, continued as a parabola to r = 0
            x = np.maximum(r, 0.8 * NEAREST)
            f = radial.power(x / scale, -exponent) / np.array([1.0, scale, scale**2])[:, None]
            u = np.stack([f[0] + (r - x) * f[1] + (r - x) ** 2 * f[2] / 2, f[1] + (r - x) * f[2], f[2]])
        return radial.multiply(out, u[:, :, None, None])

    def expansion(self, name, mixing, center_weights=None):
        """The expansion of a table with these functions."""
        if self.decay[0] == 0 or (self.decay[2] > 0 and self.decay[0].is_integer()):
            x_min = 0.0
        else:
            x_min = NEAREST
        table = radial.tabulate(self.functions, self.cutoff, ACCURACY, x_min=x_min, acceptable=ACCEPTABLE)
        plain = Soap(**{**vars(self), "decay": (0.0, 1.0, 1.0)})
        table.data[0] = plain.functions(np.zeros(1))[:, 0]  # the first knot is the center, which has no decay
        smoothing = ShiftedCosine(self.width) if self.width > 0 else Step()
        return DensityExpansion.from_table(table.data, self.cutoff, name=name, smoothing=smoothing, mixing=mixing,
                                           center_weights=center_weights, center_atom_weight=self.central_weight,
                                           accuracy=ACCEPTABLE)  # fmt: skip

    def order(self, places):
        """For the engine's features: where they are in a point of QUIP, their signs, and their selection (None: all).

        ``places`` are the positions in species_Z of the engine's channels. QUIP: pairs q >= q', then l; the engine: l,
        then q <= q', times (-1)^l."""
        n_q = len(self.species) * self.n_max
        q, k = np.tril_indices(n_q)
        kept = ((q - k) % self.n_max == 0) if self.diagonal else np.ones(len(q), bool)
        pair_number = np.full((n_q, n_q), -1)
        pair_number[q[kept], k[kept]] = np.arange(kept.sum())
        to = np.concatenate([place * self.n_max + np.arange(self.n_max) for place in places])
        first, second = (to[index] for index in np.triu_indices(len(to)))
        pairs = pair_number[np.maximum(first, second), np.minimum(first, second)]
        n_l = self.l_max + 1
        order = np.concatenate([np.where(pairs < 0, -1, pairs * n_l + l) for l in range(n_l)])
        signs = np.repeat((-1.0) ** np.arange(n_l), len(pairs))
        if not self.diagonal:
            return order, signs, None
        selection = np.flatnonzero(order >= 0).astype(np.int32)
        return order[selection], signs[selection], selection

    def channels(self, species, centers):
        """(mixing matrix, matrix of center weights, places as `order` takes them) for a model of these species.

        Matrices that say nothing new are None."""
        if self.species == (0,):
            return (tuple(1.0 for _ in species),), None, [0]
        alone = len(self.species) == 1 and set(centers) <= set(self.species)
        everywhere = self.central_weight != 0 and self.center_everywhere and not alone
        # with the center in all channels those of species that the model does not have count, too
        present = [z for z in self.species if z in species or everywhere]
        if not present:
            raise ValueError("a soap has none of the species that the model is for in its species_Z")
        weights = tuple(tuple(1.0 for _ in species) for _ in present) if everywhere else None
        if sorted(present) == list(species):
            return None, weights, [self.species.index(z) for z in species]
        rows = tuple(tuple(float(z == other) for other in species) for z in present)
        return rows, weights, [self.species.index(z) for z in present]


def centers_of(coordinate, species):
    """The species of the centers that a coordinate is for."""
    wanted = coordinate.integers("z")
    return [z for z in species if 0 in wanted or z in wanted]


def convert_soaps(coordinates, species):
    """Expansions, terms, and constants by species (eV) of soap coordinates.

    Those that differ in the center alone share a term. Raises ValueError for what cannot be converted."""
    groups, expansions, terms, constants = {}, [], [], dict.fromkeys(species, 0.0)
    for c in coordinates:
        settings, centers = Soap.of(c), centers_of(c, species)
        if c.points.shape[1] != settings.n_features + 1:
            raise ValueError(f"the points of a soap have {c.points.shape[1]} numbers, its settings make "
                             f"{settings.n_features + 1}")  # fmt: skip
        if centers:
            groups.setdefault(settings, []).append((c, centers))
    for number, (settings, group) in enumerate(groups.items()):
        mixing, center_weights, places = settings.channels(species, [z for _, of_group in group for z in of_group])
        name = f"rho{number}"
        expansions.append(settings.expansion(name, mixing, center_weights))
        order, signs, selection = settings.order(places)
        points, weights, offsets = {}, {}, {}  # of a kernel (x + offset)^zeta
        for c, centers in group:
            parts = c.points[:, order] * signs, c.weights, settings.sigma0 * c.points[:, -1]
            for z in centers:
                for of_species, part in zip((points, weights, offsets), parts, strict=True):
                    of_species[z] = np.concatenate([of_species[z], part]) if z in of_species else part
        outside = settings.species != (0,) and not set(points) <= set(settings.species)
        epsilon = TINY if settings.central_weight == 0 or (outside and center_weights is None) else 0.0
        for power in range(settings.zeta, -1, -1):  # a sum of powers; one without an offset
            binomial = math.comb(settings.zeta, power)
            factors = {z: binomial * w * offsets[z] ** (settings.zeta - power) for z, w in weights.items()}
            if not any(np.any(factor) for factor in factors.values()):
                continue
            if power == 0:
                for z, factor in factors.items():
                    constants[z] += factor.sum()
                continue
            # the engine normalizes points too: their lengths, one up to rounding, go into the weights
            scaled = {z: factor * (np.linalg.norm(points[z], axis=1) ** power if settings.normalize else 1.0)
                      for z, factor in factors.items()}  # fmt: skip
            kernel = Kernel(points, scaled, zeta=power, normalize=settings.normalize, epsilon=epsilon)
            label = f"soap{number}" if power == settings.zeta else f"soap{number}-{power}"
            terms.append(Term(label, [Invariant(2, name, name, selection=selection)], kernel))
    return expansions, terms, constants
