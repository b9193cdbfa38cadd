// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace mlcalc {

/// Products of the small matrices of one atom. Rows are m = -l..l with `ld` doubles between them, columns are q; column
/// counts are padded to multiples of 8, so that a row is whole vectors.

/// g[q * ldg + q'] = sum_m a[m * lda + q] b[m * ldb + q'] for q < n_a and the padded columns of b. With `upper` only
/// columns q' >= q (and some below, left over from whole vectors) are written.
void gram(int n_m, const double* a, std::size_t lda, int n_a, const double* b, std::size_t ldb, int columns_b,
          double* g, std::size_t ldg, bool upper);

/// y[m * ldy + q] += sum_k x[m * ldx + k] w[k * ldw + q]
void multiply_add(int n_m, const double* x, std::size_t ldx, int n_k, const double* w, std::size_t ldw, int columns,
                  double* y, std::size_t ldy);

/// sum_mq z[m * ldz + q] (x w)[m, q], and y += x w if y is not null.
double multiply_dot(int n_m, const double* x, std::size_t ldx, int n_k, const double* w, std::size_t ldw, int columns,
                    const double* z, std::size_t ldz, double* y, std::size_t ldy);

/// One row of a polynomial kernel: k holds x_M = p . p_M, becomes zeta w_M x_M^(zeta-1); returns sum_M w_M x_M^zeta.
/// `powers`, if not null, gets x_M^zeta.
double kernel_row(int zeta, int n, const double* w, double* k, double* powers);

}  // namespace mlcalc
