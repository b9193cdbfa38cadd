// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace mlcalc {

enum class InstructionSet { baseline, avx2, avx512 };

/// The best set that this CPU has, or the one named by the environment variable MLCALC_INSTRUCTION_SET
/// ("baseline", "avx2", "avx512"). Chosen at the first call. Throws std::runtime_error for a name that is unknown or
/// a set that the CPU lacks.
InstructionSet selected_instruction_set();

/// What belongs to the selected set.
template <class T>
const T& choose(const T& baseline, const T& avx2, const T& avx512) {
    switch (selected_instruction_set()) {
        case InstructionSet::avx512:
            return avx512;
        case InstructionSet::avx2:
            return avx2;
        default:
            return baseline;
    }
}

/// Doubles in a vector of the selected set: 2, 4 or 8.
int simd_lanes();

/// Its name.
const char* instruction_set();

}  // namespace mlcalc
