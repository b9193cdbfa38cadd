// SPDX-License-Identifier: BSD-3-Clause
/// Source of the density kernels, included by one file per instruction set; see vector_lanes.hpp for its restrictions.
#include "density_kernels.hpp"
#include "vector_lanes.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

inline int rounded_up(int n) {
    return (n + 7) / 8 * 8;
}
inline int triangular(int l, int m) {
    return l * (l + 1) / 2 + m;
}

/// Shifted cosine of the pairs of a chunk, times their weights, and its derivative. With x = (r - cutoff +
/// width)/width: cos^2(pi x / 2), from Taylor series about the middle of the quarter wave that converge to rounding.
inline void cutoff_function(const DensityPlan& plan, const double* geometry, Lanes& value, Lanes& slope) {
    const Lanes r = load(geometry + 3 * lanes), weight = load(geometry + 4 * lanes);
    value = weight;
    slope = Lanes{};
    if (plan.smoothing_width == 0.0) return;
    Lanes x = (r - (plan.cutoff - plan.smoothing_width)) / plan.smoothing_width;
    x = x > 0.0 ? x : Lanes{};
    const Lanes t = (x - 0.5) * (0.5 * pi), t2 = t * t;
    Lanes sine = broadcast(-1.0 / 1307674368000.0), cosine = broadcast(1.0 / 20922789888000.0);
    sine = sine * t2 + 1.0 / 6227020800.0;
    sine = sine * t2 - 1.0 / 39916800.0;
    sine = sine * t2 + 1.0 / 362880.0;
    sine = sine * t2 - 1.0 / 5040.0;
    sine = sine * t2 + 1.0 / 120.0;
    sine = sine * t2 - 1.0 / 6.0;
    sine = t + sine * t2 * t;
    cosine = cosine * t2 - 1.0 / 87178291200.0;
    cosine = cosine * t2 + 1.0 / 479001600.0;
    cosine = cosine * t2 - 1.0 / 3628800.0;
    cosine = cosine * t2 + 1.0 / 40320.0;
    cosine = cosine * t2 - 1.0 / 720.0;
    cosine = cosine * t2 + 1.0 / 24.0;
    cosine = cosine * t2 - 0.5;
    cosine = cosine * t2 + 1.0;
    // cos(a + pi/4) and sin(a + pi/4), both times sqrt(2)
    const Lanes c = cosine - sine, s = cosine + sine;
    const Lanes inside = x > 0.0 ? weight : Lanes{};
    value = x > 0.0 ? 0.5 * c * c * weight : weight;
    slope = (-0.5 * pi / plan.smoothing_width) * c * s * inside;
}

/// The weights of the quintic Hermite rows f, f', f'' of the two knots around each pair: [value 0..5,
/// slope 6..11][lane], the cutoff function multiplied in.
inline void spline_weights(const DensityPlan& plan, const double* geometry, int* knots, double* weights) {
    const Lanes position = load(geometry + 3 * lanes) * (1.0 / plan.dx);
    Lanes floor;
    for (int p = 0; p < lanes; ++p) {
        const int knot = static_cast<int>(position[p]);
        knots[p] = knot < plan.n_knots - 2 ? knot : plan.n_knots - 2;
        floor[p] = knots[p];
    }
    Lanes fc, fc_slope;
    cutoff_function(plan, geometry, fc, fc_slope);
    const double h = plan.dx;
    const Lanes t = position - floor, u = 1.0 - t, t2 = t * t, u2 = u * u, t3 = t2 * t, u3 = u2 * u;
    const Lanes edge = (30.0 / h) * t2 * u2;
    const Lanes value[6] = {u3 * (1.0 + 3.0 * t + 6.0 * t2), h * t * u3 * (1.0 + 3.0 * t),  (0.5 * h * h) * t2 * u3,
                            t3 * (1.0 + 3.0 * u + 6.0 * u2), -h * u * t3 * (1.0 + 3.0 * u), (0.5 * h * h) * u2 * t3};
    const Lanes slope[6] = {-edge, u2 * (1.0 + 2.0 * t - 15.0 * t2), (0.5 * h) * t * u2 * (2.0 - 5.0 * t),
                            edge,  t2 * (1.0 + 2.0 * u - 15.0 * u2), (-0.5 * h) * u * t2 * (2.0 - 5.0 * u)};
    for (int k = 0; k < 6; ++k) {
        store(weights + k * lanes, fc * value[k]);
        store(weights + (6 + k) * lanes, fc * slope[k] + fc_slope * value[k]);
    }
}

/// Radial functions (and slopes) of the pairs of a chunk: values[p * values_row + f].
template <bool gradients>
void radial_functions(const DensityPlan& plan, const double* geometry, double* values, int values_row, double* slopes) {
    alignas(64) double weights[12 * lanes];
    int knots[lanes];
    spline_weights(plan, geometry, knots, weights);
    for (int p = 0; p < lanes; ++p) {
        const double* rows = plan.table + static_cast<long>(knots[p]) * 3 * plan.row;
        Lanes w[12];
        for (int k = 0; k < 12; ++k) w[k] = broadcast(weights[k * lanes + p]);
        for (int f = 0; f < plan.row; f += lanes) {
            Lanes value{}, slope{};
            for (int k = 0; k < 6; ++k) {
                const Lanes row = load(rows + k * plan.row + f);
                value += w[k] * row;
                if (gradients) slope += w[6 + k] * row;
            }
            store(values + p * values_row + f, value);
            if (gradients) store(slopes + p * plan.row + f, slope);
        }
    }
}

/// from[p * row + f] -> to[f * lanes + p]
inline void transpose_functions(const double* from, int row, int n, double* to) {
    for (int f = 0; f < n; f += lanes) {
        Lanes block[lanes];
        load_transposed(from + f, row, block);
        for (int p = 0; p < lanes; ++p) store(to + (f + p) * lanes, block[p]);
    }
}

/// Y_lm = q_lm(z) c_m(x, y), and s_m for m < 0, c_m + i s_m = (x + i y)^m, of unit vectors. Keeps the factors: q with l
/// fastest, then c and s.
inline void spherical_harmonics(const DensityPlan& plan, const double* geometry, double* legendre, double* y) {
    const int l_max = plan.l_max;
    const Lanes ux = load(geometry), uy = load(geometry + lanes), uz = load(geometry + 2 * lanes);
    double* cosine = legendre + triangular(l_max + 1, 0) * lanes;
    double* sine = cosine + (l_max + 1) * lanes;
    const double* coefficient = plan.recurrence;
    Lanes c = broadcast(1.0), s{};
    for (int m = 0; m <= l_max; ++m) {
        store(cosine + m * lanes, c);
        store(sine + m * lanes, s);
        Lanes below{}, q = broadcast(coefficient[0]);
        for (int l = m;;) {
            store(legendre, q);
            legendre += lanes;
            coefficient += 3;
            double* y_l = y + (l * l + l) * lanes;
            if (m > 0) store(y_l - m * lanes, q * s);
            store(y_l + m * lanes, q * c);
            if (++l > l_max) break;
            const Lanes next = coefficient[0] * uz * q - coefficient[1] * below;
            below = q;
            q = next;
        }
        const Lanes rotated = ux * c - uy * s;
        s = ux * s + uy * c;
        c = rotated;
    }
}

/// The first `count` elements of v.
inline void store_part(double* p, Lanes v, int count) {
    for (int k = 0; k < count; ++k) p[k] = v[k];
}

/// c[m * stride + n] = sum over pairs of Y_m f_n, for n_rows harmonics of one l.
template <int n_rows>
void accumulate(const double* y, int chunk, const double* values, int values_row, int n_chunks, int n_max, double* c,
                int stride) {
    for (int n = 0; n < n_max; n += lanes) {
        Sums<n_rows> sum;
        for (int k = 0; k < n_chunks; ++k)
            for (int p = 0; p < lanes; ++p)
                sum.add(y + k * chunk + p, lanes, load_unaligned(values + (k * lanes + p) * values_row + n));
        if (n + lanes <= n_max) {
            sum.write(c + n, stride);
            continue;
        }
        alignas(64) double part[n_rows * lanes];
        sum.write(part, lanes);
        for (int m = 0; m < n_rows; ++m) store_part(c + m * stride + n, load(part + m * lanes), n_max - n);
    }
}

using Accumulate = void (*)(const double*, int, const double*, int, int, int, double*, int);
constexpr Accumulate accumulate_rows[] = {nullptr,       accumulate<1>, accumulate<2>, accumulate<3>, accumulate<4>,
                                          accumulate<5>, accumulate<6>, accumulate<7>, accumulate<8>};

/// The harmonics of one l are treated in nearly equal parts of at most `most` rows.
constexpr int part_size(int l, int most) {
    const int n_parts = (2 * l + most) / most;
    return (2 * l + n_parts) / n_parts;
}
constexpr int largest_l = 20;
struct PartSizes {
    int of[largest_l + 1] = {};
    constexpr explicit PartSizes(int most) {
        for (int l = 0; l <= largest_l; ++l) of[l] = part_size(l, most);
    }
};

template <bool gradients>
void evaluate(const DensityPlan& plan, const DensityGroup& group, const DensityScratch& scratch) {
    const int values_row = plan.row + 8, n_lm = (plan.l_max + 1) * (plan.l_max + 1);
    const int n_legendre = triangular(plan.l_max + 1, 0) + 2 * (plan.l_max + 1);
    for (int k = 0; k < group.n_chunks; ++k) {
        const double* geometry = group.geometry + k * 5 * lanes;
        double* values = scratch.values + k * lanes * values_row;
        radial_functions<gradients>(plan, geometry, values, values_row, scratch.slopes);
        if (gradients) {
            transpose_functions(values, values_row, plan.row, group.radial + k * plan.row * lanes);
            transpose_functions(scratch.slopes, plan.row, plan.row, group.slope + k * plan.row * lanes);
        }
        spherical_harmonics(plan, geometry, group.legendre + (gradients ? k : 0) * n_legendre * lanes,
                            scratch.harmonics + k * n_lm * lanes);
    }
}

constexpr PartSizes accumulate_parts(8);

void forward(const DensityPlan& plan, const DensityGroup& group, const DensityScratch& scratch, bool gradients,
             double* c, int stride) {
    if (gradients)
        evaluate<true>(plan, group, scratch);
    else
        evaluate<false>(plan, group, scratch);
    const int n_lm = (plan.l_max + 1) * (plan.l_max + 1);
    for (int l = 0; l <= plan.l_max; ++l) {
        for (int lm = l * l, end = (l + 1) * (l + 1); lm < end; lm += accumulate_parts.of[l]) {
            const int rows = end - lm < accumulate_parts.of[l] ? end - lm : accumulate_parts.of[l];
            accumulate_rows[rows](scratch.harmonics + lm * lanes, n_lm * lanes, scratch.values + l * plan.n_max,
                                  plan.row + 8, group.n_chunks, plan.n_max, c + lm * stride, stride);
        }
    }
}

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

/// sum_lm derivative_lm Y_lm, and the gradient of sum_lm value_lm q_lm(z) c_m(x, y).
inline Lanes differentiate(const DensityPlan& plan, const double* legendre, const double* value,
                           const double* derivative, Lanes* gradient) {
    const int l_max = plan.l_max;
    const double* cosine = legendre + triangular(l_max + 1, 0) * lanes;
    const double* sine = cosine + (l_max + 1) * lanes;
    const double* coefficient = plan.recurrence + 2;
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

void backward(const DensityPlan& plan, const DensityGroup& group, const double* adjoint, int stride, double* forces,
              double* total) {
    constexpr int most_lm = (largest_l + 1) * (largest_l + 1);
    alignas(64) double value[most_lm * lanes], derivative[most_lm * lanes];
    const int n_legendre = triangular(plan.l_max + 1, 0) + 2 * (plan.l_max + 1);
    Lanes sums[12];
    for (Lanes& sum : sums) sum = Lanes{};
    for (int k = 0; k < group.n_chunks; ++k) {
        const double* radial = group.radial + k * plan.row * lanes;
        const double* slope = group.slope + k * plan.row * lanes;
        for (int l = 0; l <= plan.l_max; ++l) {
            for (int lm = l * l, end = (l + 1) * (l + 1); lm < end; lm += contract_parts.of[l]) {
                const int rows = end - lm < contract_parts.of[l] ? end - lm : contract_parts.of[l];
                const int f = l * plan.n_max * lanes;
                contract_rows[rows](adjoint + lm * stride, stride, radial + f, slope + f, plan.n_max,
                                    value + lm * lanes, derivative + lm * lanes);
            }
        }
        Lanes g[3];
        const Lanes along = differentiate(plan, group.legendre + k * n_legendre * lanes, value, derivative, g);
        const double* geometry = group.geometry + k * 5 * lanes;
        const Lanes u[3] = {load(geometry), load(geometry + lanes), load(geometry + 2 * lanes)};
        const Lanes r = load(geometry + 3 * lanes), inverse = 1.0 / r;
        // only the tangential part of the gradient of the harmonics counts
        const Lanes radial_part = along - (u[0] * g[0] + u[1] * g[1] + u[2] * g[2]) * inverse;
        for (int b = 0; b < 3; ++b) {
            const Lanes force = radial_part * u[b] + g[b] * inverse;
            store(forces + (3 * k + b) * lanes, force);
            sums[b] += force;
            for (int a = 0; a < 3; ++a) sums[3 + 3 * a + b] += u[a] * r * force;
        }
    }
    for (int k = 0; k < 12; ++k) total[k] += sum_of_lanes(sums[k]);
}

}  // namespace

extern const DensityKernels MLCALC_DENSITY_KERNELS;
const DensityKernels MLCALC_DENSITY_KERNELS = {lanes, forward, backward};

}  // namespace mlcalc
