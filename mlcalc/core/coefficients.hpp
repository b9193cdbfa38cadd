// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace mlcalc {

/// Shape of the coefficients of one expansion around one atom: c[lm * stride + q], with lm = l*l + l + m and
/// q = channel * n_max + n. A channel is a neighbour species, or a pseudo-species if the expansion mixes species.
/// `stride` is n_q rounded up to a multiple of 8; the padding is zero and stays zero in adjoints.
struct CoefficientShape {
    int n_channels = 0;
    int n_max = 0;
    int l_max = 0;

    int n_q() const { return n_channels * n_max; }
    int stride() const { return (n_q() + 7) / 8 * 8; }
    int n_lm() const { return (l_max + 1) * (l_max + 1); }
    std::size_t size() const { return static_cast<std::size_t>(stride()) * n_lm(); }
};

}  // namespace mlcalc
