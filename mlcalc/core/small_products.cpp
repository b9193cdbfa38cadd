// SPDX-License-Identifier: BSD-3-Clause
#include "small_products.hpp"

#include <algorithm>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MLCALC_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MLCALC_CLONES
#endif
#define MLCALC_INLINE __attribute__((always_inline)) inline

namespace mlcalc {
namespace {

using Vec8 = double __attribute__((vector_size(64), aligned(8)));

/// acc[r] = sum_k x[r * ldx + k] w[k * ldw ..]: R rows of eight columns of the product x w.
template <int R>
MLCALC_INLINE void product_tile(const double* x, std::size_t ldx, int n_k, const double* w, std::size_t ldw,
                                Vec8* acc) {
    for (int r = 0; r < R; ++r) acc[r] = Vec8{};
    for (int k = 0; k < n_k; ++k) {
        const Vec8 row = *reinterpret_cast<const Vec8*>(w + static_cast<std::size_t>(k) * ldw);
        for (int r = 0; r < R; ++r) acc[r] += x[static_cast<std::size_t>(r) * ldx + static_cast<std::size_t>(k)] * row;
    }
}

template <int R>
MLCALC_INLINE void multiply_rows(const double* x, std::size_t ldx, int n_k, const double* w, std::size_t ldw,
                                 int columns, const double* z, std::size_t ldz, double* y, std::size_t ldy, Vec8& sum) {
    for (int q = 0; q < columns; q += 8) {
        Vec8 acc[R];
        product_tile<R>(x, ldx, n_k, w + q, ldw, acc);
        if (z != nullptr) {
            for (int r = 0; r < R; ++r)
                sum += acc[r] * *reinterpret_cast<const Vec8*>(z + static_cast<std::size_t>(r) * ldz + q);
        }
        if (y != nullptr) {
            for (int r = 0; r < R; ++r) *reinterpret_cast<Vec8*>(y + static_cast<std::size_t>(r) * ldy + q) += acc[r];
        }
    }
}

/// Rows go in tiles of at most 7: 2l + 1 is odd, and 7 accumulators leave registers for the operands.
MLCALC_INLINE void multiply_all(int n_m, const double* x, std::size_t ldx, int n_k, const double* w, std::size_t ldw,
                                int columns, const double* z, std::size_t ldz, double* y, std::size_t ldy, Vec8& sum) {
    for (int m = 0; m < n_m;) {
        const int left = n_m - m;
        const int rows = left <= 7 ? left : (left < 14 ? (left + 1) / 2 : 7);
        const double* xm = x + static_cast<std::size_t>(m) * ldx;
        const double* zm = z == nullptr ? nullptr : z + static_cast<std::size_t>(m) * ldz;
        double* ym = y == nullptr ? nullptr : y + static_cast<std::size_t>(m) * ldy;
        switch (rows) {
            case 1:
                multiply_rows<1>(xm, ldx, n_k, w, ldw, columns, zm, ldz, ym, ldy, sum);
                break;
            case 2:
                multiply_rows<2>(xm, ldx, n_k, w, ldw, columns, zm, ldz, ym, ldy, sum);
                break;
            case 3:
                multiply_rows<3>(xm, ldx, n_k, w, ldw, columns, zm, ldz, ym, ldy, sum);
                break;
            case 4:
                multiply_rows<4>(xm, ldx, n_k, w, ldw, columns, zm, ldz, ym, ldy, sum);
                break;
            case 5:
                multiply_rows<5>(xm, ldx, n_k, w, ldw, columns, zm, ldz, ym, ldy, sum);
                break;
            case 6:
                multiply_rows<6>(xm, ldx, n_k, w, ldw, columns, zm, ldz, ym, ldy, sum);
                break;
            default:
                multiply_rows<7>(xm, ldx, n_k, w, ldw, columns, zm, ldz, ym, ldy, sum);
                break;
        }
        m += rows;
    }
}

template <int R>
MLCALC_INLINE void gram_rows(int n_m, const double* a, std::size_t lda, const double* b, std::size_t ldb, int first,
                             int columns, double* g, std::size_t ldg) {
    for (int q = first; q < columns; q += 8) {
        Vec8 acc[R];
        for (int r = 0; r < R; ++r) acc[r] = Vec8{};
        for (int m = 0; m < n_m; ++m) {
            const Vec8 row = *reinterpret_cast<const Vec8*>(b + static_cast<std::size_t>(m) * ldb + q);
            for (int r = 0; r < R; ++r)
                acc[r] += a[static_cast<std::size_t>(m) * lda + static_cast<std::size_t>(r)] * row;
        }
        for (int r = 0; r < R; ++r) *reinterpret_cast<Vec8*>(g + static_cast<std::size_t>(r) * ldg + q) = acc[r];
    }
}

template <int Zeta>
MLCALC_INLINE double kernel_row_of(int n, const double* w, double* k, double* powers) {
    Vec8 sum{};
    double total = 0.0;
    const auto lower_power = [](const auto& x, auto& lower) {
        lower = x - x + 1.0;
        for (int z = 1; z < Zeta; ++z) lower *= x;
    };
    int m = 0;
    for (; m + 8 <= n; m += 8) {
        Vec8& x = *reinterpret_cast<Vec8*>(k + m);
        Vec8 lower;
        lower_power(x, lower);
        const Vec8 full = lower * x;
        const Vec8 weight = *reinterpret_cast<const Vec8*>(w + m);
        sum += weight * full;
        if (powers != nullptr) *reinterpret_cast<Vec8*>(powers + m) = full;
        x = static_cast<double>(Zeta) * weight * lower;
    }
    for (; m < n; ++m) {
        double lower;
        lower_power(k[m], lower);
        total += w[m] * lower * k[m];
        if (powers != nullptr) powers[m] = lower * k[m];
        k[m] = Zeta * w[m] * lower;
    }
    for (int r = 0; r < 8; ++r) total += sum[r];
    return total;
}

}  // namespace

MLCALC_CLONES double kernel_row(int zeta, int n, const double* w, double* k, double* powers) {
    switch (zeta) {
        case 1:
            return kernel_row_of<1>(n, w, k, powers);
        case 2:
            return kernel_row_of<2>(n, w, k, powers);
        case 3:
            return kernel_row_of<3>(n, w, k, powers);
        case 4:
            return kernel_row_of<4>(n, w, k, powers);
        case 5:
            return kernel_row_of<5>(n, w, k, powers);
        default:
            return kernel_row_of<6>(n, w, k, powers);
    }
}

MLCALC_CLONES void gram(int n_m, const double* a, std::size_t lda, int n_a, const double* b, std::size_t ldb,
                        int columns_b, double* g, std::size_t ldg, bool upper) {
    int q = 0;
    for (; q + 8 <= n_a; q += 8)
        gram_rows<8>(n_m, a + q, lda, b, ldb, upper ? q : 0, columns_b, g + static_cast<std::size_t>(q) * ldg, ldg);
    for (; q + 4 <= n_a; q += 4)
        gram_rows<4>(n_m, a + q, lda, b, ldb, upper ? q / 8 * 8 : 0, columns_b, g + static_cast<std::size_t>(q) * ldg,
                     ldg);
    for (; q < n_a; ++q)
        gram_rows<1>(n_m, a + q, lda, b, ldb, upper ? q / 8 * 8 : 0, columns_b, g + static_cast<std::size_t>(q) * ldg,
                     ldg);
}

MLCALC_CLONES void multiply_add(int n_m, const double* x, std::size_t ldx, int n_k, const double* w, std::size_t ldw,
                                int columns, double* y, std::size_t ldy) {
    Vec8 sum{};
    multiply_all(n_m, x, ldx, n_k, w, ldw, columns, nullptr, 0, y, ldy, sum);
}

MLCALC_CLONES double multiply_dot(int n_m, const double* x, std::size_t ldx, int n_k, const double* w, std::size_t ldw,
                                  int columns, const double* z, std::size_t ldz, double* y, std::size_t ldy) {
    Vec8 sum{};
    multiply_all(n_m, x, ldx, n_k, w, ldw, columns, z, ldz, y, ldy, sum);
    double total = 0.0;
    for (int k = 0; k < 8; ++k) total += sum[k];
    return total;
}

}  // namespace mlcalc
