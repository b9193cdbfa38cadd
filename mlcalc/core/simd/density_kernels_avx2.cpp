// SPDX-License-Identifier: BSD-3-Clause
#if defined(__x86_64__)
#define MLCALC_LANES 4
#define MLCALC_DENSITY_KERNELS density_kernels_avx2
#include "simd/density_kernels_source.hpp"
#endif
