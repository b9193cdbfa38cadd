// SPDX-License-Identifier: GPL-2.0-only
#include "lammps_mesh.h"

#include <algorithm>
#include <stdexcept>

#include "comm.h"
#include "grid_mesh.h"
#include "host.h"
#include "lammps.h"
#include "utils.h"

namespace mlcalc_lammps {

LammpsMeshFactory::LammpsMeshFactory(LAMMPS_NS::LAMMPS* lammps, LAMMPS_NS::Pair* pair)
    : lammps_(lammps), pair_(pair), why_not_(why_no_distributed_mesh()) {}

LammpsMeshFactory::~LammpsMeshFactory() = default;

void LammpsMeshFactory::remove(GridMesh* mesh) {
    meshes_.erase(std::remove(meshes_.begin(), meshes_.end(), mesh), meshes_.end());
}

std::unique_ptr<mlcalc::MeshBackend> LammpsMeshFactory::make(std::array<int, 3> shape, int below, int above) {
    if (!why_not_.empty()) throw MeshUnavailable("the mesh cannot be divided over the ranks: " + why_not_);
    auto mesh = std::make_unique<GridMesh>(*this, shape, below, above);
    if (!mesh->works())
        throw MeshUnavailable(
            "the mesh cannot be divided over the ranks: LAMMPS's grids or FFTs do not return what was put into them");
    return mesh;
}

void LammpsMeshFactory::update() {
    const bool drifted =
        std::any_of(meshes_.begin(), meshes_.end(), [](const GridMesh* mesh) { return mesh->box_has_drifted(); });
    if (!stale_ && !drifted) return;
    stale_ = false;
    for (GridMesh* mesh : meshes_) {
        mesh->build();
        if (!mesh->works())
            throw MeshUnavailable(
                "after the domains have changed, LAMMPS's grids or FFTs do not return what was put in");
    }
}

}  // namespace mlcalc_lammps
