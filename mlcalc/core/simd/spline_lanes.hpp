// SPDX-License-Identifier: BSD-3-Clause
/// The quintic Hermite interpolant of SplineTable for `lanes` distances at once, for the kernels of all expansions;
/// included by each_set.hpp only. Tables are [knot][order 0..2][row], rows padded.

/// The knots below the distances and the weights of the rows f, f', f'' of the two knots around each: value 0..5 for
/// the function, slope 0..5 for its derivative.
inline void hermite(Lanes distance, double h, int n_knots, int* knots, Lanes* value, Lanes* slope) {
    const Lanes position = distance * (1.0 / h);
    Lanes floor;
    for (int p = 0; p < lanes; ++p) {
        const int knot = static_cast<int>(position[p]);
        knots[p] = knot < n_knots - 2 ? knot : n_knots - 2;
        floor[p] = knots[p];
    }
    const Lanes t = position - floor, u = 1.0 - t, t2 = t * t, u2 = u * u, t3 = t2 * t, u3 = u2 * u;
    const Lanes edge = (30.0 / h) * t2 * u2;
    value[0] = u3 * (1.0 + 3.0 * t + 6.0 * t2);
    value[1] = h * t * u3 * (1.0 + 3.0 * t);
    value[2] = (0.5 * h * h) * t2 * u3;
    value[3] = t3 * (1.0 + 3.0 * u + 6.0 * u2);
    value[4] = -h * u * t3 * (1.0 + 3.0 * u);
    value[5] = (0.5 * h * h) * u2 * t3;
    slope[0] = -edge;
    slope[1] = u2 * (1.0 + 2.0 * t - 15.0 * t2);
    slope[2] = (0.5 * h) * t * u2 * (2.0 - 5.0 * t);
    slope[3] = edge;
    slope[4] = t2 * (1.0 + 2.0 * u - 15.0 * u2);
    slope[5] = (-0.5 * h) * u * t2 * (2.0 - 5.0 * u);
}

/// values[p * values_row + f] (and slopes[p * row + f]) of functions 0 .. n, n rounded up to whole vectors, from
/// weights[value 0..5, slope 6..11][lane].
template <bool gradients>
void interpolate(const double* table, int row, int n, const int* knots, const double* weights, double* values,
                 int values_row, double* slopes) {
    for (int p = 0; p < lanes; ++p) {
        const double* rows = table + static_cast<long>(knots[p]) * 3 * row;
        Lanes w[12];
        for (int k = 0; k < (gradients ? 12 : 6); ++k) w[k] = broadcast(weights[k * lanes + p]);
        for (int f = 0; f < n; f += lanes) {
            Lanes value{}, slope{};
            for (int k = 0; k < 6; ++k) {
                const Lanes at_knot = load(rows + k * row + f);
                value += w[k] * at_knot;
                if (gradients) slope += w[6 + k] * at_knot;
            }
            store(values + p * values_row + f, value);
            if (gradients) store(slopes + p * row + f, slope);
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
