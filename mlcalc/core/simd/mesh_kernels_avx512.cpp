// SPDX-License-Identifier: BSD-3-Clause
#if defined(__x86_64__)
#define MLCALC_LANES 8
#define MLCALC_MESH_KERNELS mesh_kernels_avx512
#include "simd/mesh_kernels_source.hpp"
#endif
