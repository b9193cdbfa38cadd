# SPDX-License-Identifier: BSD-3-Clause
"""What a model file contains, in words, for ``mlcalc info``."""

import json
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from .model import Kernel, Model


def document(path) -> str:
    """The complete description stored in the model file, as indented JSON."""
    Model.load(path)  # so that only a file that the engine accepts is read further
    contents = Path(path).read_bytes()
    header = json.loads(contents[8 : 8 + int.from_bytes(contents[:8], "little")])
    return json.dumps(json.loads(header["__metadata__"]["mlcalc"]), indent=2)


def describe(path) -> str:
    """A page about a model file: species, expansions, terms, committee, and what is known of its training."""
    model = Model.load(path)
    symbols = [chemical_symbols[z] for z in model.species]
    lines = [f"{path} ({Path(path).stat().st_size / 1e6:.1f} MB)"]
    energies = model.reference_energies or [0.0] * len(symbols)
    pairs = ", ".join(f"{s} {e:.6g}" for s, e in zip(symbols, energies, strict=True))
    lines.append(f"species and reference energies (eV): {pairs}")
    lines.append(f"boundaries it was trained on: {', '.join(model.boundaries) or 'none'}")
    if model.zbl:
        lines.append(f"ZBL repulsion, switched off from {model.zbl[0]:g} to {model.zbl[1]:g} A")
    lines += [_expansion(e.to_json()) for e in model.expansions]
    lines += [_term(model, term, symbols) for term in model.terms]
    if model.committee:
        n, scale = model.committee
        lines.append(f"committee: {n} members, calibration factor {scale:.3g}")
    if model.provenance:
        lines += ["provenance:", *_nested(model.provenance, "  ")]
    return "\n".join(lines)


def _expansion(entry: dict) -> str:
    basis = " ".join(str(v) for v in entry["basis"].values())
    size = f"n_max {entry['n_max']}, l_max {entry['l_max']}, basis {basis}"
    if entry["type"] == "density":
        return f"expansion {entry['name']}: neighbor density, cutoff {entry['cutoff']:g} A, {size}"
    kind = f"1/r^{entry['exponent']}" if entry["exponent"] else "Gaussian density"
    return f"expansion {entry['name']}: far field {kind}, smearing {entry['smearing']:g} A, {size}"


def _term(model: Model, term, symbols) -> str:
    products = [i.a if i.nu == 1 else f"{i.a} x {i.b}" for i in term.invariants]
    text = f"term {term.name}: {' + '.join(products)}, {model.n_features(term)} features, "
    if term.regressor is None:
        return text + "features only"
    if not isinstance(term.regressor, Kernel):
        return text + "linear"
    kernel = term.regressor
    points = ", ".join(f"{s} {len(kernel.points.get(z, ()))}" for s, z in zip(symbols, model.species, strict=True))
    return text + f"kernel zeta {kernel.zeta}, sparse points {points}"


def _nested(value, indent) -> list[str]:
    """Plain data as indented lines; long lists are counted instead of shown."""
    lines = []
    for key, entry in value.items():
        if isinstance(entry, dict):
            lines += [f"{indent}{key}:", *_nested(entry, indent + "  ")]
        elif isinstance(entry, list) and len(entry) > 8:
            lines.append(f"{indent}{key}: {len(entry)} entries")
        else:
            lines.append(f"{indent}{key}: {np.round(entry, 6) if isinstance(entry, float) else entry}")
    return lines
