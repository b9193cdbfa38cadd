# SPDX-License-Identifier: BSD-3-Clause
"""What each column of features stands for: expansion, angular momenta, channels and radial functions of its factors."""

import numpy as np

from ..model import ChannelEquivariant, ChannelProduct, Equivariant, Model
from ..model.products import MOST_FACTORS

_FIELDS = [(name, np.int32) for name in ("invariant", "l", "channel_1", "n_1", "channel_2", "n_2")]
_OF_EQUIVARIANTS = [(name, np.int32) for name in ("l_2", "o3_lambda", "o3_sigma", "o3_mu")]
_OF_CHANNELS = [("path", np.int32), ("n_factors", np.int32), ("l_factors", np.int32, (MOST_FACTORS,))]


def labels(model: Model, invariants) -> np.ndarray:
    """One record per column of the features of a term, after selection.

    Fields invariant (index into ``invariants``), l, channel_1, n_1, channel_2, n_2, -1 where an invariant has none. A
    channel is an index into ``model.species``, or a pseudo-species if the expansion mixes them; of a layer it is the
    mixed channel, and n is -1.

    With an equivariant among the invariants also l_2 (``l`` is that of the first factor), o3_lambda, o3_sigma and
    o3_mu: its columns are all features of mu = -lambda, then those of the next component. With a product of channels of
    a layer also path (index into its ``paths``), n_factors, and l_factors (the angular momenta of the factors, -1
    after the last); its ``l`` and ``l_2`` are those of the coupling which ends the path, ``channel_1`` the channel.
    """
    fields = list(_FIELDS)
    if any(isinstance(i, (Equivariant, ChannelEquivariant)) for i in invariants):
        fields += _OF_EQUIVARIANTS
    if any(isinstance(i, ChannelProduct) for i in invariants):
        fields += _OF_CHANNELS
    parts = []
    for k, invariant in enumerate(invariants):
        columns = _LABELS.get(type(invariant), _of_invariant)(model, invariant)
        own = _table(fields, len(columns["l"]), {"invariant": k, **columns})
        if invariant.selection is not None:
            own = own.reshape(n_components(invariant), -1)[:, np.asarray(invariant.selection)].ravel()
        parts.append(own)
    return np.concatenate(parts)


def n_components(invariant) -> int:
    """2 lambda + 1 of an equivariant, 1 of an invariant."""
    return getattr(invariant, "n_components", 1)


def channels(model: Model, name) -> np.ndarray:
    """(channel, n) of every column q of an expansion or layer, (n_q, 2); the n of a layer are -1."""
    n_columns, _ = model.shape(name)
    if any(layer.name == name for layer in model.layers):
        return np.stack([np.arange(n_columns), np.full(n_columns, -1)], axis=1)
    return np.stack(np.divmod(np.arange(n_columns), model.expansion(name).n_max), axis=1)


def _table(fields, n, columns):
    """Records with what ``columns`` holds of the fields; the others are as for an invariant that has none."""
    out = np.full(n, -1, fields)
    for name in out.dtype.names:
        if name in columns:
            out[name] = columns[name]
    names = out.dtype.names
    if "l_2" in names and "l_2" not in columns:
        out["l_2"], out["o3_lambda"], out["o3_sigma"], out["o3_mu"] = out["l"], 0, 1, 0
    if "path" in names and "path" not in columns:
        out["n_factors"] = np.where(out["channel_2"] < 0, 1, 2)
        out["l_factors"][:, 0] = np.maximum(out["l"], 0)
        out["l_factors"][:, 1] = np.where(out["channel_2"] < 0, -1, out["l_2" if "l_2" in names else "l"])
    return out


def _of_invariant(model, invariant):
    q_1 = channels(model, invariant.a)
    if invariant.nu == 1:
        return {"l": np.full(len(q_1), -1), **_factor(1, q_1)}
    q_2 = channels(model, invariant.b)
    first, second = np.divmod(np.arange(len(q_1) * len(q_2)), len(q_2))
    if invariant.a == invariant.b:
        first, second = first[first <= second], second[first <= second]
    n_l = 1 + min(model.shape(name)[1] for name in (invariant.a, invariant.b))
    return {
        "l": np.repeat(np.arange(n_l), len(first)),
        **_factor(1, np.tile(q_1[first], (n_l, 1))), **_factor(2, np.tile(q_2[second], (n_l, 1))),
    }  # fmt: skip


def _of_equivariant(model, equivariant):
    q_1, n_mu = channels(model, equivariant.a), equivariant.n_components
    if equivariant.nu == 1:
        columns = {"l": np.full(len(q_1), equivariant.o3_lambda), "l_2": np.full(len(q_1), -1), **_factor(1, q_1)}
    else:
        q_2 = channels(model, equivariant.b)
        blocks = equivariant.blocks(*map(model.shape, (equivariant.a, equivariant.b)))
        sizes = [len(block.q_1) for block in blocks]
        columns = {
            "l": np.repeat([block.l_1 for block in blocks], sizes),
            "l_2": np.repeat([block.l_2 for block in blocks], sizes),
            **_factor(1, q_1[np.concatenate([block.q_1 for block in blocks])]),
            **_factor(2, q_2[np.concatenate([block.q_2 for block in blocks])]),
        }
    mu = np.repeat(np.arange(-equivariant.o3_lambda, equivariant.o3_lambda + 1), len(columns["l"]))
    columns = {name: np.tile(values, n_mu) for name, values in columns.items()}
    return {**columns, "o3_lambda": equivariant.o3_lambda, "o3_sigma": equivariant.o3_sigma, "o3_mu": mu}


def _of_channel_product(model, product):
    n_channels, _ = model.shape(product.a)
    n_paths, factors = len(product.paths), product.factors()
    l_factors = np.array([[*ls, *[-1] * (MOST_FACTORS - len(ls))] for ls in factors])
    o3_lambda, o3_sigma = getattr(product, "o3_lambda", 0), getattr(product, "o3_sigma", 1)
    n_mu = n_components(product)
    path = np.tile(np.repeat(np.arange(n_paths), n_channels), n_mu)
    l_1, l_2 = product.last_l()[path].T
    return {
        "l": l_1, "l_2": l_2, "channel_1": np.tile(np.arange(n_channels), n_paths * n_mu),
        "path": path, "n_factors": np.array([len(ls) for ls in factors])[path], "l_factors": l_factors[path],
        "o3_lambda": o3_lambda, "o3_sigma": o3_sigma,
        "o3_mu": np.repeat(np.arange(-o3_lambda, o3_lambda + 1), n_paths * n_channels),
    }  # fmt: skip


def _factor(k, q):
    return {f"channel_{k}": q[:, 0], f"n_{k}": q[:, 1]}


_LABELS = {
    Equivariant: _of_equivariant,
    ChannelProduct: _of_channel_product,
    ChannelEquivariant: _of_channel_product,
}
