// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "aligned.hpp"
#include "bspline.hpp"
#include "channels.hpp"
#include "far_field.hpp"
#include "ksum.hpp"
#include "lattice.hpp"
#include "mesh_backend.hpp"
#include "mesh_filters.hpp"
#include "mesh_kernels.hpp"
#include "mesh_tensors.hpp"

namespace mlcalc {

/// V of a periodic cell by a particle mesh: with F_nl(k) S_lm(ik) = i^l I_nl(k) Y_lm(k),
///   V^a_i,nlm = S_lm(grad) phi^a_nl at r_i,   phi^a_nl(r) = 4 pi / Vol sum_k g_p(k) F_nl(k) e^(ik.r) sum_j
///   e^(-ik.r_j),
/// so one potential per filter is enough and the angular part comes from the derivatives of the splines at the atom, as
/// in multipolar smooth particle mesh Ewald [Essmann et al., JCP 103, 8577 (1995); Simmonett, Brooks, JCP 154, 054112
/// (2021)]. Two grids shifted by half a spacing are averaged (interlacing [Hockney, Eastwood (1988)]); two channels
/// share one complex transform. Forces and virial are the derivatives of the discretised energy.
class Mesh : public FarField {
public:
    struct Settings {
        std::array<int, 3> shape{};
        int order = 0;
        double accuracy = 0.0;   ///< that of the k-sum behind `jacobian`
        double estimate = -1.0;  ///< relative force error expected; < 0: not estimated
    };
    Mesh(const PotentialDescription&, const Settings&, Communicator&, MeshBackendFactory&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    void jacobian(const Atoms&, double* jacobian, double* strain) override;
    std::string summary() const override;

private:
    /// One complex transform: two channels on one of the two grids, or one channel on both.
    struct Job {
        int channel;
        int partner;  ///< channel of the imaginary part; -1: none
        int grid;     ///< 0, 1: the grid; 2: grid 0 in the real part, grid 1 in the imaginary part
    };
    void start(const Atoms&);
    void place_atoms(const Atoms&);
    void sort_atoms(const Atoms&);
    void clear_grid();
    void spread(const Job&, int degree, const double* coefficients, long atom_stride, long channel_stride);
    void gather(const Job&, int degree, double scale, double* out, long atom_stride, long channel_stride);
    void to_spectrum(double* spectrum);
    void from_spectrum(const double* spectrum);
    template <class Copy>
    void for_owned_rows(Copy copy);
    void solid_harmonics(double* v) const;
    void filter_adjoint(std::size_t q, int channel, const double* v_adj, double* w) const;
    void add_gradient(int atom, const double* along, Vec3* gradient) const;
    void multipoles(std::size_t q, const double* v_adj, Vec3* gradient);
    void source_gradient(const Atoms&, Vec3* gradient);
    void center_strain(const double* v_adj, Mat3& strain, Mat3* atom_strain) const;
    void field_strain(const double* v_adj, Mat3* atom_strain);

    const double* tensor(std::size_t k, int channel, std::size_t q) const {
        return t_.data() + static_cast<long>(k) * atom_stride_ + channel * channel_stride_ + tensor_offset_[q];
    }

    PotentialDescription description_;
    Settings settings_;
    Channels channels_;
    CoefficientShape shape_;
    Communicator* communicator_;
    std::unique_ptr<MeshBackend> backend_;
    BSpline spline_;
    MeshStencil stencil_;
    const MeshKernels* kernels_;
    MeshFilters filters_;
    MeshTensors tensors_;
    std::vector<Job> jobs_;
    std::unique_ptr<KSum> ksum_;
    std::vector<long> tensor_offset_;  ///< of each filter in the tensors of one channel of an atom
    long channel_stride_ = 0, atom_stride_ = 0;

    // of the present configuration
    Brick owned_, ghosted_, spectral_;
    MeshGrid grid_{};
    Lattice lattice_;
    std::vector<int> active_, sorted_, bins_;  ///< local atoms in the order of the mesh
    std::vector<std::size_t> places_;
    std::vector<double> moved_;
    std::array<std::vector<double>, 2> u_;              ///< (n_active, 3) mesh coordinates on both grids
    AlignedVector<double> real_, complex_, spectrum_;   ///< ghosted brick, owned brick, one spectrum
    std::vector<AlignedVector<double>> sources_, psi_;  ///< spectra per job: sources, adjoint potential
    AlignedVector<double> t_;                           ///< (n_active, channels, filters, tensor) averaged over grids
    AlignedVector<double> buffer_;                      ///< (n_active, channels, ..) multipoles or source weights
};

}  // namespace mlcalc
