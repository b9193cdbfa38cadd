// SPDX-License-Identifier: BSD-3-Clause
#define MLCALC_LANES 2
#define MLCALC_DENSITY_KERNELS density_kernels_baseline
#include "simd/density_kernels_source.hpp"
