// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/aligned.hpp"

namespace mlcalc {

/// What spreads an atom over `order` mesh points along each axis: n_boxes unit boxes convolved with the Kaiser-Bessel
/// window I_0(beta sqrt(1 - z^2)), z = 2 x / (order - n_boxes), piece by piece a polynomial of degree order - 1
/// [Kaiser, Schafer, IEEE Trans. Acoust. Speech Signal Process. 28, 105 (1980)]. The boxes give the transform its zeros
/// at the integers, which make n_boxes - 1 derivatives of long waves right, and W as many continuous derivatives; the
/// window keeps aliases small. The mesh points around u are first, first + 1, ..  with first = floor(u - order / 2) +
/// 1, and on each of them W is a polynomial in f - 1/2, f = u - order / 2 - floor(u - order / 2).
class Window {
public:
    /// Boxes for the derivatives that forces take of V with this l_max.
    static int n_boxes(int l_max) { return l_max + 2; }
    /// Two pieces of the Kaiser-Bessel window are the least.
    static int least_order(int l_max) { return n_boxes(l_max) + 2; }
    static constexpr int largest_order = 12;
    /// Mesh points below and above the one at the atom that the window reaches.
    static int reach_below(int order) { return (order - 1) / 2; }
    static int reach_above(int order) { return (order + 1) / 2; }
    /// Points per row of `coefficients`, a whole number of vectors.
    static int padded(int order);

    /// beta in units of pi (order - n_boxes). Throws std::invalid_argument for orders that cannot be.
    Window(int order, double beta, int l_max);
    /// [derivative][power of f - 1/2][point] up to l_max + 1 derivatives, zero beyond the order.
    const double* coefficients() const { return coefficients_.data(); }
    /// int W(x) cos(2 pi nu x) dx, that of the polynomials.
    double transform(double nu) const;
    /// The same of the pieces before the boxes, not normalized: U(nu) is this times (sin(pi nu) / pi nu)^n_boxes.
    double transform_of_core(double nu) const;

private:
    /// Nodes and weights for a transform.
    struct Quadrature {
        std::vector<double> nodes, weights;
        double transform(double nu) const;
    };
    Quadrature whole_, core_;
    AlignedVector<double> coefficients_;
};

}  // namespace mlcalc
