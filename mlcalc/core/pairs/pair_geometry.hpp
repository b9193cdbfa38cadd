// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <stdexcept>
#include <string>

namespace mlcalc {

/// Says why a pair at this squared distance has no energy.
[[noreturn]] inline void refuse_pair(int i, int j, double r2) {
    if (!std::isfinite(r2)) throw std::invalid_argument("the positions must be finite numbers");
    throw std::invalid_argument("atoms " + std::to_string(i) + " and " + std::to_string(j) + " are at the same place");
}

}  // namespace mlcalc
