// SPDX-License-Identifier: GPL-2.0-only
#include "lammps_mesh.h"

#include <mpi.h>

#include <algorithm>

#include "comm.h"
#include "far_field/mesh/mesh_serial.hpp"
#include "grid_mesh.h"
#include "lammps.h"
#include "neighbor.h"

namespace mlcalc_lammps {

LammpsMeshFactory::LammpsMeshFactory(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {}

LammpsMeshFactory::~LammpsMeshFactory() = default;

void LammpsMeshFactory::remove(GridMesh* mesh) {
    meshes_.erase(std::remove(meshes_.begin(), meshes_.end(), mesh), meshes_.end());
}

std::unique_ptr<mlcalc::MeshBackend> LammpsMeshFactory::make(std::array<int, 3> shape, int below, int above,
                                                             const mlcalc::SlabPadding& padding) {
    if (lammps_->comm->nprocs == 1) return std::make_unique<mlcalc::SerialMesh>(shape, below, above, n_threads_);
    auto mesh = std::make_unique<GridMesh>(*this, shape, below, above, padding);
    mesh->build();
    if (!mesh->works())
        throw MeshUnavailable("the mesh cannot be divided over the ranks: the ranks do not get what others send them");
    return mesh;
}

void LammpsMeshFactory::update() {
    if (meshes_.empty() || (!stale_ && lammps_->neighbor->ago != 0)) return;
    std::vector<int> moved;
    for (const GridMesh* mesh : meshes_) moved.push_back(stale_ || mesh->domains_have_changed() ? 1 : 0);
    MPI_Allreduce(MPI_IN_PLACE, moved.data(), static_cast<int>(moved.size()), MPI_INT, MPI_MAX, lammps_->world);
    stale_ = false;
    for (std::size_t m = 0; m < meshes_.size(); m++) {
        if (moved[m] == 0) continue;
        meshes_[m]->build();
        if (!meshes_[m]->works())
            throw MeshUnavailable("after the domains have changed, the ranks do not get what others send them");
    }
}

}  // namespace mlcalc_lammps
