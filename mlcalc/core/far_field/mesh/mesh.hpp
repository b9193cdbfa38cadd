// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/aligned.hpp"
#include "base/channels.hpp"
#include "base/lattice.hpp"
#include "far_field/far_field.hpp"
#include "far_field/mesh/bspline.hpp"
#include "far_field/mesh/mesh_backend.hpp"
#include "far_field/mesh/mesh_filters.hpp"
#include "far_field/mesh/mesh_tensors.hpp"
#include "simd/mesh_kernels.hpp"

namespace mlcalc {

/// The share of some filters in V of a periodic cell, by one particle mesh: with F_nl(k) S_lm(ik) = i^l I_nl(k)
/// Y_lm(k),
///   V^a_i,nlm = S_lm(grad) phi^a_nl at r_i,   phi^a_nl(r) = 4 pi / Vol sum_k g_p(k) F_nl(k) e^(ik.r) sum_j
///   e^(-ik.r_j),
/// so one potential per filter is enough and the angular part comes from the derivatives of the splines at the atom, as
/// in multipolar smooth particle mesh Ewald [Essmann et al., JCP 103, 8577 (1995); Simmonett, Brooks, JCP 154, 054112
/// (2021)]. An interlaced mesh averages two grids shifted by half a spacing [Hockney, Eastwood (1988)], a plain one is
/// a single grid; two channels share one complex transform. Forces and virial are the derivatives of the discretized
/// energy.
class Mesh {
public:
    struct Settings {
        std::array<int, 3> shape{};
        int order = 0;
        bool interlaced = true;
        std::vector<std::size_t> filters;  ///< those of the bank that this mesh carries
    };
    /// Complex grids to transform: two channels in one, on one grid or on each of the two of an interlaced mesh.
    static int n_jobs(int n_channels, bool interlaced) { return interlaced ? n_channels : (n_channels + 1) / 2; }
    /// Spectrum, communicator and factory must outlive the mesh.
    Mesh(const FieldDescription&, const FieldSpectrum&, const Settings&, int n_threads, Communicator&,
         MeshBackendFactory&);
    /// Adds to v. Collective.
    void compute(const Atoms&, double* v);
    /// As FarField::backward.
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain);

    const Settings& settings() const { return settings_; }
    std::size_t mesh_bytes() const;  ///< of its grids
    std::size_t atom_bytes() const;  ///< of everything that grows with the number of atoms

private:
    /// One complex transform: two channels on one of the two grids, or one channel on both.
    struct Job {
        int channel;
        int partner;  ///< channel of the imaginary part; -1: none
        int grid;     ///< 0, 1: the grid; 2: grid 0 in the real part, grid 1 in the imaginary part
    };
    // mesh_atoms.cpp
    void start(const Atoms&);
    void place_atoms(const Atoms&);
    bool place_atom(const Vec3& fractional, double* u) const;
    void sort_atoms();
    // mesh_transfer.cpp
    void spread(const Job&, int degree, const double* coefficients, long atom_stride, long channel_stride);
    void gather(const Job&, int degree, double scale, double* out, long atom_stride, long channel_stride);
    void to_spectrum(double* spectrum);
    void from_spectrum(double* spectrum);
    template <class Copy>
    void for_owned_rows(double* packed, Copy copy);
    // mesh_moments.cpp
    void filter_values(std::size_t q, int degree, const double* t, double* s) const;
    void solid_harmonics(double* v) const;
    void filter_adjoint(std::size_t q, int channel, const double* v_adj, double* w) const;
    void add_gradient(int atom, const double* along, Vec3* gradient) const;
    void multipoles(std::size_t q, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain);
    void multipole(std::size_t q, const double* w, const double* t, double* out, double* along, double* products) const;
    void turn(int l_max, const double* products, Mat3& strain) const;
    void source_gradient(const Atoms&, Vec3* gradient) const;
    void field_strain(const double* v_adj, Mat3* atom_strain);

    std::size_t n_grids() const { return settings_.interlaced ? 2 : 1; }
    double grid_weight() const { return 1.0 / static_cast<double>(n_grids()); }
    const double* tensor(std::size_t k, int channel, std::size_t q) const {
        return t_.data() + static_cast<long>(k) * atom_stride_ + channel * channel_stride_ + tensor_offset_[q];
    }

    Settings settings_;
    Channels channels_;
    CoefficientShape shape_;
    int n_threads_;
    Communicator* communicator_;
    std::unique_ptr<MeshBackend> backend_;
    BSpline spline_;
    MeshStencil stencil_;
    const MeshKernels* kernels_;
    MeshFilters filters_;
    MeshTensors tensors_;
    std::vector<Job> jobs_;
    std::vector<long> tensor_offset_;  ///< of each filter in the tensors of one channel of an atom
    long channel_stride_ = 0, atom_stride_ = 0;

    // of the present configuration
    Brick owned_, ghosted_, spectral_;
    MeshGrid grid_{};
    Lattice lattice_;
    std::vector<int> active_, sorted_, bins_;  ///< local atoms in the order of the mesh
    std::vector<std::size_t> places_;
    std::vector<double> moved_;
    std::array<std::vector<double>, 2> u_;              ///< (n_active, 3) mesh coordinates on each grid
    AlignedVector<double> real_, complex_, spectrum_;   ///< ghosted brick, owned brick, one spectrum
    std::vector<AlignedVector<double>> sources_, psi_;  ///< spectra per job: sources, adjoint potential
    AlignedVector<double> t_;                           ///< (n_active, channels, filters, tensor) averaged over grids
    AlignedVector<double> buffer_;                      ///< (n_active, channels, ..) multipoles or source weights
    AlignedVector<double> slopes_;                      ///< (n_active, channels, 4) adjoint potential at the sources
};

}  // namespace mlcalc
