// SPDX-License-Identifier: BSD-3-Clause
#include "simd/density_kernels.hpp"

#define MLCALC_SOURCE "simd/density_kernels_source.hpp"
#include "simd/each_set.hpp"

namespace mlcalc {

const DensityKernels& density_kernels() {
    static const DensityKernels& chosen = MLCALC_KERNELS;
    return chosen;
}

}  // namespace mlcalc
