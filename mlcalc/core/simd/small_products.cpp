// SPDX-License-Identifier: BSD-3-Clause
#include "simd/small_products.hpp"

#include "simd/instruction_set.hpp"

namespace mlcalc {

const SmallProducts& small_products() {
#if defined(__x86_64__)
    static const SmallProducts& chosen = []() -> const SmallProducts& {
        switch (selected_instruction_set()) {
            case InstructionSet::avx512:
                return small_products_avx512;
            case InstructionSet::avx2:
                return small_products_avx2;
            default:
                return small_products_baseline;
        }
    }();
    return chosen;
#else
    return small_products_baseline;
#endif
}

}  // namespace mlcalc
