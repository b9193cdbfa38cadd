// SPDX-License-Identifier: BSD-3-Clause
/// Source of the mesh kernels, see each_set.hpp.

constexpr int max_points = 12, max_derivatives = max_mesh_degree + 1;

/// Window weights of one atom: [derivative][point] along x and y; along z every weight twice, for complex points.
struct alignas(64) Weights {
    double x[max_derivatives * max_points], y[max_derivatives * max_points], z[max_derivatives * max_points];
    double twice[2 * max_derivatives * max_points];
    int plane;    ///< the first of the grid that the stencil reaches
    long offset;  ///< of the first point
};

template <int points>
inline int axis_weights(const MeshStencil& stencil, int degree, double u, double* out) {
    const double shifted = u - 0.5 * stencil.order;
    const int start = static_cast<int>(shifted) - (shifted < static_cast<int>(shifted) ? 1 : 0);
    const Lanes g = broadcast(shifted - start - 0.5);
    for (int d = 0; d <= degree; ++d) {
        const double* c = stencil.pieces + d * stencil.order * points;
        for (int t = 0; t < points; t += lanes) {
            Lanes sum{};
            for (int k = stencil.order - 1 - d; k >= 0; --k) sum = sum * g + load_unaligned(c + k * points + t);
            for (int lane = 0; lane < lanes && t + lane < points; ++lane) out[d * points + t + lane] = sum[lane];
        }
    }
    return start + 1;
}

template <int points>
inline void set_weights(const MeshStencil& stencil, const MeshGrid& grid, int degree, const double* u, Weights& w) {
    const int x = axis_weights<points>(stencil, degree, u[0], w.x) - grid.lo[0];
    const int y = axis_weights<points>(stencil, degree, u[1], w.y) - grid.lo[1];
    const int z = axis_weights<points>(stencil, degree, u[2], w.z) - grid.lo[2];
    for (int t = 0; t < (degree + 1) * points; t += lanes / 2) store(w.twice + 2 * t, load_twice(w.z + t));
    w.plane = x;
    w.offset = x * grid.stride_x + y * grid.stride_y + 2 * z;
}

/// One vector of a row of z points, contracted along x, then y, then z.
template <int degree, int points, int b_left>
struct ContractY {
    /// for a = degree - b_left: out[b] = sum_y w_y[b][y] f[y][a]
    static inline void all(const Lanes* f, const double* w_y, int order, const Lanes* twice, Lanes* products) {
        Sums<b_left + 1> sums;
        for (int y = 0; y < order; ++y) sums.add(w_y + y, points, f[y * (degree + 1)]);
        Lanes g[b_left + 1];
        sums.write(reinterpret_cast<double*>(g), lanes);
        for (int b = 0, t = 0; b <= b_left; ++b) {
            for (int c = 0; c <= b_left - b; ++c, ++t) products[t] += g[b] * twice[c * (2 * points / lanes)];
        }
        constexpr int used = (b_left + 1) * (b_left + 2) / 2;
        if constexpr (b_left > 0) {
            ContractY<degree, points, b_left - 1>::all(f + 1, w_y, order, twice, products + used);
        }
    }
};

/// Adds the share of `strips` vectors, 1 or 2, of every row that begin at point `strip / 2` of the stencil.
template <int degree, int points, int strips>
inline void gather_strips(const Weights& w, const MeshGrid& grid, int order, int strip, Lanes* products) {
    const long stride_x = grid.stride_x, stride_y = grid.stride_y;
    const double* row = grid.data + w.offset + strip;
    Lanes f[strips * max_points * (degree + 1)];
    for (int y = 0; y < order; ++y, row += stride_y) {
        Sums<degree + 1> first, second;
        const double* point = row;
        for (int x = 0; x < order; ++x, point += stride_x) {
            first.add(w.x + x, points, load_unaligned(point));
            if constexpr (strips == 2) second.add(w.x + x, points, load_unaligned(point + lanes));
        }
        first.write(reinterpret_cast<double*>(f + y * (degree + 1)), lanes);
        if constexpr (strips == 2) second.write(reinterpret_cast<double*>(f + (max_points + y) * (degree + 1)), lanes);
    }
    for (int s = 0; s < strips; ++s) {
        ContractY<degree, points, degree>::all(f + s * max_points * (degree + 1), w.y, order,
                                               reinterpret_cast<const Lanes*>(w.twice + strip + s * lanes), products);
    }
}

template <int degree, int points>
void gather(const MeshStencil& stencil, const MeshGrid& grid, int n, const double* u, double* out, long stride,
            long imaginary) {
    constexpr int size = tensor_size(degree), padded = (size + lanes - 1) / lanes * lanes;
    Weights w;
    for (int i = 0; i < n; ++i) {
        set_weights<points>(stencil, grid, degree, u + 3L * i, w);
        Lanes products[padded];
        for (int t = 0; t < padded; ++t) products[t] = Lanes{};
        int strip = 0;
        for (; strip + 2 * lanes <= 2 * points; strip += 2 * lanes) {
            gather_strips<degree, points, 2>(w, grid, stencil.order, strip, products);
        }
        if (strip < 2 * points) gather_strips<degree, points, 1>(w, grid, stencil.order, strip, products);
        double* out_i = out + i * stride;
        double real[padded], imag[padded];
        for (int t = 0; t < padded; t += lanes) {
            transpose(products + t);
            Lanes even{}, odd{};
            for (int k = 0; k < lanes; k += 2) {
                even += products[t + k];
                odd += products[t + k + 1];
            }
            for (int k = 0; k < lanes; ++k) {
                real[t + k] = even[k];
                imag[t + k] = odd[k];
            }
        }
        for (int t = 0; t < size; ++t) out_i[t] += real[t];
        if (imaginary >= 0) {
            for (int t = 0; t < size; ++t) out_i[imaginary + t] += imag[t];
        }
    }
}

/// coefficient pairs (real, imaginary) of derivative (a, b, .) times the weights along z, then along y: rows[y][a]
template <int degree, int points>
inline void expand(const Pair* pairs, const double* w_y, int order, const Lanes* twice, Lanes* rows) {
    for (int a = 0, t = 0; a <= degree; ++a) {
        Lanes z[degree + 1];
        for (int b = 0; b <= degree - a; ++b) {
            Lanes sum{};
            for (int c = 0; c <= degree - a - b; ++c, ++t) {
                sum += broadcast(pairs[t]) * twice[c * (2 * points / lanes)];
            }
            z[b] = sum;
        }
        for (int y = 0; y < order; ++y) {
            Lanes sum{};
            for (int b = 0; b <= degree - a; ++b) sum += w_y[b * points + y] * z[b];
            rows[y * (degree + 1) + a] = sum;
        }
    }
}

/// Adds the share of `strips` vectors, 1 or 2, of every row that begin at point `strip / 2` of the stencil.
template <int degree, int points, int strips>
inline void spread_strips(const Weights& w, const MeshGrid& grid, MeshPlanes planes, int order, int strip,
                          const Pair* pairs) {
    Lanes rows[strips * max_points * (degree + 1)];
    for (int s = 0; s < strips; ++s) {
        expand<degree, points>(pairs, w.y, order, reinterpret_cast<const Lanes*>(w.twice + strip + s * lanes),
                               rows + s * max_points * (degree + 1));
    }
    const long stride_x = grid.stride_x, stride_y = grid.stride_y;
    const int first = planes.begin > w.plane ? planes.begin - w.plane : 0;
    const int edge = planes.end - 1 - w.plane;  // beyond the last row of this plane begins that of another thread
    const int last = edge < order ? edge : order;
    double* row = grid.data + w.offset + strip;
    for (int y = 0; y < order; ++y, row += stride_y) {
        Held<degree + 1> here, next;
        here.read(rows + y * (degree + 1));
        if constexpr (strips == 2) next.read(rows + (max_points + y) * (degree + 1));
        double* point = row + first * stride_x;
        for (int x = first; x < last; ++x, point += stride_x) {
            store_unaligned(point, here.add_to(load_unaligned(point), w.x + x, points));
            if constexpr (strips == 2) {
                store_unaligned(point + lanes, next.add_to(load_unaligned(point + lanes), w.x + x, points));
            }
        }
        if (edge < first || edge >= order) continue;
        double* at_edge = row + edge * stride_x;
        Lanes sums[2] = {here.add_to(Lanes{}, w.x + edge, points), Lanes{}};
        if constexpr (strips == 2) sums[1] = next.add_to(Lanes{}, w.x + edge, points);
        for (int k = 0; k < strips * lanes && strip + k < 2 * order; ++k) at_edge[k] += sums[k / lanes][k % lanes];
    }
}

template <int degree, int points>
void spread(const MeshStencil& stencil, const MeshGrid& grid, MeshPlanes planes, int n, const double* u,
            const double* coefficients, long stride, long imaginary) {
    constexpr int size = tensor_size(degree);
    Weights w;
    const int order = stencil.order;
    for (int i = 0; i < n; ++i) {
        const double middle = u[3L * i] - grid.lo[0];
        if (middle + order < planes.begin || middle - order > planes.end) continue;
        const double* c = coefficients + i * stride;
        Pair pairs[size];
        for (int t = 0; t < size; ++t) {
            pairs[t] = Pair{c[t], imaginary < 0 ? 0.0 : c[imaginary + t]};
        }
        set_weights<points>(stencil, grid, degree, u + 3L * i, w);
        int strip = 0;
        for (; strip + 2 * lanes <= 2 * points; strip += 2 * lanes) {
            spread_strips<degree, points, 2>(w, grid, planes, order, strip, pairs);
        }
        if (strip < 2 * points) spread_strips<degree, points, 1>(w, grid, planes, order, strip, pairs);
    }
}

/// Rows of 10 points are no whole number of vectors of 8 numbers; Window::padded does not ask for them there.
constexpr int ten = lanes <= 4 ? 10 : 12;

template <int degree>
void gather_of_degree(const MeshStencil& s, const MeshGrid& g, int wanted, int n, const double* u, double* out,
                      long stride, long imaginary) {
    if (wanted == degree) {
        switch (s.points) {
            case 8:
                return gather<degree, 8>(s, g, n, u, out, stride, imaginary);
            case 10:
                return gather<degree, ten>(s, g, n, u, out, stride, imaginary);
            default:
                return gather<degree, 12>(s, g, n, u, out, stride, imaginary);
        }
    } else if constexpr (degree > 0) {
        gather_of_degree<degree - 1>(s, g, wanted, n, u, out, stride, imaginary);
    }
}

template <int degree>
void spread_of_degree(const MeshStencil& s, const MeshGrid& g, MeshPlanes planes, int wanted, int n, const double* u,
                      const double* c, long stride, long imaginary) {
    if (wanted == degree) {
        switch (s.points) {
            case 8:
                return spread<degree, 8>(s, g, planes, n, u, c, stride, imaginary);
            case 10:
                return spread<degree, ten>(s, g, planes, n, u, c, stride, imaginary);
            default:
                return spread<degree, 12>(s, g, planes, n, u, c, stride, imaginary);
        }
    } else if constexpr (degree > 0) {
        spread_of_degree<degree - 1>(s, g, planes, wanted, n, u, c, stride, imaginary);
    }
}

const MeshKernels kernels = {gather_of_degree<max_mesh_degree>, spread_of_degree<max_mesh_degree - 1>};
