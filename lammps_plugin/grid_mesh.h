// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/aligned.hpp"
#include "base/lattice.hpp"
#include "far_field/mesh/mesh_backend.hpp"
#include "lammps_grid.h"
#include "pencils.h"

namespace mlcalc_lammps {

class LammpsMeshFactory;

/// A mesh over the domains of LAMMPS. The real-space bricks are those of Grid3d, which exchanges their halos;
/// transforms are those of Pencils.
class GridMesh : public mlcalc::MeshBackend {
public:
    GridMesh(LammpsMeshFactory& factory, std::array<int, 3> shape, int below, int above, const mlcalc::SlabPadding&);
    ~GridMesh() override;
    GridMesh(const GridMesh&) = delete;
    GridMesh& operator=(const GridMesh&) = delete;

    std::array<int, 3> first() const override { return first_; }
    mlcalc::Brick owned() const override { return owned_; }
    mlcalc::Brick ghosted() const override { return ghosted_; }
    mlcalc::Brick spectral() const override { return pencils_->spectral(); }
    void forward(double* grid, double* spectrum) override;
    void inverse(double* spectrum, double* grid) override;

    /// For the present decomposition and box. Collective. Throws MeshUnavailable, or a sentence for a mesh too large.
    void build_grid();
    /// For the bricks of the grid. Collective.
    void build_pencils();
    /// On this rank: has the decomposition changed since the grid was built, or has the box drifted by more than 5 %?
    bool domains_have_changed() const;
    /// On this rank: are the pencils those of another brick?
    bool bricks_have_changed() const;
    /// Exchanges known values and transforms known waves; false on every rank if any rank got anything else.
    bool works();

    // called back by Grid3d through the pair style
    void pack(double* buffer, int n, const int* list);
    void unpack_forward(const double* buffer, int n, const int* list);
    void unpack_reverse(const double* buffer, int n, const int* list);

private:
    struct DestroyGrid {
        void operator()(LAMMPS_NS::Grid3d* grid) const;
    };

    /// What a grid is built for: how the box is divided, this rank's part in fractions, and the box.
    struct Domains {
        int layout = -1;
        std::array<double, 6> part{};
        double skin = 0.0;
        double low = 0.0;  ///< of a slab: the lower z face
        mlcalc::Lattice box;
    };

    Domains present_domains() const;
    void extend_above_box();
    void number_points();
    void require_countable(double n_points) const;
    void require_one_image() const;
    void exchange(double* grid, int n_values, bool forward);
    void add_halo(double* grid, int n_values);
    void fill_halo(double* grid, int n_values);
    bool halo_works();
    bool transform_works();
    BrickView owned_part(double* grid) const;

    LammpsMeshFactory& factory_;
    LAMMPS_NS::LAMMPS* lammps_;
    std::array<int, 3> shape_;
    int below_, above_;
    mlcalc::SlabPadding padding_;
    std::array<int, 3> first_{};
    mlcalc::Brick owned_, ghosted_;
    std::unique_ptr<LAMMPS_NS::Grid3d, DestroyGrid> grid_;
    std::unique_ptr<Pencils> pencils_;
    mlcalc::Brick transformed_;  ///< the owned brick of the pencils
    std::vector<int> position_;  ///< of Grid3d's point number (x fastest) in our bricks (z fastest)
    Domains built_for_;
    mlcalc::AlignedVector<double> buffer1_, buffer2_;
    std::size_t n_buffer1_ = 0, n_buffer2_ = 0;
    double* exchanged_ = nullptr;
    int n_values_ = 0;
};

}  // namespace mlcalc_lammps
