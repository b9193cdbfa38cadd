// SPDX-License-Identifier: BSD-3-Clause
#define MLCALC_LANES 2
#define MLCALC_MESH_KERNELS mesh_kernels_baseline
#include "simd/mesh_kernels_source.hpp"
