// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/mesh_filters.hpp"

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"

namespace mlcalc {
namespace {

constexpr double four_pi = 12.56637061435917295385;

bool same(const Brick& a, const Brick& b) {
    return a.lo == b.lo && a.hi == b.hi;
}

std::size_t extent(const Brick& brick, int axis) {
    const auto a = static_cast<std::size_t>(axis);
    return static_cast<std::size_t>(std::max(0, brick.hi[a] - brick.lo[a]));
}

}  // namespace

MeshFilters::MeshFilters(const FieldSpectrum& spectrum, std::vector<std::size_t> chosen, std::array<int, 3> mesh,
                         const Window& window, int n_threads)
    : spectrum_(&spectrum), chosen_(std::move(chosen)), mesh_(mesh), n_threads_(n_threads) {
    for (const std::size_t q : chosen_) l_max_.push_back(spectrum.bank().l_max(q));
    for (std::size_t a = 0; a < 3; ++a) {
        for (int index = 0; index < mesh[a]; ++index) {
            const int n = integer(static_cast<int>(a), index);
            const double u = window.transform(static_cast<double>(n) / mesh[a]);
            window_[a].push_back(2 * n == -mesh[a] ? 0.0 : 1.0 / (u * u));
        }
    }
}

int MeshFilters::integer(int axis, int index) const {
    const int m = mesh_[static_cast<std::size_t>(axis)];
    return 2 * index < m ? index : index - m;
}

std::size_t MeshFilters::n_rows() const {
    return extent(brick_, axes_[0]) * extent(brick_, axes_[1]);
}

/// function(first point of the row, indices of that point); the row goes on along the fastest axis.
template <class Function>
void MeshFilters::for_rows(std::size_t begin, std::size_t end, Function function) const {
    const auto slow = static_cast<std::size_t>(axes_[0]), middle = static_cast<std::size_t>(axes_[1]);
    const auto fast = static_cast<std::size_t>(axes_[2]);
    const std::size_t length = extent(brick_, axes_[2]), n_middle = extent(brick_, axes_[1]);
    for (std::size_t row = begin; row < end; ++row) {
        std::array<int, 3> index{};
        index[slow] = brick_.lo[slow] + static_cast<int>(row / n_middle);
        index[middle] = brick_.lo[middle] + static_cast<int>(row % n_middle);
        index[fast] = brick_.lo[fast];
        function(row * length, index);
    }
}

/// function(point, its indices, integers, wave vector)
template <class Function>
void MeshFilters::for_points(std::size_t begin_row, std::size_t end_row, Function function) const {
    const auto fast = static_cast<std::size_t>(axes_[2]);
    for_rows(begin_row, end_row, [&](std::size_t first, std::array<int, 3> index) {
        for (std::size_t point = first; index[fast] < brick_.hi[fast]; ++point, ++index[fast]) {
            const std::array<int, 3> n{integer(0, index[0]), integer(1, index[1]), integer(2, index[2])};
            function(point, index, n, lattice_.wave_vector(n[0], n[1], n[2]));
        }
    });
}

void MeshFilters::set(const Lattice& lattice, const Brick& brick, std::array<int, 3> axes) {
    if (lattice.cell == lattice_.cell && same(brick, brick_) && axes == axes_ && n_points_ == brick.size()) return;
    lattice_ = lattice;
    brick_ = brick;
    axes_ = axes;
    n_points_ = brick.size();
    values_.resize(size() * n_points_);
    slopes_.resize(size() * n_points_);
    if (spectrum_->padding().there()) turns_.resize(size() * n_points_);
    for_shares(n_threads_, n_rows(), [&](std::size_t begin, std::size_t end, std::size_t) { fill(begin, end); });
}

void MeshFilters::fill(std::size_t begin_row, std::size_t end_row) {
    FieldSpectrum::Values f(spectrum_->bank().size());
    for_points(begin_row, end_row,
               [&](std::size_t point, const std::array<int, 3>& index, const std::array<int, 3>& n, const Vec3& wave) {
                   double factor = four_pi / lattice_.volume;
                   for (std::size_t a = 0; a < 3; ++a) factor *= window_[a][static_cast<std::size_t>(index[a])];
                   spectrum_->evaluate(wave, n, f);
                   for (std::size_t q = 0; q < size(); ++q) {
                       values_[q * n_points_ + point] = factor * f.value[chosen_[q]];
                       slopes_[q * n_points_ + point] = factor * f.slope[chosen_[q]];
                       if (!turns_.empty()) turns_[q * n_points_ + point] = factor * f.turn[chosen_[q]];
                   }
               });
}

void MeshFilters::apply(std::size_t q, const double* in, double* out) const {
    const double* d = &values_[q * n_points_];
    for_shares(n_threads_, n_points_, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t k = begin; k < end; ++k) {
            out[2 * k] = d[k] * in[2 * k];
            out[2 * k + 1] = d[k] * in[2 * k + 1];
        }
    });
}

void MeshFilters::apply_strain(std::size_t q, int a, int b, const double* in, double* out) const {
    const double *d = &values_[q * n_points_], *slope = &slopes_[q * n_points_];
    const double* turn = turns_.empty() ? nullptr : &turns_[q * n_points_];
    const auto x = static_cast<std::size_t>(a), y = static_cast<std::size_t>(b);
    const auto one = [&](std::size_t point, const std::array<int, 3>&, const std::array<int, 3>&, const Vec3& wave) {
        double factor = -wave[x] * wave[y] * slope[point] - (a == b ? d[point] : 0.0);
        if (turn != nullptr) factor -= turn[point] * spectrum_->padding().turned(lattice_, wave)[x][y];
        out[2 * point] = factor * in[2 * point];
        out[2 * point + 1] = factor * in[2 * point + 1];
    };
    for_shares(n_threads_, n_rows(),
               [&](std::size_t begin, std::size_t end, std::size_t) { for_points(begin, end, one); });
}

/// strain -= sum_n Re[conj(adjoint) source] turn (p (x) p - n (x) n), for the few points that turn.
void MeshFilters::add_turns(std::size_t q, const double* adjoint, const double* source, Mat3& strain) const {
    const double* turn = &turns_[q * n_points_];
    const std::size_t length = extent(brick_, axes_[2]);
    for (std::size_t row = 0; row < n_rows(); ++row) {
        const double* first = turn + row * length;
        if (std::all_of(first, first + length, [](double t) { return t == 0.0; })) continue;
        for_points(row, row + 1, [&](std::size_t k, const auto&, const auto&, const Vec3& wave) {
            if (turn[k] == 0.0) return;
            const double product = adjoint[2 * k] * source[2 * k] + adjoint[2 * k + 1] * source[2 * k + 1];
            strain -= (product * turn[k]) * spectrum_->padding().turned(lattice_, wave);
        });
    }
}

void MeshFilters::backward_rows(std::size_t begin, std::size_t end, std::size_t q, const double* adjoint,
                                const double* source, bool add, double* out, Moments& moments) const {
    const double *d = &values_[q * n_points_], *slope = &slopes_[q * n_points_];
    const std::size_t slow = static_cast<std::size_t>(axes_[0]), middle = static_cast<std::size_t>(axes_[1]);
    const std::size_t fast = static_cast<std::size_t>(axes_[2]), length = extent(brick_, axes_[2]);
    std::vector<double> n_fast;
    for (int index = brick_.lo[fast]; index < brick_.hi[fast]; ++index) n_fast.push_back(integer(axes_[2], index));
    for_rows(begin, end, [&](std::size_t first, const std::array<int, 3>& index) {
        double sum = 0.0, moment[3] = {0.0, 0.0, 0.0};
#pragma omp simd reduction(+ : sum, moment[ : 3])
        for (std::size_t t = 0; t < length; ++t) {
            const std::size_t k = first + t;
            const double real = adjoint[2 * k], imaginary = adjoint[2 * k + 1], n = n_fast[t];
            const double product = real * source[2 * k] + imaginary * source[2 * k + 1];
            const double term = product * slope[k];
            sum += product * d[k];
            moment[0] += term;
            moment[1] += term * n;
            moment[2] += term * n * n;
        }
        for (std::size_t k = first; k < first + length; ++k) {
            out[2 * k] = d[k] * adjoint[2 * k] + (add ? out[2 * k] : 0.0);
            out[2 * k + 1] = d[k] * adjoint[2 * k + 1] + (add ? out[2 * k + 1] : 0.0);
        }
        moments.isotropic += sum;
        const double n1 = integer(axes_[0], index[slow]), n2 = integer(axes_[1], index[middle]);
        double (&second)[3][3] = moments.second;
        second[slow][slow] += n1 * n1 * moment[0];
        second[slow][middle] += n1 * n2 * moment[0];
        second[middle][slow] += n1 * n2 * moment[0];
        second[middle][middle] += n2 * n2 * moment[0];
        second[slow][fast] += n1 * moment[1];
        second[fast][slow] += n1 * moment[1];
        second[middle][fast] += n2 * moment[1];
        second[fast][middle] += n2 * moment[1];
        second[fast][fast] += moment[2];
    });
}

void MeshFilters::backward(std::size_t q, const double* adjoint, const double* source, bool add, double* out,
                           Mat3& strain) const {
    if (!turns_.empty()) add_turns(q, adjoint, source, strain);
    std::vector<Moments> moments(static_cast<std::size_t>(n_threads_));
    for_shares(n_threads_, n_rows(), [&](std::size_t begin, std::size_t end, std::size_t share) {
        backward_rows(begin, end, q, adjoint, source, add, out, moments[share]);
    });
    const Vec3 axis_k[3] = {lattice_.wave_vector(1, 0, 0), lattice_.wave_vector(0, 1, 0),
                            lattice_.wave_vector(0, 0, 1)};
    for (const Moments& part : moments) {
        for (std::size_t a = 0; a < 3; ++a) {
            strain[a][a] -= part.isotropic;
            for (std::size_t b = 0; b < 3; ++b) {
                for (std::size_t s = 0; s < 9; ++s)
                    strain[a][b] -= axis_k[s / 3][a] * axis_k[s % 3][b] * part.second[s / 3][s % 3];
            }
        }
    }
}

}  // namespace mlcalc
