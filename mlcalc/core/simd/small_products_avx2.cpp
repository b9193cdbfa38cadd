// SPDX-License-Identifier: BSD-3-Clause
#if defined(__x86_64__)
#define MLCALC_LANES 4
#define MLCALC_SMALL_PRODUCTS small_products_avx2
#include "simd/small_products_source.hpp"
#endif
