// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/bspline.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace mlcalc {
namespace {

using Polynomial = std::vector<double>;  // in g = f - 1/2

Polynomial times_linear(const Polynomial& p, double constant, double slope) {
    Polynomial out(p.size() + 1, 0.0);
    for (std::size_t k = 0; k < p.size(); ++k) {
        out[k] += constant * p[k];
        out[k + 1] += slope * p[k];
    }
    return out;
}

/// Pieces M_n(f + s), s = 0 .. n - 1, by the recurrence of de Boor.
std::vector<Polynomial> pieces(int order) {
    std::vector<Polynomial> last{{1.0}};
    for (int n = 2; n <= order; ++n) {
        std::vector<Polynomial> next(static_cast<std::size_t>(n), Polynomial(static_cast<std::size_t>(n), 0.0));
        for (int s = 0; s < n; ++s) {
            Polynomial& piece = next[static_cast<std::size_t>(s)];
            const auto add = [&](const Polynomial& p) {
                for (std::size_t k = 0; k < p.size(); ++k) piece[k] += p[k] / (n - 1);
            };
            if (s < n - 1) add(times_linear(last[static_cast<std::size_t>(s)], s + 0.5, 1.0));
            if (s > 0) add(times_linear(last[static_cast<std::size_t>(s - 1)], n - s - 0.5, -1.0));
        }
        last = std::move(next);
    }
    return last;
}

}  // namespace

BSpline::BSpline(int order, int n_derivatives) {
    if (order < 3 || order > 12) {
        throw std::invalid_argument("the order of the mesh splines must be from 3 to 12, got " + std::to_string(order));
    }
    if (n_derivatives > order - 2) {
        throw std::invalid_argument("splines of order " + std::to_string(order) + " have " + std::to_string(order - 2) +
                                    " continuous derivatives; this l_max needs " + std::to_string(n_derivatives));
    }
    const auto n = static_cast<std::size_t>(order), row = static_cast<std::size_t>(padded(order));
    coefficients_.assign(static_cast<std::size_t>(n_derivatives + 1) * n * row, 0.0);
    std::vector<Polynomial> m = pieces(order);
    for (std::size_t d = 0; d <= static_cast<std::size_t>(n_derivatives); ++d) {
        for (std::size_t t = 0; t < n; ++t) {
            Polynomial& piece = m[n - 1 - t];
            for (std::size_t k = 0; k < n; ++k) coefficients_[(d * n + k) * row + t] = piece[k];
            for (std::size_t k = 0; k + 1 < n; ++k) piece[k] = static_cast<double>(k + 1) * piece[k + 1];
            piece[n - 1] = 0.0;
        }
    }
}

double BSpline::transform(int order, double n_over_m) {
    if (n_over_m == 0.0) return 1.0;
    const double x = 3.14159265358979323846 * n_over_m;
    return std::pow(std::sin(x) / x, order);
}

}  // namespace mlcalc
