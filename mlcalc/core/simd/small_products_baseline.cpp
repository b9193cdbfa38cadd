// SPDX-License-Identifier: BSD-3-Clause
#define MLCALC_LANES 2
#define MLCALC_SMALL_PRODUCTS small_products_baseline
#include "simd/small_products_source.hpp"
