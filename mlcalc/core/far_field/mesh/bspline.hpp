// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/aligned.hpp"

namespace mlcalc {

/// Centered cardinal B-splines of one order on the integer grid, and their derivatives: the order mesh points around u
/// are first, first + 1, ..  with first = floor(u - order / 2) + 1, and on each of them the spline is a polynomial in
/// f - 1/2, f = u - order / 2 - floor(u - order / 2).
class BSpline {
public:
    /// Points per row of `coefficients`: the order rounded up to a multiple of 4, at least 8.
    static int padded(int order) { return order <= 8 ? 8 : 12; }

    BSpline(int order, int n_derivatives);
    /// [derivative][power of f - 1/2][point], zero beyond the order.
    const double* coefficients() const { return coefficients_.data(); }
    /// Fourier transform of the spline at the frequency n / M: sinc(n / M)^order.
    static double transform(int order, double n_over_m);

private:
    AlignedVector<double> coefficients_;
};

}  // namespace mlcalc
