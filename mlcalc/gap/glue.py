# SPDX-License-Identifier: BSD-3-Clause
"""The core potential ``IP Glue``: pair energies that are cubic splines through points."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols
from scipy.interpolate import CubicSpline

from ..model import PairTable
from .pairs import in_entries
from .quip_strings import number

NATURAL = 0.99e30  # an end slope above it stands for a spline without curvature there
MOST_INTERVALS = 20000


def convert_glue(words, options, root, species, name="glue"):
    """(a list of `TabulatedPairs`, shifts of the reference energies by species in eV) of one core potential.

    Raises ValueError with one sentence for other potentials than Glue, and for a Glue with embedding."""
    if [word.upper() for word in words[:2]] != ["IP", "GLUE"]:
        raise ValueError(f"the core potential {' '.join(words)!r} cannot be converted, only IP Glue")
    label = options.get("label")
    glue = next((g for g in root.iter("Glue_params") if label in (None, g.get("label"))), None)
    if glue is None:
        raise ValueError(f"there is no Glue_params for the core potential {' '.join(words)!r}")
    types, shifts, tables = {}, dict.fromkeys(species, 0.0), []
    for entry in glue.iter("per_type_data"):
        z = int(_attribute(entry, "atomic_num"))
        types[_attribute(entry, "type")] = z
        embedding = {number(_attribute(p, "E")) for p in entry.iterfind("potential_density/point")}
        if z in species and len(embedding) > 1:
            raise ValueError(f"IP Glue embeds {chemical_symbols[z]} in a density, which a model cannot do")
        if z in species and embedding:
            shifts[z] += embedding.pop()
    for entry in glue.iter("per_pair_data"):
        pair = tuple(sorted(_type(types, entry, name) for name in ("type1", "type2")))
        spline = entry.find("potential_pair")
        if spline is not None and set(pair) <= set(species):
            tables += [(pair, table) for table in _tables(spline)]
    return in_entries(name, tables), shifts


def _attribute(entry, name):
    value = entry.get(name)
    if value is None:
        raise ValueError(f"{entry.tag} of the core potential IP Glue has no {name}")
    return value


def _type(types, entry, name):
    kind = _attribute(entry, name)
    if kind not in types:
        raise ValueError(f"the core potential IP Glue has no per_type_data for {name}={kind}")
    return types[kind]


def _tables(entry):
    """The table of a spline, and where it bends at its first point another one, because it is a straight line below."""
    points = sorted((number(_attribute(p, "r")), number(_attribute(p, "E"))) for p in entry.findall("point"))
    if len(points) < 3 or min(np.diff([r for r, _ in points])) <= 0:
        raise ValueError("a potential_pair of the core potential IP Glue needs three or more points that differ in r")
    r, energies = np.array(points).T
    slopes = [number(entry.get(name, "0")) for name in ("y1", "yn")]  # without them they are zero
    ends = [(2, 0.0) if slope > NATURAL else (1, slope) for slope in slopes]
    spline = CubicSpline(r, energies, bc_type=ends)
    knots = np.linspace(r[0], r[-1], _intervals(r) + 1)
    tables = [PairTable(np.stack([spline(knots, k) for k in range(3)], axis=1), r[-1], r[0])]
    bend = spline(r[0], 2)
    if bend != 0 and r[0] > 0:
        below = np.array([0.0, r[0]])
        line = np.stack([-bend / 2 * (below - r[0]) ** 2, -bend * (below - r[0]), [-bend, -bend]], axis=1)
        tables.append(PairTable(line, r[0]))
    return tables


def _intervals(r):
    """The least number of intervals of a uniform grid from the first to the last point that has all points."""
    x = (r - r[0]) / (r[-1] - r[0])
    for n in range(len(r) - 1, MOST_INTERVALS):
        if np.all(np.abs(x * n - np.round(x * n)) < 1e-9 * n):
            return n
    return MOST_INTERVALS
