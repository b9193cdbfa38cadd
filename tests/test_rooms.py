# SPDX-License-Identifier: BSD-3-Clause
"""The rooms of the Python code: who may import whom, read from the imports themselves."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mlcalc"

# from low to high: a room imports from those before it and from itself
ROOMS = ["engine", "lammps", "model", "running", "checks", "gap", "train", "scan", "learn", "demo", "commands", "cli"]
OF_FILES = {
    "_engine": "engine",
    "files": "engine",
    "page": "engine",
    "cli": "cli",
    "__main__": "cli",
    "__init__": "cli",
}
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


# the rooms of the C++ core, from low to high; files outside of a folder form the room "."

CORE = PACKAGE / "core"
CORE_ROOMS = ["base", "simd", "model", "pairs", "far_field", "expansions", "layers", "readouts", ".", "training"]
OF_THE_CORE = sorted(p for p in CORE.rglob("*.?pp"))
STANDARD = {"nlohmann/json.hpp", "nlohmann/json_fwd.hpp"}


def core_room(path):
    parts = path.relative_to(CORE).parts
    return parts[0] if len(parts) > 1 else "."


def includes(path):
    """What a source of the core includes in quotes, and in brackets."""
    text = path.read_text()
    return re.findall(r'#include "([^"]+)"', text), re.findall(r"#include <([^>]+)>", text)


@pytest.mark.parametrize("path", OF_THE_CORE, ids=lambda path: str(path.relative_to(CORE)))
def test_no_include_runs_from_a_lower_room_of_the_core_to_a_higher_one(path):
    mine = core_room(path)
    assert mine in CORE_ROOMS, f"{path} is in no room: give it one, and list the room here"
    ours, theirs = includes(path)
    for name in ours:
        assert (CORE / name).is_file(), f'{path.name} includes "{name}": name the room, or use <> for what is not ours'
        other = core_room(CORE / name)
        assert CORE_ROOMS.index(other) <= CORE_ROOMS.index(mine), f"{path.name} ({mine}) includes {name} ({other})"
    # the core sees the standard library, JSON and the system's memory, never LAMMPS, MPI or Python
    for name in theirs:
        assert "/" not in name or name in STANDARD or name.startswith("sys/"), f"{path.name} includes <{name}>"
        assert not re.search(r"mpi|python|lammps", name, re.IGNORECASE), f"{path.name} includes <{name}>"


def test_headers_of_the_core_do_not_include_each_other_in_a_circle():
    graph = {p: {CORE / name for name in includes(p)[0] if name.endswith(".hpp")} for p in OF_THE_CORE}
    graph = {p: others for p, others in graph.items() if p.suffix == ".hpp"}
    done = set()
    while len(done) < len(graph):
        free = [p for p in graph if p not in done and graph[p] <= done]
        assert free, f"a circle among {sorted(p.name for p in graph if p not in done)}"
        done.update(free)


def test_the_reader_of_includes_sees_what_the_compiler_does():
    ours, theirs = includes(CORE / "potential.cpp")
    assert "evaluator.hpp" in ours and "algorithm" in theirs
