// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

namespace mlcalc {

/// Nodes and weights of Gauss-Legendre quadrature on [-1, 1].
struct GaussLegendre {
    explicit GaussLegendre(int n);
    std::vector<double> nodes, weights;
};

}  // namespace mlcalc
