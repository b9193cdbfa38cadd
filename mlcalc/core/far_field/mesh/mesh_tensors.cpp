// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/mesh_tensors.hpp"

#include <cmath>
#include <utility>

namespace mlcalc {
namespace {

using Monomial = std::array<int, 3>;

std::vector<Monomial> monomials(int l) {
    std::vector<Monomial> out;
    for (int a = 0; a <= l; ++a) {
        for (int b = 0; b <= l - a; ++b) out.push_back({a, b, l - a - b});
    }
    return out;
}

/// Inverse of the matrix of monomials of degree l at the integer points with a + b + c = l, where a homogeneous
/// polynomial of that degree is determined by its values.
std::vector<double> interpolation(int l) {
    const std::vector<Monomial> points = monomials(l);
    const std::size_t n = points.size();
    std::vector<long double> m(n * 2 * n, 0.0L);
    for (std::size_t i = 0; i < n; ++i) {
        m[i * 2 * n + n + i] = 1.0L;
        for (std::size_t j = 0; j < n; ++j) {
            long double value = 1.0L;
            for (std::size_t x = 0; x < 3; ++x) {
                for (int e = 0; e < points[j][x]; ++e) value *= points[i][x];
            }
            m[i * 2 * n + j] = value;
        }
    }
    for (std::size_t column = 0; column < n; ++column) {  // Gauss-Jordan with row exchange
        std::size_t pivot = column;
        for (std::size_t i = column; i < n; ++i) {
            if (std::abs(m[i * 2 * n + column]) > std::abs(m[pivot * 2 * n + column])) pivot = i;
        }
        for (std::size_t j = 0; j < 2 * n; ++j) std::swap(m[column * 2 * n + j], m[pivot * 2 * n + j]);
        const long double scale = 1.0L / m[column * 2 * n + column];
        for (std::size_t j = 0; j < 2 * n; ++j) m[column * 2 * n + j] *= scale;
        for (std::size_t i = 0; i < n; ++i) {
            const long double factor = m[i * 2 * n + column];
            if (i == column || factor == 0.0L) continue;
            for (std::size_t j = 0; j < 2 * n; ++j) m[i * 2 * n + j] -= factor * m[column * 2 * n + j];
        }
    }
    std::vector<double> inverse(n * n);
    for (std::size_t i = 0; i < n * n; ++i) inverse[i] = static_cast<double>(m[i / n * 2 * n + n + i % n]);
    return inverse;
}

}  // namespace

int MeshTensors::index(int degree, int a, int b, int c) {
    int at = 0;
    for (int i = 0; i < a; ++i) at += n_monomials(degree - i);
    for (int j = 0; j < b; ++j) at += degree - a - j + 1;
    return at + c;
}

MeshTensors::MeshTensors(int l_max, std::array<int, 3> mesh) : l_max_(l_max), mesh_(mesh), harmonics_(l_max) {
    solid_.resize(static_cast<std::size_t>(l_max) + 1);
    turned_.resize((static_cast<std::size_t>(l_max) + 1) * 9);
    for (int l = 0; l <= l_max; ++l) inverse_.push_back(interpolation(l));
    for (int degree = 0; degree <= l_max + 1; ++degree) {
        std::vector<std::vector<int>> at, raised;
        for (int l = 0; l <= degree && l <= l_max; ++l) {
            at.emplace_back();
            for (const Monomial& m : monomials(l)) at.back().push_back(index(degree, m[0], m[1], m[2]));
            for (std::size_t axis = 0; axis < 3; ++axis) {
                raised.emplace_back();
                if (l == degree) continue;
                for (Monomial m : monomials(l)) {
                    ++m[axis];
                    raised.back().push_back(index(degree, m[0], m[1], m[2]));
                }
            }
        }
        indices_.push_back(std::move(at));
        raised_.push_back(std::move(raised));
    }
}

void MeshTensors::set(const Lattice& lattice) {
    for (std::size_t x = 0; x < 3; ++x) {
        for (std::size_t a = 0; a < 3; ++a) jacobian_[x][a] = lattice.inverse[x][a] * mesh_[a];
    }
    const std::size_t n_lm = static_cast<std::size_t>(harmonics_.size());
    std::vector<double> y(n_lm), dy(3 * n_lm);
    for (int l = 0; l <= l_max_; ++l) {
        const std::vector<Monomial> points = monomials(l);
        const std::size_t n = points.size(), n_m = static_cast<std::size_t>(2 * l + 1);
        const std::size_t first = static_cast<std::size_t>(l * l);
        const auto at_l = static_cast<std::size_t>(l);
        solid_[at_l].assign(n_m * n, 0.0);
        for (std::size_t ab = 0; ab < 9; ++ab) turned_[at_l * 9 + ab].assign(n_m * n, 0.0);
        for (std::size_t p = 0; p < n; ++p) {
            Vec3 grad{};
            for (std::size_t x = 0; x < 3; ++x) {
                for (std::size_t a = 0; a < 3; ++a) grad[x] += jacobian_[x][a] * points[p][a];
            }
            harmonics_.evaluate(grad, y.data(), dy.data());
            for (std::size_t m = 0; m < n_m; ++m) {
                for (std::size_t t = 0; t < n; ++t) {
                    const double weight = inverse_[at_l][t * n + p];
                    solid_[at_l][m * n + t] += weight * y[first + m];
                    for (std::size_t ab = 0; ab < 9; ++ab) {
                        turned_[at_l * 9 + ab][m * n + t] += weight * dy[ab / 3 * n_lm + first + m] * grad[ab % 3];
                    }
                }
            }
        }
    }
}

}  // namespace mlcalc
