# SPDX-License-Identifier: BSD-3-Clause
"""Models that a fit starts from: it learns what they leave, and their sum is one file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ase.data import chemical_symbols

from ..model import Model, combined, with_species
from .data import located
from .engine import Engine, ordered_map
from .option_checks import OptionError

PREFIX = "base"


def load_models(paths, species, boundaries) -> tuple[Model | None, str, list[str]]:
    """The sum of these model files for these atomic numbers, a hash of the files, and notes; None for no files.

    Raises OptionError with a sentence that names the file."""
    total, digest, notes = None, hashlib.sha256(), []
    for k, path in enumerate(paths):
        try:
            contents = Path(path).read_bytes()
            model = Model.from_bytes(contents, source=str(path))
            digest.update(contents)
            if any(term.regressor is None for term in model.terms):
                raise ValueError("it only describes features, it has no energy")
            unknown = [chemical_symbols[z] for z in species if z not in model.species]
            model = with_species(model, species)
            if total is None:
                total = Model(list(species), [], [], reference_energies=[0.0] * len(species))
            total = combined(total, model, f"{PREFIX}{k if len(paths) > 1 else ''}-")
        except OSError as error:
            raise OptionError(f"data.baseline: {path}: {(error.strerror or str(error)).lower()}") from None
        except (ValueError, RuntimeError) as error:
            raise OptionError(f"data.baseline: {path}: {error}") from None
        if unknown:
            notes.append(f"data.baseline: {path} does not know {', '.join(unknown)}: it does not see these atoms")
        foreign = [b for b in boundaries if b not in model.boundaries]
        if foreign:
            notes.append(f"WARNING: data.baseline: {path} was made for {' and '.join(model.boundaries)} boundaries; "
                         f"the data is {' and '.join(boundaries)}")  # fmt: skip
    return total, digest.hexdigest() if paths else "", notes


def compute_baseline(model, structures, options, threads):
    """Writes what the model says into each structure."""
    engine = Engine(model, options.engine.arguments())

    def one(s):
        with located(s):
            out = engine.compute(s.atoms)
        return {"energy": float(out["energies"].sum()), "forces": out["forces"], "virial": out["virial"]}

    for s, result in zip(structures, ordered_map(one, structures, threads), strict=True):
        s.baseline = result
