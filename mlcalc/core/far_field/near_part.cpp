// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/near_part.hpp"

#include <algorithm>
#include <cmath>

#include "base/quadrature.hpp"

namespace mlcalc {
namespace {

constexpr int n_nodes = 128;           // of integrals over r: k R stays below 200
constexpr double phase_of_step = 0.1;  // k R between two knots of the transform
constexpr std::size_t n_knots = 400;   // of the functions of r

/// sin(x) / x and two derivatives.
void sinc(double x, double* out) {
    if (x < 0.3) {
        const double y = x * x;
        out[0] = 1.0 - y / 6.0 * (1.0 - y / 20.0 * (1.0 - y / 42.0 * (1.0 - y / 72.0 * (1.0 - y / 110.0))));
        out[1] = -x / 3.0 * (1.0 - y / 10.0 * (1.0 - y / 28.0 * (1.0 - y / 54.0 * (1.0 - y / 88.0))));
        out[2] = -1.0 / 3.0 *
                 (1.0 - 3.0 * y / 10.0 * (1.0 - 5.0 * y / 84.0 * (1.0 - 7.0 * y / 270.0 * (1.0 - 9.0 * y / 616.0))));
        return;
    }
    const double s = std::sin(x) / x, c = std::cos(x);
    out[0] = s;
    out[1] = (c - s) / x;
    out[2] = -s - 2.0 * out[1] / x;
}

}  // namespace

double chebyshev_value(const std::vector<double>& series, double v) {
    double next = 0.0, after = 0.0;
    for (std::size_t k = series.size(); k-- > 1;) {
        const double value = 2.0 * v * next - after + series[k];
        after = next;
        next = value;
    }
    return series.empty() ? 0.0 : v * next - after + series[0];
}

std::vector<double> chebyshev_derivative(const std::vector<double>& series) {
    if (series.size() < 2) return {0.0};
    const std::size_t n = series.size() - 1;
    std::vector<double> out(n + 2, 0.0);
    for (std::size_t k = n; k >= 1; --k) out[k - 1] = out[k + 1] + 2.0 * static_cast<double>(k) * series[k];
    out[0] *= 0.5;
    out.resize(n);
    return out;
}

NearPart::NearPart(const FieldDescription& d, double radius, std::vector<std::vector<double>> series)
    : radius_(radius), series_(std::move(series)) {
    const FilterBank bank(d);
    tabulate_transform(bank.table.x_max());
    tabulate_density(d, bank);
}

void NearPart::tabulate_transform(double k_max) {
    const std::size_t n_q = series_.size();
    transform_.n_functions = n_q;
    transform_.n_knots = static_cast<std::size_t>(k_max * radius_ / phase_of_step) + 2;
    transform_.dx = k_max / static_cast<double>(transform_.n_knots - 1);
    transform_.data.assign(transform_.n_knots * 3 * n_q, 0.0);
    const GaussLegendre quadrature(n_nodes);
    std::vector<double> r, weighted;  // of node s and filter q: r^2 n_q dr
    for (int s = 0; s < n_nodes; ++s) {
        const double x = 0.5 * (quadrature.nodes[static_cast<std::size_t>(s)] + 1.0);
        r.push_back(radius_ * x);
        for (const std::vector<double>& n : series_) {
            weighted.push_back(0.5 * radius_ * quadrature.weights[static_cast<std::size_t>(s)] * r.back() * r.back() *
                               chebyshev_value(n, 2.0 * x * x - 1.0));
        }
    }
    for (std::size_t knot = 0; knot < transform_.n_knots; ++knot) {
        double* rows = &transform_.data[knot * 3 * n_q];
        for (std::size_t s = 0; s < r.size(); ++s) {
            double wave[3];
            sinc(static_cast<double>(knot) * transform_.dx * r[s], wave);
            double power = 1.0;
            for (std::size_t order = 0; order < 3; ++order, power *= r[s]) {
                for (std::size_t q = 0; q < n_q; ++q) {
                    rows[order * n_q + q] += power * wave[order] * weighted[s * n_q + q];
                }
            }
        }
    }
}

/// With L = (1/r) d/dr = (4 / R^2) d/dv: (r^l L^l n)' = l r^(l-1) L^l n + r^(l+1) L^(l+1) n, and once more.
void NearPart::tabulate_density(const FieldDescription& d, const FilterBank& bank) {
    static_cast<ExpansionBase&>(density_) = d;
    density_.center_atom_weight = 1.0;
    density_.cutoff = radius_;
    SplineTable& table = density_.radial;
    const auto n_max = static_cast<std::size_t>(d.n_max), n_l = static_cast<std::size_t>(d.l_max) + 1;
    table.n_functions = n_max * n_l;
    table.n_knots = n_knots;
    table.dx = radius_ / static_cast<double>(n_knots - 1);
    table.data.assign(3 * n_knots * table.n_functions, 0.0);
    for (std::size_t q = 0; q < series_.size(); ++q) {
        std::vector<std::vector<double>> reduced{series_[q]};  // L^l n_q, l = 0 .. l_max + 2
        while (reduced.size() < n_l + 2) {
            reduced.push_back(chebyshev_derivative(reduced.back()));
            for (double& c : reduced.back()) c *= 4.0 / (radius_ * radius_);
        }
        for (std::size_t knot = 0; knot + 1 < n_knots; ++knot) {  // zeros at R
            const double x = static_cast<double>(knot) / static_cast<double>(n_knots - 1), r = x * radius_;
            std::vector<double> value;
            for (const auto& series : reduced) value.push_back(chebyshev_value(series, 2.0 * x * x - 1.0));
            double* rows = &table.data[knot * 3 * table.n_functions];
            for (const FilterBank::Use& use : bank.uses[q]) {
                const auto l = static_cast<std::size_t>(use.l);
                const double factor = (use.l % 2 == 0 ? 1.0 : -1.0) * use.weight, power = std::pow(r, use.l);
                const double below = use.l > 0 ? use.l * std::pow(r, use.l - 1) : 0.0;
                const double twice = use.l > 1 ? use.l * (use.l - 1) * std::pow(r, use.l - 2) : 0.0;
                const std::size_t at = l * n_max + static_cast<std::size_t>(use.n);
                rows[at] += factor * power * value[l];
                rows[table.n_functions + at] += factor * (below * value[l] + power * r * value[l + 1]);
                rows[2 * table.n_functions + at] +=
                    factor * (twice * value[l] + (2 * use.l + 1) * power * value[l + 1] + power * r * r * value[l + 2]);
            }
        }
    }
}

}  // namespace mlcalc
