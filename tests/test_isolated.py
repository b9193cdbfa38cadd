# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc isolated``: energies of separated atoms from a calculator of ASE."""

import pytest
import yaml
from ase import Atoms
from ase.calculators.emt import EMT

from mlcalc.cli import main


def test_it_prints_lines_for_the_options_file(capsys):
    assert main(["isolated", "Cu", "Ni", "--calculator", "ase.calculators.emt:EMT"]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    expected = {}
    for symbol in ("Cu", "Ni"):
        atoms = Atoms(symbol)
        atoms.calc = EMT()
        expected[symbol] = pytest.approx(atoms.get_potential_energy(), abs=1e-6)
    assert made == {"data": {"reference_energies": expected}}


def test_arguments_of_the_calculator_and_a_periodic_cell(capsys):
    command = ["isolated", "Ar", "--calculator", "ase.calculators.lj:LennardJones"]
    assert main([*command, "--arguments", '{"rc": 16.0, "sigma": 9.0}', "--periodic"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["data"]["reference_energies"]["Ar"] != 0.0  # its own images


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Cu", "--calculator", "EMT"], "write the calculator as module:Class"),
        (["Cu", "--calculator", "ase.calculators.emt:Emt"], "the module ase.calculators.emt has no Emt"),
        (["Cu", "--calculator", "no_such_package:X"], "the Python package no_such_package is needed"),
        (["Cu", "--calculator", "ase.calculators.emt:EMT", "--arguments", "[1]"], "must be a JSON object"),
        (["Cu", "--calculator", "ase.calculators.emt:EMT", "--arguments", "{x}"], "must be a JSON object"),
        (["Kx", "--calculator", "ase.calculators.emt:EMT"], "Kx is no chemical element"),
        (["U", "--calculator", "ase.calculators.emt:EMT"], "U: the calculator failed"),
    ],
)
def test_what_cannot_be_computed_is_one_sentence(arguments, sentence, capsys):
    assert main(["isolated", *arguments]) == 1
    assert sentence in capsys.readouterr().err
