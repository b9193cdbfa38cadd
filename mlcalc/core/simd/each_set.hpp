// SPDX-License-Identifier: BSD-3-Clause
/// Compiles the file MLCALC_SOURCE once per instruction set, each time in a namespace of its own (mlcalc::baseline,
/// avx2, avx512) that begins with the vectors of vector_lanes.hpp, splines and harmonics. The source defines `kernels`,
/// a table of functions; MLCALC_KERNELS are those of the selected set. Nothing of the standard library may be included
/// in between: an inline function compiled for AVX-512 must never be the one that the linker picks for an old CPU.
#include "base/limits.hpp"
#include "simd/instruction_set.hpp"

#define MLCALC_SET baseline
#define MLCALC_LANES 2
#include "simd/one_set.hpp"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define MLCALC_SET avx2
#define MLCALC_LANES 4
#include "simd/one_set.hpp"
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma,prefer-vector-width=512")
#endif
#define MLCALC_SET avx512
#define MLCALC_LANES 8
#include "simd/one_set.hpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define MLCALC_KERNELS choose(baseline::kernels, avx2::kernels, avx512::kernels)

#else

#define MLCALC_KERNELS baseline::kernels

#endif
