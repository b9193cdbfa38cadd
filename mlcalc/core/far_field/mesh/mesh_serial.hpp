// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "far_field/mesh/mesh_backend.hpp"

namespace mlcalc {

/// The whole mesh on one rank. The front-end brings the Fourier transform.
class SerialMesh : public MeshBackend {
public:
    SerialMesh(std::array<int, 3> shape, int below, int above, int n_threads = 1)
        : shape_(shape), below_(below), above_(above), n_threads_(n_threads) {}
    Brick owned() const override { return {{0, 0, 0}, shape_}; }
    Brick ghosted() const override;
    Brick spectral() const override { return owned(); }
    void add_halo(double* grid, int n_values) override;
    void fill_halo(double* grid, int n_values) override;

protected:
    std::array<int, 3> shape_;

private:
    /// Doubles between neighbors along each axis of the ghosted brick.
    std::array<std::size_t, 3> strides(int n_values) const;
    int below_, above_, n_threads_;
};

}  // namespace mlcalc
