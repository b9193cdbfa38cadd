// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <vector>

#include "aligned.hpp"
#include "far_field.hpp"
#include "lattice.hpp"
#include "mesh_backend.hpp"
#include "smeared_power.hpp"

namespace mlcalc {

/// The filters of the mesh, D_q(n) = 4 pi / Vol g_p(k) B_q(k) / U(n)^2 on the reciprocal points of this rank, U the
/// transform of the spline, and what they contribute to: F_nl(k) = sum_q weight B_q(k).
class MeshFilters {
public:
    struct Use {
        int l, n;
        double weight;
    };
    MeshFilters(const PotentialDescription&, std::array<int, 3> mesh, int order);

    std::size_t size() const { return uses_.size(); }
    const std::vector<Use>& uses(std::size_t q) const { return uses_[q]; }
    int l_max(std::size_t q) const { return l_max_[q]; }

    /// Filters for this cell and brick of reciprocal points, stored in the order of `axes`, slowest first. Kept while
    /// nothing changes.
    void set(const Lattice&, const Brick& brick, std::array<int, 3> axes);

    /// out <- D_q in
    void apply(std::size_t q, const double* in, double* out) const;
    /// out += D_q in
    void add(std::size_t q, const double* in, double* out) const;
    /// out <- dD_q/d eps_ab in
    void apply_strain(std::size_t q, int a, int b, const double* in, double* out) const;
    /// strain += sum_n Re[conj(adjoint) source] dD_q/d eps
    void strain(std::size_t q, const double* adjoint, const double* source, Mat3& strain) const;

private:
    template <class Function>
    void for_each_row(Function) const;
    int integer(int axis, int index) const;

    SplineTable table_;  ///< B_q
    SmearedPower power_;
    std::array<int, 3> mesh_;
    std::vector<std::vector<Use>> uses_;
    std::vector<int> l_max_;
    std::array<std::vector<double>, 3> spline_;  ///< 1 / U^2 along each axis, 0 at the Nyquist frequency

    Lattice lattice_;
    Brick brick_;
    std::array<int, 3> axes_{};
    std::size_t n_points_ = 0;
    AlignedVector<double> values_, slopes_;  ///< [q][point] D and (dD/dk of g B) / k
};

}  // namespace mlcalc
