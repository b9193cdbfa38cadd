// SPDX-License-Identifier: BSD-3-Clause
/// The few BLAS and LAPACK routines the core uses, from the scipy-openblas32 package (its symbols carry a prefix, so
/// they never meet another BLAS in the same process). All matrices are row-major.
#pragma once

#include <cstddef>
#include <vector>

#include "base/reserve.hpp"

extern "C" {
void scipy_cblas_dgemm(int order, int trans_a, int trans_b, int m, int n, int k, double alpha, const double* a, int lda,
                       const double* b, int ldb, double beta, double* c, int ldc);
void scipy_cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);
void scipy_cblas_dtrsm(int order, int side, int uplo, int trans_a, int diag, int m, int n, double alpha,
                       const double* a, int lda, double* b, int ldb);
void scipy_dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info, std::size_t);
void scipy_dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
                   const int* lwork, int* iwork, const int* liwork, int* info, std::size_t, std::size_t);
void scipy_openblas_set_num_threads(int n);
}

namespace mlcalc::blas {

enum class Op { none = 111, transpose = 112 };

/// c (m x n) <- alpha op(a) op(b) + beta c
inline void gemm(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, double alpha, const double* a,
                 std::size_t lda, const double* b, std::size_t ldb, double beta, double* c, std::size_t ldc) {
    scipy_cblas_dgemm(101, static_cast<int>(op_a), static_cast<int>(op_b), static_cast<int>(m), static_cast<int>(n),
                      static_cast<int>(k), alpha, a, static_cast<int>(lda), b, static_cast<int>(ldb), beta, c,
                      static_cast<int>(ldc));
}

inline void gemm(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, float alpha, const float* a,
                 std::size_t lda, const float* b, std::size_t ldb, float beta, float* c, std::size_t ldc) {
    scipy_cblas_sgemm(101, static_cast<int>(op_a), static_cast<int>(op_b), static_cast<int>(m), static_cast<int>(n),
                      static_cast<int>(k), alpha, a, static_cast<int>(lda), b, static_cast<int>(ldb), beta, c,
                      static_cast<int>(ldc));
}

/// One BLAS thread: the parallelism is over atoms and ranks. OpenBLAS ends the process if it finds no memory for its
/// buffers, so each thread that may call it lets it take them here, where a product is large enough for that.
inline void use_one_thread(int n_callers = 1) {
    reserve_threads(n_callers);
    reserve_blas_buffers(n_callers);
    scipy_openblas_set_num_threads(1);
    constexpr std::size_t n = 160;
    std::vector<double> all(static_cast<std::size_t>(n_callers) * 2 * n * n, 0.0);
#pragma omp parallel for schedule(static, 1) num_threads(n_callers) if (n_callers > 1)
    for (int t = 0; t < n_callers; ++t) {
        double* a = all.data() + static_cast<std::size_t>(t) * 2 * n * n;
        gemm(Op::none, Op::none, n, n, n, 1.0, a, n, a, n, 0.0, a + n * n, n);
    }
}

}  // namespace mlcalc::blas
