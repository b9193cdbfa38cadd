// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

namespace mlcalc {

/// The coefficients of a block of centers as layers and readouts see them. Those of set e around center i are c[e] + i
/// * size[e], in the layout of CoefficientShape.
struct CenterBlock {
    int n = 0;
    const int* species = nullptr;   ///< (n) species of the centers; -1 is skipped
    std::vector<const double*> c;   ///< per coefficient set
    std::vector<double*> c_adj;     ///< dE/dc, added to; null without gradients
    std::vector<std::size_t> size;  ///< doubles per center
    bool gradient = false;          ///< is dE/dc wanted

    /// The coefficients of one center and their adjoints (null without gradients), per set.
    void center(int i, std::vector<const double*>& ci, std::vector<double*>& ci_adj) const {
        ci.resize(c.size());
        ci_adj.resize(c.size());
        for (std::size_t e = 0; e < c.size(); ++e) {
            const std::size_t at = static_cast<std::size_t>(i) * size[e];
            ci[e] = c[e] + at;
            ci_adj[e] = gradient ? c_adj[e] + at : nullptr;
        }
    }
};

}  // namespace mlcalc
