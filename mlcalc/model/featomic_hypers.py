# SPDX-License-Identifier: BSD-3-Clause
"""Hyperparameters in the vocabulary of featomic 0.6, translated to and from the entries of a model's description.

featomic's ``max_radial`` is the last index, our ``n_max`` the count: n_max = max_radial + 1. Both ``max_angular`` and
``l_max`` are included.
"""

import json
from collections.abc import Mapping

# what featomic calls it, and what a model's description does
SMOOTHINGS = {"ShiftedCosine": "shifted_cosine", "Step": "step"}
DENSITIES = {"Gaussian": "gaussian", "DiracDelta": "delta"}


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


def density_from_featomic(hypers):
    """The entry, without name, of the density of a SoapPowerSpectrum, SphericalExpansion or SoapRadialSpectrum.

    `hypers` is a featomic calculator, its dictionary or its JSON. Raises ValueError that names the entry which is
    missing or has no counterpart here.
    """
    top = _read(hypers)
    cutoff, density = top.object("cutoff"), top.object("density")
    smoothing = cutoff.object("smoothing")
    shape = {"type": SMOOTHINGS[smoothing.kind(*SMOOTHINGS)]}
    if shape["type"] == "shifted_cosine":
        shape["width"] = smoothing.get("width")
    scaling = None
    if density.get("scaling", None) is not None:
        entry = density.object("scaling")
        entry.kind("Willatt2018")
        scaling = {key: entry.get(key) for key in ("rate", "scale", "exponent")}
        entry.done()
    source = {"type": DENSITIES[density.kind(*DENSITIES)]}
    if source["type"] == "gaussian":
        source["width"] = density.get("width")
    n_max, l_max, radius = _read_basis(top)
    out = {
        "type": "density", "n_max": n_max, "l_max": l_max, "cutoff": cutoff.get("radius"), "smoothing": shape,
        "density": source, "scaling": scaling, "basis": {"type": "gto", "radius": radius},
        "center_atom_weight": density.get("center_atom_weight", 1.0),
    }  # fmt: skip
    for reader in (smoothing, cutoff, density, top):
        reader.done()
    return out


def density_to_featomic(entry):
    """The dictionary that featomic's SoapPowerSpectrum(**...) or SphericalExpansion(**...) takes.

    ``spline_accuracy`` is None: featomic then evaluates its integrals exactly. Raises ValueError for what featomic does
    not have: other bases than GTO, and mixing of species."""
    _check_expressible(entry)
    density = {**entry["density"], "type": _inverse(DENSITIES)[entry["density"]["type"]]}
    if entry["scaling"] is not None:
        density["scaling"] = {"type": "Willatt2018", **entry["scaling"]}
    density["center_atom_weight"] = entry["center_atom_weight"]
    smoothing = {**entry["smoothing"], "type": _inverse(SMOOTHINGS)[entry["smoothing"]["type"]]}
    return {
        "cutoff": {"radius": entry["cutoff"], "smoothing": smoothing},
        "density": density,
        "basis": _basis_to_featomic(entry, {}),
    }


def _inverse(names):
    return {ours: theirs for theirs, ours in names.items()}


def _check_expressible(entry):
    if entry["basis"]["type"] != "gto" or entry["mixing"]:
        raise ValueError("featomic's JSON describes the GTO basis without mixing of species only")


def _basis_to_featomic(entry, radius):
    return {
        "type": "TensorProduct",
        "max_angular": entry["l_max"],
        "radial": {"type": "Gto", "max_radial": entry["n_max"] - 1, **radius},
        "spline_accuracy": None,
    }


def potential_from_featomic(hypers):
    """The entry, without name, of the potential of a LodeSphericalExpansion; arguments as `density_from_featomic`.

    ``k_cutoff`` is not part of ours: V is the converged sum."""
    top = _read(hypers)
    density = top.object("density")
    gaussian = density.kind("SmearedPowerLaw", "Gaussian") == "Gaussian"
    n_max, l_max, radius = _read_basis(top)
    if radius is None:
        raise ValueError("featomic hyperparameters: hypers.basis.radial.radius is missing")
    if density.get("scaling", None) is not None:
        raise ValueError("featomic hyperparameters: hypers.density.scaling has no meaning for a potential")
    out = {
        "type": "potential", "n_max": n_max, "l_max": l_max, "exponent": 0 if gaussian else density.get("exponent"),
        "smearing": density.get("width" if gaussian else "smearing"), "basis": {"type": "gto", "radius": radius},
        "center_atom_weight": density.get("center_atom_weight", 1.0),
    }  # fmt: skip
    top.get("k_cutoff", None)
    density.done()
    top.done()
    return out


def potential_to_featomic(entry, k_cutoff):
    """The dictionary that featomic's LodeSphericalExpansion(**...) takes; k_cutoff in 1/Angstrom is its truncation."""
    _check_expressible(entry)
    density = {"type": "SmearedPowerLaw", "smearing": entry["smearing"], "exponent": entry["exponent"]}
    if entry["exponent"] == 0:
        density = {"type": "Gaussian", "width": entry["smearing"]}
    density["center_atom_weight"] = entry["center_atom_weight"]
    return {
        "k_cutoff": float(k_cutoff),
        "density": density,
        "basis": _basis_to_featomic(entry, {"radius": entry["basis"]["radius"]}),
    }
