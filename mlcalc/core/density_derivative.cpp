// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>

#include "density.hpp"

namespace mlcalc {
namespace {

/// Shifted cosine: 1 up to cutoff - width, 0 with zero slope at the cutoff [Behler & Parrinello, PRL 98, 146401
/// (2007)].
void cutoff_function(const DensityDescription& d, double r, double& value, double& slope) {
    constexpr double pi = 3.14159265358979323846;
    value = 1.0;
    slope = 0.0;
    const double x = r - d.cutoff + d.smoothing_width;
    if (d.smoothing_width == 0.0 || x <= 0.0) return;
    const double angle = pi * x / d.smoothing_width;
    value = 0.5 * (1.0 + std::cos(angle));
    slope = -0.5 * pi / d.smoothing_width * std::sin(angle);
}

}  // namespace

bool DensityExpansion::pair_derivative(const Vec3& r, std::vector<double>& derivative) const {
    const DensityDescription& d = description_;
    const double length = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    if (length >= d.cutoff) return false;
    const std::size_t n_lm = static_cast<std::size_t>(shape_.n_lm());
    const std::size_t n_max = static_cast<std::size_t>(d.n_max);
    const std::size_t n_functions = n_max * static_cast<std::size_t>(d.l_max + 1);
    derivative.resize(3 * n_lm * n_max + 2 * n_functions + 4 * n_lm);
    double* radial = derivative.data() + 3 * n_lm * n_max;
    double* slope = radial + n_functions;
    double* y = slope + n_functions;
    double* dy = y + n_lm;
    const Vec3 unit{r[0] / length, r[1] / length, r[2] / length};
    harmonics_.evaluate(unit, y, dy);
    d.radial.evaluate(length, radial, slope);
    double f, df;
    cutoff_function(d, length, f, df);
    for (int l = 0; l <= d.l_max; ++l) {
        for (std::size_t lm = static_cast<std::size_t>(l * l); lm < static_cast<std::size_t>((l + 1) * (l + 1)); ++lm) {
            const double turn = unit[0] * dy[lm] + unit[1] * dy[n_lm + lm] + unit[2] * dy[2 * n_lm + lm];
            for (std::size_t x = 0; x < 3; ++x) {
                const double d_y = (dy[x * n_lm + lm] - turn * unit[x]) / length;
                for (std::size_t n = 0; n < n_max; ++n) {
                    const std::size_t k = static_cast<std::size_t>(l) * n_max + n;
                    derivative[(x * n_lm + lm) * n_max + n] =
                        (f * slope[k] + df * radial[k]) * unit[x] * y[lm] + f * radial[k] * d_y;
                }
            }
        }
    }
    return true;
}

}  // namespace mlcalc
