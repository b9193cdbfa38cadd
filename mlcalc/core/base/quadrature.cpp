// SPDX-License-Identifier: BSD-3-Clause
#include "base/quadrature.hpp"

#include <cmath>

namespace mlcalc {

/// Newton's method on the Legendre polynomial from the usual estimate of its roots.
GaussLegendre::GaussLegendre(int n) {
    constexpr double pi = 3.14159265358979323846;
    for (int i = 0; i < n; ++i) {
        double x = -std::cos(pi * (i + 0.75) / (n + 0.5)), slope = 1.0;
        for (int step = 0; step < 100; ++step) {
            double below = 0.0, value = 1.0;
            for (int l = 1; l <= n; ++l) {
                const double next = ((2 * l - 1) * x * value - (l - 1) * below) / l;
                below = value;
                value = next;
            }
            slope = n * (x * value - below) / (x * x - 1.0);
            const double change = value / slope;
            x -= change;
            if (std::abs(change) < 1e-15) break;
        }
        nodes.push_back(x);
        weights.push_back(2.0 / ((1.0 - x * x) * slope * slope));
    }
}

}  // namespace mlcalc
