// SPDX-License-Identifier: BSD-3-Clause
/// Source of the density kernels, see each_set.hpp.

constexpr double pi = 3.14159265358979323846;

/// Shifted cosine of the pairs of a chunk, times their weights, and its derivative. With x = (r - cutoff +
/// width)/width: cos^2(pi x / 2), from Taylor series about the middle of the quarter wave that converge to rounding.
inline void cutoff_function(const DensityPlan& plan, const double* geometry, Lanes& value, Lanes& slope) {
    const Lanes r = load(geometry + 3 * lanes);
    const Lanes weight = r < plan.cutoff ? load(geometry + 4 * lanes) : Lanes{};  // chunks may have farther pairs
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

/// Radial functions (and slopes) of the pairs of a chunk: values[p * values_row + f], the cutoff function multiplied
/// in.
template <bool gradients>
void radial_functions(const DensityPlan& plan, const double* geometry, double* values, int values_row, double* slopes) {
    alignas(64) double weights[12 * lanes];
    int knots[lanes];
    Lanes value[6], slope[6], fc, fc_slope;
    hermite(load(geometry + 3 * lanes), plan.dx, plan.n_knots, knots, value, slope);
    cutoff_function(plan, geometry, fc, fc_slope);
    for (int k = 0; k < 6; ++k) {
        store(weights + k * lanes, fc * value[k]);
        store(weights + (6 + k) * lanes, fc * slope[k] + fc_slope * value[k]);
    }
    interpolate<gradients>(plan.table, plan.row, plan.row, knots, weights, values, values_row, slopes);
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
        for (long k = 0; k < n_chunks; ++k)
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

template <bool gradients>
void evaluate(const DensityPlan& plan, const DensityGroup& group, const DensityScratch& scratch) {
    const int values_row = plan.row + 8, n_lm = (plan.l_max + 1) * (plan.l_max + 1);
    const int n_legendre = legendre_size(plan.l_max);
    for (long k = 0; k < group.n_chunks; ++k) {
        const double* geometry = group.geometry + k * 5 * lanes;
        double* values = scratch.values + k * lanes * values_row;
        radial_functions<gradients>(plan, geometry, values, values_row, scratch.slopes);
        if (gradients) {
            transpose_functions(values, values_row, plan.row, group.radial + k * plan.row * lanes);
            transpose_functions(scratch.slopes, plan.row, plan.row, group.slope + k * plan.row * lanes);
        }
        spherical_harmonics<true>(plan.l_max, plan.recurrence, geometry,
                                  group.legendre + (gradients ? k : 0) * n_legendre * lanes,
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

void backward(const DensityPlan& plan, const DensityGroup& group, const double* adjoint, int stride, double* forces,
              double* total) {
    constexpr int most_lm = (largest_l + 1) * (largest_l + 1);
    alignas(64) double value[most_lm * lanes], derivative[most_lm * lanes];
    const int n_legendre = legendre_size(plan.l_max);
    Lanes sums[12];
    for (Lanes& sum : sums) sum = Lanes{};
    for (long k = 0; k < group.n_chunks; ++k) {
        contract_all(plan.l_max, plan.n_max, adjoint, stride, group.radial + k * plan.row * lanes,
                     group.slope + k * plan.row * lanes, value, derivative);
        Lanes g[3];
        const Lanes along =
            differentiate(plan.l_max, plan.recurrence, group.legendre + k * n_legendre * lanes, value, derivative, g);
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

const DensityKernels kernels = {lanes, forward, backward};
