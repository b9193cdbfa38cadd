// SPDX-License-Identifier: BSD-3-Clause
#define MLCALC_LANES 2
#define MLCALC_FREE_KERNELS free_kernels_baseline
#include "simd/free_kernels_source.hpp"
