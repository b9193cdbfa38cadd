# SPDX-License-Identifier: BSD-3-Clause
"""What a model file contains, in words, for ``mlcalc info``."""

import json
import math
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from ..model import ChannelProduct, Kernel, Linear, Model
from ..running.boundaries import KINDS, pbc_of
from ..running.calculator import LIMIT_OF_LARGEST
from ..running.views import views
from ..train.errors import format_table
from ..train.soundness import text_of

COUNTS = ("structures", "atoms", "energies", "forces", "virials")


def document(path) -> str:
    """The complete description stored in the model file, as indented JSON."""
    Model.load(path)  # so that only a file that the engine accepts is read further
    contents = Path(path).read_bytes()
    header = json.loads(contents[8 : 8 + int.from_bytes(contents[:8], "little")])
    return json.dumps(json.loads(header["__metadata__"]["mlcalc"]), indent=2)


def provenance(path) -> str:
    """What is known of the training, as indented JSON."""
    return json.dumps(Model.load(path).provenance, indent=2)


def describe(path) -> str:
    """A page about a model file: species, expansions, terms, committee, and what is known of its training."""
    model = Model.load(path)
    symbols = [chemical_symbols[z] for z in model.species]
    lines = [f"{path} ({Path(path).stat().st_size / 1e6:.1f} MB)"]
    energies = model.reference_energies or [0.0] * len(symbols)
    pairs = ", ".join(f"{s} {e:.6g}" for s, e in zip(symbols, energies, strict=True))
    if model.has_energy:
        lines.append(f"species and reference energies (eV): {pairs}")
    else:
        lines.append(f"species: {', '.join(symbols)}; no energy, only tensors")
    lines.append(f"boundaries it was trained on: {', '.join(model.boundaries) or 'none'}")
    lines.append(f"cutoff of the short range: {model.cutoff:g} A")
    if model.zbl:
        lines.append(f"ZBL repulsion, switched off {_radii(model, symbols)}")
    for entry in model.pairs:
        for (a, b), table in entry.tables.items():
            smoothing = {"type": type(table.smoothing).__name__, **vars(table.smoothing)}
            lines.append(
                f"pair table {entry.name}: {chemical_symbols[a]}-{chemical_symbols[b]}, {len(table.values)} knots from "
                f"{table.inner:g} to {table.cutoff:g} A, {_settings('cutoff function', smoothing)}"
            )
    lines += [_triples(entry) for entry in model.triples]
    lines += [_expansion(e.to_json()) for e in model.expansions]
    lines += [_layer(layer) for layer in model.layers]
    lines += [_term(model, term, symbols) for term in model.terms]
    lines += [_output(model, output) for output in model.outputs]
    if model.committee:
        n, scale = model.committee
        lines.append(f"committee: {n} members, calibration factor {scale:.3g}")
    if any(term.regressor is not None for term in model.terms):
        n, density = 512, 0.05
        cost = 1e6 * cost_per_atom(model, n, density)
        lines.append(
            f"energy and forces: about {float(f'{cost:.2g}'):g} us per atom on one core of this machine "
            f"({n} atoms, {density} atoms/A^3)"
        )
    return "\n".join([*lines, *_origin(model.provenance)])


def _radii(model: Model, symbols) -> str:
    """From where to where, in words."""
    assert model.zbl is not None
    if np.ndim(model.zbl[0]) == 0:
        return f"from {model.zbl[0]:g} to {model.zbl[1]:g} A"
    inner, outer = np.asarray(model.zbl[0]), np.asarray(model.zbl[1])
    pairs = [(i, j) for i in range(len(symbols)) for j in range(i, len(symbols))]
    return ", ".join(f"{symbols[i]}-{symbols[j]} from {inner[i, j]:.2f} to {outer[i, j]:.2f} A" for i, j in pairs)


def cost_per_atom(model: Model, n_atoms: int = 512, density: float = 0.05) -> float:
    """Seconds per atom for energy and forces on one core, measured on a disordered cubic lattice of the model's species
    with this many atoms (rounded up to a cube) per cubic Angstrom; without the neighbor list."""
    n = math.ceil(n_atoms ** (1 / 3))
    spacing = density ** (-1 / 3)
    rng = np.random.default_rng(0)
    positions = spacing * (np.indices((n, n, n)).reshape(3, -1).T + rng.uniform(-0.1, 0.1, (n**3, 3)))
    numbers = rng.choice(model.species, n**3)
    kind = next((kind for kind in KINDS if kind in model.boundaries), "free")
    atoms = Atoms(numbers, positions, cell=[n * spacing] * 3, pbc=pbc_of(kind))
    potential = model.potential()
    arguments = views(potential, atoms)
    potential.compute(*arguments)  # the first call chooses the mesh and fills the caches
    return min(potential.compute(*arguments)["seconds"].sum() for _ in range(3)) / n**3


def _triples(entry) -> str:
    symbols = ["any" if z is None else chemical_symbols[z] for z in (entry.center, *entry.neighbors)]
    smoothing = {"type": type(entry.smoothing).__name__, **vars(entry.smoothing)}
    return (
        f"triples {entry.name}: center {symbols[0]}, neighbors {symbols[1]} and {symbols[2]}, {entry.kernel} kernel of "
        f"{entry.coordinates}, {len(entry.points)} sparse points, cutoff {entry.cutoff:g} A, "
        f"{_settings('cutoff function', smoothing)}"
    )


def _expansion(entry: dict) -> str:
    basis = " ".join(str(v) for v in entry["basis"].values())
    size = f"n_max {entry['n_max']}, l_max {entry['l_max']}, basis {basis}"
    if entry["type"] == "density":
        details = [
            f"neighbor density, cutoff {entry['cutoff']:g} A",
            size,
            _settings("", entry["density"]) + " density",
        ]
        details.append(_settings("cutoff function", entry["smoothing"]))
        if entry["scaling"]:
            details.append(_settings("scaling", entry["scaling"]))
        return f"expansion {entry['name']}: {', '.join(details)}{_common(entry)}"
    kind = f"1/r^{entry['exponent']}" if entry["exponent"] else "Gaussian density"
    return f"expansion {entry['name']}: far field {kind}, smearing {entry['smearing']:g} A, {size}{_common(entry)}"


def _layer(layer) -> str:
    centers = "for each species of the center" if layer.matrices.shape[0] > 1 else "the same for all centers"
    mixed = f"{layer.n_channels} channels mixed of {' and '.join(layer.inputs)}, l_max {layer.l_max}"
    return f"layer {layer.name}: {mixed}, {centers}"


def _settings(what: str, entry: dict) -> str:
    """For example ``cutoff function shifted_cosine (width 0.5)``."""
    numbers = ", ".join(f"{key} {value:g}" for key, value in entry.items() if key != "type")
    return f"{what} {entry.get('type', '')}".strip() + (f" ({numbers})" if numbers else "")


def _common(entry: dict) -> str:
    return f", center atom weight {entry['center_atom_weight']:g}" + (", mixed species" if entry["mixing"] else "")


def _term(model: Model, term, symbols) -> str:
    products = " + ".join(_product(model, invariant) for invariant in term.invariants)
    text = f"term {term.name}: {products}, {model.n_features(term)} features, "
    if term.regressor is None:
        return text + "features only"
    if not isinstance(term.regressor, Kernel):
        return text + "linear"
    kernel = term.regressor
    points = ", ".join(f"{s} {len(kernel.points.get(z, ()))}" for s, z in zip(symbols, model.species, strict=True))
    normalized = f"normalized (epsilon {kernel.epsilon:g})" if kernel.normalize else "not normalized"
    precision = "" if kernel.precision == "double" else f" in {kernel.precision} precision"
    return text + f"kernel zeta {kernel.zeta} {normalized}{precision}, sparse points {points}"


def _product(model: Model, product) -> str:
    """For example ``rho x V``, or of a layer ``1 to 4 factors of A (43 couplings in each of 24 channels)``."""
    if isinstance(product, ChannelProduct):
        orders = sorted(set(product.nu.tolist()))
        several = f"{orders[0]} to {orders[-1]}" if len(orders) > 1 else f"{orders[0]}"
        return (
            f"{several} factor{'s' if orders[-1] > 1 else ''} of {product.a} ({len(product.paths)} couplings in each "
            f"of {model.shape(product.a)[0]} channels)"
        )
    return product.a if product.nu == 1 else f"{product.a} x {product.b}"


def _output(model: Model, output) -> str:
    parts = []
    for part in output.parts:
        products = " + ".join(_product(model, equivariant) for equivariant in part.equivariants)
        kind = "linear" if isinstance(part.regressor, Linear) else f"kernel zeta {part.regressor.zeta}"
        parts.append(f"{kind} in {products} of lambda {part.o3_lambda}")
    unit = f" ({output.unit})" if output.unit else ""
    return f"tensor {output.name}{unit}, {output.type}: {', '.join(parts)}"


def _origin(origin: dict) -> list[str]:
    """The training in short: data, errors, options that decide most."""
    if not origin:
        return []
    if "imported" in origin:
        labels = ", ".join(map(str, origin.get("label", [])))
        return ["", f"converted from {origin['imported']} {labels}", "", "more: --provenance, --json"]
    lines = ["", f"trained {origin.get('created', '')} by mlcalc {origin.get('versions', {}).get('mlcalc', 'unknown')}"]
    data = origin.get("data", {})
    if data.get("files"):
        lines.append("data: " + ", ".join(data["files"]))
    for split, counts in data.get("splits", {}).items():
        if isinstance(counts, dict) and counts.get("structures"):
            lines.append(f"{split}: " + ", ".join(f"{counts[key]} {key}" for key in COUNTS if counts.get(key)))
    chosen = origin.get("regularization", {})
    if "strength" in chosen:
        lines.append(f"regularization {chosen['strength']:.3g}, by {chosen.get('criterion', 'unknown')}")
    errors = origin.get("errors")
    if errors:
        try:
            lines += ["", format_table(errors)]
        except (KeyError, TypeError):
            lines.append("errors: in another form, see --provenance")
    spread = origin.get("force_uncertainty", {}).get("train")
    if spread:
        lines.append(
            f"uncertainty of the force on an atom in training: median {spread['median']:.3g}, largest "
            f"{spread['max']:.3g} eV/A; a limit: {LIMIT_OF_LARGEST * spread['max']:.2g}"
        )
    if origin.get("outside"):
        lines += ["", text_of(origin["outside"])]
    notes = [note for note in origin.get("notes", []) if str(note).startswith("WARNING")]
    lines += [f"{n}" for n in notes]
    return [*lines, "", "more: --provenance, --json"]
