// SPDX-License-Identifier: BSD-3-Clause
/// Products within channels, compiled once per instruction set. Everything is a row of channels: coefficients, the
/// nodes that are coupled from them, features, weights. Each row is a sum of entries, coefficient * one row * another,
/// so a table of entries is the whole program, for any table of couplings; channels fill the lanes.
#pragma once

namespace mlcalc {

struct ChannelEntry {
    double coefficient;
    int a, b;
};

/// entries[first[r]] .. entries[first[r + 1]] are summed into row r.
struct ChannelRows {
    const int* first;
    const ChannelEntry* entries;
};

struct ChannelProgram {
    int n_inputs;          ///< rows of coefficients, (l_max + 1)^2
    int n_rows;            ///< and of nodes after them
    int n_features;        ///< rows of features
    int one;               ///< the row of ones, the second factor of features of one factor; -1: there are none
    ChannelRows nodes;     ///< of rows n_inputs .. n_rows: a, b are rows
    ChannelRows features;  ///< of features: a, b are rows
    ChannelRows direct;    ///< of rows, for the adjoint: a is a feature, b the row that it is multiplied with
    ChannelRows chain;     ///< of rows, for the adjoint: a is a row that this one is coupled into, b the other factor
};

/// Arrays of rows are [row][stride] with strides that are multiples of 8, aligned to 64 bytes; n_channels is a multiple
/// of 8, too. `scratch` has channel_scratch(program) doubles.
struct ChannelProducts {
    /// p[feature * ldp + k]
    void (*features)(const ChannelProgram&, int n_channels, const double* c, int ldc, double* p, int ldp,
                     double* scratch);
    /// Returns sum w p; c_adj += its derivative if c_adj is not null.
    double (*fold)(const ChannelProgram&, int n_channels, const double* c, int ldc, const double* w, int ldw,
                   double* c_adj, int ld_adj, double* scratch);
    /// p_dot[feature * ldp + k] for c_dot.
    void (*tangent)(const ChannelProgram&, int n_channels, const double* c, int ldc, const double* c_dot, int ld_dot,
                    double* p_dot, int ldp, double* scratch);
    /// The derivative of sum w (e p + p_dot) with respect to c, added to c_adj, and to c_dot, added to dot_adj.
    void (*fold_tangent)(const ChannelProgram&, int n_channels, const double* c, int ldc, const double* c_dot,
                         int ld_dot, double e, const double* w, int ldw, double* c_adj, double* dot_adj, int ld_adj,
                         double* scratch);
};

/// Channels that go through a program at once, at most.
constexpr int widest_channels = 32;

inline long channel_scratch(const ChannelProgram& program) {
    return 4L * widest_channels * (program.n_rows + program.n_features);
}

/// Those of the selected instruction set.
const ChannelProducts& channel_products();

}  // namespace mlcalc
