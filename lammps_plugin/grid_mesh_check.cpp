// SPDX-License-Identifier: GPL-2.0-only
/// Known values through a mesh before it is used.
#include <cmath>
#include <vector>

#include "brick_points.h"
#include "grid_mesh.h"
#include "lammps.h"

namespace mlcalc_lammps {

namespace {

constexpr double two_pi = 6.283185307179586;

int wrapped(int index, int n) {
    return ((index % n) + n) % n;
}

}  // namespace

bool GridMesh::works() {
    const bool right = halo_works();
    return transform_works() && right;
}

/// Ghosts must get the numbers of their owners, and owners the count of their images, two values per point.
bool GridMesh::halo_works() {
    const auto label = [&](int x, int y, int z) {
        return 1.0 + wrapped(x, shape_[0]) + 1e3 * wrapped(y, shape_[1]) + 1e6 * wrapped(z, shape_[2]);
    };
    const auto is_owned = [&](int x, int y, int z) {
        return x >= bricks_.owned.lo[0] && x < bricks_.owned.hi[0] && y >= bricks_.owned.lo[1] &&
               y < bricks_.owned.hi[1] && z >= bricks_.owned.lo[2] && z < bricks_.owned.hi[2];
    };
    std::vector<double> grid(2 * bricks_.ghosted.size(), 0.0);
    for_each_point(bricks_.ghosted, [&](int x, int y, int z, std::size_t number) {
        if (is_owned(x, y, z)) grid[2 * number] = label(x, y, z), grid[2 * number + 1] = -label(x, y, z);
    });
    double* const all[1] = {grid.data()};
    halo_.get_from_owners(1, all);
    bool right = true;
    for_each_point(bricks_.ghosted, [&](int x, int y, int z, std::size_t number) {
        right = right && grid[2 * number] == label(x, y, z) && grid[2 * number + 1] == -label(x, y, z);
    });
    double sent[2] = {0.0, 0.0}, received[2] = {0.0, 0.0};
    for_each_point(bricks_.ghosted, [&](int x, int y, int z, std::size_t number) {
        grid[2 * number] = 1.0;
        grid[2 * number + 1] = label(x, y, z);
        sent[0] += 1.0;
        sent[1] += label(x, y, z);
    });
    halo_.add_to_owners(1, all);
    for_each_point(bricks_.ghosted, [&](int x, int y, int z, std::size_t number) {
        if (!is_owned(x, y, z)) return;
        // every image of a point brought the same label, so the two sums must stay in proportion
        right = right && std::fabs(grid[2 * number + 1] - grid[2 * number] * label(x, y, z)) < 1e-3;
        received[0] += grid[2 * number];
        received[1] += grid[2 * number + 1];
    });
    MPI_Allreduce(MPI_IN_PLACE, sent, 2, MPI_DOUBLE, MPI_SUM, lammps_->world);
    MPI_Allreduce(MPI_IN_PLACE, received, 2, MPI_DOUBLE, MPI_SUM, lammps_->world);
    for (int v = 0; v < 2; v++) right = right && std::fabs(sent[v] - received[v]) <= 1e-9 * std::fabs(sent[v]);
    return everywhere(right, lammps_->world);
}

/// A plane wave has one spectral line, and comes back as itself times the number of points.
bool GridMesh::transform_works() {
    const std::array<int, 3> wave = {1 % shape_[0], 2 % shape_[1], shape_[2] - 1};
    const mlcalc::Brick spectral = pencils_->spectral();
    std::vector<double> real_space(2 * bricks_.owned.size()), back(real_space.size());
    std::vector<double> reciprocal(2 * spectral.size() + overrun);
    for_each_point(bricks_.owned, [&](int x, int y, int z, std::size_t number) {
        const double phase =
            two_pi * (static_cast<double>(wave[0]) * x / shape_[0] + static_cast<double>(wave[1]) * y / shape_[1] +
                      static_cast<double>(wave[2]) * z / shape_[2]);
        real_space[2 * number] = std::cos(phase);
        real_space[2 * number + 1] = std::sin(phase);
    });
    double* const spectra[1] = {reciprocal.data()};
    const BrickView here = BrickView::packed(real_space.data(), bricks_.owned);
    pencils_->forward(1, &here, spectra);
    const double n = static_cast<double>(shape_[0]) * shape_[1] * shape_[2];
    bool right = true;
    for_each_point(spectral, [&](int x, int y, int z, std::size_t number) {
        const double expected = x == wave[0] && y == wave[1] && z == wave[2] ? n : 0.0;
        right = right && std::fabs(reciprocal[2 * number] - expected) < 1e-9 * n &&
                std::fabs(reciprocal[2 * number + 1]) < 1e-9 * n;
    });
    const BrickView there = BrickView::packed(back.data(), bricks_.owned);
    pencils_->inverse(1, spectra, &there);
    for (std::size_t k = 0; k < back.size(); k++) right = right && std::fabs(back[k] / n - real_space[k]) < 1e-9;
    return everywhere(right, lammps_->world);
}

}  // namespace mlcalc_lammps
