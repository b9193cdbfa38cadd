// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace mlcalc {

/// The stencils of both grids reach this far below and above the point at the atom.
inline int reach_below(int order) {
    return (order + 1) / 2;
}
inline int reach_above(int order) {
    return order / 2 + 1;
}

}  // namespace mlcalc
