# SPDX-License-Identifier: BSD-3-Clause
"""Tabulated pair energies: their interpolation, their ends, and what is refused."""

import json

import numpy as np
import pytest
from ase import Atoms
from finite_differences import derivative
from models import PAIRS, build, energy, evaluate, morse, refusal

from mlcalc import _engine
from mlcalc import model as model_module
from mlcalc.model import Model, PairTable, ShiftedCosine, TabulatedPairs, Zbl

SMOOTH = ShiftedCosine(1.0)


def potential_of(*tables, **options):
    pairs = [TabulatedPairs(f"t{k}", of_pairs) for k, of_pairs in enumerate(tables)]
    return Model([11, 17], [], [], pairs=pairs, **options).potential()


def dimer(distance, symbols="NaCl"):
    return Atoms(symbols, positions=[[0.0, 0.0, 0.0], [0.0, 0.6 * distance, 0.8 * distance]])


@pytest.mark.parametrize("distance", [0.3, 1.0, 2.3, 3.7, 3.999])
@pytest.mark.parametrize("inner", [0.0, 0.9])
def test_a_dimer_has_the_energy_of_the_function(distance, inner):
    potential = potential_of({(11, 17): PairTable.from_function(morse, 4.0, inner, SMOOTH, 1e-10)})
    f_c = 1.0 if distance < 3 else (1 + np.cos(np.pi * (distance - 3.0))) / 2
    value, slope, curvature = morse(np.array([max(inner, distance)]))[:, 0]
    t = min(0.0, distance - inner)
    expected = f_c * (value + t * (slope + t * curvature / 2))
    results = evaluate(potential, dimer(distance))
    assert results["energies"] == pytest.approx([expected / 2, expected / 2], rel=1e-8, abs=1e-9)
    change = derivative(lambda x: energy(potential, dimer(distance + x)))
    assert results["forces"][1] @ [0.0, 0.6, 0.8] == pytest.approx(-change, rel=1e-6, abs=1e-7)


def test_forces_and_their_slopes_are_continuous():
    """At the first knot, at a knot, where the smoothing begins and at the end, also without smoothing."""
    points = PairTable.from_points(np.linspace(1.0, 4.0, 13), np.linspace(1, 0, 13) ** 4, ends=(-4 / 3, 0.0))
    for table in (points, PairTable.from_function(morse, 4.0, 1.0, SMOOTH)):
        potential = potential_of({(11, 17): table})

        def force(r, potential=potential):
            return evaluate(potential, dimer(r))["forces"][1] @ [0.0, 0.6, 0.8]

        for r in (1.0, 1.25, 2.0, 3.0, 4.0):
            below, above = ((force(r + 2 * s) - force(r + s)) / s for s in (-1e-5, 1e-5))
            assert force(r - 1e-9) == pytest.approx(force(r + 1e-9), rel=1e-7, abs=1e-7)
            assert r in (3.0, 4.0) or below == pytest.approx(above, rel=1e-3, abs=1e-3)


def test_pairs_without_a_table_do_not_interact_and_each_has_its_cutoff():
    potential = PAIRS.cutoff, Model([11, 17], [], [], pairs=[PAIRS]).potential()
    assert potential[0] == potential[1].cutoff == 5.0
    assert energy(potential[1], dimer(2.0, "Na2")) == 0.0
    assert energy(potential[1], dimer(3.99)) != 0.0 and energy(potential[1], dimer(4.01)) == 0.0
    assert energy(potential[1], dimer(4.5, "Cl2")) > 0.0


def test_several_pair_potentials_add_up(small_salt):
    tables = {(11, 17): PairTable.from_function(morse, 4.0, 0, SMOOTH)}, {(17, 17): PairTable.from_function(morse, 5.0)}
    parts = [potential_of(tables[0]), potential_of(tables[1]), potential_of(zbl=Zbl(2.0, 3.5))]
    together = evaluate(potential_of(*tables, zbl=Zbl(2.0, 3.5)), small_salt, atom_virials=True)
    for key in ("energies", "forces", "virial", "atom_virials"):
        expected = sum(evaluate(part, small_salt, atom_virials=True)[key] for part in parts)
        np.testing.assert_allclose(together[key], expected, rtol=1e-12, atol=1e-12)


def test_a_model_of_other_species_has_the_same_numbers(small_salt):
    """The pairs of species that are not there are left out; the others keep their tables."""
    table = PairTable.from_function(morse, 4.0, 0.5, SMOOTH)
    others = {(1, 11): PairTable.from_function(lambda r: 2 * morse(r), 6.0), (11, 17): table}
    many = Model([1, 11, 12, 17], [], [], pairs=[TabulatedPairs("all", others)]).potential()
    assert many.cutoff == 6.0
    results, expected = evaluate(many, small_salt), evaluate(potential_of({(17, 11): table}), small_salt)
    for key in ("energies", "forces", "virial"):
        np.testing.assert_allclose(results[key], expected[key], rtol=1e-13, atol=1e-13)


def test_points_that_are_not_uniform_are_interpolated_through_their_slopes():
    r = np.sqrt(np.linspace(1.0, 25.0, 60))
    e, slope, _ = morse(r)
    table = PairTable.from_points(r, e, slope)
    for k, values in enumerate(table.evaluate(r)):
        np.testing.assert_allclose(values, (e, slope)[k], rtol=1e-6, atol=1e-7)
    between = np.linspace(1.2, 4.9, 400)
    assert np.abs(table.evaluate(between)[0] - morse(between)[0]).max() < 1e-3


WRONG = {
    "description.pairs[0].tables[0].species[0]": lambda p, t: p["tables"][0].update(species=[12, 17]),
    "description.pairs[0].tables[0].species": lambda p, t: p["tables"][0].update(species=[17, 11]),
    "description.pairs[0].tables[1].species": lambda p, t: p["tables"][1].update(species=[11, 17]),
    "description.pairs[0].tables[0].inner": lambda p, t: p["tables"][0].update(inner=4.0),
    "description.pairs[0].tables[0].cutoff": lambda p, t: p["tables"][0].update(cutoff=-1.0),
    "description.pairs[0].tables[0].smoothing.width": lambda p, t: p["tables"][0]["smoothing"].update(width=9.0),
    "description.pairs[0].type": lambda p, t: p.update(type="spring"),
    "tensor 'pairs.pairs.table.0'": lambda p, t: t["pairs.pairs.table.0"].__setitem__((3, 1), np.inf),
    "tensor 'pairs.pairs.table.1'.shape": lambda p, t: t.update({"pairs.pairs.table.1": np.zeros((1, 3))}),
    "tensor 'pairs.pairs.table.2'": lambda p, t: t.update({"pairs.pairs.table.2": np.zeros((4, 3))}),
}


@pytest.mark.parametrize("field", WRONG)
def test_what_is_wrong_in_a_file_is_named(field):
    told = refusal("linear pair tables", lambda document, tensors: WRONG[field](document["pairs"][0], tensors))
    assert told.startswith(f"bad.mlcalc: {field}:") and "\n" not in told


def test_older_versions_have_no_pairs():
    document, tensors = model_module._unpack(build("linear pair tables").to_bytes())
    assert document.pop("format_version") == 3 and document.pop("layers") == []
    with pytest.raises(RuntimeError, match="pairs"):
        _engine.Potential(model_module._pack(json.dumps({"format_version": 2, **document}), tensors))


@pytest.mark.parametrize("wrong, sentence", [
    ({"values": np.zeros((1, 3))}, "must be finite numbers"), ({"values": np.full((3, 3), np.nan)}, "must be finite"),
    ({"cutoff": 0.0}, "must be a positive number"), ({"inner": 4.0}, "inner must be"),
    ({"smoothing": ShiftedCosine(5.0)}, "must not exceed the cutoff"),
])  # fmt: skip
def test_tables_are_checked_when_made(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        PairTable(**{"values": np.zeros((4, 3)), "cutoff": 4.0, **wrong})


def test_a_pair_has_one_table():
    table = PairTable(np.zeros((4, 3)), 4.0)
    with pytest.raises(ValueError, match="two tables for one pair"):
        TabulatedPairs("x", {(11, 17): table, (17, 11): table})
