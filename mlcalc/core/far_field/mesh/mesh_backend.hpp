// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <memory>

namespace mlcalc {

/// A brick of mesh points lo <= index < hi per axis; ghost bricks may reach below 0 and beyond the mesh (periodic
/// images). Points are stored with the last axis (z) fastest.
struct Brick {
    std::array<int, 3> lo{};
    std::array<int, 3> hi{};
    std::size_t size() const { return static_cast<std::size_t>(hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]); }
};

/// A mesh that is distributed over ranks. The core asks; the front-end answers with its own grids and FFTs.
/// The bricks may change between two computes (load balancing): ask for them anew at the start of each. A brick may be
/// empty on some ranks; every rank still makes every call.
class MeshBackend {
public:
    virtual ~MeshBackend() = default;
    virtual Brick owned() const = 0;    ///< real-space points that this rank owns
    virtual Brick ghosted() const = 0;  ///< owned plus the halo that the stencils of local atoms reach
    virtual Brick spectral()
        const = 0;  ///< reciprocal points this rank holds after `forward` (indices 0 .. M-1 per axis)
    /// Storage order of the spectral points, axes from slowest to fastest: {0, 1, 2} is z fastest. A distributed FFT
    /// saves one exchange by leaving the data transposed.
    virtual std::array<int, 3> spectral_order() const { return {0, 1, 2}; }
    /// Adds halo values to their owners. `grid` has `n_values` doubles per point of the ghosted brick.
    virtual void add_halo(double* grid, int n_values) = 0;
    /// Fills the halo from the owners.
    virtual void fill_halo(double* grid, int n_values) = 0;
    /// May both sides of a transform be the same array? That saves a copy of the mesh.
    virtual bool in_place() const { return false; }
    /// Unnormalized complex FFTs of `n` consecutive grids: (owned.size() complex) -> (spectral.size() complex). sign -1
    /// in the exponent.
    virtual void forward(const double* real_space, double* reciprocal, int n) = 0;
    /// The inverse, unnormalized.
    virtual void inverse(const double* reciprocal, double* real_space, int n) = 0;
};

/// Makes the backend for mesh integers `shape` and a stencil that reaches `below` and `above` points from the point at
/// the atom.
class MeshBackendFactory {
public:
    virtual ~MeshBackendFactory() = default;
    virtual std::unique_ptr<MeshBackend> make(std::array<int, 3> shape, int below, int above) = 0;
    /// Does the halo of a rank shrink as the ranks become more, or is it the whole mesh?
    virtual bool divides_halo() const { return false; }
    /// Bytes that the backends themselves take for each owned point.
    virtual double bytes_per_point() const { return 0.0; }
};

}  // namespace mlcalc
