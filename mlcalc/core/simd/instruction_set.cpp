// SPDX-License-Identifier: BSD-3-Clause
#include "simd/instruction_set.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace mlcalc {
namespace {

constexpr const char* names[] = {"baseline", "avx2", "avx512"};

bool has(InstructionSet set) {
#if defined(__x86_64__)
    switch (set) {
        case InstructionSet::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case InstructionSet::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("fma");
        default:
            return true;
    }
#else
    return set == InstructionSet::baseline;
#endif
}

InstructionSet choose() {
    const InstructionSet all[] = {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::baseline};
    const char* wish = std::getenv("MLCALC_INSTRUCTION_SET");
    for (const InstructionSet set : all) {
        if (wish == nullptr || *wish == '\0') {
            if (has(set)) return set;
        } else if (std::string(wish) == names[static_cast<int>(set)]) {
            if (has(set)) return set;
            throw std::runtime_error("MLCALC_INSTRUCTION_SET asks for " + std::string(wish) +
                                     ", which this CPU does not have");
        }
    }
    throw std::runtime_error("MLCALC_INSTRUCTION_SET must be baseline, avx2 or avx512, got '" + std::string(wish) +
                             "'");
}

}  // namespace

InstructionSet selected_instruction_set() {
    static const InstructionSet set = choose();
    return set;
}

int simd_lanes() {
    return 2 << static_cast<int>(selected_instruction_set());
}

const char* instruction_set() {
    return names[static_cast<int>(selected_instruction_set())];
}

}  // namespace mlcalc
