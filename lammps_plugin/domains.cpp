// SPDX-License-Identifier: GPL-2.0-only
#include "domains.h"

#include <algorithm>
#include <cmath>

#include "comm.h"
#include "domain.h"
#include "lammps.h"
#include "neighbor.h"

namespace mlcalc_lammps {

Domains::Domains(const LAMMPS_NS::LAMMPS& lammps, const mlcalc::SlabPadding& padding) {
    const LAMMPS_NS::Comm& comm = *lammps.comm;
    layout = comm.layout;
    tiled = layout == LAMMPS_NS::Comm::LAYOUT_TILED;
    skin = lammps.neighbor->skin;
    const double* splits[3] = {comm.xsplit, comm.ysplit, comm.zsplit};
    for (std::size_t axis = 0; axis < 3; axis++) {
        counts[axis] = comm.procgrid[axis];
        location[axis] = comm.myloc[axis];
        part[2 * axis] = tiled ? comm.mysplit[axis][0] : splits[axis][location[axis]];
        part[2 * axis + 1] = tiled ? comm.mysplit[axis][1] : splits[axis][location[axis] + 1];
    }
    if (padding.there()) low = lammps.domain->boxlo[padding.axis];
    const double* h = lammps.domain->h;  // xx yy zz yz xz xy
    box = mlcalc::Lattice({{{h[0], 0.0, 0.0}, {h[5], h[1], 0.0}, {h[4], h[3], h[2]}}});
}

bool Domains::differ(const Domains& before, const mlcalc::SlabPadding& padding) const {
    if (layout != before.layout || part != before.part || skin != before.skin) return true;
    // the mesh of a slab stays where it is while the box may follow the atoms
    const auto open = static_cast<std::size_t>(std::max(padding.axis, 0));
    if (padding.there() && (low != before.low || box.cell[open] != before.box.cell[open])) return true;
    constexpr double most = 0.05;
    for (int axis = 0; axis < 3; axis++)
        if (std::fabs(box.height(axis) / before.box.height(axis) - 1.0) > most) return true;
    // a tilt factor moves atoms along x or y, and counts against the box in that direction
    const mlcalc::Mat3 &to = box.cell, &from = before.box.cell;
    return std::fabs(to[1][0] - from[1][0]) > most * from[0][0] ||
           std::fabs(to[2][0] - from[2][0]) > most * from[0][0] || std::fabs(to[2][1] - from[2][1]) > most * from[1][1];
}

/// The halo covers the atoms' motion between two neighbor lists (half the skin), in a box that may shrink a little. Of
/// a slab, index 0 is the point below the lower face of the box, and the rank at the upper face owns the rest of the
/// padded cell; LAMMPS tilts no box along an open direction.
DomainBricks::DomainBricks(const Domains& domains, const std::array<int, 3>& shape, int below, int above,
                           const mlcalc::SlabPadding& padding) {
    for (std::size_t axis = 0; axis < 3; axis++) {
        const int n = shape[axis];
        double height = domains.box.height(static_cast<int>(axis)), length = height, lowest = 0.0;
        if (padding.axis == static_cast<int>(axis)) {
            length = padding.length;
            lowest = (domains.low - padding.start) * n / length;
            const int point = static_cast<int>(std::floor(lowest));
            first[axis] = ((point % n) + n) % n;
            lowest -= point;
        }
        const double low = domains.part[2 * axis], high = domains.part[2 * axis + 1];
        const auto point = [&](double fraction) { return lowest + fraction * n * (height / length); };
        const auto owner = [&](double fraction) {
            return std::clamp(static_cast<int>(std::ceil(point(fraction))), 0, n);
        };
        owned.lo[axis] = low <= 0.0 ? 0 : owner(low);
        owned.hi[axis] = high >= 1.0 ? n : owner(high);
        const double moved = 0.5 * 1.1 * domains.skin * n / length;
        ghosted.lo[axis] = std::min(owned.lo[axis], static_cast<int>(std::floor(point(low) - moved)) - below);
        ghosted.hi[axis] = std::max(owned.hi[axis], static_cast<int>(std::floor(point(high) + moved)) + above + 1);
    }
}

}  // namespace mlcalc_lammps
