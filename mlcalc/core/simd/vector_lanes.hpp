// SPDX-License-Identifier: BSD-3-Clause
/// SIMD vectors of MLCALC_LANES doubles; included by each_set.hpp only, in the namespace of an instruction set.

constexpr int lanes = MLCALC_LANES;
typedef double Lanes __attribute__((vector_size(8 * MLCALC_LANES), may_alias));
typedef double UnalignedLanes __attribute__((vector_size(8 * MLCALC_LANES), may_alias, aligned(8)));

inline Lanes load(const double* p) {
    return *reinterpret_cast<const Lanes*>(p);
}
inline Lanes load_unaligned(const double* p) {
    return *reinterpret_cast<const UnalignedLanes*>(p);
}
inline void store(double* p, Lanes v) {
    *reinterpret_cast<Lanes*>(p) = v;
}
inline void store_unaligned(double* p, Lanes v) {
    *reinterpret_cast<UnalignedLanes*>(p) = v;
}
inline Lanes broadcast(double x) {
    return x - Lanes{};
}

inline Lanes square_root(Lanes v) {
    for (int k = 0; k < lanes; ++k) v[k] = __builtin_sqrt(v[k]);
    return v;
}

typedef double Pair __attribute__((vector_size(16), may_alias));
typedef double HalfLanes __attribute__((vector_size(4 * MLCALC_LANES), may_alias, aligned(8)));

/// Pairs go through memory whole: a load of two doubles that were stored one by one has to wait for both.
inline Lanes broadcast(Pair pair) {
#if MLCALC_LANES == 2
    return pair;
#elif MLCALC_LANES == 4
    return __builtin_shufflevector(pair, pair, 0, 1, 0, 1);
#else
    return __builtin_shufflevector(pair, pair, 0, 1, 0, 1, 0, 1, 0, 1);
#endif
}

/// p[0], p[0], p[1], p[1], ..
inline Lanes load_twice(const double* p) {
#if MLCALC_LANES == 2
    return broadcast(*p);
#else
    const HalfLanes half = *reinterpret_cast<const HalfLanes*>(p);
#if MLCALC_LANES == 4
    return __builtin_shufflevector(half, half, 0, 0, 1, 1);
#else
    return __builtin_shufflevector(half, half, 0, 0, 1, 1, 2, 2, 3, 3);
#endif
#endif
}

inline double sum_of_lanes(Lanes v) {
    double sum = 0.0;
    for (int k = 0; k < lanes; ++k) sum += v[k];
    return sum;
}

/// n sums in n registers. A recursive structure because the compiler keeps an array of vectors in memory.
template <int n>
struct Sums {
    Lanes first = {};
    Sums<n - 1> rest;

    /// sum[k] += factors[k * stride] * v
    __attribute__((always_inline)) void add(const double* factors, long stride, Lanes v) {
        first += broadcast(*factors) * v;
        rest.add(factors + stride, stride, v);
    }
    /// sum[k] += factors[k * stride ..] * v, lane by lane
    __attribute__((always_inline)) void add_products(const double* factors, long stride, Lanes v) {
        first += load(factors) * v;
        rest.add_products(factors + stride, stride, v);
    }
    __attribute__((always_inline)) void write(double* p, long stride) const {
        *reinterpret_cast<UnalignedLanes*>(p) = first;
        rest.write(p + stride, stride);
    }
};
template <>
struct Sums<0> {
    void add(const double*, long, Lanes) {}
    void add_products(const double*, long, Lanes) {}
    void write(double*, long) const {}
};

/// n vectors in n registers.
template <int n>
struct Held {
    Lanes first;
    Held<n - 1> rest;

    __attribute__((always_inline)) void read(const Lanes* p) {
        first = *p;
        rest.read(p + 1);
    }
    /// sum + sum_k factors[k * stride] v[k]
    __attribute__((always_inline)) Lanes add_to(Lanes sum, const double* factors, long stride) const {
        return rest.add_to(sum + broadcast(*factors) * first, factors + stride, stride);
    }
};
template <>
struct Held<0> {
    void read(const Lanes*) {}
    Lanes add_to(Lanes sum, const double*, long) const { return sum; }
};

/// rows[i][j] <- rows[j][i], exchanging blocks of 1, 2 and 4.
inline void transpose(Lanes* rows) {
#if MLCALC_LANES == 2
    const Lanes a = rows[0], b = rows[1];
    rows[0] = __builtin_shufflevector(a, b, 0, 2);
    rows[1] = __builtin_shufflevector(a, b, 1, 3);
#elif MLCALC_LANES == 4
    for (int i = 0; i < 4; i += 2) {
        const Lanes a = rows[i], b = rows[i + 1];
        rows[i] = __builtin_shufflevector(a, b, 0, 4, 2, 6);
        rows[i + 1] = __builtin_shufflevector(a, b, 1, 5, 3, 7);
    }
    for (int i = 0; i < 2; ++i) {
        const Lanes a = rows[i], b = rows[i + 2];
        rows[i] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
        rows[i + 2] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    }
#else
    for (int i = 0; i < 8; i += 2) {
        const Lanes a = rows[i], b = rows[i + 1];
        rows[i] = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
        rows[i + 1] = __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 8; i += (i & 1) ? 3 : 1) {
        const Lanes a = rows[i], b = rows[i + 2];
        rows[i] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
        rows[i + 2] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; ++i) {
        const Lanes a = rows[i], b = rows[i + 4];
        rows[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
        rows[i + 4] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
#endif
}

#if MLCALC_LANES > 2
/// Two half vectors from memory in one. Unlike a shuffle of registers this leaves the port for shuffles free.
inline Lanes load_halves(const double* low, const double* high) {
    const HalfLanes a = *reinterpret_cast<const HalfLanes*>(low), b = *reinterpret_cast<const HalfLanes*>(high);
#if MLCALC_LANES == 4
    return __builtin_shufflevector(a, b, 0, 1, 2, 3);
#else
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
#endif
}
#endif

/// columns[j][i] = p[i * row + j]: a block of lanes x lanes numbers, transposed.
inline void load_transposed(const double* p, long row, Lanes* columns) {
#if MLCALC_LANES == 2
    const Lanes a = load(p), b = load(p + row);
    columns[0] = __builtin_shufflevector(a, b, 0, 2);
    columns[1] = __builtin_shufflevector(a, b, 1, 3);
#elif MLCALC_LANES == 4
    for (int half = 0; half < 4; half += 2) {
        const Lanes a = load_halves(p + half, p + 2 * row + half);
        const Lanes b = load_halves(p + row + half, p + 3 * row + half);
        columns[half] = __builtin_shufflevector(a, b, 0, 4, 2, 6);
        columns[half + 1] = __builtin_shufflevector(a, b, 1, 5, 3, 7);
    }
#else
    for (int half = 0; half < 8; half += 4) {
        Lanes r[4];
        for (int i = 0; i < 4; ++i) r[i] = load_halves(p + i * row + half, p + (i + 4) * row + half);
        const Lanes even_01 = __builtin_shufflevector(r[0], r[1], 0, 8, 2, 10, 4, 12, 6, 14);
        const Lanes odd_01 = __builtin_shufflevector(r[0], r[1], 1, 9, 3, 11, 5, 13, 7, 15);
        const Lanes even_23 = __builtin_shufflevector(r[2], r[3], 0, 8, 2, 10, 4, 12, 6, 14);
        const Lanes odd_23 = __builtin_shufflevector(r[2], r[3], 1, 9, 3, 11, 5, 13, 7, 15);
        columns[half] = __builtin_shufflevector(even_01, even_23, 0, 1, 8, 9, 4, 5, 12, 13);
        columns[half + 1] = __builtin_shufflevector(odd_01, odd_23, 0, 1, 8, 9, 4, 5, 12, 13);
        columns[half + 2] = __builtin_shufflevector(even_01, even_23, 2, 3, 10, 11, 6, 7, 14, 15);
        columns[half + 3] = __builtin_shufflevector(odd_01, odd_23, 2, 3, 10, 11, 6, 7, 14, 15);
    }
#endif
}
