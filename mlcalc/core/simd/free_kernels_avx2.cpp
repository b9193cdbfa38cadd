// SPDX-License-Identifier: BSD-3-Clause
#if defined(__x86_64__)
#define MLCALC_LANES 4
#define MLCALC_FREE_KERNELS free_kernels_avx2
#include "simd/free_kernels_source.hpp"
#endif
