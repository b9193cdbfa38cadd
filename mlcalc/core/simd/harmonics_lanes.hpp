// SPDX-License-Identifier: BSD-3-Clause
/// Spherical harmonics of `lanes` unit vectors at once and sums over them, for the kernels of all expansions; included
/// by each_set.hpp only.

constexpr int triangular(int l, int m) {
    return l * (l + 1) / 2 + m;
}
/// Vectors that spherical_harmonics keeps: q, c and s.
constexpr int legendre_size(int l_max) {
    return triangular(l_max + 1, 0) + 2 * (l_max + 1);
}

/// Y_lm = q_lm(z) c_m(x, y), and s_m for m < 0, c_m + i s_m = (x + i y)^m, of the unit vectors u[axis * lanes ..].
/// Keeps the factors: q with l fastest, then c and s; without `products` that is all. `recurrence` is that of
/// harmonics_recurrence.
template <bool products>
inline void spherical_harmonics(int l_max, const double* recurrence, const double* u, double* legendre, double* y) {
    const Lanes ux = load(u), uy = load(u + lanes), uz = load(u + 2 * lanes);
    double* cosine = legendre + triangular(l_max + 1, 0) * lanes;
    double* sine = cosine + (l_max + 1) * lanes;
    Lanes c = broadcast(1.0), s{};
    for (int m = 0; m <= l_max; ++m) {
        store(cosine + m * lanes, c);
        store(sine + m * lanes, s);
        Lanes below{}, q = broadcast(recurrence[0]);
        for (int l = m;;) {
            store(legendre, q);
            legendre += lanes;
            recurrence += 3;
            if (products) {
                double* y_l = y + (l * l + l) * lanes;
                if (m > 0) store(y_l - m * lanes, q * s);
                store(y_l + m * lanes, q * c);
            }
            if (++l > l_max) break;
            const Lanes next = recurrence[0] * uz * q - recurrence[1] * below;
            below = q;
            q = next;
        }
        const Lanes rotated = ux * c - uy * s;
        s = ux * s + uy * c;
        c = rotated;
    }
}

/// The harmonics of one l are treated in nearly equal parts of at most `most` rows.
constexpr int part_size(int l, int most) {
    const int n_parts = (2 * l + most) / most;
    return (2 * l + n_parts) / n_parts;
}
struct PartSizes {
    int of[largest_l + 1] = {};
    constexpr explicit PartSizes(int most) {
        for (int l = 0; l <= largest_l; ++l) of[l] = part_size(l, most);
    }
};

/// value[m] = sum_n adjoint[m][n] radial[n] and the same with the slopes, for the pairs of a chunk.
template <int n_rows>
void contract(const double* adjoint, int stride, const double* radial, const double* slope, int n_max, double* value,
              double* derivative) {
    Sums<n_rows> h, k;
    for (int n = 0; n < n_max; ++n) {
        h.add(adjoint + n, stride, load(radial + n * lanes));
        k.add(adjoint + n, stride, load(slope + n * lanes));
    }
    h.write(value, lanes);
    k.write(derivative, lanes);
}

using Contract = void (*)(const double*, int, const double*, const double*, int, double*, double*);
constexpr Contract contract_rows[] = {nullptr,     contract<1>, contract<2>, contract<3>,
                                      contract<4>, contract<5>, contract<6>, contract<7>};
constexpr PartSizes contract_parts(lanes == 8 ? 7 : 5);  // two accumulators per row have to fit the registers

/// The same for all lm, from radial functions of index l * n_max + n.
inline void contract_all(int l_max, int n_max, const double* adjoint, int stride, const double* radial,
                         const double* slope, double* value, double* derivative) {
    for (int l = 0; l <= l_max; ++l) {
        const int f = l * n_max * lanes;
        for (int lm = l * l, end = (l + 1) * (l + 1); lm < end; lm += contract_parts.of[l]) {
            const int rows = end - lm < contract_parts.of[l] ? end - lm : contract_parts.of[l];
            contract_rows[rows](adjoint + lm * stride, stride, radial + f, slope + f, n_max, value + lm * lanes,
                                derivative + lm * lanes);
        }
    }
}

/// sum_lm derivative_lm Y_lm, and the gradient of sum_lm value_lm q_lm(z) c_m(x, y).
inline Lanes differentiate(int l_max, const double* recurrence, const double* legendre, const double* value,
                           const double* derivative, Lanes* gradient) {
    const double* cosine = legendre + triangular(l_max + 1, 0) * lanes;
    const double* sine = cosine + (l_max + 1) * lanes;
    const double* coefficient = recurrence + 2;
    Lanes along{}, dx{}, dy{}, dz{};
    for (int m = 0; m <= l_max; ++m) {
        const double* next = legendre + (l_max + 1 - m) * lanes;  // q_{m+1,m+1}
        Lanes plus{}, minus{}, plus_z{}, minus_z{}, plus_r{}, minus_r{};
        for (int l = m; l <= l_max; ++l, legendre += lanes, coefficient += 3) {
            const long up = (l * l + l + m) * lanes, down = up - 2 * m * lanes;
            const Lanes q = load(legendre), up_value = load(value + up), down_value = load(value + down);
            plus += q * up_value;
            minus += q * down_value;
            plus_r += q * load(derivative + up);
            minus_r += q * load(derivative + down);
            if (l == m) continue;
            const Lanes qz = *coefficient * load(next);
            next += lanes;
            plus_z += qz * up_value;
            minus_z += qz * down_value;
        }
        const Lanes c = load(cosine + m * lanes), s = load(sine + m * lanes);  // s_0 = 0
        along += c * plus_r + s * minus_r;
        dz += c * plus_z + s * minus_z;
        if (m == 0) continue;
        const Lanes c1 = load(cosine + (m - 1) * lanes), s1 = load(sine + (m - 1) * lanes);
        dx += static_cast<double>(m) * (c1 * plus + s1 * minus);
        dy += static_cast<double>(m) * (c1 * minus - s1 * plus);
    }
    gradient[0] = dx;
    gradient[1] = dy;
    gradient[2] = dz;
    return along;
}
