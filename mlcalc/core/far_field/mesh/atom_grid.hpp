// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/aligned.hpp"
#include "base/lattice.hpp"
#include "base/types.hpp"
#include "far_field/mesh/mesh_backend.hpp"
#include "far_field/mesh/window.hpp"
#include "simd/mesh_kernels.hpp"

namespace mlcalc {

/// Atoms on meshes of complex points: what they have is spread over them and transformed, what their transforms have is
/// gathered at them. Up to a batch of grids are transformed together. Knows nothing of fields.
class AtomGrid {
public:
    struct Settings {
        std::array<int, 3> shape{};
        int order = 0;
        double beta = 0.0;  ///< of the window
    };
    /// Communicator and factory must outlive the grid.
    AtomGrid(const Settings&, int l_max, int n_threads, const SlabPadding&, Communicator&, MeshBackendFactory&);
    /// The atoms of this configuration. Collective; throws on every rank if one is out of its rank's reach.
    void start(const Atoms&, const Lattice&);

    const Window& window() const { return window_; }
    /// The local atoms that have a species, in the order of the mesh.
    const std::vector<int>& atoms() const { return active_; }
    /// The reciprocal points of this rank, and the storage order of their axes.
    const Brick& spectral() const { return spectral_; }
    std::array<int, 3> spectral_order() const { return backend_->spectral_order(); }
    std::size_t spectrum_size() const { return 2 * spectral_.size() + MeshBackend::overrun; }

    /// Numbers of the k-th atom of `atoms` at values + k * stride: a tensor of derivatives for the real parts and, at
    /// `imaginary` from there, one for the imaginary parts; < 0: these are zero.
    template <class Number>
    struct Tensors {
        Number* values;
        long stride, imaginary;
    };
    std::size_t batch() const { return grids_.size(); }
    /// Grid g of the batch <- sum_k sum_t values_k,t (derivative t of the window at atom k).
    void spread(std::size_t g, int degree, const Tensors<const double>&);
    /// The spectra of the first n grids of the batch, which are used up. Collective.
    void forward(std::size_t n, double* const* spectra);
    /// The grids of n spectra, which are used up. Collective.
    void inverse(std::size_t n, double* const* spectra);
    /// values_k,t += derivative t of grid g at atom k.
    void gather(std::size_t g, int degree, const Tensors<double>&);

    std::size_t mesh_bytes() const { return 8 * real_.capacity(); }
    std::size_t atom_bytes() const {
        return 8 * (moved_.capacity() + u_.capacity() + places_.capacity()) +
               4 * (active_.capacity() + sorted_.capacity());
    }

private:
    // atom_grid.cpp
    void place_atoms(const Atoms&);
    bool place_atom(const Vec3& fractional, double* u) const;
    void sort_atoms();
    MeshGrid grid(std::size_t g) const {
        return {grids_[g], stride_x_, stride_y_, {ghosted_.lo[0], ghosted_.lo[1], ghosted_.lo[2]}};
    }

    Settings settings_;
    int n_threads_;
    Communicator* communicator_;
    std::unique_ptr<MeshBackend> backend_;
    Window window_;
    MeshStencil stencil_;
    const MeshKernels* kernels_;

    // of the present configuration
    std::array<int, 3> first_{};
    Brick owned_, ghosted_, spectral_;
    long stride_x_ = 0, stride_y_ = 0;
    Lattice lattice_;
    std::vector<int> active_, sorted_, bins_;
    std::vector<std::size_t> places_;
    std::vector<double> u_, moved_;  ///< (n_active, 3) mesh coordinates
    AlignedVector<double> real_;     ///< a batch of ghosted bricks
    std::vector<double*> grids_;     ///< where each begins
};

}  // namespace mlcalc
