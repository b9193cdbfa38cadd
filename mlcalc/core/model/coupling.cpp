// SPDX-License-Identifier: BSD-3-Clause
#include "model/coupling.hpp"

#include <algorithm>
#include <cstdlib>

namespace mlcalc {

std::vector<CoupledBlock> coupled_blocks(const SphericalType& type, int l_max_1, int l_max_2, bool same) {
    using Pairs = CoupledBlock::Pairs;
    std::vector<CoupledBlock> blocks;
    for (int l_1 = 0; l_1 <= l_max_1; ++l_1) {
        const int lowest = std::max(std::abs(l_1 - type.lambda), same ? l_1 : 0);
        for (int l_2 = lowest; l_2 <= std::min(l_max_2, l_1 + type.lambda); ++l_2) {
            if ((l_1 + l_2 + type.lambda) % 2 != (type.sigma == 1 ? 0 : 1)) continue;
            const Pairs own = type.lambda % 2 == 0 ? Pairs::upper : Pairs::strictly_upper;
            blocks.push_back({l_1, l_2, same && l_1 == l_2 ? own : Pairs::all, same});
        }
    }
    return blocks;
}

}  // namespace mlcalc
