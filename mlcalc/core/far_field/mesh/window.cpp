// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/window.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/quadrature.hpp"
#include "simd/instruction_set.hpp"

namespace mlcalc {
namespace {

constexpr long double pi = 3.14159265358979323846264338327950288L;
using Polynomial = std::vector<long double>;  // in g = f - 1/2

long double value(const Polynomial& p, long double g) {
    long double sum = 0.0L;
    for (std::size_t k = p.size(); k-- > 0;) sum = sum * g + p[k];
    return sum;
}

/// The antiderivative that is 0 at g = 0.
Polynomial integral(const Polynomial& p) {
    Polynomial out(p.size() + 1, 0.0L);
    for (std::size_t k = 0; k < p.size(); ++k) out[k + 1] = p[k] / static_cast<long double>(k + 1);
    return out;
}

void add(Polynomial& to, const Polynomial& p, long double factor) {
    if (to.size() < p.size()) to.resize(p.size(), 0.0L);
    for (std::size_t k = 0; k < p.size(); ++k) to[k] += factor * p[k];
}

/// Through f(g) at n Chebyshev points of [-1/2, 1/2].
template <class Function>
Polynomial interpolated(int n, Function f) {
    std::vector<long double> points;
    for (int i = 0; i < n; ++i) points.push_back(0.5L * std::cos(pi * (i + 0.5L) / n));
    Polynomial out;
    for (int i = 0; i < n; ++i) {
        Polynomial basis{f(points[static_cast<std::size_t>(i)])};
        for (int j = 0; j < n; ++j) {
            if (j == i) continue;
            const long double at = points[static_cast<std::size_t>(j)];
            const long double scale = 1.0L / (points[static_cast<std::size_t>(i)] - at);
            Polynomial next(basis.size() + 1, 0.0L);
            for (std::size_t k = 0; k < basis.size(); ++k) {
                next[k] -= at * scale * basis[k];
                next[k + 1] += scale * basis[k];
            }
            basis = std::move(next);
        }
        add(out, basis, 1.0L);
    }
    return out;
}

/// n pieces -> n + 1 pieces of one degree more: the convolution with a unit box.
std::vector<Polynomial> with_box(const std::vector<Polynomial>& pieces) {
    std::vector<Polynomial> out(pieces.size() + 1);
    for (std::size_t t = 0; t < pieces.size(); ++t) {
        const Polynomial antiderivative = integral(pieces[t]);
        add(out[t], antiderivative, 1.0L);
        add(out[t], {value(antiderivative, -0.5L)}, -1.0L);
        add(out[t + 1], antiderivative, -1.0L);
        add(out[t + 1], {value(antiderivative, 0.5L)}, 1.0L);
    }
    return out;
}

/// I_0(x) / I_0(largest)
long double bessel_ratio(long double x, long double largest) {
    return std::cyl_bessel_i(0.0L, x) / std::cyl_bessel_i(0.0L, largest);
}

/// Of the Kaiser-Bessel window over n spacings, from left to right.
std::vector<Polynomial> core_pieces(int n, double beta_in_units) {
    const long double beta = static_cast<long double>(beta_in_units) * pi * n;
    std::vector<Polynomial> raw, pieces;
    for (int t = 0; t < n; ++t) {
        raw.push_back(interpolated(n, [&](long double g) {
            const long double z = (2.0L * (t + 0.5L + g) - n) / n;
            return bessel_ratio(beta * std::sqrt(std::max(1.0L - z * z, 0.0L)), beta);
        }));
    }
    for (std::size_t t = 0; t < raw.size(); ++t) {  // exactly even
        Polynomial piece = raw[t];
        const Polynomial& other = raw[raw.size() - 1 - t];
        for (std::size_t k = 0; k < piece.size(); ++k) piece[k] = 0.5L * (piece[k] + (k % 2 == 0 ? 1 : -1) * other[k]);
        pieces.push_back(std::move(piece));
    }
    return pieces;
}

std::vector<Polynomial> make_pieces(std::vector<Polynomial> pieces, int n_boxes) {
    for (int box = 0; box < n_boxes; ++box) pieces = with_box(pieces);
    long double total = 0.0L;
    for (const Polynomial& piece : pieces) total += value(integral(piece), 0.5L) - value(integral(piece), -0.5L);
    for (Polynomial& piece : pieces) {
        for (long double& c : piece) c /= total;
    }
    return pieces;
}

/// Nodes and weights of the integral of the pieces times a smooth function.
void quadrature(const std::vector<Polynomial>& pieces, std::vector<double>& nodes, std::vector<double>& weights) {
    const GaussLegendre gauss(20);
    const double left = -0.5 * static_cast<double>(pieces.size());
    for (std::size_t t = 0; t < pieces.size(); ++t) {
        for (std::size_t i = 0; i < gauss.nodes.size(); ++i) {
            const double g = 0.5 * gauss.nodes[i];
            nodes.push_back(left + static_cast<double>(t) + 0.5 + g);
            weights.push_back(0.5 * gauss.weights[i] * static_cast<double>(value(pieces[t], g)));
        }
    }
}

}  // namespace

int Window::padded(int order) {
    if (order <= 8) return 8;
    return order <= 10 && simd_lanes() <= 4 ? 10 : 12;
}

Window::Window(int order, double beta, int l_max) {
    if (order < least_order(l_max) || order > largest_order) {
        throw std::invalid_argument("the order of the mesh windows must be from " + std::to_string(least_order(l_max)) +
                                    " to " + std::to_string(largest_order) + " for l_max " + std::to_string(l_max) +
                                    ", got " + std::to_string(order));
    }
    const auto n = static_cast<std::size_t>(order), row = static_cast<std::size_t>(padded(order));
    const auto n_derivatives = static_cast<std::size_t>(l_max) + 2;
    constexpr std::size_t overrun = 8;  // doubles that the kernels may read beyond the last row
    coefficients_.assign(n_derivatives * n * row + overrun, 0.0);
    const std::vector<Polynomial> core = core_pieces(order - n_boxes(l_max), beta);
    std::vector<Polynomial> pieces = make_pieces(core, n_boxes(l_max));
    quadrature(pieces, whole_.nodes, whole_.weights);
    quadrature(core, core_.nodes, core_.weights);
    for (std::size_t d = 0; d < n_derivatives; ++d) {
        for (std::size_t t = 0; t < n; ++t) {
            Polynomial& piece = pieces[n - 1 - t];
            for (std::size_t k = 0; k < n; ++k) coefficients_[(d * n + k) * row + t] = static_cast<double>(piece[k]);
            for (std::size_t k = 0; k + 1 < n; ++k) piece[k] = static_cast<long double>(k + 1) * piece[k + 1];
            piece[n - 1] = 0.0L;
        }
    }
}

double Window::Quadrature::transform(double nu) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        sum += weights[i] * std::cos(2.0 * static_cast<double>(pi) * nu * nodes[i]);
    }
    return sum;
}

double Window::transform(double nu) const {
    return whole_.transform(nu);
}

double Window::transform_of_core(double nu) const {
    return core_.transform(nu);
}

}  // namespace mlcalc
