// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

#include "base/aligned.hpp"

namespace mlcalc {

/// A symmetric matrix G = sum_k lambda_k v_k v_k^T with few terms. Products with an expansion in many species cost
/// 2 n rank instead of n^2.
class LowRank {
public:
    /// Factors G (n, stride), whose columns beyond n are zero. `worthwhile` is false if the full matrix is as cheap;
    /// eigenvalues below rounding of the largest are dropped.
    LowRank(const double* g, int n, int stride);
    bool worthwhile() const { return worthwhile_; }

    /// 1/2 sum_m c_m G c_m of the rows of c (n_m, stride); c_adj += c G if c_adj is not null. `scratch` has
    /// scratch_size(n_m) doubles, aligned to 64 bytes.
    double apply(int n_m, const double* c, double* c_adj, double* scratch) const;
    int scratch_size(int n_m) const { return n_m * width_; }

private:
    int n_;
    int stride_;
    int rank_ = 0;
    int width_ = 0;  ///< rank rounded up to a multiple of 8
    bool worthwhile_ = false;
    AlignedVector<double> to_;      ///< (n, width) v
    AlignedVector<double> back_;    ///< (rank, stride) v^T
    AlignedVector<double> lambda_;  ///< (width)
};

}  // namespace mlcalc
