# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc features``: the invariants of every atom of a data set in a NumPy file."""

import dataclasses

import numpy as np

from ..model import Model, Term
from ..running.labels import labels
from ..running.views import UnknownSpecies, views
from ..train.data import read_frames


def write_features(model, data, index=":", terms=None, output="features.npz") -> dict[str, tuple[int, int]]:
    """Writes one array (n_atoms, n_features) per term, ``structure`` and ``numbers`` (n_atoms,); returns the shapes.
    Of the equivariants of tensor outputs arrays "NAME-lambdaL" (n_atoms, (2 L + 1) n_features), mu first. Beside each
    an array "NAME-columns" (n_features,): what each column is, as :func:`mlcalc.running.labels.labels` has it.

    ``model`` and ``data`` are paths, ``terms`` names (None: all). Features are scaled and selected as in the model,
    before normalization. Raises ValueError for an unknown term and for elements that the model does not have, and
    DataError for a file that cannot be read."""
    described = _with_outputs(Model.load(model))
    potential = described.potential()
    names = list(potential.term_names)
    for name in terms or []:
        if name not in names:
            raise ValueError(f"{model} has no term {name}; it has {', '.join(names)}")
    wanted = [name for name in names if terms is None or name in terms]
    frames = read_frames(data, index)
    rows: dict[str, list] = {name: [] for name in wanted}
    for k, atoms in enumerate(frames):
        potential.reset()  # every structure has a k list or mesh of its own
        try:
            arguments = views(potential, atoms)
        except UnknownSpecies as error:
            symbols = ", ".join(error.symbols)
            raise ValueError(f"structure {k} of {data} has {symbols}, which {model} does not know") from None
        for name in wanted:
            rows[name].append(potential.features(*arguments, term=names.index(name)))
    arrays = {name: np.concatenate(parts) for name, parts in rows.items()}
    columns = {f"{t.name}-columns": labels(described, t.invariants) for t in described.terms if t.name in wanted}
    structure = np.repeat(np.arange(len(frames)), [len(atoms) for atoms in frames])
    numbers = np.concatenate([atoms.numbers for atoms in frames])
    with open(output, "wb") as file:  # numpy would add an extension of its own to a name
        np.savez(file, structure=structure, numbers=numbers, **arrays, **columns)
    return {name: array.shape for name, array in arrays.items()}


def _with_outputs(model):
    """The model with its equivariants as terms without a regressor."""
    terms = list(model.terms)
    for output in model.outputs:
        for part in output.parts:
            terms.append(Term(f"{output.name}-lambda{part.o3_lambda}", part.equivariants))
    return dataclasses.replace(model, terms=terms, outputs=[], has_energy=True)
