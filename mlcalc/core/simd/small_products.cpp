// SPDX-License-Identifier: BSD-3-Clause
#include "simd/small_products.hpp"

#define MLCALC_SOURCE "simd/small_products_source.hpp"
#include "simd/each_set.hpp"

namespace mlcalc {

const SmallProducts& small_products() {
    static const SmallProducts& chosen = MLCALC_KERNELS;
    return chosen;
}

}  // namespace mlcalc
