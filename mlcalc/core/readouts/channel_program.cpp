// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/channel_program.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/clebsch_gordan.hpp"

namespace mlcalc {
namespace {

using Entries = std::vector<std::vector<ChannelEntry>>;

/// A node and its first row.
struct Placed {
    int l, row;
};

/// The rows of a node; each product of two rows once where a node is coupled with itself.
void couple(const Placed& x, const Placed& y, int l, Entries& nodes) {
    const std::size_t row = nodes.size();
    nodes.resize(row + static_cast<std::size_t>(2 * l + 1));
    std::map<std::tuple<int, int, int>, double> products;
    for (const CouplingTerm& term : real_clebsch_gordan(x.l, y.l, l)) {
        int a = x.row + x.l + term.m1, b = y.row + y.l + term.m2;
        if (x.row == y.row && a > b) std::swap(a, b);
        products[{term.m, a, b}] += term.value;
    }
    for (const auto& [key, value] : products) {
        const auto [m, a, b] = key;
        if (std::abs(value) > 1e-12) nodes[row + static_cast<std::size_t>(l + m)].push_back({value, a, b});
    }
}

/// Entries of the adjoint: what each factor of a product gets.
void add_adjoint(const Entries& products, int first, Entries& adjoint) {
    for (std::size_t r = 0; r < products.size(); ++r) {
        const int out = first + static_cast<int>(r);
        for (const ChannelEntry& e : products[r]) {
            if (e.a == e.b) {
                adjoint[static_cast<std::size_t>(e.a)].push_back({2.0 * e.coefficient, out, e.b});
            } else {
                adjoint[static_cast<std::size_t>(e.a)].push_back({e.coefficient, out, e.b});
                adjoint[static_cast<std::size_t>(e.b)].push_back({e.coefficient, out, e.a});
            }
        }
    }
}

}  // namespace

ChannelCouplings::Rows::Rows(const Entries& rows) {
    first.push_back(0);
    for (const auto& row : rows) {
        entries.insert(entries.end(), row.begin(), row.end());
        first.push_back(static_cast<int>(entries.size()));
    }
}

ChannelCouplings::ChannelCouplings(const ChannelTable& table, int l_max)
    : n_inputs_((l_max + 1) * (l_max + 1)), n_rows_(0), n_paths_(static_cast<int>(table.paths.size())), linear_(-1) {
    body_order(table, l_max);  // throws for what does not fit
    std::vector<Placed> placed;
    for (int l = 0; l <= l_max; ++l) placed.push_back({l, l * l});
    const auto node = [&](int index) { return placed[static_cast<std::size_t>(index)]; };
    Entries nodes, features;
    for (const ChannelTable::Node& n : table.nodes) {
        placed.push_back({n.l, n_inputs_ + static_cast<int>(nodes.size())});
        couple(node(n.x), node(n.y), n.l, nodes);
    }
    for (const ChannelTable::Path& path : table.paths) {
        features.emplace_back();
        if (path.y < 0) {
            linear_ = static_cast<int>(features.size()) - 1;
            continue;
        }
        const Placed x = node(path.x), y = node(path.y);
        const double factor = (x.l % 2 == 0 ? 1.0 : -1.0) / std::sqrt(2.0 * x.l + 1.0);
        for (int m = 0; m < 2 * x.l + 1; ++m) features.back().push_back({factor, x.row + m, y.row + m});
    }
    n_rows_ = n_inputs_ + static_cast<int>(nodes.size());
    Entries direct(static_cast<std::size_t>(n_rows_)), chain(static_cast<std::size_t>(n_rows_));
    add_adjoint(features, 0, direct);
    add_adjoint(nodes, n_inputs_, chain);
    for (const Entries* entries : {&nodes, &features, &direct, &chain}) rows_.emplace_back(*entries);
}

ChannelProgram ChannelCouplings::program() const {
    return {n_inputs_, n_rows_, n_paths_, linear_, rows_[0].view(), rows_[1].view(), rows_[2].view(), rows_[3].view()};
}

}  // namespace mlcalc
