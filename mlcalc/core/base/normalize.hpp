// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <cstddef>

namespace mlcalc {

/// p becomes p / sqrt(|p|^2 + epsilon^2), which is returned. The origin stays the origin.
inline double normalize(double* p, std::size_t n, double epsilon) {
    double sum = epsilon * epsilon;
    for (std::size_t f = 0; f < n; ++f) sum += p[f] * p[f];
    const double norm = std::sqrt(sum);
    if (norm > 0.0) {
        for (std::size_t f = 0; f < n; ++f) p[f] /= norm;
    }
    return norm;
}

}  // namespace mlcalc
