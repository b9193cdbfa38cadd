# SPDX-License-Identifier: BSD-3-Clause
"""The rooms of the Python code: who may import whom, read from the imports themselves."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mlcalc"

# from low to high: a room imports from those before it and from itself
ROOMS = ["engine", "lammps", "model", "running", "train", "demo", "commands", "cli"]
OF_FILES = {"_engine": "engine", "fft": "engine", "files": "engine", "cli": "cli", "__main__": "cli", "__init__": "cli"}
SOURCES = sorted(p for p in PACKAGE.rglob("*.py*") if p.suffix in (".py", ".pyx") and "core" not in p.parts)


def room_of(parts):
    """The room of a module, given its path below the package; None for the package itself."""
    if not parts:
        return None
    return parts[0] if parts[0] in ROOMS and parts[0] != "engine" else OF_FILES.get(parts[0])


def imported(path):
    """Paths below the package, as tuples, of everything of mlcalc that a file imports, inside functions too."""
    here = path.relative_to(PACKAGE).with_suffix("").parts
    if path.suffix == ".pyx":
        lines = [line for line in path.read_text().splitlines() if line.startswith(("from mlcalc", "import mlcalc"))]
        tree = ast.parse("\n".join(lines))
    else:
        tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from (tuple(name[1:]) for name in names if name[0] == "mlcalc")
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = here[: len(here) - node.level] + tuple((node.module or "").split(".") if node.module else ())
            elif (node.module or "").split(".")[0] == "mlcalc":
                base = tuple(node.module.split(".")[1:])
            else:
                continue
            if base and room_of(base):
                yield base
            else:  # from . import name: the names are modules
                yield from ((*base, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_runs_from_a_lower_room_to_a_higher_one(path):
    mine = room_of(path.relative_to(PACKAGE).with_suffix("").parts)
    assert mine is not None, f"{path} is in no room: give it one, and list the room here"
    for module in imported(path):
        other = room_of(module)
        assert other is not None, f"{path.name} imports {'.'.join(module)}, which is in no room"
        assert ROOMS.index(other) <= ROOMS.index(mine), f"{path.name} ({mine}) imports {'.'.join(module)} ({other})"


def test_files_of_a_room_do_not_import_each_other_in_a_circle():
    modules = {p.relative_to(PACKAGE).with_suffix("").parts: p for p in SOURCES if p.suffix == ".py"}
    graph = {}
    for name, path in modules.items():
        if name[-1] != "__init__":
            graph[name] = {m[:k] for m in imported(path) for k in (len(m), len(m) - 1) if m[:k] in modules} - {name}
    done = set()
    while len(done) < len(graph):
        free = [name for name in graph if name not in done and graph[name] <= done]
        assert free, f"a circle among {sorted('.'.join(n) for n in graph if n not in done)}"
        done.update(free)


def test_the_reader_of_imports_sees_what_python_does(tmp_path):
    assert ("train", "data") in set(imported(PACKAGE / "commands/features_file.py"))
    assert ("_engine",) in set(imported(PACKAGE / "running/calculator.py"))


def test_public_names_and_modules_of_the_first_version_are_there():
    import mlcalc

    for name in mlcalc.__all__:
        assert getattr(mlcalc, name) is not None
    for old, new in mlcalc._MOVED.items():
        assert importlib.import_module(f"mlcalc.{old}") is importlib.import_module(f"mlcalc.{new}")
    for name in ("mlcalc.model", "mlcalc.train", "mlcalc.lammps", "mlcalc.cli"):
        importlib.import_module(name)
    assert mlcalc.__version__ == importlib.metadata.version("mlcalc")
    code = "import mlcalc; mlcalc.train.fit; mlcalc.model.Model; mlcalc.expansions.ShiftedCosine"
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


def test_python_dash_m():
    out = subprocess.run(
        [sys.executable, "-m", "mlcalc", "--version"], check=True, cwd="/", capture_output=True, text=True
    )
    assert out.stdout.startswith("mlcalc ")


@pytest.mark.parametrize("package", ["", "train", "model"])
def test_no_public_name_is_also_that_of_a_file(package):
    """Importing the file would put the module in the place of what the name stands for."""
    module = importlib.import_module(".".join(filter(None, ["mlcalc", package])))
    files = {path.stem for path in (PACKAGE / package).iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms = set(module._ROOMS) if package == "" else set()
    assert not (set(module.__all__) - rooms) & files
