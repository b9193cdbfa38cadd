// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "base/slab.hpp"

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
    /// The point of the cell, counted from its corner, that has index 0 in the bricks. Any other point would do: it
    /// only has to lie where the host begins to count.
    virtual std::array<int, 3> first() const { return {0, 0, 0}; }
    virtual Brick owned() const = 0;    ///< real-space points that this rank owns
    virtual Brick ghosted() const = 0;  ///< owned plus the halo that the stencils of local atoms reach
    virtual Brick spectral()
        const = 0;  ///< reciprocal points this rank holds after `forward` (indices 0 .. M-1 per axis)
    /// Storage order of the spectral points, axes from slowest to fastest: {0, 1, 2} is z fastest. A distributed FFT
    /// saves one exchange by leaving the data transposed.
    virtual std::array<int, 3> spectral_order() const { return {0, 1, 2}; }
    /// So many grids at once cost least: where messages are small, several share one. The same on every rank.
    virtual int batch() const { return 1; }
    /// Of n grids, at most a batch: spectrum <- complex transform (exponent -i k r, not normalized) of a grid on the
    /// ghosted brick, once its halo has been added to the owners. The grids are used up. Collective.
    virtual void forward(int n, double* const* grids, double* const* spectra) = 0;
    /// grid <- inverse transform, not normalized, and the halo of it. The spectra are used up. Collective.
    virtual void inverse(int n, double* const* spectra, double* const* grids) = 0;
    /// Doubles that have to be there, whatever they are, behind the spectral points.
    static constexpr std::size_t overrun = 16;
};

/// row(complex numbers of the owned points along z in a grid on the ghosted brick, number of the row) for all rows of
/// the owned brick, x slowest.
template <class Row>
void for_owned_rows(const Brick& owned, const Brick& ghosted, double* grid, Row row) {
    const long stride_y = 2L * (ghosted.hi[2] - ghosted.lo[2]), stride_x = stride_y * (ghosted.hi[1] - ghosted.lo[1]);
    std::size_t number = 0;
    for (int x = owned.lo[0]; x < owned.hi[0]; ++x) {
        for (int y = owned.lo[1]; y < owned.hi[1]; ++y, ++number) {
            row(grid + (x - ghosted.lo[0]) * stride_x + (y - ghosted.lo[1]) * stride_y +
                    2L * (owned.lo[2] - ghosted.lo[2]),
                number);
        }
    }
}

/// Makes the backend for mesh integers `shape` and a stencil that reaches `below` and `above` points from the point at
/// the atom; for the cell of the host, or its padded cell if it is a slab.
class MeshBackendFactory {
public:
    virtual ~MeshBackendFactory() = default;
    virtual std::unique_ptr<MeshBackend> make(std::array<int, 3> shape, int below, int above, const SlabPadding&) = 0;
    /// Does the halo of a rank shrink as the ranks become more, or is it the whole mesh?
    virtual bool divides_halo() const { return false; }
    /// Bytes that the backends themselves take for each owned point.
    virtual double bytes_per_point() const { return 0.0; }
};

}  // namespace mlcalc
