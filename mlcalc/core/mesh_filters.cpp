// SPDX-License-Identifier: BSD-3-Clause
#include "mesh_filters.hpp"

#include <algorithm>
#include <cmath>

#include "bspline.hpp"

namespace mlcalc {
namespace {

constexpr double four_pi = 12.56637061435917295385;

bool same(const Brick& a, const Brick& b) {
    return a.lo == b.lo && a.hi == b.hi;
}

}  // namespace

MeshFilters::MeshFilters(const PotentialDescription& d, std::array<int, 3> mesh, int order)
    : table_(d.filters.n_functions > 0 ? d.filters : d.reciprocal), power_(d.exponent, d.smearing), mesh_(mesh) {
    const std::size_t n_max = static_cast<std::size_t>(d.n_max), n_filters = table_.n_functions;
    const bool shared = d.filters.n_functions > 0;
    uses_.resize(n_filters);
    for (std::size_t q = 0; q < n_filters; ++q) {
        for (std::size_t f = 0; f < n_max * static_cast<std::size_t>(d.l_max + 1); ++f) {
            const double weight = shared ? d.filter_weights[f * n_filters + q] : (f == q ? 1.0 : 0.0);
            if (weight == 0.0) continue;
            uses_[q].push_back({static_cast<int>(f / n_max), static_cast<int>(f % n_max), weight});
        }
        int l_max = 0;
        for (const Use& use : uses_[q]) l_max = std::max(l_max, use.l);
        l_max_.push_back(l_max);
    }
    for (std::size_t a = 0; a < 3; ++a) {
        for (int index = 0; index < mesh[a]; ++index) {
            const int n = integer(static_cast<int>(a), index);
            const double u = BSpline::transform(order, static_cast<double>(n) / mesh[a]);
            spline_[a].push_back(2 * n == -mesh[a] ? 0.0 : 1.0 / (u * u));
        }
    }
}

int MeshFilters::integer(int axis, int index) const {
    const int m = mesh_[static_cast<std::size_t>(axis)];
    return 2 * index < m ? index : index - m;
}

/// function(first point of the row, n, axis of the row): n are the integers of the row's first point, those along
/// `axis` follow from brick and mesh.
template <class Function>
void MeshFilters::for_each_row(Function function) const {
    const auto slow = static_cast<std::size_t>(axes_[0]), middle = static_cast<std::size_t>(axes_[1]);
    const auto fast = static_cast<std::size_t>(axes_[2]);
    std::size_t first = 0;
    for (int i = brick_.lo[slow]; i < brick_.hi[slow]; ++i) {
        for (int j = brick_.lo[middle]; j < brick_.hi[middle]; ++j) {
            std::array<int, 3> index{};
            index[slow] = i;
            index[middle] = j;
            index[fast] = brick_.lo[fast];
            function(first, index);
            first += static_cast<std::size_t>(std::max(0, brick_.hi[fast] - brick_.lo[fast]));
        }
    }
}

void MeshFilters::set(const Lattice& lattice, const Brick& brick, std::array<int, 3> axes) {
    if (lattice.cell == lattice_.cell && same(brick, brick_) && axes == axes_ && n_points_ == brick.size()) return;
    lattice_ = lattice;
    brick_ = brick;
    axes_ = axes;
    n_points_ = brick.size();
    const std::size_t n_filters = table_.n_functions, fast = static_cast<std::size_t>(axes[2]);
    values_.assign(n_filters * n_points_, 0.0);
    slopes_.assign(n_filters * n_points_, 0.0);
    std::vector<double> b(n_filters), db(n_filters);
    for_each_row([&](std::size_t first, std::array<int, 3> index) {
        for (std::size_t point = first; index[fast] < brick_.hi[fast]; ++point, ++index[fast]) {
            double factor = four_pi / lattice_.volume;
            std::array<int, 3> n{};
            for (std::size_t a = 0; a < 3; ++a) {
                n[a] = integer(static_cast<int>(a), index[a]);
                factor *= spline_[a][static_cast<std::size_t>(index[a])];
            }
            const Vec3 wave = lattice_.wave_vector(n[0], n[1], n[2]);
            const double k = std::sqrt(wave[0] * wave[0] + wave[1] * wave[1] + wave[2] * wave[2]);
            if (factor == 0.0 || k > table_.x_max()) continue;
            if (n[0] == 0 && n[1] == 0 && n[2] == 0) {
                for (std::size_t q = 0; q < n_filters; ++q) {
                    values_[q * n_points_ + point] = factor * power_.at_zero() * table_.data[q];
                }
                continue;
            }
            double g, dg;
            power_.evaluate(k, g, dg);
            table_.evaluate(k, b.data(), db.data());
            for (std::size_t q = 0; q < n_filters; ++q) {
                values_[q * n_points_ + point] = factor * g * b[q];
                slopes_[q * n_points_ + point] = factor * (dg * b[q] + g * db[q]) / k;
            }
        }
    });
}

void MeshFilters::apply(std::size_t q, const double* in, double* out) const {
    const double* d = &values_[q * n_points_];
    for (std::size_t k = 0; k < n_points_; ++k) {
        out[2 * k] = d[k] * in[2 * k];
        out[2 * k + 1] = d[k] * in[2 * k + 1];
    }
}

void MeshFilters::add(std::size_t q, const double* in, double* out) const {
    const double* d = &values_[q * n_points_];
    for (std::size_t k = 0; k < n_points_; ++k) {
        out[2 * k] += d[k] * in[2 * k];
        out[2 * k + 1] += d[k] * in[2 * k + 1];
    }
}

void MeshFilters::apply_strain(std::size_t q, int a, int b, const double* in, double* out) const {
    const double *d = &values_[q * n_points_], *slope = &slopes_[q * n_points_];
    const std::size_t fast = static_cast<std::size_t>(axes_[2]);
    for_each_row([&](std::size_t first, std::array<int, 3> index) {
        for (std::size_t point = first; index[fast] < brick_.hi[fast]; ++point, ++index[fast]) {
            const Vec3 wave = lattice_.wave_vector(integer(0, index[0]), integer(1, index[1]), integer(2, index[2]));
            const double factor =
                -wave[static_cast<std::size_t>(a)] * wave[static_cast<std::size_t>(b)] * slope[point] -
                (a == b ? d[point] : 0.0);
            out[2 * point] = factor * in[2 * point];
            out[2 * point + 1] = factor * in[2 * point + 1];
        }
    });
}

void MeshFilters::strain(std::size_t q, const double* adjoint, const double* source, Mat3& strain) const {
    const double *d = &values_[q * n_points_], *slope = &slopes_[q * n_points_];
    const std::size_t fast = static_cast<std::size_t>(axes_[2]);
    const int length = brick_.hi[fast] - brick_.lo[fast];
    std::vector<double> n_fast;
    for (int index = brick_.lo[fast]; index < brick_.hi[fast]; ++index) n_fast.push_back(integer(axes_[2], index));
    double isotropic = 0.0, second[3][3] = {};
    for_each_row([&](std::size_t first, const std::array<int, 3>& index) {
        double sum = 0.0, moment[3] = {0.0, 0.0, 0.0};
#pragma omp simd reduction(+ : sum, moment[ : 3])
        for (int t = 0; t < length; ++t) {
            const std::size_t point = first + static_cast<std::size_t>(t);
            const double product =
                adjoint[2 * point] * source[2 * point] + adjoint[2 * point + 1] * source[2 * point + 1];
            const double term = product * slope[point], n = n_fast[static_cast<std::size_t>(t)];
            sum += product * d[point];
            moment[0] += term;
            moment[1] += term * n;
            moment[2] += term * n * n;
        }
        isotropic += sum;
        const std::size_t slow = static_cast<std::size_t>(axes_[0]), middle = static_cast<std::size_t>(axes_[1]);
        const double n1 = integer(axes_[0], index[slow]), n2 = integer(axes_[1], index[middle]);
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
    const Vec3 axis_k[3] = {lattice_.wave_vector(1, 0, 0), lattice_.wave_vector(0, 1, 0),
                            lattice_.wave_vector(0, 0, 1)};
    for (std::size_t a = 0; a < 3; ++a) {
        strain[a][a] -= isotropic;
        for (std::size_t b = 0; b < 3; ++b) {
            for (std::size_t s = 0; s < 9; ++s)
                strain[a][b] -= axis_k[s / 3][a] * axis_k[s % 3][b] * second[s / 3][s % 3];
        }
    }
}

}  // namespace mlcalc
