// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "far_field/mesh/mesh_backend.hpp"

namespace LAMMPS_NS {
class LAMMPS;
class Pair;
}  // namespace LAMMPS_NS

namespace mlcalc_lammps {

class GridMesh;

/// The mesh cannot be divided over the ranks; thrown on every rank.
struct MeshUnavailable : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Makes meshes that are spread over the ranks with LAMMPS's own Grid3d (halo) and FFT. Every mesh is tried on known
/// values before it is used.
class LammpsMeshFactory : public mlcalc::MeshBackendFactory {
public:
    LammpsMeshFactory(LAMMPS_NS::LAMMPS* lammps, LAMMPS_NS::Pair* pair);
    ~LammpsMeshFactory() override;
    std::unique_ptr<mlcalc::MeshBackend> make(std::array<int, 3> shape, int below, int above) override;

    /// The domain decomposition has changed: the next `update` builds every mesh anew.
    void invalidate() { stale_ = true; }
    /// Before each compute, on every rank: builds the meshes anew if the decomposition or the box has changed.
    void update();
    /// The mesh whose halo is being communicated.
    GridMesh* active() const { return active_; }

    void set_active(GridMesh* mesh) { active_ = mesh; }

    LAMMPS_NS::LAMMPS* lammps() const { return lammps_; }
    LAMMPS_NS::Pair* pair() const { return pair_; }
    void add(GridMesh* mesh) { meshes_.push_back(mesh); }
    void remove(GridMesh* mesh);

private:
    LAMMPS_NS::LAMMPS* lammps_;
    LAMMPS_NS::Pair* pair_;
    std::vector<GridMesh*> meshes_;
    GridMesh* active_ = nullptr;
    std::string why_not_;  ///< the library lacks something; empty if all is there
    bool stale_ = false;
};

}  // namespace mlcalc_lammps
