# SPDX-License-Identifier: BSD-3-Clause
"""Coordinates of the descriptor ``soap_turbo`` as expansions and kernels of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model import DensityExpansion, Invariant, Kernel, Step, Term, radial
from .quip_strings import numbers
from .turbo_radial import TurboRadial

ACCURACY, ACCEPTABLE = 1e-12, 1e-8
DEGREE = 160
TINY = 1e-20  # where a center may have no density at all, its kernel is zero
READS_CENTRAL_WEIGHT = 1783000000  # the version of GAP that heeds it for one species, too
ENERGY_STEPS = (
    "energies differ from those of quippy by up to 1e-6 eV per atom with soap_turbo, because quippy's have steps"
)


@dataclass(frozen=True)
class Turbo:
    """The settings of a descriptor ``soap_turbo`` that decide its densities."""

    l_max: int
    species: tuple[int, ...]
    radials: tuple[TurboRadial, ...]
    weights: tuple[float, ...]  # of the central atom

    @classmethod
    def of(cls, c):
        """Those of a coordinate. Raises ValueError with one sentence for what a model cannot be."""
        if c.covariance != "dot_product":
            raise ValueError(
                f"soap_turbo with covariance_type={c.covariance} instead of dot_product cannot be converted"
            )
        if c.zeta not in range(1, 7):
            raise ValueError(f"zeta = {c.zeta:g} of a soap_turbo kernel must be an integer from 1 to 6")
        basis = c.text("basis", default="poly3")
        if basis not in ("poly3", "poly3gauss"):
            raise ValueError(f"soap_turbo with basis={basis} cannot be converted")
        mode = c.text("scaling_mode", default="polynomial")
        if mode != "polynomial":
            raise ValueError(f"soap_turbo with scaling_mode={mode} cannot be converted")
        n = c.integer("n_species", default="1")
        species = tuple(c.integers("species_z"))
        if len(species) != n or len(set(species)) != n:
            raise ValueError(f"soap_turbo with n_species={n} needs as many different numbers in species_Z")

        def each(*names, default=None):
            values = c.numbers(*names, default=default)
            if len(values) not in (1, n):
                raise ValueError(f"{names[0]} of soap_turbo must have one value or one for each of {n} species")
            return np.broadcast_to(values, n) if len(values) == 1 else values

        hard = c.number("rcut_hard", "cutoff")
        soft = c.number("rcut_soft", default=str(hard - c.number("cutoff_transition_width", default="0.5")))
        if not 0 < soft <= hard:
            raise ValueError(f"rcut_soft={soft:g} of soap_turbo must be above 0 and at most rcut_hard={hard:g}")
        enhancement = c.integers("radial_enhancement")[0]
        columns = zip(
            each("alpha_max", "n_max").astype(int).tolist(), each("atom_sigma_r", "atom_sigma"),
            each("atom_sigma_t", "atom_sigma"), each("atom_sigma_r_scaling", "atom_sigma_scaling", default="0"),
            each("atom_sigma_t_scaling", "atom_sigma_scaling", default="0"), each("amplitude_scaling", default="1"),
            strict=True,
        )  # fmt: skip
        radials = [
            TurboRadial(alpha_max, hard, soft, *map(float, others), c.number("nf", default="4"), enhancement,
                        basis == "poly3gauss")
            for alpha_max, *others in columns
        ]  # fmt: skip
        weights = each("central_weight", default="1")
        if n == 1 and c.version < READS_CENTRAL_WEIGHT:
            weights = np.ones(1)
        return cls(c.integer("l_max"), species, tuple(radials), tuple(map(float, weights)))

    def expansion(self, place, name, species):
        """That of the neighbors of one species, whose radial functions are its own."""
        functions = self.radials[place]
        # the engine has a 1 / sqrt(2l + 1) in the power spectrum, this descriptor has none
        scale = (2 * np.arange(self.l_max + 1, dtype=radial.Extended) + 1) ** radial.Extended(0.25)
        series = _series(lambda r: functions.functions(self.l_max, r) * scale[:, None], functions.hard)
        table = radial.tabulate(series, functions.hard, ACCURACY, acceptable=ACCEPTABLE)
        center = self.weights[place] * functions.center(self.l_max) * np.sqrt(4 * np.pi)
        table.data[0, 0, 0] = center  # the first knot is the center
        mixing = (tuple(float(z == self.species[place]) for z in species),)
        return DensityExpansion.from_table(table.data, functions.hard, name=name, smoothing=Step(), mixing=mixing,
                                           accuracy=ACCEPTABLE)  # fmt: skip


def _series(functions, x_max):
    """A function of x that gives values and two derivatives, by a Chebyshev series on [0, x_max]."""
    angles = (np.arange(DEGREE, dtype=radial.Extended) + radial.Extended(0.5)) * radial.PI / DEGREE
    values = functions(x_max / 2 * (1 + np.cos(angles)))
    shape = values.shape[1:]
    series = 2 * np.cos(np.arange(DEGREE)[:, None] * angles) @ values.reshape(DEGREE, -1) / DEGREE
    series[0] /= 2
    derivatives = [np.polynomial.chebyshev.chebder(series, k) if k else series for k in range(3)]

    def evaluate(x):
        t = 2 * np.asarray(x, dtype=radial.Extended) / x_max - 1
        out = [
            (np.polynomial.chebyshev.chebval(t, d).T * (2 / radial.Extended(x_max)) ** k).reshape(len(t), *shape)
            for k, d in enumerate(derivatives)
        ]
        return np.stack(out).astype(float)

    return evaluate


def kept_features(c, settings, folder):
    """Indices of the components of the power spectrum that a compressed descriptor has; all of them without.

    Raises ValueError for a compression that combines them."""
    n_l = settings.l_max + 1
    alpha_max = [f.alpha_max for f in settings.radials]
    first, second = np.triu_indices(sum(alpha_max))
    size = len(first) * n_l
    file, mode = (c.text(key, default="None") for key in ("compress_file", "compress_mode"))
    if file != "None":
        words = (folder / file).read_text().split() if (folder / file).is_file() else None
        if words is None:
            raise ValueError(f"its compress_file {file} is missing")
        if "P_transformation" in words:
            raise ValueError("soap_turbo with P_transformation (combined components) cannot be converted")
        values = numbers(" ".join(words)).astype(int)
        n = len(alpha_max)
        kept = values[n + 2 : n + 2 + values[n + 1]] - 1
        if len(kept) != values[n + 1] or np.any(kept < 0) or np.any(kept >= size):
            raise ValueError(f"{file} does not fit to the soap_turbo that it compresses")
        return kept
    if mode.lower() == "none":
        return np.arange(size)
    if mode.lower() != "trivial":
        raise ValueError(f"soap_turbo with compress_mode={mode} (combined components) cannot be converted")
    pivots = np.cumsum([0, *alpha_max[:-1]])
    pairs = np.flatnonzero(np.isin(first, pivots) | np.isin(second, pivots))
    return (pairs[:, None] * n_l + np.arange(n_l)).ravel()


def convert_turbos(coordinates, species, folder):
    """Expansions and terms of coordinates; those with the same densities share expansions."""
    expansions, terms, made = [], [], {}
    for number, c in enumerate(coordinates):
        settings = Turbo.of(c)
        center = settings.species[c.integer("central_index", default="1") - 1]
        kept = kept_features(c, settings, folder)
        if c.points.shape[1] != len(kept):
            raise ValueError(
                f"the points of a soap_turbo have {c.points.shape[1]} numbers, its settings make {len(kept)}"
            )
        if center not in species:
            continue
        if settings not in made:
            prefix = f"turbo{len(made)}"
            present = [k for k, z in enumerate(settings.species) if z in species]
            made[settings] = {k: f"{prefix}-{settings.species[k]}" for k in present}
            expansions += [settings.expansion(k, name, species) for k, name in made[settings].items()]
        terms.append(_term(f"turbo-kernel{number}", c, settings, made[settings], kept, center))
    return expansions, terms


def _term(label, c, settings, names, kept, center):
    """Its invariants are products of the expansions of two species, in the order of the components of QUIP: pairs
    q <= q' over all species, l fastest."""
    n_l = settings.l_max + 1
    start = np.cumsum([0, *(f.alpha_max for f in settings.radials)])
    pair_number = np.zeros((start[-1], start[-1]), dtype=int)
    pair_number[np.triu_indices(start[-1])] = np.arange(start[-1] * (start[-1] + 1) // 2)
    position = np.full(n_l * (start[-1] * (start[-1] + 1) // 2), -1)
    position[kept] = np.arange(len(kept))
    invariants, order, signs = [], [], []
    for a in names:
        for b in (k for k in names if k >= a):
            block = pair_number[start[a] : start[a + 1], start[b] : start[b + 1]]
            pairs = block[np.triu_indices(len(block))] if a == b else block.ravel()
            places = position[(pairs + 0 * np.arange(n_l)[:, None]) * n_l + np.arange(n_l)[:, None]].ravel()
            chosen = np.flatnonzero(places >= 0).astype(np.int32)
            if not len(chosen):
                continue
            scale = 1.0 if a == b else np.sqrt(2.0)
            selection = None if len(chosen) == len(places) else chosen
            invariants.append(Invariant(2, names[a], names[b], scale=scale, selection=selection))
            order.append(places[chosen])
            signs.append(np.repeat((-1.0) ** np.arange(n_l), len(pairs))[chosen])
    points = c.points[:, np.concatenate(order)] * np.concatenate(signs)
    # the engine normalizes points too: their lengths go into the weights
    weights = c.weights * np.linalg.norm(points, axis=1) ** c.zeta
    has_center = settings.weights[settings.species.index(center)] != 0
    kernel = Kernel({center: points}, {center: weights}, zeta=int(c.zeta), epsilon=0.0 if has_center else TINY)
    return Term(label, invariants, kernel)
