// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <vector>

#include "brick_exchange.h"
#include "domains.h"

namespace mlcalc_lammps {

/// The points around each rank's brick, which others own: what is there is added to the owners, or got from them. Where
/// ranks form a grid, one axis after the other, with the ranks in the same row; tiles exchange all at once.
class Halo {
public:
    Halo() = default;
    /// Collective.
    Halo(MPI_Comm world, const Domains&, const std::array<int, 3>& shape, const mlcalc::Brick& owned,
         const mlcalc::Brick& ghosted);
    /// Grids on the ghosted brick. Collective.
    void add_to_owners(int n, double* const* grids);
    void get_from_owners(int n, double* const* grids);

private:
    const BrickView* views(int n, double* const* grids);

    mlcalc::Brick ghosted_;
    std::vector<BrickExchange> stages_;
    std::vector<BrickView> views_;
};

}  // namespace mlcalc_lammps
