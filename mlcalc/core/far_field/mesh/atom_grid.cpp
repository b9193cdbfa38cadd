// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/atom_grid.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/failure.hpp"
#include "base/threads.hpp"

namespace mlcalc {
namespace {

constexpr std::size_t overrun = 32;              // doubles that the kernels may touch beyond the last row
constexpr std::size_t cube = 4, slab_cubes = 8;  // edge of a cube in mesh points, cubes along y of a slab

}  // namespace

AtomGrid::AtomGrid(const Settings& settings, int l_max, int n_threads, const SlabPadding& padding,
                   Communicator& communicator, MeshBackendFactory& factory)
    : settings_(settings),
      n_threads_(n_threads),
      communicator_(&communicator),
      backend_(factory.make(settings.shape, Window::reach_below(settings.order), Window::reach_above(settings.order),
                            padding)),
      window_(settings.order, settings.beta, l_max),
      stencil_{settings.order, Window::padded(settings.order), window_.coefficients()},
      kernels_(&mesh_kernels()) {}

void AtomGrid::start(const Atoms& atoms, const Lattice& lattice) {
    first_ = backend_->first();
    owned_ = backend_->owned();
    ghosted_ = backend_->ghosted();
    spectral_ = backend_->spectral();
    lattice_ = lattice;
    stride_y_ = 2L * (ghosted_.hi[2] - ghosted_.lo[2]);
    stride_x_ = stride_y_ * (ghosted_.hi[1] - ghosted_.lo[1]);
    const std::size_t size = (2 * ghosted_.size() + overrun + 7) / 8 * 8;  // each on a cache line
    grids_.resize(static_cast<std::size_t>(backend_->batch()));
    real_.resize(grids_.size() * size);
    for (std::size_t g = 0; g < grids_.size(); ++g) grids_[g] = real_.data() + g * size;
    place_atoms(atoms);
}

/// Mesh coordinates in the periodic image whose stencil lies in this rank's brick; false if there is none.
bool AtomGrid::place_atom(const Vec3& fractional, double* u) const {
    const int below = Window::reach_below(settings_.order), above = Window::reach_above(settings_.order);
    for (std::size_t a = 0; a < 3; ++a) {
        const double m = settings_.shape[a];
        const auto fits = [&](double value) {
            const double point = std::floor(value);
            return point - below >= ghosted_.lo[a] && point + above < ghosted_.hi[a];
        };
        u[a] = m * (fractional[a] - std::floor(fractional[a])) - first_[a];
        for (const double image : {0.0, -m, m}) {
            if (!fits(u[a] + image)) continue;
            u[a] += image;
            break;
        }
        if (!fits(u[a])) return false;
    }
    return true;
}

void AtomGrid::place_atoms(const Atoms& atoms) {
    active_.clear();
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] >= 0) active_.push_back(i);
    }
    u_.resize(3 * active_.size());
    std::vector<double> outside(static_cast<std::size_t>(n_threads_), 0.0);
    for_shares(n_threads_, active_.size(), [&](std::size_t begin, std::size_t end, std::size_t share) {
        for (std::size_t k = begin; k < end; ++k) {
            Vec3 r = atoms.positions[active_[k]];
            for (std::size_t x = 0; x < 3; ++x) r[x] -= atoms.origin[x];
            if (!place_atom(lattice_.fractional(r), &u_[3 * k])) outside[share] = 1.0;
        }
    });
    double any = *std::max_element(outside.begin(), outside.end());
    if (communicator_->size() > 1) any = communicator_->max(any);
    if (any > 0.0) {
        throw Shared<std::runtime_error>(std::runtime_error(
            "an atom has left the part of the mesh that its rank can reach; the neighbor list must be rebuilt more "
            "often"));
    }
    sort_atoms();
}

/// Atoms in the order of cubes of the mesh, so that the stencils of one cube and the next along z stay in the first
/// cache, those of a slab of cubes along y in the second.
void AtomGrid::sort_atoms() {
    const std::size_t n = active_.size();
    std::array<std::size_t, 3> cubes{};
    for (std::size_t a = 0; a < 3; ++a) {
        cubes[a] = static_cast<std::size_t>(ghosted_.hi[a] - ghosted_.lo[a]) / cube + 1;
    }
    const auto bin = [&](std::size_t k) {
        std::array<std::size_t, 3> at{};
        for (std::size_t a = 0; a < 3; ++a) {
            at[a] = static_cast<std::size_t>(std::floor(u_[3 * k + a]) - ghosted_.lo[a]) / cube;
        }
        const std::size_t slab = at[1] / slab_cubes;
        return ((slab * cubes[0] + at[0]) * slab_cubes + at[1] % slab_cubes) * cubes[2] + at[2];
    };
    bins_.assign((cubes[1] / slab_cubes + 1) * slab_cubes * cubes[0] * cubes[2] + 1, 0);
    for (std::size_t k = 0; k < n; ++k) ++bins_[bin(k) + 1];
    for (std::size_t b = 1; b < bins_.size(); ++b) bins_[b] += bins_[b - 1];
    sorted_.resize(n);
    moved_.resize(3 * n);
    places_.resize(n);
    for (std::size_t k = 0; k < n; ++k) {
        places_[k] = static_cast<std::size_t>(bins_[bin(k)]++);
        sorted_[places_[k]] = active_[k];
    }
    for (std::size_t k = 0; k < n; ++k) std::copy_n(&u_[3 * k], 3, &moved_[3 * places_[k]]);
    u_.swap(moved_);
    active_.swap(sorted_);
}

}  // namespace mlcalc
