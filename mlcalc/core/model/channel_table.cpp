// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "base/limits.hpp"
#include "model/description.hpp"

namespace mlcalc {
namespace {

constexpr int most_factors = 6;

/// What decides which products of a node vanish.
struct Coupled {
    int l, parity, nu;  ///< parity of the sum of the angular momenta of its nu factors
};

[[noreturn]] void does_not_fit(const std::string& what) {
    throw std::invalid_argument("has a table of products that does not fit: " + what);
}

Coupled coupled_at(const std::vector<Coupled>& nodes, int index) {
    if (index < 0 || static_cast<std::size_t>(index) >= nodes.size()) {
        does_not_fit("node " + std::to_string(index) + " does not come before its use");
    }
    return nodes[static_cast<std::size_t>(index)];
}

void check_coupling(const Coupled& x, const Coupled& y, bool same, int l) {
    if (l < std::abs(x.l - y.l) || l > x.l + y.l || l > largest_l) {
        does_not_fit("l " + std::to_string(x.l) + " and " + std::to_string(y.l) + " do not couple to " +
                     std::to_string(l));
    }
    if (same && l % 2 == 1) does_not_fit("a node coupled with itself to odd l vanishes");
}

int factors(int nu) {
    if (nu > most_factors) does_not_fit("products have at most 6 factors, got " + std::to_string(nu));
    return nu;
}

}  // namespace

int body_order(const ChannelTable& table, const SphericalType& type, int l_max) {
    std::vector<Coupled> nodes;
    for (int l = 0; l <= l_max; ++l) nodes.push_back({l, l % 2, 1});
    for (const ChannelTable::Node& node : table.nodes) {
        const Coupled x = coupled_at(nodes, node.x), y = coupled_at(nodes, node.y);
        check_coupling(x, y, node.x == node.y, node.l);
        nodes.push_back({node.l, (x.parity + y.parity) % 2, factors(x.nu + y.nu)});
    }
    int nu = 0;
    bool linear = false;
    for (const ChannelTable::Path& path : table.paths) {
        if (path.y < 0) {
            if (path.x != type.lambda || type.lambda > l_max || type.sigma < 0 || linear) {
                does_not_fit("only one path may be one node alone, and that is the node of l = o3_lambda");
            }
            linear = true;
            nu = std::max(nu, 1);
            continue;
        }
        const Coupled x = coupled_at(nodes, path.x), y = coupled_at(nodes, path.y);
        check_coupling(x, y, path.x == path.y, type.lambda);
        if ((x.parity + y.parity + type.lambda) % 2 != (type.sigma > 0 ? 0 : 1)) {
            does_not_fit("a path changes its sign with inversion, or does not, against o3_sigma (-1)^o3_lambda");
        }
        nu = std::max(nu, factors(x.nu + y.nu));
    }
    return nu;
}

}  // namespace mlcalc
