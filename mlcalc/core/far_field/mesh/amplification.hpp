// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "far_field/mesh/window.hpp"

namespace mlcalc {

/// What a mesh makes of a wave: the mean over its directions of the squared aliases that gathering l + 1 derivatives
/// and spreading add to it, in units of the square of what is right. 1 beyond the mesh, where everything is missing:
///   A_l(nu) = < sum_(m != 0) u_m^2 (|nu + m| / |nu|)^(2l+2) + sum_(m != 0) u_m^2 >,   u_m = U(nu + m) / U(nu),
/// nu the wave vector in units of the reciprocal mesh, U the product of the transforms of the window along the axes.
class Amplification {
public:
    Amplification(const Window&, int l_max);
    /// Of each l, at a wave number in units of 1 / spacing of the reciprocal mesh.
    void evaluate(double nu, double* of_l) const;

private:
    std::size_t n_l_;
    std::vector<double> logarithm_;  ///< [nu][l]
};

}  // namespace mlcalc
