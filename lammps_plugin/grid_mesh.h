// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/aligned.hpp"
#include "far_field/mesh/mesh_backend.hpp"
#include "lammps_grid.h"

namespace mlcalc_lammps {

class LammpsMeshFactory;

/// A mesh over the domains of LAMMPS. The real-space bricks are those of Grid3d. The FFT leaves each rank a pencil that
/// is complete along x, stored with x fastest, then z, then y: one exchange fewer each way.
class GridMesh : public mlcalc::MeshBackend {
public:
    GridMesh(LammpsMeshFactory& factory, std::array<int, 3> shape, int below, int above);
    ~GridMesh() override;
    GridMesh(const GridMesh&) = delete;
    GridMesh& operator=(const GridMesh&) = delete;

    mlcalc::Brick owned() const override { return owned_; }
    mlcalc::Brick ghosted() const override { return ghosted_; }
    mlcalc::Brick spectral() const override { return spectral_; }
    std::array<int, 3> spectral_order() const override { return {1, 2, 0}; }
    void add_halo(double* grid, int n_values) override;
    void fill_halo(double* grid, int n_values) override;
    void forward(const double* real_space, double* reciprocal, int n) override;
    void inverse(const double* reciprocal, double* real_space, int n) override;

    /// Builds grid and plans for the present decomposition and box. Collective.
    void build();
    bool box_has_drifted() const;
    /// Exchanges known values and transforms known waves; false on every rank if any rank got anything else.
    bool works();

    // called back by Grid3d through the pair style
    void pack(double* buffer, int n, const int* list);
    void unpack_forward(const double* buffer, int n, const int* list);
    void unpack_reverse(const double* buffer, int n, const int* list);

    double halo_bytes() const { return halo_bytes_; }

private:
    struct DestroyGrid {
        void operator()(LAMMPS_NS::Grid3d* grid) const;
    };

    void clear();
    void build_grid();
    void build_plans();
    void exchange(double* grid, int n_values, bool forward);
    bool halo_works();
    bool transform_works();

    LammpsMeshFactory& factory_;
    LAMMPS_NS::LAMMPS* lammps_;
    std::array<int, 3> shape_;
    int below_, above_;
    mlcalc::Brick owned_, ghosted_, spectral_;
    std::unique_ptr<LAMMPS_NS::Grid3d, DestroyGrid> grid_;
    fft_plan_3d* forward_plan_ = nullptr;
    fft_plan_3d* inverse_plan_ = nullptr;
    std::vector<int> position_;  ///< of Grid3d's point number (x fastest) in our bricks (z fastest)
    std::array<double, 6> built_for_{};
    mlcalc::AlignedVector<double> buffer1_, buffer2_, work_;
    std::size_t n_buffer1_ = 0, n_buffer2_ = 0;
    double* exchanged_ = nullptr;
    int n_values_ = 0;
    double halo_bytes_ = 0.0;
};

}  // namespace mlcalc_lammps
