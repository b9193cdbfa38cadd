// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "model/description.hpp"
#include "simd/channel_products.hpp"

namespace mlcalc {

/// The entries of channel_products.hpp for a table of couplings whose paths turn as the type says: rows of features
/// [mu][path].
class ChannelCouplings {
public:
    /// Throws std::invalid_argument for nodes and paths that do not fit each other.
    ChannelCouplings(const ChannelTable& table, const SphericalType& type, int l_max);
    ChannelProgram program() const;

private:
    struct Rows {
        std::vector<int> first;
        std::vector<ChannelEntry> entries;
        explicit Rows(const std::vector<std::vector<ChannelEntry>>& rows);
        ChannelRows view() const { return {first.data(), entries.data()}; }
    };
    int n_inputs_, n_rows_, n_features_, one_;
    std::vector<Rows> rows_;  ///< nodes, features, direct, chain
};

}  // namespace mlcalc
