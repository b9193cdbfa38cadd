// SPDX-License-Identifier: BSD-3-Clause
/// Sums over the sparse points of a three-body kernel, compiled once per instruction set.
#pragma once

namespace mlcalc {

struct TripleKernels {
    int lanes;
    /// For each u of u[chunk][3][lane] the sum over the points v of w k(s), s = |u - v|^2, k(s) = exp(-s / 2), and its
    /// gradient with respect to u: value[chunk][lane], slope[chunk][3][lane]. points[n_points][4]: v and w.
    void (*gaussian)(int n_points, const double* points, int n_chunks, const double* u, double* value, double* slope);
    /// The same with k(s) = (1 - q)^4 (4 q + 1), q = sqrt(s) < 1 [Wendland, Adv. Comput. Math. 4, 389 (1995)].
    void (*wendland)(int n_points, const double* points, int n_chunks, const double* u, double* value, double* slope);
};

/// Those of the selected instruction set.
const TripleKernels& triple_kernels();

}  // namespace mlcalc
