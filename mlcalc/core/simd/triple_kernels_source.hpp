// SPDX-License-Identifier: BSD-3-Clause
/// Source of the kernels of triples, see each_set.hpp.

typedef long long WholeLanes __attribute__((vector_size(8 * MLCALC_LANES), may_alias));

/// exp(x) for x <= 0, to rounding; below -700 it is that of -700, which is as good as zero. x = n ln 2 + y, and the
/// Taylor series of exp(y) for |y| <= ln 2 / 2.
inline Lanes exponential(Lanes x) {
    constexpr double to_integer = 6755399441055744.0;  // 1.5 2^52: what is added to it is rounded to an integer
    x = x > -700.0 ? x : broadcast(-700.0);
    const Lanes shifted = x * 1.4426950408889634 + to_integer, n = shifted - to_integer;
    const Lanes y = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    Lanes sum = broadcast(1.0 / 6227020800.0);
    sum = sum * y + 1.0 / 479001600.0;
    sum = sum * y + 1.0 / 39916800.0;
    sum = sum * y + 1.0 / 3628800.0;
    sum = sum * y + 1.0 / 362880.0;
    sum = sum * y + 1.0 / 40320.0;
    sum = sum * y + 1.0 / 5040.0;
    sum = sum * y + 1.0 / 720.0;
    sum = sum * y + 1.0 / 120.0;
    sum = sum * y + 1.0 / 24.0;
    sum = sum * y + 1.0 / 6.0;
    sum = sum * y + 0.5;
    sum = sum * y + 1.0;
    sum = sum * y + 1.0;
    const WholeLanes exponent = (reinterpret_cast<const WholeLanes&>(shifted) + 1023) << 52;
    return sum * reinterpret_cast<const Lanes&>(exponent);
}

/// k(s) and what u - v has to be multiplied with for its gradient, 2 dk/ds.
inline void gaussian_kernel(Lanes s, Lanes& k, Lanes& factor) {
    k = exponential(-0.5 * s);
    factor = -k;
}

inline void wendland_kernel(Lanes s, Lanes& k, Lanes& factor) {
    const Lanes q = square_root(s), t = 1.0 - q, p = t > 0.0 ? t : Lanes{}, p3 = p * p * p;
    k = p3 * p * (4.0 * q + 1.0);
    factor = -20.0 * p3;
}

template <void (*kernel)(Lanes, Lanes&, Lanes&)>
void sum(int n_points, const double* points, int n_chunks, const double* u, double* value, double* slope) {
    for (int c = 0; c < n_chunks; ++c) {
        const double* at = u + 3 * lanes * c;
        const Lanes u0 = load(at), u1 = load(at + lanes), u2 = load(at + 2 * lanes);
        Lanes total{}, g0{}, g1{}, g2{};
        for (const double* v = points; v < points + 4 * static_cast<long>(n_points); v += 4) {
            const Lanes d0 = u0 - v[0], d1 = u1 - v[1], d2 = u2 - v[2];
            Lanes k, factor;
            kernel(d0 * d0 + d1 * d1 + d2 * d2, k, factor);
            total += v[3] * k;
            factor *= v[3];
            g0 += factor * d0;
            g1 += factor * d1;
            g2 += factor * d2;
        }
        store(value + lanes * c, total);
        store(slope + 3 * lanes * c, g0);
        store(slope + 3 * lanes * c + lanes, g1);
        store(slope + 3 * lanes * c + 2 * lanes, g2);
    }
}

const TripleKernels kernels = {lanes, sum<gaussian_kernel>, sum<wendland_kernel>};
