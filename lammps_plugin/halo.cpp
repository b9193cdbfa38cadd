// SPDX-License-Identifier: GPL-2.0-only
#include "halo.h"

namespace mlcalc_lammps {

using mlcalc::Brick;

Halo::Halo(MPI_Comm world, const Domains& domains, const std::array<int, 3>& shape, const Brick& owned,
           const Brick& ghosted)
    : ghosted_(ghosted) {
    if (domains.tiled) {
        stages_.emplace_back(world, owned, ghosted, Images{shape, {true, true, true}, {}});
        return;
    }
    Brick here = owned;
    // axes that are cut come first: messages are as small as the brick then
    for (const bool cut : {true, false}) {
        for (std::size_t axis = 0; axis < 3; axis++) {
            if ((domains.counts[axis] > 1) != cut) continue;
            Images images{shape, {}, domains.location};
            images.axes[axis] = true;
            images.column[axis] = 0;
            Brick there = here;
            there.lo[axis] = ghosted.lo[axis];
            there.hi[axis] = ghosted.hi[axis];
            stages_.emplace_back(world, here, there, images);
            here = there;
        }
    }
}

const BrickView* Halo::views(int n, double* const* grids) {
    views_.clear();
    for (int k = 0; k < n; k++) views_.push_back(BrickView::packed(grids[k], ghosted_));
    return views_.data();
}

void Halo::add_to_owners(int n, double* const* grids) {
    const BrickView* all = views(n, grids);
    for (std::size_t stage = stages_.size(); stage-- > 0;) stages_[stage].add_back(n, all, all);
}

void Halo::get_from_owners(int n, double* const* grids) {
    const BrickView* all = views(n, grids);
    for (BrickExchange& stage : stages_) stage.run(n, all, all);
}

}  // namespace mlcalc_lammps
