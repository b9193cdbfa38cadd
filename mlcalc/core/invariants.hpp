// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "coefficients.hpp"

namespace mlcalc {

/// nu = 1: p_q = c_q,00.
/// nu = 2: p_l,qq' = (-1)^l / sqrt(2l+1) sum_m a_q,lm b_q',lm, l up to the smaller l_max. If a and b are the same
/// expansion only q <= q' is kept, times sqrt(2) for q < q': the dot products, and so every kernel, equal those of the
/// full set. Feature order: nu=1 q; nu=2 [l][q][q'].
struct Invariant {
    int nu = 2;
    int a = 0;                   ///< index of the expansion
    int b = 0;                   ///< for nu = 2
    double scale = 1.0;          ///< multiplies the features
    std::vector<int> selection;  ///< indices of the features kept; empty: all
};

}  // namespace mlcalc
