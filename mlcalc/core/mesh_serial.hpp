// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "mesh_backend.hpp"

namespace mlcalc {

/// The whole mesh on one rank. The front-end brings the Fourier transform.
class SerialMesh : public MeshBackend {
public:
    SerialMesh(std::array<int, 3> shape, int below, int above) : shape_(shape), below_(below), above_(above) {}
    Brick owned() const override { return {{0, 0, 0}, shape_}; }
    Brick ghosted() const override;
    Brick spectral() const override { return owned(); }
    void add_halo(double* grid, int n_values) override;
    void fill_halo(double* grid, int n_values) override;

protected:
    std::array<int, 3> shape_;

private:
    template <class Copy>
    void for_halo(double* grid, int n_values, Copy copy) const;
    int below_, above_;
};

}  // namespace mlcalc
