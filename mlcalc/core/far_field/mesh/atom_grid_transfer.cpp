// SPDX-License-Identifier: BSD-3-Clause
/// Between atoms, the grid in real space and its spectrum.
#include <algorithm>

#include "base/threads.hpp"
#include "far_field/mesh/atom_grid.hpp"

namespace mlcalc {

/// Every thread has some planes of the grid and all atoms that reach them, so that the sums do not depend on the number
/// of threads.
void AtomGrid::spread(std::size_t g, int degree, const Tensors<const double>& of_atoms) {
    const int n = static_cast<int>(active_.size());
    const auto n_planes = static_cast<std::size_t>(std::max(0, ghosted_.hi[0] - ghosted_.lo[0]));
    const auto stride = static_cast<std::size_t>(stride_x_);
    double* data = grids_[g];
    const double* end_of_grid = g + 1 < grids_.size() ? grids_[g + 1] : real_.data() + real_.size();
    std::fill(data + n_planes * stride, data + (end_of_grid - data), 0.0);
    for_shares(n_threads_, n_planes, [&](std::size_t begin, std::size_t end, std::size_t) {
        std::fill_n(data + begin * stride, (end - begin) * stride, 0.0);
        const MeshPlanes planes{static_cast<int>(begin), static_cast<int>(end)};
        kernels_->spread(stencil_, grid(g), planes, degree, n, u_.data(), of_atoms.values, of_atoms.stride,
                         of_atoms.imaginary);
    });
}

void AtomGrid::forward(std::size_t n, double* const* spectra) {
    backend_->forward(static_cast<int>(n), grids_.data(), spectra);
}

void AtomGrid::inverse(std::size_t n, double* const* spectra) {
    backend_->inverse(static_cast<int>(n), spectra, grids_.data());
}

void AtomGrid::gather(std::size_t g, int degree, const Tensors<double>& of_atoms) {
    for_shares(n_threads_, active_.size(), [&](std::size_t begin, std::size_t end, std::size_t) {
        kernels_->gather(stencil_, grid(g), degree, static_cast<int>(end - begin), u_.data() + 3 * begin,
                         of_atoms.values + static_cast<long>(begin) * of_atoms.stride, of_atoms.stride,
                         of_atoms.imaginary);
    });
}

}  // namespace mlcalc
