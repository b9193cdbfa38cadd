// SPDX-License-Identifier: BSD-3-Clause
#include "simd/channel_products.hpp"

#define MLCALC_SOURCE "simd/channel_products_source.hpp"
#include "simd/each_set.hpp"

namespace mlcalc {

const ChannelProducts& channel_products() {
    static const ChannelProducts& chosen = MLCALC_KERNELS;
    return chosen;
}

}  // namespace mlcalc
