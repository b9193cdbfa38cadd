// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "far_field/mesh/line_transform.hpp"
#include "far_field/mesh/mesh_backend.hpp"

namespace mlcalc {

/// The whole mesh on one rank.
class SerialMesh : public MeshBackend {
public:
    SerialMesh(std::array<int, 3> shape, int below, int above, int n_threads);
    Brick owned() const override { return {{0, 0, 0}, shape_}; }
    Brick ghosted() const override;
    Brick spectral() const override { return owned(); }
    void forward(int n, double* const* grids, double* const* spectra) override {
        for (int k = 0; k < n; ++k) forward(grids[k], spectra[k]);
    }
    void inverse(int n, double* const* spectra, double* const* grids) override {
        for (int k = 0; k < n; ++k) inverse(spectra[k], grids[k]);
    }

private:
    void forward(double* grid, double* spectrum);
    void inverse(double* spectrum, double* grid);
    /// Doubles between neighbors along each axis of the ghosted brick.
    std::array<std::size_t, 3> strides() const;
    void add_halo(double* grid) const;
    void fill_halo(double* grid) const;
    void transform_plane(bool forward, std::size_t x, double* grid, double* spectrum,
                         AlignedVector<double>& work) const;
    void transform_across(bool forward, double* spectrum);

    std::array<int, 3> shape_;
    int below_, above_, n_threads_;
    LineTransform along_x_, along_y_, along_z_;
    std::vector<AlignedVector<double>> work_;  ///< per thread
};

class SerialMeshFactory : public MeshBackendFactory {
public:
    explicit SerialMeshFactory(int n_threads) : n_threads_(n_threads) {}
    std::unique_ptr<MeshBackend> make(std::array<int, 3> shape, int below, int above, const SlabPadding&) override {
        return std::make_unique<SerialMesh>(shape, below, above, n_threads_);
    }

private:
    int n_threads_;
};

}  // namespace mlcalc
