# SPDX-License-Identifier: BSD-3-Clause
"""``mlcalc lammps check``: start LAMMPS, load the plugin, and say in a sentence what is wrong if that fails."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .. import lammps

INPUT = """units metal
region box block 0 1 0 1 0 1
create_box 1 box
{load}
pair_style mlcalc
"""


def check(lmp: str | None = None, mpirun: str | None = None) -> Iterator[tuple[bool, str]]:
    """Yields (passed, sentence) of each step; stops at the first step that makes the rest meaningless."""
    plugin = Path(lammps.plugin_path()) / "mlcalcplugin.so"
    if not plugin.exists():
        yield (
            False,
            (
                f"{plugin} was not built: LAMMPS and MPI headers were missing when mlcalc was installed; "
                "see 'your own LAMMPS' in the documentation"
            ),
        )
        return
    yield True, f"plugin: {plugin}"
    try:
        start = [_program(lmp)] if lmp else lammps.command()
    except (RuntimeError, FileNotFoundError) as error:
        yield False, str(error)
        return
    with tempfile.TemporaryDirectory() as folder:
        text = _run([*start, "-h"], folder)
        version = re.search(r"Massively Parallel Simulator - (.*)", text)
        if version is None:
            yield False, f"{start[0]} did not start: {_last_line(text)}"
            return
        yield True, f"LAMMPS {version[1].strip()}: {start[0]}"
        passed, line = _load(start, plugin, folder)
        yield passed, line
        if passed:
            yield _two_ranks([mpirun] if mpirun else None, start, folder)


def _load(start, plugin, folder) -> tuple[bool, str]:
    """Does this LAMMPS know the pair style by itself, and if not, why not?"""
    text = _try(start, "", folder)
    if "Unrecognized pair style" not in text:
        problem = _problem(text)
        return (False, problem) if problem else (True, "pair_style mlcalc is known without any further step")
    text = _try(start, f"plugin load {plugin}", folder)
    problem = _problem(text)
    if "Unrecognized pair style" in text or (problem and "plugin" in problem.lower()):
        reason = next((line for line in text.splitlines() if "fail" in line), problem or _last_line(text))
        return False, f"the plugin cannot be loaded: {reason}"
    if problem:
        return False, problem
    return False, (
        "LAMMPS did not look for plugins by itself, but can load this one: set "
        f"LAMMPS_PLUGIN_PATH={plugin.parent}, or begin the input with 'plugin load {plugin}'"
    )


def _two_ranks(mpirun, start, folder) -> tuple[bool, str]:
    """A launcher of another MPI starts two LAMMPS of one rank each, which both look well."""
    launcher = mpirun or lammps.command(ranks=2)[:1]
    text = _run([*launcher, "-np", "2", start[-1], "-in", "in.check", "-log", "none"], folder)
    if re.search(r"\b(2 by 1 by 1|1 by 2 by 1|1 by 1 by 2) MPI processor grid", text):
        return True, f"two MPI ranks work together: {launcher[0]}"
    if len(re.findall("1 by 1 by 1 MPI processor grid", text)) == 2:
        return False, (
            f"{launcher[0]} belongs to another MPI than {start[-1]}: it starts two runs of one rank instead of one "
            "run of two; use the launcher of the MPI that LAMMPS was built with"
        )
    return False, f"{launcher[0]} -np 2 failed: {_problem(text) or _last_line(text)}"


def _try(start, load, folder) -> str:
    (Path(folder) / "in.check").write_text(INPUT.format(load=load))
    return _run([*start, "-in", "in.check", "-log", "none"], folder)


def _run(command, folder) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "ERROR: no answer within 60 s"
    return done.stdout


def _program(name) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not a program that can be started")
    return str(Path(found).resolve())


def _problem(text) -> str | None:
    """The first error of a LAMMPS output, without the source line it came from."""
    for line in text.splitlines():
        if line.startswith("ERROR") or "cannot be used" in line:
            return re.sub(r"^ERROR( on proc \d+)?: | \(\S+:\d+\)$", "", line.strip())
    return None


def _last_line(text) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"
