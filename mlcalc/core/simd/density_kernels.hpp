// SPDX-License-Identifier: BSD-3-Clause
/// The inner loops of the density expansion, compiled once per instruction set. A group is the neighbors of one
/// species of one center; its pairs are laid out in chunks of `lanes`, the last chunk filled up with pairs of weight 0.
#pragma once

namespace mlcalc {

/// What the kernels know of an expansion. Rows of `table` are padded to `row` doubles, a multiple of 8.
struct DensityPlan {
    int n_max, l_max;
    int n_functions;  ///< n_max * (l_max + 1)
    int row;          ///< n_functions rounded up to a multiple of 8
    int n_knots;
    double dx, cutoff, smoothing_width;
    const double* table;       ///< [knot][order 0..2][row]
    const double* recurrence;  ///< per (m, l >= m), l fastest: a, b of q_lm = a z q_{l-1,m} - b q_{l-2,m}, and dq_lm/dz
                               ///< / q_{l,m+1}
};

/// Memory of one group; everything is aligned to 64 bytes.
struct DensityGroup {
    int n_chunks;
    const double* geometry;  ///< [chunk][5][lane]: unit vector x, y, z, distance, weight
    double* radial;          ///< [chunk][function][lane] f_c u I_nl
    double* slope;           ///< [chunk][function][lane] its derivative
    double* legendre;        ///< [chunk][(m, l)][lane] normalized q_lm, then c_m and s_m
};

struct DensityScratch {
    double* values;     ///< (n_chunks * lanes, row + 8)
    double* slopes;     ///< (lanes, row)
    double* harmonics;  ///< (n_chunks, n_lm, lanes)
};

struct DensityKernels {
    int lanes;
    /// c[lm * stride + n] = sum over the pairs of Y_lm f_c u I_nl, n < n_max. Also fills radial, slope and legendre of
    /// the group if `gradients`.
    void (*forward)(const DensityPlan&, const DensityGroup&, const DensityScratch&, bool gradients, double* c,
                    int stride);
    /// forces[chunk][axis][lane] = dE/dr_ij for adjoint[lm * stride + n] = dE/dc; total[0..2] += their sum,
    /// total[3 + 3 a + b] += sum of r_a dE/dr_b.
    void (*backward)(const DensityPlan&, const DensityGroup&, const double* adjoint, int stride, double* forces,
                     double* total);
};

/// Those of the selected instruction set.
const DensityKernels& density_kernels();

}  // namespace mlcalc
