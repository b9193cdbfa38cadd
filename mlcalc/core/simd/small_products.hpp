// SPDX-License-Identifier: BSD-3-Clause
/// Products of the small matrices of one atom, compiled once per instruction set. Rows are m = -l..l with `ld` doubles
/// between them, columns are q; column counts are multiples of 8, so that a row is whole vectors.
#pragma once

namespace mlcalc {

/// y[component] += value a[a_row] . b[b_row]; rows are offsets in doubles.
struct CoupledRows {
    int a_row, b_row, component;
    double value;
};

struct SmallProducts {
    /// g[q * ldg + q'] = sum_m a[m * lda + q] b[m * ldb + q'] for q < n_a and the columns q' of b. With `upper` only
    /// the columns q' >= q, and some below left over from whole vectors, are written.
    void (*gram)(int n_m, const double* a, int lda, int n_a, const double* b, int ldb, int columns_b, double* g,
                 int ldg, bool upper);
    /// y[m * ldy + q] += (x w)[m, q], (x w)[m, q] = sum_k x[m * ldx + k] w[k * ldw + q]. Returns sum_mq z (x w) if z is
    /// not null. y may be null.
    double (*multiply)(int n_m, const double* x, int ldx, int n_k, const double* w, int ldw, int columns,
                       const double* z, int ldz, double* y, int ldy);
    /// The sum of n entries, those of one component next to each other, over rows of `columns` doubles.
    void (*coupled_dot)(const CoupledRows* entries, int n, int columns, const double* a, const double* b, double* y);
    /// One row of a polynomial kernel: k holds x_M = p . p_M and becomes zeta w_M x_M^(zeta-1); returns
    /// sum_M w_M x_M^zeta. `powers`, if not null, gets x_M^zeta.
    double (*kernel_row)(int zeta, int n, const double* w, double* k, double* powers);
};

/// Those of the selected instruction set.
const SmallProducts& small_products();

}  // namespace mlcalc
