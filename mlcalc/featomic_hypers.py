# SPDX-License-Identifier: BSD-3-Clause
"""Hyperparameters in the vocabulary of featomic 0.6: its JSON to our expansions and back.

featomic's ``max_radial`` is the last index, our ``n_max`` the count: n_max = max_radial + 1. Both ``max_angular`` and
``l_max`` are included.
"""

import json
from collections.abc import Mapping

from mlcalc.expansions import (
    Delta,
    DensityExpansion,
    Gaussian,
    Gto,
    PotentialExpansion,
    ShiftedCosine,
    Step,
    WillattScaling,
)


class _Reader:
    """A mapping that says which entry is missing, and at the end which was not understood."""

    def __init__(self, values, path):
        if not isinstance(values, Mapping):
            raise ValueError(f"featomic hyperparameters: {path} must be an object, got {values!r}")
        self.values, self.path, self.used = values, path, set()

    def get(self, key, *default):
        self.used.add(key)
        if key not in self.values and not default:
            raise ValueError(f"featomic hyperparameters: {self.path}.{key} is missing")
        return self.values.get(key, *default)

    def object(self, key):
        return _Reader(self.get(key), f"{self.path}.{key}")

    def kind(self, *known):
        kind = self.get("type")
        if kind not in known:
            raise ValueError(f"featomic hyperparameters: {self.path}.type must be {' or '.join(known)}, got {kind!r}")
        return kind

    def done(self):
        unknown = sorted(set(self.values) - self.used)
        if unknown:
            raise ValueError(f"featomic hyperparameters: {self.path}.{unknown[0]} is not known here")


def _read(hypers):
    """A reader of a JSON string, a mapping, or a featomic calculator."""
    hypers = getattr(hypers, "parameters", hypers)
    return _Reader(json.loads(hypers) if isinstance(hypers, str) else hypers, "hypers")


def _read_basis(hypers):
    """(n_max, l_max, radius); l_max is 0 for a radial spectrum, which has no ``max_angular``."""
    basis = hypers.object("basis")
    l_max = 0
    if "max_angular" in basis.values:
        if "type" in basis.values:
            basis.kind("TensorProduct")
        l_max = basis.get("max_angular")
    basis.get("spline_accuracy", None)
    radial = basis.object("radial")
    radial.kind("Gto")
    n_max, radius = radial.get("max_radial") + 1, radial.get("radius", None)
    radial.done()
    basis.done()
    return n_max, l_max, radius


def density_from_featomic(hypers, name="rho", **options):
    """DensityExpansion of a SoapPowerSpectrum, SphericalExpansion or SoapRadialSpectrum of featomic.

    `hypers` is a featomic calculator, its dictionary or its JSON. `options` are further arguments of DensityExpansion
    (``mixing``, ``accuracy``). Raises ValueError that names the entry which is missing or has no counterpart here.
    """
    top = _read(hypers)
    cutoff, density = top.object("cutoff"), top.object("density")
    smoothing = cutoff.object("smoothing")
    shifted = smoothing.kind("ShiftedCosine", "Step") == "ShiftedCosine"
    scaling = None
    if density.get("scaling", None) is not None:
        entry = density.object("scaling")
        entry.kind("Willatt2018")
        scaling = WillattScaling(entry.get("rate"), entry.get("scale"), entry.get("exponent"))
        entry.done()
    gaussian = density.kind("Gaussian", "DiracDelta") == "Gaussian"
    n_max, l_max, radius = _read_basis(top)
    out = DensityExpansion(
        cutoff=cutoff.get("radius"), n_max=n_max, l_max=l_max, name=name,
        smoothing=ShiftedCosine(smoothing.get("width")) if shifted else Step(),
        density=Gaussian(density.get("width")) if gaussian else Delta(),
        scaling=scaling, basis=Gto(radius), center_atom_weight=density.get("center_atom_weight", 1.0), **options,
    )  # fmt: skip
    for reader in (smoothing, cutoff, density, top):
        reader.done()
    return out


def density_to_featomic(expansion):
    """The dictionary that featomic's SoapPowerSpectrum(**...) or SphericalExpansion(**...) takes.

    ``spline_accuracy`` is None: featomic then evaluates its integrals exactly. Raises ValueError for what featomic does
    not have: other bases than GTO, and mixing of species."""
    if not isinstance(expansion.basis, Gto) or expansion.mixing is not None:
        raise ValueError("featomic's JSON describes the GTO basis without mixing of species only")
    smoothing = {"type": "Step"}
    if isinstance(expansion.smoothing, ShiftedCosine):
        smoothing = {"type": "ShiftedCosine", "width": expansion.smoothing.width}
    density = {"type": "DiracDelta"}
    if isinstance(expansion.density, Gaussian):
        density = {"type": "Gaussian", "width": expansion.density.width}
    if expansion.scaling is not None:
        density["scaling"] = {"type": "Willatt2018", **vars(expansion.scaling)}
    density["center_atom_weight"] = expansion.center_atom_weight
    return {
        "cutoff": {"radius": expansion.cutoff, "smoothing": smoothing},
        "density": density,
        "basis": _basis_to_featomic(expansion, {}),
    }


def _basis_to_featomic(expansion, radius):
    return {
        "type": "TensorProduct",
        "max_angular": expansion.l_max,
        "radial": {"type": "Gto", "max_radial": expansion.n_max - 1, **radius},
        "spline_accuracy": None,
    }


def potential_from_featomic(hypers, name="V", **options):
    """PotentialExpansion of a LodeSphericalExpansion of featomic; arguments as for `density_from_featomic`.

    ``k_cutoff`` is not part of ours: V is the converged sum."""
    top = _read(hypers)
    density = top.object("density")
    gaussian = density.kind("SmearedPowerLaw", "Gaussian") == "Gaussian"
    n_max, l_max, radius = _read_basis(top)
    if radius is None:
        raise ValueError("featomic hyperparameters: hypers.basis.radial.radius is missing")
    if density.get("scaling", None) is not None:
        raise ValueError("featomic hyperparameters: hypers.density.scaling has no meaning for a potential")
    out = PotentialExpansion(
        n_max=n_max, l_max=l_max, name=name, exponent=0 if gaussian else density.get("exponent"),
        smearing=density.get("width" if gaussian else "smearing"), basis=Gto(radius),
        center_atom_weight=density.get("center_atom_weight", 1.0), **options,
    )  # fmt: skip
    top.get("k_cutoff", None)
    density.done()
    top.done()
    return out


def potential_to_featomic(expansion, k_cutoff):
    """The dictionary that featomic's LodeSphericalExpansion(**...) takes; k_cutoff in 1/Angstrom is its truncation."""
    if not isinstance(expansion.basis, Gto) or expansion.mixing is not None:
        raise ValueError("featomic's JSON describes the GTO basis without mixing of species only")
    density = {"type": "SmearedPowerLaw", "smearing": expansion.smearing, "exponent": expansion.exponent}
    if expansion.exponent == 0:
        density = {"type": "Gaussian", "width": expansion.smearing}
    density["center_atom_weight"] = expansion.center_atom_weight
    return {
        "k_cutoff": float(k_cutoff),
        "density": density,
        "basis": _basis_to_featomic(expansion, {"radius": expansion.basis.radius}),
    }
