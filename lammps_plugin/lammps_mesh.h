// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

#include "base/failure.hpp"
#include "far_field/mesh/mesh_backend.hpp"

namespace LAMMPS_NS {
class LAMMPS;
}  // namespace LAMMPS_NS

namespace mlcalc_lammps {

class GridMesh;

/// The mesh cannot be divided over the ranks; thrown on every rank.
struct MeshUnavailable : std::runtime_error, mlcalc::SharedFailure {
    using std::runtime_error::runtime_error;
};

/// Makes meshes that are spread over the ranks as LAMMPS divides its box. Every mesh is tried on known values before it
/// is used.
class LammpsMeshFactory : public mlcalc::MeshBackendFactory {
public:
    explicit LammpsMeshFactory(LAMMPS_NS::LAMMPS* lammps);
    ~LammpsMeshFactory() override;
    std::unique_ptr<mlcalc::MeshBackend> make(std::array<int, 3> shape, int below, int above,
                                              const mlcalc::SlabPadding&) override;
    bool divides_halo() const override { return true; }
    /// Two buffers of Pencils, and what is on its way in exchanges.
    double bytes_per_point() const override { return 96.0; }

    /// Of the meshes to come; one rank has a mesh of its own, without exchanges.
    void set_threads(int n_threads) { n_threads_ = n_threads; }
    int n_threads() const { return n_threads_; }
    /// LAMMPS says that the domain decomposition has changed.
    void invalidate() { stale_ = true; }
    /// Before each compute, on every rank: builds anew what no longer fits the domains or the box, whoever has changed
    /// them. Collective at new neighbor lists.
    void update();
    LAMMPS_NS::LAMMPS* lammps() const { return lammps_; }
    void add(GridMesh* mesh) { meshes_.push_back(mesh); }
    void remove(GridMesh* mesh);

private:
    LAMMPS_NS::LAMMPS* lammps_;
    std::vector<GridMesh*> meshes_;  ///< in the same order on every rank
    bool stale_ = false;
    int n_threads_ = 1;
};

}  // namespace mlcalc_lammps
