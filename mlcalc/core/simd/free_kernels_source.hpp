// SPDX-License-Identifier: BSD-3-Clause
/// Source of the kernels for free boundaries, see each_set.hpp.

/// Unit vectors, distances and 1 / distance of the sources of a chunk, geometry[5][lane]. A source at the center has a
/// unit vector of zeros: its harmonics of l > 0 are multiplied by r^l or, in gradients, are those of l = 1.
inline void separate(const double* chunk, const double* center, double* geometry) {
    Lanes r[3], r2{};
    for (int x = 0; x < 3; ++x) {
        r[x] = load(chunk + x * lanes) - center[x];
        r2 += r[x] * r[x];
    }
    const Lanes distance = square_root(r2), inverse = r2 > 0.0 ? 1.0 / distance : Lanes{};
    for (int x = 0; x < 3; ++x) store(geometry + x * lanes, r[x] * inverse);
    store(geometry + 3 * lanes, distance);
    store(geometry + 4 * lanes, inverse);
}

/// The same of the first chunks, as many as are treated at once; returns their number.
inline int separate_some(const double* chunks, int n_chunks, const double* center, double* geometry) {
    const int n = n_chunks < free_chunks_at_once ? n_chunks : free_chunks_at_once;
    for (int k = 0; k < n; ++k) separate(chunks + k * 4 * lanes, center, geometry + k * 5 * lanes);
    return n;
}

/// weight F_nl of the table or, with gradients, F_nl / r and the slope.
template <bool gradients>
void near(const FreePlan& plan, Lanes r, Lanes weight, const FreeScratch& scratch, double* radial, double* slope) {
    alignas(64) double weights[12 * lanes];
    int knots[lanes];
    Lanes value[6], derivative[6];
    hermite(r, plan.dx, plan.n_knots, knots, value, derivative);
    for (int k = 0; k < 6; ++k) {
        store(weights + k * lanes, value[k]);
        if (gradients) store(weights + (6 + k) * lanes, derivative[k]);
    }
    double* slope_rows = scratch.rows + lanes * plan.row;
    interpolate<gradients>(plan.table, plan.row, plan.n_functions, knots, weights, scratch.rows, plan.row, slope_rows);
    transpose_functions(scratch.rows, plan.row, plan.n_functions, radial);
    if (gradients) transpose_functions(slope_rows, plan.row, plan.n_functions, slope);
    Lanes below{}, power = weight;  // times r^(l - 1), r^l
    for (int l = 0, f = 0; l <= plan.l_max; ++l) {
        for (int n = 0; n < plan.n_max; ++n, f += lanes) {
            const Lanes g = load(radial + f);
            store(radial + f, (gradients ? below : power) * g);
            if (gradients) store(slope + f, power * load(slope + f) + static_cast<double>(l) * below * g);
        }
        below = power;
        power *= r;
    }
}

/// The same of the multipole series, beyond x_max; what is there for nearer sources stays.
template <bool gradients>
void far(const FreePlan& plan, Lanes r, Lanes inverse, Lanes weight, double* radial, double* slope) {
    const Lanes inverse2 = inverse * inverse;
    Lanes power = gradients ? weight * inverse : weight;
    for (int k = 0; k < plan.exponent; ++k) power *= inverse;
    for (int l = 0, f = 0; l <= plan.l_max; ++l, power *= inverse) {
        for (int n = 0; n < plan.n_max; ++n, ++f) {
            Lanes sum{}, derivative{};
            for (int q = plan.n_far - 1; q >= 0; --q) {
                const double term = plan.far[q * plan.n_functions + f];
                sum = sum * inverse2 + term;
                if (gradients) derivative = derivative * inverse2 - (plan.exponent + l + 2 * q) * term;
            }
            const int at = f * lanes;
            const bool tangential = !gradients || l > 0;
            store(radial + at, r <= plan.x_max ? load(radial + at) : tangential ? power * sum : Lanes{});
            if (gradients) store(slope + at, r <= plan.x_max ? load(slope + at) : power * derivative);
        }
    }
}

template <bool gradients>
void radial_functions(const FreePlan& plan, const double* geometry, Lanes weight, const FreeScratch& scratch,
                      double* radial, double* slope) {
    const Lanes r = load(geometry + 3 * lanes);
    int n_near = 0;
    for (int p = 0; p < lanes; ++p) n_near += r[p] <= plan.x_max ? 1 : 0;
    if (n_near > 0) {
        const Lanes inside = r <= plan.x_max ? r : broadcast(plan.x_max);
        near<gradients>(plan, inside, weight, scratch, radial, slope);
    }
    if (n_near < lanes) far<gradients>(plan, r, load(geometry + 4 * lanes), weight, radial, slope);
}

/// sums[m][n] += sum over the chunks of Y_m F_n, for n_rows harmonics of one l.
template <int n_rows>
void accumulate(const double* y, int y_chunk, const double* radial, int radial_chunk, int n_chunks, int n_max,
                double* sums) {
    for (int n = 0; n < n_max; ++n) {
        Sums<n_rows> sum;
        for (int k = 0; k < n_chunks; ++k) {
            sum.add_products(y + k * y_chunk, lanes, load(radial + k * radial_chunk + n * lanes));
        }
        alignas(64) double part[n_rows * lanes];
        sum.write(part, lanes);
        for (int m = 0; m < n_rows; ++m) {
            double* to = sums + (m * n_max + n) * lanes;
            store(to, load(to) + load(part + m * lanes));
        }
    }
}

using Accumulate = void (*)(const double*, int, const double*, int, int, int, double*);
constexpr Accumulate accumulate_rows[] = {nullptr,       accumulate<1>, accumulate<2>, accumulate<3>, accumulate<4>,
                                          accumulate<5>, accumulate<6>, accumulate<7>, accumulate<8>};
constexpr PartSizes accumulate_parts(8);

void forward(const FreePlan& plan, const FreeSources& sources, const double* center, const FreeScratch& scratch,
             double* field) {
    const int n_lm = (plan.l_max + 1) * (plan.l_max + 1), n_sums = n_lm * plan.n_max;
    for (int k = 0; k < n_sums; ++k) store(scratch.sums + k * lanes, Lanes{});
    alignas(64) double geometry[free_chunks_at_once * 5 * lanes], legendre[legendre_size(largest_l) * lanes];
    for (long first = 0; first < sources.n_chunks; first += free_chunks_at_once) {
        const double* chunks = sources.sources + first * 4 * lanes;
        const int n = separate_some(chunks, static_cast<int>(sources.n_chunks - first), center, geometry);
        for (int k = 0; k < n; ++k) {
            const double* u = geometry + k * 5 * lanes;
            radial_functions<false>(plan, u, load(chunks + (4 * k + 3) * lanes), scratch,
                                    scratch.radial + k * plan.row * lanes, nullptr);
            spherical_harmonics<true>(plan.l_max, plan.recurrence, u, legendre, scratch.harmonics + k * n_lm * lanes);
        }
        for (int l = 0; l <= plan.l_max; ++l) {
            for (int lm = l * l, end = (l + 1) * (l + 1); lm < end; lm += accumulate_parts.of[l]) {
                const int rows = end - lm < accumulate_parts.of[l] ? end - lm : accumulate_parts.of[l];
                accumulate_rows[rows](scratch.harmonics + lm * lanes, n_lm * lanes,
                                      scratch.radial + l * plan.n_max * lanes, plan.row * lanes, n, plan.n_max,
                                      scratch.sums + lm * plan.n_max * lanes);
            }
        }
    }
    for (int k = 0; k < n_sums; ++k) field[k] = sum_of_lanes(load(scratch.sums + k * lanes));
}

/// Forces on the sources of a chunk, to be added to gradient[axis][lane] and to the sums of `backward`.
inline void add_forces(const double* geometry, Lanes along, const Lanes* g, double* gradient, Lanes* sums) {
    const Lanes u[3] = {load(geometry), load(geometry + lanes), load(geometry + 2 * lanes)};
    const Lanes r = load(geometry + 3 * lanes);
    // only the tangential part of the gradient of the harmonics counts
    const Lanes radial_part = along - (u[0] * g[0] + u[1] * g[1] + u[2] * g[2]);
    for (int b = 0; b < 3; ++b) {
        const Lanes force = radial_part * u[b] + g[b];
        store(gradient + b * lanes, load(gradient + b * lanes) + force);
        sums[b] += force;
        for (int a = 0; a < 3; ++a) sums[3 + 3 * a + b] += u[a] * r * force;
    }
}

void backward(const FreePlan& plan, const FreeSources& sources, const double* center, int self, const double* adjoint,
              const FreeScratch& scratch, double* gradient, double* total) {
    constexpr int most_lm = (largest_l + 1) * (largest_l + 1);
    alignas(64) double value[most_lm * lanes], derivative[most_lm * lanes], geometry[free_chunks_at_once * 5 * lanes],
        legendre[legendre_size(largest_l) * lanes];
    Lanes sums[12];
    for (Lanes& sum : sums) sum = Lanes{};
    for (long first = 0; first < sources.n_chunks; first += free_chunks_at_once) {
        const double* chunks = sources.sources + first * 4 * lanes;
        const int n = separate_some(chunks, static_cast<int>(sources.n_chunks - first), center, geometry);
        for (int k = 0; k < n; ++k) {
            const double* u = geometry + k * 5 * lanes;
            Lanes weight = load(chunks + (4 * k + 3) * lanes), g[3];
            if (self >= 0 && self / lanes == first + k) weight[self % lanes] = 0.0;
            radial_functions<true>(plan, u, weight, scratch, scratch.radial, scratch.slope);
            spherical_harmonics<false>(plan.l_max, plan.recurrence, u, legendre, nullptr);
            contract_all(plan.l_max, plan.n_max, adjoint, plan.n_max, scratch.radial, scratch.slope, value, derivative);
            const Lanes along = differentiate(plan.l_max, plan.recurrence, legendre, value, derivative, g);
            add_forces(u, along, g, gradient + (first + k) * 3 * lanes, sums);
        }
    }
    for (int k = 0; k < 12; ++k) total[k] += sum_of_lanes(sums[k]);
}

void evaluate(const FreePlan& plan, const double* chunk, const double* center, const FreeScratch& scratch,
              double* geometry) {
    separate(chunk, center, geometry);
    radial_functions<true>(plan, geometry, load(chunk + 3 * lanes), scratch, scratch.radial, scratch.slope);
}

const FreeKernels kernels = {lanes, forward, backward, evaluate};
