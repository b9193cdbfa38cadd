// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace mlcalc {

/// x^n for n >= 0; 1 for n = 0.
inline double power(double x, int n) {
    double result = 1.0;
    for (; n > 0; --n) result *= x;
    return result;
}

}  // namespace mlcalc
