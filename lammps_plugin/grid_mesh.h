// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <memory>

#include "domains.h"
#include "far_field/mesh/mesh_backend.hpp"
#include "halo.h"
#include "pencils.h"

namespace mlcalc_lammps {

class LammpsMeshFactory;

/// A mesh over the domains of LAMMPS: every rank owns the points in its own. Their halos are exchanged by Halo, the
/// transforms are those of Pencils.
class GridMesh : public mlcalc::MeshBackend {
public:
    GridMesh(LammpsMeshFactory& factory, std::array<int, 3> shape, int below, int above, const mlcalc::SlabPadding&);
    ~GridMesh() override;
    GridMesh(const GridMesh&) = delete;
    GridMesh& operator=(const GridMesh&) = delete;

    std::array<int, 3> first() const override { return bricks_.first; }
    mlcalc::Brick owned() const override { return bricks_.owned; }
    mlcalc::Brick ghosted() const override { return bricks_.ghosted; }
    mlcalc::Brick spectral() const override { return pencils_->spectral(); }
    int batch() const override { return batch_; }
    void forward(int n, double* const* grids, double* const* spectra) override;
    void inverse(int n, double* const* spectra, double* const* grids) override;

    /// For the present decomposition and box. Collective. Throws a sentence for a mesh too large.
    void build();
    /// On this rank: has the decomposition changed since then, or has the box drifted by more than 5 %?
    bool domains_have_changed() const;
    /// Exchanges known values and transforms known waves; false on every rank if any rank got anything else.
    bool works();

private:
    std::size_t largest_brick() const;
    bool halo_works();
    bool transform_works();
    BrickView owned_part(double* grid) const;

    LammpsMeshFactory& factory_;
    LAMMPS_NS::LAMMPS* lammps_;
    std::array<int, 3> shape_;
    int below_, above_, batch_ = 1;
    mlcalc::SlabPadding padding_;
    Domains built_for_;
    DomainBricks bricks_;
    Halo halo_;
    std::unique_ptr<Pencils> pencils_;
    std::vector<BrickView> views_;
};

}  // namespace mlcalc_lammps
