// SPDX-License-Identifier: BSD-3-Clause
/// The inner loops of the far field with free boundaries, compiled once per instruction set: one center and the sources
/// of one species, laid out in chunks of `lanes`, the last chunk filled up with sources of weight 0.
#pragma once

namespace mlcalc {

/// What the kernels know of an expansion. F_nl(r), function index l * n_max + n, is the potential of a source at
/// distance r projected on a radial function: r^l times a table up to x_max, the multipole series beyond.
struct FreePlan {
    int n_max, l_max;
    int n_functions;  ///< n_max * (l_max + 1)
    int row;          ///< n_functions rounded up to a multiple of 8
    int n_knots;
    double dx, x_max;
    const double* table;       ///< [knot][order 0..2][row] F_nl(r) / r^l
    const double* recurrence;  ///< of harmonics_recurrence
    int exponent, n_far;
    const double* far;  ///< [q][function]: F_nl(r) = sum_q far r^-(p + l + 2q)
};

struct FreeSources {
    int n_chunks;
    const double* sources;  ///< [chunk][4][lane]: x, y, z, weight
};

constexpr int free_chunks_at_once = 8;  ///< whose functions stay in the first cache between evaluation and sum

/// Memory of one thread, aligned to 64 bytes.
struct FreeScratch {
    double* rows;       ///< (2, lanes, row)
    double* radial;     ///< (free_chunks_at_once, row, lanes)
    double* slope;      ///< (row, lanes)
    double* harmonics;  ///< (free_chunks_at_once, n_lm, lanes)
    double* sums;       ///< (n_lm, n_max, lanes)
};

struct FreeKernels {
    int lanes;
    /// field[lm * n_max + n] = sum over the sources of Y_lm F_nl.
    void (*forward)(const FreePlan&, const FreeSources&, const double* center, const FreeScratch&, double* field);
    /// Adds dE/dr of the sources to gradient[chunk][axis][lane] for adjoint[lm * n_max + n] = dE/d(field), their sum to
    /// total[0..2], and the sum of r_a dE/dr_b to total[3 + 3 a + b]. Source number `self` is left out; -1: none is.
    void (*backward)(const FreePlan&, const FreeSources&, const double* center, int self, const double* adjoint,
                     const FreeScratch&, double* gradient, double* total);
    /// Of one chunk: unit vectors, distances and their inverses, geometry[5][lane]; F/r (0 for l = 0) in the radial
    /// functions of the scratch memory and dF/dr in its slope, [function][lane].
    void (*evaluate)(const FreePlan&, const double* chunk, const double* center, const FreeScratch&, double* geometry);
};

/// Those of the selected instruction set.
const FreeKernels& free_kernels();

}  // namespace mlcalc
