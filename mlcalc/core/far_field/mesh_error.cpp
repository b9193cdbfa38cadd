// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh_error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr int n_axis = 6;  // midpoints per axis from 0 to the Nyquist frequency

/// int k^2 (g_p F_nl k^(l+1))^2 dk of every coefficient, from k on, at the steps k = i dk: the spectrum of its forces
/// for independent atoms.
std::vector<std::vector<double>> tails(const FieldDescription& d, int n_steps) {
    const SplineTable& table = d.reciprocal;
    const auto kernel = make_field_kernel(d);
    const double dk = table.x_max() / n_steps;
    std::vector<double> f(table.n_functions), df(table.n_functions);
    std::vector<std::vector<double>> out(static_cast<std::size_t>(n_steps) + 1,
                                         std::vector<double>(table.n_functions, 0.0));
    for (int step = n_steps - 1; step >= 0; --step) {
        const double k = (step + 0.5) * dk;
        double g, dg;
        kernel->evaluate(k, g, dg);
        table.evaluate(k, f.data(), df.data());
        for (std::size_t q = 0; q < f.size(); ++q) {
            const int l = static_cast<int>(q) / d.n_max;
            const double term = g * g * f[q] * f[q] * std::pow(k, 2 * l + 4) * dk;
            out[static_cast<std::size_t>(step)][q] = out[static_cast<std::size_t>(step) + 1][q] + term;
        }
    }
    return out;
}

/// sum over the aliases of (U(k_m) / U(k))^2 |k_m / k_Nyquist|^(2l+2), per l, for nu = k / k_mesh. Interlacing removes
/// those of odd m1 + m2 + m3.
void alias_sums(int order, bool interlaced, const std::array<double, 3>& nu, std::vector<double>& gathered,
                double& spread) {
    for (int m1 = -2; m1 <= 2; ++m1) {
        for (int m2 = -2; m2 <= 2; ++m2) {
            for (int m3 = -2; m3 <= 2; ++m3) {
                if ((interlaced && (m1 + m2 + m3) % 2 != 0) || (m1 == 0 && m2 == 0 && m3 == 0)) continue;
                const double x = nu[0] + m1, y = nu[1] + m2, z = nu[2] + m3;
                const double ratio = nu[0] * nu[1] * nu[2] / (x * y * z);
                const double weight = std::pow(ratio * ratio, order);
                const double k2 = 4.0 * (x * x + y * y + z * z);
                spread += weight;
                double power = weight;
                for (double& sum : gathered) sum += power *= k2;
            }
        }
    }
}

/// Does a coefficient count? Those of a radial function that vanishes have no forces, and no relative error.
bool counts(double total, const std::vector<double>& all) {
    return total > 1e-28 * *std::max_element(all.begin(), all.end());
}

void require_finite(const FieldDescription& d, const std::vector<double>& total) {
    if (std::all_of(total.begin(), total.end(), [](double t) { return std::isfinite(t); })) return;
    throw std::invalid_argument("the radial functions of expansion '" + d.name +
                                "' are out of range: their spectrum is not finite");
}

}  // namespace

double converged_cutoff(const FieldDescription& d, double accuracy) {
    const int n_steps = 600;
    const double dk = d.reciprocal.x_max() / n_steps, safety = 0.6;
    const std::vector<std::vector<double>> tail = tails(d, n_steps);
    require_finite(d, tail[0]);
    for (std::size_t step = static_cast<std::size_t>(n_steps); step-- > 0;) {
        double error = 0.0, n = 0.0;
        for (std::size_t f = 0; f < tail[0].size(); ++f) {
            if (!counts(tail[0][f], tail[0])) continue;
            error += tail[step][f] / tail[0][f];
            n += 1.0;
        }
        if (n > 0.0 && !(std::sqrt(error / n) <= safety * accuracy)) {
            return static_cast<double>(step + 1) * dk;
        }
    }
    return dk;
}

MeshError::MeshError(const FieldDescription& d, const FieldSpectrum& spectrum, bool interlaced)
    : description_(&d), spectrum_(&spectrum), interlaced_(interlaced), total_(tails(d, 300)[0]) {
    require_finite(d, total_);
}

/// Midpoints of an octant up to twice the Nyquist frequency, one of each set that differs by a permutation.
const std::vector<MeshError::Point>& MeshError::points(int order) {
    const auto at = static_cast<std::size_t>(order);
    if (points_.size() <= at) points_.resize(at + 1);
    std::vector<Point>& out = points_[at];
    if (!out.empty()) return out;
    for (int x = 0; x < 2 * n_axis; ++x) {
        for (int y = 0; y <= x; ++y) {
            for (int z = 0; z <= y; ++z) {
                const std::array<double, 3> nu{0.5 * (x + 0.5) / n_axis, 0.5 * (y + 0.5) / n_axis,
                                               0.5 * (z + 0.5) / n_axis};
                Point point;
                point.nu = std::hypot(nu[0], nu[1], nu[2]);
                point.multiplicity = x == y && y == z ? 1.0 : x == y || y == z ? 3.0 : 6.0;
                point.gathered.assign(static_cast<std::size_t>(description_->l_max) + 1, 0.0);
                if (x < n_axis) {
                    alias_sums(order, interlaced_, nu, point.gathered, point.spread);
                } else {
                    point.spread = 1.0;  // beyond the mesh everything is missing
                }
                out.push_back(std::move(point));
            }
        }
    }
    return out;
}

double MeshError::squared(const std::vector<std::size_t>& filters, int order, double spacing) {
    const double nyquist = pi / spacing, volume = std::pow(nyquist / n_axis, 3);
    const FilterBank& bank = spectrum_->bank();
    std::vector<double> f(bank.size()), df(bank.size()), amplitude(total_.size()), wrong(total_.size(), 0.0);
    const std::vector<Point>& all = points(order);
    for (const Point& point : all) {
        const double k = 2.0 * nyquist * point.nu;
        if (k > spectrum_->k_max()) continue;
        spectrum_->evaluate(k, f.data(), df.data());
        std::fill(amplitude.begin(), amplitude.end(), 0.0);
        for (const std::size_t q : filters) {
            for (const FilterBank::Use& use : bank.uses[q]) {
                amplitude[static_cast<std::size_t>(use.l * description_->n_max + use.n)] += use.weight * f[q];
            }
        }
        for (std::size_t c = 0; c < wrong.size(); ++c) {
            const int l = static_cast<int>(c) / description_->n_max;
            const double aliases = std::pow(nyquist, 2 * l + 2) * point.gathered[static_cast<std::size_t>(l)] +
                                   std::pow(k, 2 * l + 2) * point.spread;
            wrong[c] += point.multiplicity * volume * amplitude[c] * amplitude[c] * aliases;
        }
    }
    double error = 0.0, n = 0.0;
    for (std::size_t c = 0; c < wrong.size(); ++c) {
        if (!counts(total_[c], total_)) continue;
        error += wrong[c] / (0.5 * pi * total_[c]);
        n += 1.0;
    }
    return n > 0.0 ? error / n : 0.0;
}

}  // namespace mlcalc
