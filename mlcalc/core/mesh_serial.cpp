// SPDX-License-Identifier: BSD-3-Clause
#include "mesh_serial.hpp"

namespace mlcalc {

Brick SerialMesh::ghosted() const {
    return {{-below_, -below_, -below_}, {shape_[0] + above_, shape_[1] + above_, shape_[2] + above_}};
}

/// copy(point of the halo, its periodic image in the mesh, n_values) for all points of the halo.
template <class Copy>
void SerialMesh::for_halo(double* grid, int n_values, Copy copy) const {
    const long ny = shape_[1] + below_ + above_, nz = shape_[2] + below_ + above_;
    const auto image = [](int index, int m) { return ((index % m) + m) % m; };
    const auto at = [&](int x, int y, int z) {
        return grid + n_values * (((x + below_) * ny + y + below_) * nz + z + below_);
    };
    for (int x = -below_; x < shape_[0] + above_; ++x) {
        for (int y = -below_; y < shape_[1] + above_; ++y) {
            const int ix = image(x, shape_[0]), iy = image(y, shape_[1]);
            const bool inside = ix == x && iy == y;
            for (int z = -below_; z < shape_[2] + above_; ++z) {
                if (inside && z == 0) z = shape_[2];
                copy(at(x, y, z), at(ix, iy, image(z, shape_[2])), n_values);
            }
        }
    }
}

void SerialMesh::add_halo(double* grid, int n_values) {
    for_halo(grid, n_values, [](const double* halo, double* owner, int n) {
        for (int k = 0; k < n; ++k) owner[k] += halo[k];
    });
}

void SerialMesh::fill_halo(double* grid, int n_values) {
    for_halo(grid, n_values, [](double* halo, const double* owner, int n) {
        for (int k = 0; k < n; ++k) halo[k] = owner[k];
    });
}

}  // namespace mlcalc
