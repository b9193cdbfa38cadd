// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>

namespace mlcalc {

/// Shifted cosine: 1 up to cutoff - width, (1 + cos(pi (r - cutoff + width) / width)) / 2 up to the cutoff, 0 beyond;
/// a step where the width is 0 [Behler, Parrinello, PRL 98, 146401 (2007)].
struct CutoffFunction {
    double cutoff = 0.0;
    double width = 0.0;  ///< 0 <= width <= cutoff

    void evaluate(double r, double& value, double& slope) const {
        constexpr double pi = 3.14159265358979323846;
        value = r < cutoff ? 1.0 : 0.0;
        slope = 0.0;
        if (r <= cutoff - width || r >= cutoff) return;
        const double x = 0.5 * pi * (r - (cutoff - width)) / width, c = std::cos(x), s = std::sin(x);
        value = c * c;
        slope = -pi / width * c * s;
    }
};

}  // namespace mlcalc
