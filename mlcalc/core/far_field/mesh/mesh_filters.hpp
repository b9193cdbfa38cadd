// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <vector>

#include "base/aligned.hpp"
#include "base/lattice.hpp"
#include "far_field/far_field.hpp"
#include "far_field/mesh/mesh_backend.hpp"
#include "far_field/mesh/window.hpp"
#include "far_field/spectrum.hpp"

namespace mlcalc {

/// The filters of one mesh, D_q(n) = 4 pi / Vol f_q(k) / U(n)^2 on the reciprocal points of this rank, U the
/// transform of the window. Here q counts those of `chosen`.
class MeshFilters {
public:
    MeshFilters(const FieldSpectrum&, std::vector<std::size_t> chosen, std::array<int, 3> mesh, const Window&,
                int n_threads);

    std::size_t size() const { return chosen_.size(); }
    const std::vector<FilterBank::Use>& uses(std::size_t q) const { return spectrum_->bank().uses[chosen_[q]]; }
    int l_max(std::size_t q) const { return l_max_[q]; }
    std::size_t bytes() const { return 8 * (values_.capacity() + slopes_.capacity() + turns_.capacity()); }

    /// Filters for this cell and brick of reciprocal points, stored in the order of `axes`, slowest first. Kept while
    /// nothing changes.
    void set(const Lattice&, const Brick& brick, std::array<int, 3> axes);

    /// out <- D_q in
    void apply(std::size_t q, const double* in, double* out) const;
    /// out <- dD_q/d eps_ab in
    void apply_strain(std::size_t q, int a, int b, const double* in, double* out) const;
    /// strain += sum_n Re[conj(adjoint) source] dD_q/d eps, and out <- D_q adjoint or, with `add`, out += D_q adjoint.
    /// One pass over the mesh for both; adjoint and out may be the same array.
    void backward(std::size_t q, const double* adjoint, const double* source, bool add, double* out,
                  Mat3& strain) const;

private:
    /// Sums over some rows: D, and the second moments of the slopes in the integers n.
    struct Moments {
        double isotropic = 0.0;
        double second[3][3] = {};
    };
    std::size_t n_rows() const;
    template <class Function>
    void for_rows(std::size_t begin, std::size_t end, Function) const;
    template <class Function>
    void for_points(std::size_t begin_row, std::size_t end_row, Function) const;
    void add_turns(std::size_t q, const double* adjoint, const double* source, Mat3& strain) const;
    int integer(int axis, int index) const;
    void fill(std::size_t begin_row, std::size_t end_row);
    void backward_rows(std::size_t begin, std::size_t end, std::size_t q, const double* adjoint, const double* source,
                       bool add, double* out, Moments&) const;

    const FieldSpectrum* spectrum_;
    std::vector<std::size_t> chosen_;
    std::array<int, 3> mesh_;
    int n_threads_;
    std::vector<int> l_max_;
    std::array<std::vector<double>, 3> window_;  ///< 1 / U^2 along each axis, 0 at the Nyquist frequency

    Lattice lattice_;
    Brick brick_;
    std::array<int, 3> axes_{};
    std::size_t n_points_ = 0;
    /// [q][point] D, its slope and, in the padded cell of a slab, its turn, with the factors of D; see FieldSpectrum
    AlignedVector<double> values_, slopes_, turns_;
};

}  // namespace mlcalc
