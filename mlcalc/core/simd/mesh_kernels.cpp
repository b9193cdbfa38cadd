// SPDX-License-Identifier: BSD-3-Clause
#include "simd/mesh_kernels.hpp"

#define MLCALC_SOURCE "simd/mesh_kernels_source.hpp"
#include "simd/each_set.hpp"

namespace mlcalc {

const MeshKernels& mesh_kernels() {
    static const MeshKernels& chosen = MLCALC_KERNELS;
    return chosen;
}

}  // namespace mlcalc
