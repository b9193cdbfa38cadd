// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <vector>

#include "base/aligned.hpp"
#include "base/channels.hpp"
#include "far_field/far_field.hpp"
#include "far_field/mesh/atom_grid.hpp"
#include "far_field/mesh/mesh_filters.hpp"
#include "far_field/mesh/mesh_tensors.hpp"

namespace mlcalc {

/// The share of some filters in V of a periodic cell, by one particle mesh: with F_nl(k) S_lm(ik) = i^l I_nl(k)
/// Y_lm(k),
///   V^a_i,nlm = S_lm(grad) phi^a_nl at r_i,   phi^a_nl(r) = 4 pi / Vol sum_k g_p(k) F_nl(k) e^(ik.r) sum_j
///   e^(-ik.r_j),
/// so one potential per filter is enough and the angular part comes from the derivatives of the window at the atom, as
/// in multipolar smooth particle mesh Ewald [Essmann et al., JCP 103, 8577 (1995); Simmonett, Brooks, JCP 154, 054112
/// (2021)]. Two channels share one complex transform. Forces and virial are the derivatives of the discretized energy.
class Mesh {
public:
    struct Settings {
        AtomGrid::Settings grid;
        std::vector<std::size_t> filters;  ///< those of the bank that this mesh carries
    };
    /// Complex grids to transform.
    static int n_jobs(int n_channels) { return (n_channels + 1) / 2; }
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
    /// The channels of one complex transform; partner -1: only a real part.
    struct Job {
        int channel, partner;
    };
    /// Tensors of `size` numbers per channel, for the channels of a job.
    template <class Number>
    AtomGrid::Tensors<Number> tensors(Number* values, const Job& job, long atom_stride, long channel_stride) const {
        return {values + job.channel * channel_stride, atom_stride, job.partner < 0 ? -1 : channel_stride};
    }
    /// function(begin, end) for 0 .. n in batches of grids.
    template <class Function>
    void in_batches(std::size_t n, Function function) const {
        for (std::size_t begin = 0; begin < n; begin += grid_.batch()) {
            function(begin, std::min(n, begin + grid_.batch()));
        }
    }
    std::vector<double*> scratch(std::size_t n);
    void transform_sources();
    void gather_slopes(std::size_t end, const std::vector<double*>& psi);
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

    const std::vector<int>& active() const { return grid_.atoms(); }
    const double* tensor(std::size_t k, int channel, std::size_t q) const {
        return t_.data() + static_cast<long>(k) * atom_stride_ + channel * channel_stride_ + tensor_offset_[q];
    }

    Settings settings_;
    Channels channels_;
    CoefficientShape shape_;
    int n_threads_;
    AtomGrid grid_;
    MeshFilters filters_;
    MeshTensors tensors_;
    std::vector<Job> jobs_;
    std::vector<long> tensor_offset_;  ///< of each filter in the tensors of one channel of an atom
    long channel_stride_ = 0, atom_stride_ = 0;

    // of the present configuration
    std::vector<AlignedVector<double>> scratch_;        ///< spectra of a batch
    std::vector<AlignedVector<double>> sources_, psi_;  ///< spectra per job: sources, adjoint potential
    AlignedVector<double> t_;                           ///< (n_active, channels, filters, tensor)
    AlignedVector<double> buffer_;                      ///< (n_active, channels, ..) multipoles or source weights
    AlignedVector<double> slopes_;                      ///< (n_active, channels, 4) adjoint potential at the sources
};

}  // namespace mlcalc
