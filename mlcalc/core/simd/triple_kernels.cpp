// SPDX-License-Identifier: BSD-3-Clause
#include "simd/triple_kernels.hpp"

#define MLCALC_SOURCE "simd/triple_kernels_source.hpp"
#include "simd/each_set.hpp"

namespace mlcalc {

const TripleKernels& triple_kernels() {
    static const TripleKernels& chosen = MLCALC_KERNELS;
    return chosen;
}

}  // namespace mlcalc
