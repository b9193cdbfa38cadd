// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

namespace mlcalc {

/// Functions f_k(x), k < n_functions, tabulated on the uniform grid x = 0, dx, 2 dx, .. with first and second
/// derivatives: the quintic Hermite interpolant of each interval is C2, its own derivative is what `evaluate` returns.
/// Layout of `data`: [knot][order 0..2][function]; order d holds d^d f/dx^d.
struct SplineTable {
    double dx = 0.0;
    std::size_t n_knots = 0;
    std::size_t n_functions = 0;
    std::vector<double> data;

    double x_max() const { return dx * static_cast<double>(n_knots - 1); }
    /// value and derivative of all functions at x; x must be in [0, x_max].
    void evaluate(double x, double* value, double* derivative) const;
};

}  // namespace mlcalc
