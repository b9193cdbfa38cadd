// SPDX-License-Identifier: BSD-3-Clause
#include "base/spline.hpp"

#include <algorithm>

namespace mlcalc {

void SplineTable::evaluate(double x, double* value, double* derivative) const {
    const double position = x / dx;
    const std::size_t knot = std::min(static_cast<std::size_t>(position), n_knots - 2);
    const double t = position - static_cast<double>(knot), u = 1.0 - t;
    // quintic Hermite basis of [0, 1]: value, slope and curvature at 0 and at 1, and its derivative
    const double t2 = t * t, u2 = u * u, edge = 30.0 * t2 * u2 / dx;
    const double w[6] = {u2 * u * (1 + 3 * t + 6 * t2), dx * t * u2 * u * (1 + 3 * t),  0.5 * dx * dx * t2 * u2 * u,
                         t2 * t * (1 + 3 * u + 6 * u2), -dx * u * t2 * t * (1 + 3 * u), 0.5 * dx * dx * u2 * t2 * t};
    const double d[6] = {-edge, u2 * (1 + 2 * t - 15 * t2), 0.5 * dx * t * u2 * (2 - 5 * t),
                         edge,  t2 * (1 + 2 * u - 15 * u2), -0.5 * dx * u * t2 * (2 - 5 * u)};
    const double* f = data.data() + knot * 3 * n_functions;
    for (std::size_t k = 0; k < n_functions; ++k) {
        double v = 0.0, s = 0.0;
        for (int row = 0; row < 6; ++row) {
            v += w[row] * f[row * n_functions + k];
            s += d[row] * f[row * n_functions + k];
        }
        value[k] = v;
        derivative[k] = s;
    }
}

}  // namespace mlcalc
