// SPDX-License-Identifier: BSD-3-Clause
/// Source of the small products, see each_set.hpp.

#undef MLCALC_INLINE
#define MLCALC_INLINE __attribute__((always_inline)) inline

/// Vectors of columns per tile: two where there are registers for them.
constexpr int wide = lanes == 8 ? 2 : 1;

MLCALC_INLINE Lanes& at(double* p) {
    return *reinterpret_cast<Lanes*>(p);
}

/// R rows and V vectors of columns of x w: dotted with z, added to y.
template <int R, int V>
MLCALC_INLINE void multiply_tile(const double* x, int ldx, int n_k, const double* w, int ldw, const double* z, int ldz,
                                 double* y, int ldy, Lanes& sum) {
    Lanes acc[R][V];
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) acc[r][v] = Lanes{};
    }
    for (int k = 0; k < n_k; ++k) {
        Lanes row[V];
        for (int v = 0; v < V; ++v) row[v] = load(w + k * ldw + v * lanes);
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < V; ++v) acc[r][v] += x[r * ldx + k] * row[v];
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) {
            if (z != nullptr) sum += acc[r][v] * load(z + r * ldz + v * lanes);
            if (y != nullptr) at(y + r * ldy + v * lanes) += acc[r][v];
        }
    }
}

template <int R>
MLCALC_INLINE void multiply_rows(const double* x, int ldx, int n_k, const double* w, int ldw, int columns,
                                 const double* z, int ldz, double* y, int ldy, Lanes& sum) {
    int q = 0;
    for (; q + wide * lanes <= columns; q += wide * lanes) {
        multiply_tile<R, wide>(x, ldx, n_k, w + q, ldw, z == nullptr ? z : z + q, ldz, y == nullptr ? y : y + q, ldy,
                               sum);
    }
    for (; q < columns; q += lanes) {
        multiply_tile<R, 1>(x, ldx, n_k, w + q, ldw, z == nullptr ? z : z + q, ldz, y == nullptr ? y : y + q, ldy, sum);
    }
}

/// Rows go in tiles of at most 7: 2l + 1 is odd, and 7 accumulators leave registers for the operands.
double multiply(int n_m, const double* x, int ldx, int n_k, const double* w, int ldw, int columns, const double* z,
                int ldz, double* y, int ldy) {
    Lanes sum{};
    for (int m = 0; m < n_m;) {
        const int left = n_m - m;
        const int rows = left <= 7 ? left : (left < 14 ? (left + 1) / 2 : 7);
        const double* xm = x + m * ldx;
        const double* zm = z == nullptr ? z : z + m * ldz;
        double* ym = y == nullptr ? y : y + m * ldy;
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
    return sum_of_lanes(sum);
}

template <int R>
MLCALC_INLINE void gram_rows(int n_m, const double* a, int lda, const double* b, int ldb, int first, int columns,
                             double* g, int ldg) {
    for (int q = first; q < columns; q += lanes) {
        Lanes acc[R];
        for (int r = 0; r < R; ++r) acc[r] = Lanes{};
        for (int m = 0; m < n_m; ++m) {
            const Lanes row = load(b + m * ldb + q);
            for (int r = 0; r < R; ++r) acc[r] += a[m * lda + r] * row;
        }
        for (int r = 0; r < R; ++r) at(g + r * ldg + q) = acc[r];
    }
}

void gram(int n_m, const double* a, int lda, int n_a, const double* b, int ldb, int columns_b, double* g, int ldg,
          bool upper) {
    int q = 0;
    for (; q + 8 <= n_a; q += 8) gram_rows<8>(n_m, a + q, lda, b, ldb, upper ? q : 0, columns_b, g + q * ldg, ldg);
    const int first = upper ? q : 0;
    for (; q + 4 <= n_a; q += 4) gram_rows<4>(n_m, a + q, lda, b, ldb, first, columns_b, g + q * ldg, ldg);
    for (; q < n_a; ++q) gram_rows<1>(n_m, a + q, lda, b, ldb, first, columns_b, g + q * ldg, ldg);
}

/// Two sums in turn, because each waits for its last addition.
void coupled_dot(const CoupledRows* entries, int n, int columns, const double* a, const double* b, double* y) {
    const auto product = [&](const CoupledRows& e, int q) {
        return e.value * load(a + e.a_row + q) * load(b + e.b_row + q);
    };
    for (int k = 0; k < n;) {
        int end = k;
        while (end < n && entries[end].component == entries[k].component) ++end;
        Lanes even{}, odd{};
        for (int q = 0; q < columns; q += lanes) {
            int e = k;
            for (; e + 1 < end; e += 2) {
                even += product(entries[e], q);
                odd += product(entries[e + 1], q);
            }
            if (e < end) even += product(entries[e], q);
        }
        y[entries[k].component] += sum_of_lanes(even + odd);
        k = end;
    }
}

template <int Zeta>
MLCALC_INLINE double kernel_row_of(int n, const double* w, double* k, double* powers) {
    Lanes sum{};
    int m = 0;
    for (; m + lanes <= n; m += lanes) {
        const Lanes x = load_unaligned(k + m), weight = load_unaligned(w + m);
        Lanes lower = broadcast(1.0);
        for (int z = 1; z < Zeta; ++z) lower *= x;
        const Lanes full = lower * x;
        sum += weight * full;
        if (powers != nullptr) *reinterpret_cast<UnalignedLanes*>(powers + m) = full;
        *reinterpret_cast<UnalignedLanes*>(k + m) = static_cast<double>(Zeta) * weight * lower;
    }
    double total = sum_of_lanes(sum);
    for (; m < n; ++m) {
        double lower = 1.0;
        for (int z = 1; z < Zeta; ++z) lower *= k[m];
        total += w[m] * lower * k[m];
        if (powers != nullptr) powers[m] = lower * k[m];
        k[m] = Zeta * w[m] * lower;
    }
    return total;
}

double kernel_row(int zeta, int n, const double* w, double* k, double* powers) {
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

const SmallProducts kernels = {gram, multiply, coupled_dot, kernel_row};
