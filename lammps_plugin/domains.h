// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>

#include "base/lattice.hpp"
#include "far_field/mesh/mesh_backend.hpp"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// How LAMMPS divides its box, this rank's part of it in fractions, and the box.
struct Domains {
    int layout = -1;
    bool tiled = false;             ///< the parts are those of no grid of ranks
    std::array<int, 3> counts{};    ///< of ranks along the axes
    std::array<int, 3> location{};  ///< of this rank among them
    std::array<double, 6> part{};   ///< low, high of each axis
    double skin = 0.0;
    double low = 0.0;  ///< of a slab: the lower face of the box along the open direction
    mlcalc::Lattice box;

    Domains() = default;
    Domains(const LAMMPS_NS::LAMMPS&, const mlcalc::SlabPadding&);
    /// Is the division another one, or has the box drifted by more than 5 %?
    bool differ(const Domains& before, const mlcalc::SlabPadding&) const;
};

/// A mesh in these domains, for stencils that reach `below` and `above` points from the point at an atom of this rank,
/// which may move until the next neighbor list.
struct DomainBricks {
    std::array<int, 3> first{};  ///< the point of the cell that has index 0
    mlcalc::Brick owned, ghosted;

    DomainBricks() = default;
    DomainBricks(const Domains&, const std::array<int, 3>& shape, int below, int above, const mlcalc::SlabPadding&);
};

}  // namespace mlcalc_lammps
