# SPDX-License-Identifier: BSD-3-Clause
"""Products within channels by dense einsum in NumPy."""

import numpy as np

from mlcalc import _engine


def coupling(l1, l2, l):
    c = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1))
    for m1, m2, m, value in _engine.real_clebsch_gordan(l1, l2, l):
        c[l1 + m1, l2 + m2, l + m] = value
    return c


def reference_features(product, l_max, a):
    """(n_centers, n_paths, n_channels) by dense einsum over the table; of a ChannelEquivariant
    (n_centers, 2 lambda + 1, n_paths, n_channels)."""
    nodes, paths = product.numbered(l_max)
    values = [a[l] for l in range(l_max + 1)]
    ls = list(range(l_max + 1))
    for l, x, y in nodes:
        values.append(np.einsum("abm,sak,sbk->smk", coupling(ls[x], ls[y], l), values[x], values[y]))
        ls.append(l)
    features = []
    if hasattr(product, "o3_lambda"):
        for x, y in paths:
            c = coupling(ls[x], ls[y], product.o3_lambda)
            both = values[x] if y < 0 else np.einsum("abm,sak,sbk->smk", c, values[x], values[y])
            features.append(both)
        return np.stack(features, axis=2)
    for x, y in paths:
        if y < 0:
            features.append(values[x][:, 0])
        else:
            sign = (-1) ** ls[x] / np.sqrt(2 * ls[x] + 1)
            features.append(sign * np.einsum("smk,smk->sk", values[x], values[y]))
    return np.stack(features, axis=1)
