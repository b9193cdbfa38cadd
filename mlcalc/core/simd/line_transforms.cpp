// SPDX-License-Identifier: BSD-3-Clause
#include "simd/line_transforms.hpp"

#define MLCALC_SOURCE "simd/line_transforms_source.hpp"
#include "simd/each_set.hpp"

namespace mlcalc {

const LineTransforms& line_transforms() {
    static const LineTransforms& chosen = MLCALC_KERNELS;
    return chosen;
}

}  // namespace mlcalc
