// SPDX-License-Identifier: BSD-3-Clause
/// Between atoms, the grid in real space and its spectrum.
#include <algorithm>

#include "base/threads.hpp"
#include "far_field/mesh/mesh.hpp"

namespace mlcalc {

/// Fills the grid anew. Every thread has some planes of the grid and all atoms that reach them, so that the sums do not
/// depend on the number of threads.
void Mesh::spread(const Job& job, int degree, const double* coefficients, long atom_stride, long channel_stride) {
    const int n = static_cast<int>(active_.size());
    const double* c = coefficients + job.channel * channel_stride;
    const auto n_planes = static_cast<std::size_t>(std::max(0, ghosted_.hi[0] - ghosted_.lo[0]));
    const bool both = job.grid == 2;
    const long imaginary = job.partner < 0 ? -1 : channel_stride;
    const double* u = u_[both ? 0 : static_cast<std::size_t>(job.grid)].data();
    const auto stride = static_cast<std::size_t>(grid_.stride_x);
    if (n_planes * stride < real_.size())
        std::fill(real_.begin() + static_cast<long>(n_planes * stride), real_.end(), 0.0);
    for_shares(n_threads_, n_planes, [&](std::size_t begin, std::size_t end, std::size_t) {
        std::fill_n(real_.data() + begin * stride, (end - begin) * stride, 0.0);
        const MeshPlanes planes{static_cast<int>(begin), static_cast<int>(end)};
        kernels_->spread(stencil_, grid_, planes, degree, n, u, c, atom_stride, imaginary);
        if (both) kernels_->spread(stencil_, grid_, planes, degree, n, u_[1].data(), c, atom_stride, -2);
    });
}

void Mesh::gather(const Job& job, int degree, double scale, double* out, long atom_stride, long channel_stride) {
    const bool both = job.grid == 2;
    const long imaginary = job.partner < 0 ? -1 : channel_stride;
    const std::vector<double>& u = u_[both ? 0 : static_cast<std::size_t>(job.grid)];
    for_shares(n_threads_, active_.size(), [&](std::size_t begin, std::size_t end, std::size_t) {
        const int n = static_cast<int>(end - begin);
        double* o = out + static_cast<long>(begin) * atom_stride + job.channel * channel_stride;
        kernels_->gather(stencil_, grid_, degree, n, u.data() + 3 * begin, scale, o, atom_stride, imaginary);
        if (both) kernels_->gather(stencil_, grid_, degree, n, u_[1].data() + 3 * begin, scale, o, atom_stride, -2);
    });
}

/// copy(row of the owned brick in the ghosted one, the same row in `packed`, doubles)
template <class Copy>
void Mesh::for_owned_rows(double* packed, Copy copy) {
    const std::size_t length = 2 * static_cast<std::size_t>(std::max(0, owned_.hi[2] - owned_.lo[2]));
    const auto n_x = static_cast<std::size_t>(std::max(0, owned_.hi[0] - owned_.lo[0]));
    const auto n_y = static_cast<std::size_t>(std::max(0, owned_.hi[1] - owned_.lo[1]));
    double* corner = grid_.data + (owned_.lo[0] - grid_.lo[0]) * grid_.stride_x +
                     (owned_.lo[1] - grid_.lo[1]) * grid_.stride_y + 2L * (owned_.lo[2] - grid_.lo[2]);
    for_shares(n_threads_, n_x * n_y, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t row = begin; row < end; ++row) {
            double* from =
                corner + static_cast<long>(row / n_y) * grid_.stride_x + static_cast<long>(row % n_y) * grid_.stride_y;
            copy(from, packed + row * length, length);
        }
    });
}

void Mesh::to_spectrum(double* spectrum) {
    backend_->add_halo(real_.data(), 2);
    double* packed = backend_->in_place() ? spectrum : complex_.data();
    for_owned_rows(packed, [](const double* row, double* to, std::size_t n) { std::copy_n(row, n, to); });
    backend_->forward(packed, spectrum, 1);
}

/// Leaves the spectrum undefined where the backend transforms in place.
void Mesh::from_spectrum(double* spectrum) {
    double* packed = backend_->in_place() ? spectrum : complex_.data();
    backend_->inverse(spectrum, packed, 1);
    for_owned_rows(packed, [](double* row, const double* from, std::size_t n) { std::copy_n(from, n, row); });
    backend_->fill_halo(real_.data(), 2);
}

}  // namespace mlcalc
