// SPDX-License-Identifier: BSD-3-Clause
#include "expansions/density.hpp"

namespace mlcalc {

void DensityExpansion::pair_derivative(const Workspace& w, std::size_t k, std::vector<double>& derivative) const {
    const std::size_t n_lm = static_cast<std::size_t>(shape_.n_lm()), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t lanes = static_cast<std::size_t>(kernels_->lanes), chunk = k / lanes, lane = k % lanes;
    const std::size_t functions = chunk * static_cast<std::size_t>(plan().row) * lanes + lane;
    const double* geometry = w.geometry.data() + 5 * chunk * lanes + lane;
    derivative.resize(3 * n_lm * n_max);
    harmonics_.product_gradient({geometry[0], geometry[lanes], geometry[2 * lanes]}, w.radial.data() + functions,
                                1.0 / geometry[3 * lanes], w.slope.data() + functions, n_max, lanes, derivative.data());
}

}  // namespace mlcalc
