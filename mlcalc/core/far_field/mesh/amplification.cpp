// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/amplification.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/quadrature.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr int n_nu = 64, n_axis = 48, most_alias = 3;
const double largest_nu = 0.5 * std::sqrt(3.0), step = largest_nu / n_nu;

/// Sums over the aliases along one axis, S_t = sum_m u_m^2 (nu + m)^(2t): that of m = 0 is nu^(2t), the others vanish
/// as nu^(2 n_boxes) and are tabulated without that factor.
class AxisSums {
public:
    AxisSums(const Window& window, int l_max)
        : n_t_(static_cast<std::size_t>(l_max) + 2), boxes_(Window::n_boxes(l_max)) {
        for (int i = 0; i <= n_axis; ++i) {
            const double nu = std::max(0.5 * i / n_axis, 1e-3), own = window.transform_of_core(nu);
            std::vector<double> sums(n_t_, 0.0);
            for (int m = -most_alias; m <= most_alias; ++m) {
                if (m == 0) continue;
                const double ratio = window.transform_of_core(nu + m) / (own * std::pow(nu + m, boxes_));
                double term = ratio * ratio;
                for (double& sum : sums) {
                    sum += term;
                    term *= (nu + m) * (nu + m);
                }
            }
            table_.insert(table_.end(), sums.begin(), sums.end());
        }
    }
    struct Sums {
        std::array<double, 24> zero, rest;
    };
    Sums at(double nu) const {
        Sums out;
        const double position = std::min(2.0 * nu * n_axis, n_axis - 1e-9);
        const auto i = static_cast<std::size_t>(position);
        const double x = position - static_cast<double>(i), factor = std::pow(nu, 2 * boxes_);
        double power = 1.0;
        for (std::size_t t = 0; t < n_t_; ++t, power *= nu * nu) {
            out.zero[t] = power;
            out.rest[t] = factor * ((1.0 - x) * table_[i * n_t_ + t] + x * table_[(i + 1) * n_t_ + t]);
        }
        return out;
    }

private:
    std::size_t n_t_;
    int boxes_;
    std::vector<double> table_;
};

/// sum over the aliases, (0, 0, 0) left out, of u^2 |nu + m|^(2t), by multinomials of the sums along the axes.
double alias_sum(const std::array<AxisSums::Sums, 3>& s, int t) {
    double sum = 0.0, of_a = 1.0;  // t! / (a! (t - a)!)
    for (int a = 0; a <= t; ++a) {
        double of_b = of_a;
        for (int b = 0; b <= t - a; ++b) {
            const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
            const auto k = static_cast<std::size_t>(t - a - b);
            const double z = s[2].zero[k] + s[2].rest[k], y = s[1].zero[j] + s[1].rest[j];
            sum += of_b * (s[0].zero[i] * (s[1].zero[j] * s[2].rest[k] + s[1].rest[j] * z) + s[0].rest[i] * y * z);
            of_b *= static_cast<double>(t - a - b) / (b + 1);
        }
        of_a *= static_cast<double>(t - a) / (a + 1);
    }
    return sum;
}

struct Direction {
    std::array<double, 3> unit;
    double weight;
};

/// Of half an octant; the other half mirrors it.
std::vector<Direction> directions() {
    constexpr int n_phi = 5;
    const GaussLegendre z(10);
    std::vector<Direction> out;
    for (std::size_t i = 0; i < z.nodes.size(); ++i) {
        const double c = 0.5 * (z.nodes[i] + 1.0), s = std::sqrt(1.0 - c * c);
        for (int k = 0; k < n_phi; ++k) {
            const double phi = 0.25 * pi * (k + 0.5) / n_phi;
            out.push_back({{s * std::cos(phi), s * std::sin(phi), c}, 0.5 * z.weights[i] / n_phi});
        }
    }
    return out;
}

}  // namespace

Amplification::Amplification(const Window& window, int l_max) : n_l_(static_cast<std::size_t>(l_max) + 1) {
    const AxisSums sums(window, l_max);
    const std::vector<Direction> all = directions();
    for (int i = 0; i < n_nu; ++i) {
        const double nu = (i + 0.5) * step;
        std::vector<double> row(n_l_, 0.0);
        for (const Direction& direction : all) {
            const std::array<double, 3>& u = direction.unit;
            if (nu * std::max({u[0], u[1], u[2]}) > 0.5) {
                for (double& a : row) a += direction.weight;
                continue;
            }
            const std::array<AxisSums::Sums, 3> s{sums.at(nu * u[0]), sums.at(nu * u[1]), sums.at(nu * u[2])};
            const double spread = alias_sum(s, 0);
            for (std::size_t l = 0; l < n_l_; ++l) {
                const int t = static_cast<int>(l) + 1;
                row[l] += direction.weight * (spread + alias_sum(s, t) / std::pow(nu, 2 * t));
            }
        }
        for (const double a : row) logarithm_.push_back(std::log(std::max(a, 1e-300)));
    }
}

void Amplification::evaluate(double nu, double* of_l) const {
    const double position = std::max(nu / step - 0.5, 0.0);
    const auto i = static_cast<std::size_t>(position);
    if (i + 1 >= static_cast<std::size_t>(n_nu)) return std::fill_n(of_l, n_l_, 1.0), void();
    const double x = position - static_cast<double>(i);
    for (std::size_t l = 0; l < n_l_; ++l) {
        of_l[l] = std::exp((1.0 - x) * logarithm_[i * n_l_ + l] + x * logarithm_[(i + 1) * n_l_ + l]);
    }
}

}  // namespace mlcalc
