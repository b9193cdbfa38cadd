// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <vector>

#include "base/harmonics.hpp"
#include "base/lattice.hpp"
#include "base/types.hpp"
#include "far_field/mesh/mesh_filters.hpp"

namespace mlcalc {

/// From derivatives along the mesh axes to solid harmonics of the Cartesian gradient: S_lm(grad) is a homogeneous
/// polynomial of degree l in d/du, u = M fractional. Its coefficients depend on the cell alone.
class MeshTensors {
public:
    MeshTensors(int l_max, std::array<int, 3> mesh);
    void set(const Lattice&);

    /// Number of monomials of degree l.
    static int n_monomials(int l) { return (l + 1) * (l + 2) / 2; }
    /// Index of the derivative (a, b, c) in a tensor of this degree; see mesh_kernels.hpp.
    static int index(int degree, int a, int b, int c);
    /// Indices of the monomials of degree l in a tensor of `degree`.
    const std::vector<int>& indices(int degree, int l) const {
        return indices_[static_cast<std::size_t>(degree)][static_cast<std::size_t>(l)];
    }
    /// The same, one derivative more along mesh axis `axis`.
    const std::vector<int>& raised(int degree, int l, int axis) const {
        return raised_[static_cast<std::size_t>(degree)][static_cast<std::size_t>(3 * l + axis)];
    }
    /// Coefficients of S_lm(grad), (2l + 1, n_monomials(l)).
    const double* solid(int l) const { return solid_[static_cast<std::size_t>(l)].data(); }
    /// Coefficients of (dS_lm/d grad_a)(grad) grad_b, the same shape.
    const double* turned(int l, int a, int b) const {
        return turned_[static_cast<std::size_t>((l * 3 + a) * 3 + b)].data();
    }
    /// d u_axis / d x: Cartesian gradient = sum_axis jacobian[x][axis] d/du_axis
    double jacobian(std::size_t x, std::size_t axis) const { return jacobian_[x][axis]; }

private:
    int l_max_;
    std::array<int, 3> mesh_;
    Harmonics harmonics_;
    Mat3 jacobian_{};
    std::vector<std::vector<double>> inverse_;  ///< per l: monomial coefficients from values at the points (a, b, c)
    std::vector<std::vector<double>> solid_, turned_;
    std::vector<std::vector<std::vector<int>>> indices_, raised_;
};

}  // namespace mlcalc
