// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>

namespace mlcalc {

/// Of a system: periodic in no, one, two or three directions.
enum class Boundaries { free, wire, slab, periodic };

inline Boundaries boundaries_of(const std::array<bool, 3>& pbc) {
    return static_cast<Boundaries>(pbc[0] + pbc[1] + pbc[2]);
}
/// As in model files and messages.
inline const char* name_of(Boundaries boundaries) {
    constexpr const char* names[] = {"free", "wire", "slab", "periodic"};
    return names[static_cast<int>(boundaries)];
}

}  // namespace mlcalc
