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

/// Appends the rows of a node; each product of two rows once where a node is coupled with itself.
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

ChannelCouplings::ChannelCouplings(const ChannelTable& table, const SphericalType& type, int l_max)
    : n_inputs_((l_max + 1) * (l_max + 1)), n_rows_(0), n_features_(0), one_(-1) {
    body_order(table, type, l_max);  // throws for what does not fit
    std::vector<Placed> placed;
    for (int l = 0; l <= l_max; ++l) placed.push_back({l, l * l});
    const auto node = [&](int index) { return placed[static_cast<std::size_t>(index)]; };
    Entries nodes;
    for (const ChannelTable::Node& n : table.nodes) {
        placed.push_back({n.l, n_inputs_ + static_cast<int>(nodes.size())});
        couple(node(n.x), node(n.y), n.l, nodes);
    }
    const std::size_t n_paths = table.paths.size(), n_mu = static_cast<std::size_t>(type.n_components());
    Entries features(n_mu * n_paths);
    for (std::size_t k = 0; k < n_paths; ++k) {
        const ChannelTable::Path& path = table.paths[k];
        Entries components;
        if (path.y < 0) {
            one_ = n_inputs_ + static_cast<int>(nodes.size());
            for (int mu = 0; mu < type.n_components(); ++mu) components.push_back({{1.0, node(path.x).row + mu, one_}});
        } else {
            couple(node(path.x), node(path.y), type.lambda, components);
        }
        for (std::size_t mu = 0; mu < n_mu; ++mu) features[mu * n_paths + k] = std::move(components[mu]);
    }
    if (one_ >= 0) nodes.emplace_back();  // the row of ones is coupled from nothing
    n_rows_ = n_inputs_ + static_cast<int>(nodes.size());
    n_features_ = static_cast<int>(features.size());
    Entries direct(static_cast<std::size_t>(n_rows_)), chain(static_cast<std::size_t>(n_rows_));
    add_adjoint(features, 0, direct);
    add_adjoint(nodes, n_inputs_, chain);
    for (const Entries* entries : {&nodes, &features, &direct, &chain}) rows_.emplace_back(*entries);
}

ChannelProgram ChannelCouplings::program() const {
    return {n_inputs_, n_rows_, n_features_, one_, rows_[0].view(), rows_[1].view(), rows_[2].view(), rows_[3].view()};
}

}  // namespace mlcalc
