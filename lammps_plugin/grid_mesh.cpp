// SPDX-License-Identifier: GPL-2.0-only
#include "grid_mesh.h"

#include <algorithm>
#include <cstdint>

#include "brick_points.h"
#include "lammps.h"
#include "lammps_mesh.h"

namespace mlcalc_lammps {

using mlcalc::Brick;

GridMesh::GridMesh(LammpsMeshFactory& factory, std::array<int, 3> shape, int below, int above,
                   const mlcalc::SlabPadding& padding)
    : factory_(factory), lammps_(factory.lammps()), shape_(shape), below_(below), above_(above), padding_(padding) {
    factory_.add(this);
}

GridMesh::~GridMesh() {
    factory_.remove(this);
}

bool GridMesh::domains_have_changed() const {
    return Domains(*lammps_, padding_).differ(built_for_, padding_);
}

void GridMesh::build() {
    built_for_ = Domains(*lammps_, padding_);
    const Brick before = bricks_.owned;
    bricks_ = DomainBricks(built_for_, shape_, below_, above_, padding_);
    const std::size_t most = largest_brick();
    // together while they stay in the cache: one message costs as much as some kilobytes
    constexpr std::size_t together = std::size_t{1} << 16;
    batch_ = static_cast<int>(std::clamp<std::size_t>(together / std::max<std::size_t>(most, 1), 1, 8));
    halo_ = Halo(lammps_->world, built_for_, shape_, bricks_.owned, bricks_.ghosted);
    const bool same = pencils_ != nullptr && before.lo == bricks_.owned.lo && before.hi == bricks_.owned.hi;
    if (everywhere(same, lammps_->world)) return;
    pencils_ = std::make_unique<Pencils>(built_for_, lammps_->world, shape_, bricks_.owned, factory_.n_threads());
}

/// Of all ranks, in points; the doubles of a brick are counted with int in messages.
std::size_t GridMesh::largest_brick() const {
    auto most = static_cast<std::int64_t>(std::max(bricks_.ghosted.size(), bricks_.owned.size()));
    MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT64_T, MPI_MAX, lammps_->world);
    if (most < std::int64_t{1} << 29) return static_cast<std::size_t>(most);
    throw mlcalc::Shared<std::invalid_argument>(std::invalid_argument(
        "the mesh of the far field has more than 2^29 points on one rank, which MPI cannot count; use more ranks"));
}

BrickView GridMesh::owned_part(double* grid) const {
    BrickView view = BrickView::packed(grid, bricks_.ghosted);
    const std::array<int, 3>& lo = bricks_.owned.lo;
    view.data = view.row(lo[0], lo[1], lo[2]);
    view.lo = lo;
    return view;
}

void GridMesh::forward(int n, double* const* grids, double* const* spectra) {
    halo_.add_to_owners(n, grids);
    views_.clear();
    for (int k = 0; k < n; k++) views_.push_back(owned_part(grids[k]));
    pencils_->forward(n, views_.data(), spectra);
}

void GridMesh::inverse(int n, double* const* spectra, double* const* grids) {
    views_.clear();
    for (int k = 0; k < n; k++) views_.push_back(owned_part(grids[k]));
    pencils_->inverse(n, spectra, views_.data());
    halo_.get_from_owners(n, grids);
}

}  // namespace mlcalc_lammps
