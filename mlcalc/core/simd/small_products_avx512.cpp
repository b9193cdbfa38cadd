// SPDX-License-Identifier: BSD-3-Clause
#if defined(__x86_64__)
#define MLCALC_LANES 8
#define MLCALC_SMALL_PRODUCTS small_products_avx512
#include "simd/small_products_source.hpp"
#endif
