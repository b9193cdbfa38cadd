// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/mesh_serial.hpp"

#include <algorithm>

#include "base/threads.hpp"

namespace mlcalc {
namespace {

void add(double* to, const double* from, std::size_t n) {
    for (std::size_t k = 0; k < n; ++k) to[k] += from[k];
}

/// Adds the layers beyond 0 .. m - 1 to their periodic images, from outside in: a mesh may be smaller than its halo.
void fold(double* first, std::size_t stride, std::size_t n, int below, int m, int above) {
    const auto at = [&](int layer) { return first + static_cast<std::size_t>(layer + below) * stride; };
    for (int layer = -below; layer < 0; ++layer) add(at(layer + m), at(layer), n);
    for (int layer = m + above - 1; layer >= m; --layer) add(at(layer - m), at(layer), n);
}

/// Copies the periodic images into the layers beyond 0 .. m - 1, from inside out.
void unfold(double* first, std::size_t stride, std::size_t n, int below, int m, int above) {
    const auto at = [&](int layer) { return first + static_cast<std::size_t>(layer + below) * stride; };
    for (int layer = -1; layer >= -below; --layer) std::copy_n(at(layer + m), n, at(layer));
    for (int layer = m; layer < m + above; ++layer) std::copy_n(at(layer - m), n, at(layer));
}

}  // namespace

Brick SerialMesh::ghosted() const {
    return {{-below_, -below_, -below_}, {shape_[0] + above_, shape_[1] + above_, shape_[2] + above_}};
}

std::array<std::size_t, 3> SerialMesh::strides(int n_values) const {
    std::array<std::size_t, 3> out{};
    out[2] = static_cast<std::size_t>(n_values);
    out[1] = out[2] * static_cast<std::size_t>(shape_[2] + below_ + above_);
    out[0] = out[1] * static_cast<std::size_t>(shape_[1] + below_ + above_);
    return out;
}

void SerialMesh::add_halo(double* grid, int n_values) {
    const std::array<std::size_t, 3> stride = strides(n_values);
    for_shares(n_threads_, stride[0], [&](std::size_t begin, std::size_t end, std::size_t) {
        fold(grid + begin, stride[0], end - begin, below_, shape_[0], above_);
    });
    for_shares(n_threads_, static_cast<std::size_t>(shape_[0]), [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t x = begin; x < end; ++x) {
            double* plane = grid + (x + static_cast<std::size_t>(below_)) * stride[0];
            fold(plane, stride[1], stride[1], below_, shape_[1], above_);
            for (int y = 0; y < shape_[1]; ++y) {
                fold(plane + static_cast<std::size_t>(y + below_) * stride[1], stride[2], stride[2], below_, shape_[2],
                     above_);
            }
        }
    });
}

void SerialMesh::fill_halo(double* grid, int n_values) {
    const std::array<std::size_t, 3> stride = strides(n_values);
    for_shares(n_threads_, static_cast<std::size_t>(shape_[0]), [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t x = begin; x < end; ++x) {
            double* plane = grid + (x + static_cast<std::size_t>(below_)) * stride[0];
            for (int y = 0; y < shape_[1]; ++y) {
                unfold(plane + static_cast<std::size_t>(y + below_) * stride[1], stride[2], stride[2], below_,
                       shape_[2], above_);
            }
            unfold(plane, stride[1], stride[1], below_, shape_[1], above_);
        }
    });
    for_shares(n_threads_, stride[0], [&](std::size_t begin, std::size_t end, std::size_t) {
        unfold(grid + begin, stride[0], end - begin, below_, shape_[0], above_);
    });
}

}  // namespace mlcalc
