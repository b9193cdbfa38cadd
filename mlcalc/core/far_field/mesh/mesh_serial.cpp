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

SerialMesh::SerialMesh(std::array<int, 3> shape, int below, int above, int n_threads)
    : shape_(shape),
      below_(below),
      above_(above),
      n_threads_(n_threads),
      along_x_(shape[0]),
      along_y_(shape[1]),
      along_z_(shape[2]),
      work_(static_cast<std::size_t>(n_threads)) {}

Brick SerialMesh::ghosted() const {
    return {{-below_, -below_, -below_}, {shape_[0] + above_, shape_[1] + above_, shape_[2] + above_}};
}

std::array<std::size_t, 3> SerialMesh::strides() const {
    std::array<std::size_t, 3> out{};
    out[2] = 2;
    out[1] = out[2] * static_cast<std::size_t>(shape_[2] + below_ + above_);
    out[0] = out[1] * static_cast<std::size_t>(shape_[1] + below_ + above_);
    return out;
}

void SerialMesh::add_halo(double* grid) const {
    const std::array<std::size_t, 3> stride = strides();
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

void SerialMesh::fill_halo(double* grid) const {
    const std::array<std::size_t, 3> stride = strides();
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

/// Along y and z, between a plane of the grid and one of the spectrum, which stays in the cache.
void SerialMesh::transform_plane(bool forward, std::size_t x, double* grid, double* spectrum,
                                 AlignedVector<double>& work) const {
    const std::array<std::size_t, 3> stride = strides();
    const auto below = static_cast<std::size_t>(below_);
    const long ny = shape_[1], nz = shape_[2];
    const Lines rows{grid + (x + below) * stride[0] + below * (stride[1] + stride[2]), static_cast<long>(stride[1]), 2};
    double* plane = spectrum + x * 2 * static_cast<std::size_t>(ny * nz);
    const Lines along_z{plane, 2 * nz, 2}, along_y{plane, 2, 2 * nz};
    if (forward) along_z_.apply(true, ny, rows, along_z, work);
    along_y_.apply(forward, nz, along_y, along_y, work);
    if (!forward) along_z_.apply(false, ny, along_z, rows, work);
}

void SerialMesh::transform_across(bool forward, double* spectrum) {
    const std::size_t n = static_cast<std::size_t>(shape_[1]) * static_cast<std::size_t>(shape_[2]);
    constexpr std::size_t group = 8;  // lines: no vector belongs to two threads
    for_shares(n_threads_, (n + group - 1) / group, [&](std::size_t begin, std::size_t end, std::size_t share) {
        const std::size_t first = begin * group, last = std::min(end * group, n);
        const Lines lines{spectrum + 2 * first, 2, 2 * static_cast<long>(n)};
        along_x_.apply(forward, static_cast<long>(last - first), lines, lines, work_[share]);
    });
}

void SerialMesh::forward(double* grid, double* spectrum) {
    add_halo(grid);
    for_shares(n_threads_, static_cast<std::size_t>(shape_[0]),
               [&](std::size_t begin, std::size_t end, std::size_t share) {
                   for (std::size_t x = begin; x < end; ++x) transform_plane(true, x, grid, spectrum, work_[share]);
               });
    transform_across(true, spectrum);
}

void SerialMesh::inverse(double* spectrum, double* grid) {
    transform_across(false, spectrum);
    for_shares(n_threads_, static_cast<std::size_t>(shape_[0]),
               [&](std::size_t begin, std::size_t end, std::size_t share) {
                   for (std::size_t x = begin; x < end; ++x) transform_plane(false, x, grid, spectrum, work_[share]);
               });
    fill_halo(grid);
}

}  // namespace mlcalc
