// SPDX-License-Identifier: BSD-3-Clause
/// Source of the products within channels, see each_set.hpp.

/// W vectors of channels in registers.
template <int W>
struct Channels {
    Lanes of[W];

    __attribute__((always_inline)) static Channels zero() {
        Channels out;
        for (int w = 0; w < W; ++w) out.of[w] = Lanes{};
        return out;
    }
    __attribute__((always_inline)) static Channels ones() {
        Channels out;
        for (int w = 0; w < W; ++w) out.of[w] = broadcast(1.0);
        return out;
    }
    __attribute__((always_inline)) static Channels read(const double* p) {
        Channels out;
        for (int w = 0; w < W; ++w) out.of[w] = load(p + w * lanes);
        return out;
    }
    __attribute__((always_inline)) void write(double* p) const {
        for (int w = 0; w < W; ++w) store(p + w * lanes, of[w]);
    }
    __attribute__((always_inline)) void add(double coefficient, const double* a, const double* b) {
        const Lanes factor = broadcast(coefficient);
        for (int w = 0; w < W; ++w) of[w] += (factor * load(a + w * lanes)) * load(b + w * lanes);
    }
    __attribute__((always_inline)) void add_row(const double* p) {
        for (int w = 0; w < W; ++w) of[w] += load(p + w * lanes);
    }
};

/// The sum of the entries of one row; row i of an array is at i * ld.
template <int W>
__attribute__((always_inline)) inline void add_entries(const ChannelRows& rows, int r, const double* a, int lda,
                                                       const double* b, int ldb, Channels<W>& sum) {
    for (int e = rows.first[r]; e < rows.first[r + 1]; ++e) {
        const ChannelEntry& entry = rows.entries[e];
        sum.add(entry.coefficient, a + entry.a * lda, b + entry.b * ldb);
    }
}

/// All rows v [row][W * lanes] from the coefficients of these channels.
template <int W>
void fill_rows(const ChannelProgram& program, const double* c, int ldc, double* v) {
    constexpr int ld = W * lanes;
    for (int r = 0; r < program.n_inputs; ++r) Channels<W>::read(c + r * ldc).write(v + r * ld);
    for (int r = program.n_inputs; r < program.n_rows; ++r) {
        Channels<W> sum = Channels<W>::zero();
        add_entries(program.nodes, r - program.n_inputs, v, ld, v, ld, sum);
        sum.write(v + r * ld);
    }
    if (program.one >= 0) Channels<W>::ones().write(v + program.one * ld);
}

template <int W>
void features_of(const ChannelProgram& program, const double* c, int ldc, double* p, int ldp, double* scratch) {
    constexpr int ld = W * lanes;
    double* v = scratch;
    fill_rows<W>(program, c, ldc, v);
    for (int f = 0; f < program.n_features; ++f) {
        Channels<W> sum = Channels<W>::zero();
        add_entries(program.features, f, v, ld, v, ld, sum);
        sum.write(p + f * ldp);
    }
}

/// g [row][W * lanes] = d (sum w p) / dv, rows in reverse; returns sum w p, all products of two rows: half for each.
template <int W>
double fill_adjoints(const ChannelProgram& program, const double* v, const double* w, int ldw, int first_row,
                     double* g) {
    constexpr int ld = W * lanes;
    Lanes energy{};
    for (int r = program.n_rows - 1; r >= first_row; --r) {
        Channels<W> sum = Channels<W>::zero();
        add_entries(program.direct, r, w, ldw, v, ld, sum);
        for (int k = 0; k < W; ++k) energy += sum.of[k] * load(v + r * ld + k * lanes);
        add_entries(program.chain, r, g, ld, v, ld, sum);
        sum.write(g + r * ld);
    }
    return 0.5 * sum_of_lanes(energy);
}

/// c_adj += g
template <int W>
void add_inputs(const ChannelProgram& program, const double* g, double* c_adj, int ld_adj) {
    constexpr int ld = W * lanes;
    for (int r = 0; r < program.n_inputs; ++r) {
        Channels<W> sum = Channels<W>::read(g + r * ld);
        sum.add_row(c_adj + r * ld_adj);
        sum.write(c_adj + r * ld_adj);
    }
}

template <int W>
double fold_of(const ChannelProgram& program, const double* c, int ldc, const double* w, int ldw, double* c_adj,
               int ld_adj, double* scratch) {
    double *v = scratch, *g = v + program.n_rows * W * lanes;
    fill_rows<W>(program, c, ldc, v);
    if (c_adj == nullptr) {
        // direct entries alone give the sum
        Lanes energy{};
        for (int r = 0; r < program.n_rows; ++r) {
            Channels<W> sum = Channels<W>::zero();
            add_entries(program.direct, r, w, ldw, v, W * lanes, sum);
            for (int k = 0; k < W; ++k) energy += sum.of[k] * load(v + r * W * lanes + k * lanes);
        }
        return 0.5 * sum_of_lanes(energy);
    }
    const double sum = fill_adjoints<W>(program, v, w, ldw, 0, g);
    add_inputs<W>(program, g, c_adj, ld_adj);
    return sum;
}

/// v_dot of all rows.
template <int W>
void fill_tangents(const ChannelProgram& program, const double* v, const double* c_dot, int ld_dot, double* v_dot) {
    constexpr int ld = W * lanes;
    for (int r = 0; r < program.n_inputs; ++r) Channels<W>::read(c_dot + r * ld_dot).write(v_dot + r * ld);
    for (int r = program.n_inputs; r < program.n_rows; ++r) {
        Channels<W> sum = Channels<W>::zero();
        add_entries(program.nodes, r - program.n_inputs, v_dot, ld, v, ld, sum);
        add_entries(program.nodes, r - program.n_inputs, v, ld, v_dot, ld, sum);
        sum.write(v_dot + r * ld);
    }
}

template <int W>
void tangent_of(const ChannelProgram& program, const double* c, int ldc, const double* c_dot, int ld_dot, double* p_dot,
                int ldp, double* scratch) {
    constexpr int ld = W * lanes;
    double *v = scratch, *v_dot = v + program.n_rows * ld;
    fill_rows<W>(program, c, ldc, v);
    fill_tangents<W>(program, v, c_dot, ld_dot, v_dot);
    for (int f = 0; f < program.n_features; ++f) {
        Channels<W> sum = Channels<W>::zero();
        add_entries(program.features, f, v_dot, ld, v, ld, sum);
        add_entries(program.features, f, v, ld, v_dot, ld, sum);
        sum.write(p_dot + f * ldp);
    }
}

template <int W>
void fold_tangent_of(const ChannelProgram& program, const double* c, int ldc, const double* c_dot, int ld_dot, double e,
                     const double* w, int ldw, double* c_adj, double* dot_adj, int ld_adj, double* scratch) {
    constexpr int ld = W * lanes;
    const int n = program.n_rows * ld;
    double *v = scratch, *v_dot = v + n, *g = v_dot + n, *g_dot = g + n;
    fill_rows<W>(program, c, ldc, v);
    fill_tangents<W>(program, v, c_dot, ld_dot, v_dot);
    fill_adjoints<W>(program, v, w, ldw, 0, g);  // the derivative with respect to c_dot
    for (int r = program.n_rows - 1; r >= 0; --r) {
        Channels<W> sum = Channels<W>::zero();
        add_entries(program.direct, r, w, ldw, v_dot, ld, sum);
        add_entries(program.chain, r, g_dot, ld, v, ld, sum);
        add_entries(program.chain, r, g, ld, v_dot, ld, sum);
        sum.write(g_dot + r * ld);
    }
    add_inputs<W>(program, g, dot_adj, ld_adj);
    for (int r = 0; r < program.n_inputs; ++r) {
        Channels<W> sum = Channels<W>::read(g + r * ld);
        for (int k = 0; k < W; ++k) sum.of[k] = e * sum.of[k];
        sum.add_row(g_dot + r * ld);
        sum.add_row(c_adj + r * ld_adj);
        sum.write(c_adj + r * ld_adj);
    }
}

/// Calls step.template run<W>(k) for channels k .. k + W * lanes, the widest step first.
template <class Step>
void by_channels(int n_channels, const Step& step) {
    int k = 0;
    for (; k + 4 * lanes <= n_channels; k += 4 * lanes) step.template run<4>(k);
    for (; k + 2 * lanes <= n_channels; k += 2 * lanes) step.template run<2>(k);
    for (; k < n_channels; k += lanes) step.template run<1>(k);
}

struct FeaturesStep {
    const ChannelProgram& program;
    const double* c;
    int ldc;
    double* p;
    int ldp;
    double* scratch;
    template <int W>
    void run(int k) const {
        features_of<W>(program, c + k, ldc, p + k, ldp, scratch);
    }
};

void features(const ChannelProgram& program, int n_channels, const double* c, int ldc, double* p, int ldp,
              double* scratch) {
    by_channels(n_channels, FeaturesStep{program, c, ldc, p, ldp, scratch});
}

struct FoldStep {
    const ChannelProgram& program;
    const double* c;
    int ldc;
    const double* w;
    int ldw;
    double* c_adj;
    int ld_adj;
    double* scratch;
    double* sum;
    template <int W>
    void run(int k) const {
        *sum += fold_of<W>(program, c + k, ldc, w + k, ldw, c_adj == nullptr ? nullptr : c_adj + k, ld_adj, scratch);
    }
};

double fold(const ChannelProgram& program, int n_channels, const double* c, int ldc, const double* w, int ldw,
            double* c_adj, int ld_adj, double* scratch) {
    double sum = 0.0;
    by_channels(n_channels, FoldStep{program, c, ldc, w, ldw, c_adj, ld_adj, scratch, &sum});
    return sum;
}

struct TangentStep {
    const ChannelProgram& program;
    const double* c;
    int ldc;
    const double* c_dot;
    int ld_dot;
    double* p_dot;
    int ldp;
    double* scratch;
    template <int W>
    void run(int k) const {
        tangent_of<W>(program, c + k, ldc, c_dot + k, ld_dot, p_dot + k, ldp, scratch);
    }
};

void tangent(const ChannelProgram& program, int n_channels, const double* c, int ldc, const double* c_dot, int ld_dot,
             double* p_dot, int ldp, double* scratch) {
    by_channels(n_channels, TangentStep{program, c, ldc, c_dot, ld_dot, p_dot, ldp, scratch});
}

struct FoldTangentStep {
    const ChannelProgram& program;
    const double* c;
    int ldc;
    const double* c_dot;
    int ld_dot;
    double e;
    const double* w;
    int ldw;
    double *c_adj, *dot_adj;
    int ld_adj;
    double* scratch;
    template <int W>
    void run(int k) const {
        fold_tangent_of<W>(program, c + k, ldc, c_dot + k, ld_dot, e, w + k, ldw, c_adj + k, dot_adj + k, ld_adj,
                           scratch);
    }
};

void fold_tangent(const ChannelProgram& program, int n_channels, const double* c, int ldc, const double* c_dot,
                  int ld_dot, double e, const double* w, int ldw, double* c_adj, double* dot_adj, int ld_adj,
                  double* scratch) {
    by_channels(n_channels,
                FoldTangentStep{program, c, ldc, c_dot, ld_dot, e, w, ldw, c_adj, dot_adj, ld_adj, scratch});
}

const ChannelProducts kernels = {features, fold, tangent, fold_tangent};
