// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>

namespace mlcalc {

/// Shape of the coefficients of one expansion around one atom: c[lm * stride + q], with lm = l*l + l + m and
/// q = channel * n_max + n. A channel is a neighbor species, or a pseudo-species if the expansion mixes species.
/// `stride` is n_q rounded up to a multiple of `unit`; the padding is zero and stays zero in adjoints.
struct CoefficientShape {
    int n_channels = 0;
    int n_max = 0;
    int l_max = 0;
    int unit = 8;  ///< 8: rows of whole vectors; 1: no padding, for what is kept of all atoms at once

    int n_q() const { return n_channels * n_max; }
    int stride() const { return (n_q() + unit - 1) / unit * unit; }
    int n_lm() const { return (l_max + 1) * (l_max + 1); }
    CoefficientShape compact() const { return {n_channels, n_max, l_max, 1}; }
    std::size_t size() const { return static_cast<std::size_t>(stride()) * n_lm(); }
};

/// Columns first <= q < first + n of the coefficients around one center, change[lm * ld + q - first]; rows are padded
/// to a multiple of 8 columns.
struct ColumnChange {
    int first, n, ld;
    const double* change;
};

/// Copies the coefficients of n atoms to a shape with another stride.
inline void copy_coefficients(const CoefficientShape& from, const double* c, std::size_t n, const CoefficientShape& to,
                              double* out) {
    const std::size_t n_rows = n * static_cast<std::size_t>(from.n_lm());
    for (std::size_t row = 0; row < n_rows; ++row) {
        std::copy_n(c, from.n_q(), out);
        c += from.stride();
        out += to.stride();
    }
}

}  // namespace mlcalc
