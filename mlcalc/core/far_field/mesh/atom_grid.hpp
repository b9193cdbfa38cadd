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

/// Atoms on a mesh of complex points: what they have is spread over it and transformed, what its transform has is
/// gathered at them. Knows nothing of fields.
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
    /// spectrum <- transform of sum_k sum_t values_k,t (derivative t of the window at atom k). Collective.
    void spread(int degree, const Tensors<const double>&, double* spectrum);
    /// values_k,t += derivative t of the transform back, at atom k. The spectrum is used up. Collective.
    void gather(double* spectrum, int degree, const Tensors<double>&);

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
    // atom_grid_transfer.cpp
    void fill(int degree, const Tensors<const double>&);

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
    MeshGrid grid_{};
    Lattice lattice_;
    std::vector<int> active_, sorted_, bins_;
    std::vector<std::size_t> places_;
    std::vector<double> u_, moved_;  ///< (n_active, 3) mesh coordinates
    AlignedVector<double> real_;     ///< of the ghosted brick
};

}  // namespace mlcalc
