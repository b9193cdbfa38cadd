// SPDX-License-Identifier: BSD-3-Clause
#include "simd/free_kernels.hpp"

#define MLCALC_SOURCE "simd/free_kernels_source.hpp"
#include "simd/each_set.hpp"

namespace mlcalc {

const FreeKernels& free_kernels() {
    static const FreeKernels& chosen = MLCALC_KERNELS;
    return chosen;
}

}  // namespace mlcalc
