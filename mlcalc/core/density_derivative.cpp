// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>

#include "density.hpp"

namespace mlcalc {

void DensityExpansion::pair_derivative(const Workspace& w, std::size_t k, std::vector<double>& derivative) const {
    const std::size_t n_lm = static_cast<std::size_t>(shape_.n_lm()), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t lanes = static_cast<std::size_t>(kernels_->lanes), chunk = k / lanes, lane = k % lanes;
    const std::size_t functions = chunk * static_cast<std::size_t>(plan().row) * lanes + lane;
    const double* geometry = w.geometry.data() + 5 * chunk * lanes + lane;
    const Vec3 unit{geometry[0], geometry[lanes], geometry[2 * lanes]};
    const double distance = geometry[3 * lanes];
    derivative.resize(3 * n_lm * n_max + 4 * n_lm);
    double* y = derivative.data() + 3 * n_lm * n_max;
    double* dy = y + n_lm;
    harmonics_.evaluate(unit, y, dy);
    for (std::size_t lm = 0, l = 0; lm < n_lm; ++lm) {
        if (lm == (l + 1) * (l + 1)) ++l;
        const double* radial = w.radial.data() + functions + l * n_max * lanes;
        const double* slope = w.slope.data() + functions + l * n_max * lanes;
        const double along = unit[0] * dy[lm] + unit[1] * dy[n_lm + lm] + unit[2] * dy[2 * n_lm + lm];
        for (std::size_t x = 0; x < 3; ++x) {
            // only the tangential part of the gradient of the harmonics counts
            const double tangential = (dy[x * n_lm + lm] - along * unit[x]) / distance;
            double* to = derivative.data() + (x * n_lm + lm) * n_max;
            for (std::size_t n = 0; n < n_max; ++n)
                to[n] = slope[n * lanes] * unit[x] * y[lm] + radial[n * lanes] * tangential;
        }
    }
}

}  // namespace mlcalc
