# SPDX-License-Identifier: BSD-3-Clause
"""Three-body kernels against their formula in numpy, and what is refused."""

import itertools

import numpy as np
import pytest
from models import COMPACT, TRIPLES, evaluate, refusal

from mlcalc.model import Model
from mlcalc.neighbors import full_neighbor_list


def kernel(entry, x, y):
    """k(x, y) of an entry, normalized over permutations for sides."""

    def base(u, v):
        s = (((u - v) / entry.widths) ** 2).sum()
        q = np.sqrt(s)
        return np.exp(-s / 2) if entry.kernel == "gaussian" else max(0.0, 1 - q) ** 4 * (4 * q + 1)

    if entry.coordinates == "angle":
        return base(x, y)
    of = [list(p) for p in itertools.permutations(range(3))]
    xy, xx, yy = (sum(base(a[p], b) for p in of) for a, b in ((x, y), (x, x), (y, y)))
    return xy / np.sqrt(xx * yy)


def energies_of(entry, atoms):
    first, j, r_ij = full_neighbor_list(atoms, entry.cutoff)
    width, energies = entry.smoothing.width, np.zeros(len(atoms))
    for i in range(len(atoms)):
        if entry.center not in (None, atoms.numbers[i]):
            continue
        pairs = [p for p in range(first[i], first[i + 1]) if np.linalg.norm(r_ij[p]) < entry.cutoff]
        for p, q in itertools.combinations(pairs, 2):
            z = atoms.numbers[j[p]], atoms.numbers[j[q]]
            wanted = entry.neighbors
            if not any(all(w in (None, n) for w, n in zip(wanted, order, strict=True)) for order in (z, z[::-1])):
                continue
            a, b, c = (np.linalg.norm(v) for v in (r_ij[p], r_ij[q], r_ij[p] - r_ij[q]))
            x = np.array([a + b, (a - b) ** 2, c] if entry.coordinates == "angle" else [a, b, c])
            t = np.clip((np.array([a, b]) - entry.cutoff + width) / width, 0, 1)
            value = sum(w * kernel(entry, x, m) for w, m in zip(entry.weights, entry.points, strict=True))
            energies[i] += np.prod((1 + np.cos(np.pi * t)) / 2) * (entry.constant + value)
    return energies


@pytest.mark.parametrize("entry", [*TRIPLES, *COMPACT], ids=lambda e: f"{e.coordinates} {e.kernel}")
def test_energies_are_those_of_the_formula(entry, small_salt):
    potential = Model([11, 17], [], [], triples=[entry]).potential()
    expected = energies_of(entry, small_salt)
    assert np.abs(expected).max() > 1e-3
    results = evaluate(potential, small_salt, atom_virials=True)
    np.testing.assert_allclose(results["energies"], expected, rtol=0, atol=1e-13 * np.abs(entry.weights).sum() * 100)
    assert potential.cutoff == entry.cutoff


def test_a_model_of_other_species_has_the_same_numbers(small_salt):
    others = Model([1, 11, 12, 17], [], [], triples=[*TRIPLES, *COMPACT[1:]]).potential()
    alone = Model([11, 17], [], [], triples=[*TRIPLES, *COMPACT[1:]]).potential()
    for key in ("energies", "forces", "virial"):
        np.testing.assert_allclose(evaluate(others, small_salt)[key], evaluate(alone, small_salt)[key], atol=1e-14)
    sodium = small_salt[small_salt.numbers == 11]
    expected = energies_of(TRIPLES[1], sodium)
    assert evaluate(others, sodium)["energies"] == pytest.approx(expected, abs=1e-12)


WRONG = {
    "description.triples[0].center": lambda e, t: e.update(center=12),
    "description.triples[0].neighbors": lambda e, t: e.update(neighbors=[11]),
    "description.triples[0].widths[1]": lambda e, t: e.update(widths=[1.0, 0.0, 1.0]),
    "description.triples[0].widths": lambda e, t: e.update(coordinates="sides"),
    "description.triples[0].kernel": lambda e, t: e.update(kernel="cubic"),
    "description.triples[0].constant": lambda e, t: e.update(constant="x"),
    "tensor 'triples.angle.points'": lambda e, t: t["triples.angle.points"].__setitem__((0, 1), np.nan),
    "tensor 'triples.angle.weights'.shape": lambda e, t: t.update({"triples.angle.weights": np.zeros(3)}),
}


@pytest.mark.parametrize("field", WRONG)
def test_what_is_wrong_in_a_file_is_named(field):
    told = refusal("linear triples", lambda document, tensors: WRONG[field](document["triples"][0], tensors))
    assert told.startswith(f"bad.mlcalc: {field}:") and "\n" not in told
