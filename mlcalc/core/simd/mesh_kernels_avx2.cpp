// SPDX-License-Identifier: BSD-3-Clause
#if defined(__x86_64__)
#define MLCALC_LANES 4
#define MLCALC_MESH_KERNELS mesh_kernels_avx2
#include "simd/mesh_kernels_source.hpp"
#endif
