// SPDX-License-Identifier: BSD-3-Clause
/// Between atoms, the grid in real space and its spectrum.
#include <algorithm>

#include "base/threads.hpp"
#include "far_field/mesh/atom_grid.hpp"

namespace mlcalc {

/// The grid anew. Every thread has some planes of it and all atoms that reach them, so that the sums do not depend on
/// the number of threads.
void AtomGrid::fill(int degree, const Tensors<const double>& of_atoms) {
    const int n = static_cast<int>(active_.size());
    const auto n_planes = static_cast<std::size_t>(std::max(0, ghosted_.hi[0] - ghosted_.lo[0]));
    const auto stride = static_cast<std::size_t>(grid_.stride_x);
    if (n_planes * stride < real_.size())
        std::fill(real_.begin() + static_cast<long>(n_planes * stride), real_.end(), 0.0);
    for_shares(n_threads_, n_planes, [&](std::size_t begin, std::size_t end, std::size_t) {
        std::fill_n(real_.data() + begin * stride, (end - begin) * stride, 0.0);
        const MeshPlanes planes{static_cast<int>(begin), static_cast<int>(end)};
        kernels_->spread(stencil_, grid_, planes, degree, n, u_.data(), of_atoms.values, of_atoms.stride,
                         of_atoms.imaginary);
    });
}

void AtomGrid::spread(int degree, const Tensors<const double>& of_atoms, double* spectrum) {
    fill(degree, of_atoms);
    backend_->forward(grid_.data, spectrum);
}

void AtomGrid::gather(double* spectrum, int degree, const Tensors<double>& of_atoms) {
    backend_->inverse(spectrum, grid_.data);
    for_shares(n_threads_, active_.size(), [&](std::size_t begin, std::size_t end, std::size_t) {
        kernels_->gather(stencil_, grid_, degree, static_cast<int>(end - begin), u_.data() + 3 * begin,
                         of_atoms.values + static_cast<long>(begin) * of_atoms.stride, of_atoms.stride,
                         of_atoms.imaginary);
    });
}

}  // namespace mlcalc
