# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False
"""The C++ engine as seen from Python: views in, arrays out. No physics here."""

cimport cython
from libc.stddef cimport size_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr, unique_ptr, make_unique
from libcpp.string cimport string
from libcpp.vector cimport vector

cimport numpy as cnp
import numpy as np

cnp.import_array()

include "engine/bridge.pxi"
include "engine/views.pxi"
include "engine/potential.pxi"
include "engine/pair_vectors.pxi"


def check_model(const unsigned char[::1] model not None, str source="<memory>"):
    """Raises RuntimeError with one sentence naming the file and the field if these bytes are not a valid model file."""
    cdef string name = source.encode()
    with nogil:
        parse_model(&model[0] if model.shape[0] else NULL, model.shape[0], name)


def checksum(bytes json, bytes tensors):
    """The checksum of a model file: FNV-1a over the description and the tensor bytes."""
    return model_checksum(<const char*> json, len(json), <const char*> tensors, len(tensors)).decode()


def smeared_power_transform(int exponent, double smearing, k):
    """Fourier transform of the smeared 1/r^p and its derivative at the wave numbers ``k`` > 0 (1/Angstrom).

    Raises ValueError unless 0 <= exponent <= 12 and smearing > 0.
    """
    cdef unique_ptr[SmearedPower] power = make_unique[SmearedPower](exponent, smearing)
    cdef double[::1] k_ = np.ascontiguousarray(k, dtype=np.float64).ravel()
    out = np.empty((2, k_.shape[0]))
    cdef double[:, ::1] out_ = out
    cdef Py_ssize_t i
    for i in range(k_.shape[0]):
        power.get().evaluate(k_[i], out_[0, i], out_[1, i])
    return out.reshape((2, *np.shape(k)))


def real_clebsch_gordan(int l1, int l2, int l):
    """The non-zero real Clebsch-Gordan coefficients as a list of (m1, m2, m, value); see core/base/clebsch_gordan.hpp."""
    return [(term.m1, term.m2, term.m, term.value) for term in c_real_clebsch_gordan(l1, l2, l)]


#: calls from one look at the extrapolation to the next
EXTRAPOLATION_INTERVAL = extrapolation_interval
#: mean extrapolation beside that of the outermost structure of the data, above which a run has left them
STRUCTURE_LIMIT = structure_limit


def extrapolation_bound(double before):
    """The extrapolation above which a run has left the training set, where the look before found ``before``."""
    return c_extrapolation_bound(before)


def instruction_set():
    """The instruction set of the kernels: ``baseline``, ``avx2`` or ``avx512``.

    Raises RuntimeError if the environment variable MLCALC_INSTRUCTION_SET asks for what this CPU does not have.
    """
    return c_instruction_set().decode()
