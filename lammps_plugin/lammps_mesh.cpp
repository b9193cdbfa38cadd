// SPDX-License-Identifier: GPL-2.0-only
#include "lammps_mesh.h"

#include <mpi.h>

#include <algorithm>

#include "comm.h"
#include "far_field/mesh/mesh_serial.hpp"
#include "grid_mesh.h"
#include "host_grids.h"
#include "lammps.h"
#include "neighbor.h"

namespace mlcalc_lammps {

LammpsMeshFactory::LammpsMeshFactory(LAMMPS_NS::LAMMPS* lammps, LAMMPS_NS::Pair* pair)
    : lammps_(lammps), pair_(pair), why_not_(why_no_distributed_mesh()) {}

LammpsMeshFactory::~LammpsMeshFactory() = default;

void LammpsMeshFactory::remove(GridMesh* mesh) {
    meshes_.erase(std::remove(meshes_.begin(), meshes_.end(), mesh), meshes_.end());
}

std::unique_ptr<mlcalc::MeshBackend> LammpsMeshFactory::make(std::array<int, 3> shape, int below, int above,
                                                             const mlcalc::SlabPadding& padding) {
    if (lammps_->comm->nprocs == 1) return std::make_unique<mlcalc::SerialMesh>(shape, below, above, n_threads_);
    if (!why_not_.empty()) throw MeshUnavailable("the mesh cannot be divided over the ranks: " + why_not_);
    if (padding.there() && padding.axis != 2)
        throw MeshUnavailable("the mesh of a slab can be divided over the ranks if the open direction is z");
    auto mesh = std::make_unique<GridMesh>(*this, shape, below, above, padding);
    mesh->build_grid();
    mesh->build_pencils();
    if (!mesh->works())
        throw MeshUnavailable(
            "the mesh cannot be divided over the ranks: LAMMPS's grids do not return what was put into them");
    return mesh;
}

/// For each mesh 1 if the question is answered with yes on any rank.
std::vector<int> LammpsMeshFactory::which(bool (GridMesh::*question)() const, bool all) const {
    std::vector<int> yes;
    for (const GridMesh* mesh : meshes_) yes.push_back(all || (mesh->*question)() ? 1 : 0);
    MPI_Allreduce(MPI_IN_PLACE, yes.data(), static_cast<int>(yes.size()), MPI_INT, MPI_MAX, lammps_->world);
    return yes;
}

void LammpsMeshFactory::update() {
    if (meshes_.empty() || (!stale_ && lammps_->neighbor->ago != 0)) return;
    const std::vector<int> moved = which(&GridMesh::domains_have_changed, stale_);
    stale_ = false;
    if (std::find(moved.begin(), moved.end(), 1) == moved.end()) return;
    for (std::size_t m = 0; m < meshes_.size(); m++)
        if (moved[m] != 0) meshes_[m]->build_grid();
    const std::vector<int> other = which(&GridMesh::bricks_have_changed, false);
    for (std::size_t m = 0; m < meshes_.size(); m++)
        if (other[m] != 0) meshes_[m]->build_pencils();
    for (GridMesh* mesh : meshes_)
        if (!mesh->works())
            throw MeshUnavailable("after the domains have changed, LAMMPS's grids do not return what was put in");
}

}  // namespace mlcalc_lammps
