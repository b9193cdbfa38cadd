# SPDX-License-Identifier: BSD-3-Clause
"""Products of any number of factors within the channels of a layer: which couplings there are, and their table."""

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from .. import _engine

MOST_FACTORS = 6


@dataclass
class ChannelProduct:
    """Invariants of products within the channels of a layer ``a``.

    ``nodes`` (n, 3) are (l, x, y): after the nodes 0 .. ``l_max``, which are the coefficients of one l, each couples
    two before it. ``paths`` (n, 2) are (x, y): the scalar product of two nodes of equal l, or (0, -1), node 0 alone.
    Features [path][channel], times ``scale``, of which ``selection`` are kept (None: all). ``ChannelProduct.up_to``
    makes the table from the largest l of each body order; the layer may have a larger one.
    :class:`ChannelEquivariant` is the same for what turns with the atoms.
    """

    a: str
    nodes: np.ndarray
    paths: np.ndarray
    l_max: int
    scale: float = 1.0
    selection: np.ndarray | None = None

    @classmethod
    def up_to(cls, a, l_max, scale=1.0):
        """All independent invariants of nu = 1, 2, .. factors with angular momenta up to ``l_max[nu - 1]``.

        Raises ValueError for more than 6 body orders or an l_max that grows with nu.
        """
        l_max = _checked(l_max)
        return cls(a, *coupling_table(l_max), l_max[0], scale)

    def numbered(self, l_max):
        """(nodes, paths) as they are counted after the angular momenta 0 .. l_max of a layer.

        Raises ValueError if the layer has fewer than the table needs."""
        if l_max < self.l_max:
            raise ValueError(
                f"layer {self.a!r} has l_max {l_max}, products of its channels up to l = {self.l_max} need as much"
            )
        nodes, paths = np.array(self.nodes, dtype=np.int32), np.array(self.paths, dtype=np.int32)
        for indices in (nodes[:, 1:], paths):
            indices[indices > self.l_max] += l_max - self.l_max
        return nodes, paths

    @property
    def nu(self):
        """The number of factors of each path, (n_paths,)."""
        return np.array([len(ls) for ls in self.factors()])

    def factors(self) -> list[tuple[int, ...]]:
        """The angular momenta of the factors of each path, ascending."""
        of_node = [(l,) for l in range(self.l_max + 1)]
        for _, x, y in self.nodes:
            of_node.append(of_node[x] + of_node[y])
        return [tuple(sorted(of_node[x] + (of_node[y] if y >= 0 else ()))) for x, y in self.paths]

    def last_l(self):
        """The angular momenta of the two nodes that are coupled at the end of each path, (n_paths, 2); -1 for the
        second of one factor."""
        of_node = [*range(self.l_max + 1), *(l for l, _, _ in self.nodes)]
        return np.array([(of_node[x], of_node[y] if y >= 0 else -1) for x, y in self.paths])


@dataclass
class ChannelEquivariant(ChannelProduct):
    """Products within the channels of a layer that turn like the real harmonics of degree ``o3_lambda``, and take the
    sign ``o3_sigma`` (-1)^lambda under inversion [Nigam, Pozdnyakov, Ceriotti, JCP 153, 121101 (2020)].

    A :class:`ChannelProduct` whose ``paths`` (x, y) couple two nodes to o3_lambda, or are (o3_lambda, -1), this node
    alone. Features [path][channel] of each component m = -lambda .. lambda; with o3_lambda = 0 they are those of the
    ChannelProduct.
    """

    o3_lambda: int = 1
    o3_sigma: int = 1

    @classmethod
    def up_to(cls, a, l_max, scale=1.0, o3_lambda=1, o3_sigma=1):
        """All independent products of nu = 1, 2, .. factors with angular momenta up to ``l_max[nu - 1]``.

        Raises ValueError for more than 6 body orders, an l_max that grows with nu, and where nothing couples to
        ``o3_lambda`` and ``o3_sigma``."""
        l_max = _checked(l_max)
        if o3_lambda < 0 or o3_sigma not in (-1, 1):
            raise ValueError(f"o3_lambda must be 0 or more and o3_sigma 1 or -1, got {o3_lambda} and {o3_sigma}")
        nodes, paths = coupling_table(l_max, o3_lambda, o3_sigma)
        if not len(paths):
            raise ValueError(f"no product of l up to {list(l_max)} has o3_lambda {o3_lambda} and o3_sigma {o3_sigma}")
        return cls(a, nodes, paths, l_max[0], scale, o3_lambda=o3_lambda, o3_sigma=o3_sigma)

    @property
    def n_components(self):
        """2 lambda + 1"""
        return 2 * self.o3_lambda + 1


def _checked(l_max):
    """The largest l of each body order. Raises ValueError for what makes no table."""
    l_max = tuple(int(l) for l in l_max)
    if not 1 <= len(l_max) <= MOST_FACTORS:
        raise ValueError(f"products have 1 to {MOST_FACTORS} factors, got {len(l_max)} values of l_max")
    if min(l_max) < 0 or any(b > a for a, b in itertools.pairwise(l_max)):
        raise ValueError(f"l_max must not be negative or grow with the body order, got {list(l_max)}")
    return l_max


def n_equivariants(ls, o3_lambda=0, o3_sigma=1):
    """Number of linearly independent equivariants of this type of a product of one spherical tensor with these angular
    momenta, those of equal l being the same tensor.

    The multiplicity of lambda in the product of the symmetric powers, from characters:
    1/pi int (1 - cos t) chi_lambda(t) prod h dt with k h_k = sum_i chi_l(i t) h_(k-i).
    """
    if (-1) ** (sum(ls) + o3_lambda) != o3_sigma:
        return 0
    n = 4 * sum(ls) + 4 * o3_lambda + 16
    t = (np.arange(n) + 0.5) * np.pi / n
    total = (1.0 - np.cos(t)) * np.sin((2 * o3_lambda + 1) * t / 2) / np.sin(t / 2)
    for l in set(ls):
        k_max = ls.count(l)
        chi = [np.sin((2 * l + 1) * i * t / 2) / np.sin(i * t / 2) for i in range(1, k_max + 1)]
        h = [np.ones(n)]
        for k in range(1, k_max + 1):
            h.append(sum(chi[i - 1] * h[k - i] for i in range(1, k + 1)) / k)
        total = total * h[k_max]
    return round(float(total.mean()))


# A node is its l for a factor itself, or (l, x, y) with two nodes.
def _l(node):
    return node if isinstance(node, int) else node[0]


def _parity(node):
    return node % 2 if isinstance(node, int) else (_parity(node[1]) + _parity(node[2])) % 2


def _key(node):
    return (0, node) if isinstance(node, int) else (1, node[0], _key(node[1]), _key(node[2]))


def _coupled(x, y):
    """All nodes of two nodes; those that vanish by symmetry are left out."""
    x, y = sorted((x, y), key=_key)
    low, high = abs(_l(x) - _l(y)), _l(x) + _l(y)
    return [(l, x, y) for l in range(low, high + 1) if not (x == y and l % 2)]


def _trees(ls):
    """All nodes of two or three factors, in every order of coupling."""
    if len(ls) == 1:
        return [ls[0]]
    found = {}
    for k in range(len(ls)):
        rest = ls[:k] + ls[k + 1 :]
        for tree in _trees(rest):
            for node in _coupled(ls[k], tree):
                found[node] = None
    return list(found)


def _candidates(ls, o3_lambda):
    """Pairs of nodes that couple to lambda and together have these factors; what is cheap and shared comes first."""
    n, found = len(ls), {}
    sizes = {2: 1, 3: 1, 4: 2, 5: 2, 6: 3}[n]
    for chosen in itertools.combinations(range(n), sizes):
        first = [ls[k] for k in chosen]
        second = [ls[k] for k in range(n) if k not in chosen]
        for x, y in itertools.product(_trees(first), _trees(second)):
            fits = abs(_l(x) - _l(y)) <= o3_lambda <= _l(x) + _l(y)
            if fits and not (x == y and o3_lambda % 2):
                found[tuple(sorted((x, y), key=_key))] = None

    def cost(pair):
        unnatural = sum((_parity(node) + _l(node)) % 2 for node in pair)
        return unnatural, sum(map(_l, pair)), _key(pair[0]), _key(pair[1])

    return sorted(found, key=cost)


@functools.cache
def _coefficients(l1, l2, l):
    """C[m1, m2, m] of the real coupling."""
    c = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1))
    for m1, m2, m, value in _engine.real_clebsch_gordan(l1, l2, l):
        c[l1 + m1, l2 + m2, l + m] = value
    return c


def _evaluate(node, a, cache):
    """Values (n_samples, 2 l + 1) of a node for random factors a[l]."""
    if isinstance(node, int):
        return a[node]
    if node not in cache:
        l, x, y = node
        coefficients = _coefficients(_l(x), _l(y), l)
        cache[node] = np.einsum("abc,sa,sb->sc", coefficients, _evaluate(x, a, cache), _evaluate(y, a, cache))
    return cache[node]


def _independent(ls, o3_lambda, o3_sigma, seed=0):
    """Pairs of nodes whose couplings span all equivariants of these factors, as many as there are."""
    n = n_equivariants(ls, o3_lambda, o3_sigma)
    if n == 0:
        return []
    candidates = _candidates(ls, o3_lambda)
    rng = np.random.default_rng(seed)
    a = {l: rng.normal(size=(3 * len(candidates) + 20, 2 * l + 1)) for l in set(ls)}
    kept, basis, cache = [], [], {}
    for x, y in candidates:
        value = _evaluate((o3_lambda, x, y), a, cache).ravel()
        size = np.linalg.norm(value)
        for _ in range(2):
            for b in basis:
                value = value - (b @ value) * b
        if np.linalg.norm(value) > 1e-8 * size:
            kept.append((x, y))
            basis.append(value / np.linalg.norm(value))
        if len(kept) == n:
            return kept
    raise AssertionError(f"{len(kept)} of {n} products of l = {ls} with lambda {o3_lambda} were found")


@functools.lru_cache(maxsize=32)
def coupling_table(l_max, o3_lambda=0, o3_sigma=1):
    """(nodes, paths) of up_to; nodes that several products use are made once."""
    nodes, index = [], {l: l for l in range(l_max[0] + 1)}
    paths = [[o3_lambda, -1]] if o3_sigma == 1 and o3_lambda <= l_max[0] else []

    def place(node):
        if node not in index:
            x, y = place(node[1]), place(node[2])
            nodes.append([node[0], x, y])
            index[node] = l_max[0] + len(nodes)
        return index[node]

    for nu, top in enumerate(l_max[1:], start=2):
        for ls in itertools.combinations_with_replacement(range(top + 1), nu):
            for x, y in _independent(list(ls), o3_lambda, o3_sigma):
                paths.append([place(x), place(y)])
    return np.array(nodes, dtype=np.int32).reshape(-1, 3), np.array(paths, dtype=np.int32).reshape(-1, 2)
