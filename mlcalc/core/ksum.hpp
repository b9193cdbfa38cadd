// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <string>
#include <vector>

#include "aligned.hpp"
#include "channels.hpp"
#include "far_field.hpp"
#include "harmonics.hpp"
#include "lattice.hpp"
#include "smeared_power.hpp"

namespace mlcalc {

/// V of a periodic cell as a sum over a fixed list of reciprocal lattice vectors:
///   V^a_i,nlm = 4 pi / Vol sum_k g_p(k) F_nl(k) S_lm(k) Re[i^l e^(ik.r_i) sum_(j in a) e^(-ik.r_j)]
/// [Grisafi & Ceriotti, JCP 151, 204105 (2019)]. Only structure factors and their adjoints are summed over ranks.
class KSum : public FarField {
public:
    /// k list of all |k| < k_cutoff in `cell`.
    KSum(const PotentialDescription&, double k_cutoff, const Mat3& cell, Communicator&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    void jacobian(const Atoms&, double* jacobian, double* strain) override;
    std::string summary() const override;

    std::size_t n_wave_vectors() const { return integers_.size(); }

private:
    struct Range {
        std::size_t begin, size;
    };
    void set_cell(const Mat3& cell);
    void phases(const Atoms&, int begin, int end, Range k, double* out) const;
    void structure_factors(const Atoms&);
    void field_matrix(Range k, double* matrix) const;
    void strain_matrix(Range k, int a, int b, double* matrix) const;
    void fold(const double* v, int begin, int end, double* compact) const;
    void add_zero_wave_vector(const Atoms&, double* v) const;
    void zero_wave_vector_strain(const Atoms&, const double* v_adj, Mat3& strain, Mat3* atom_strain) const;
    void adjoint_of_structure(const Atoms&, Mat3& strain);
    void structure_strain(Range k, const double* sums, Mat3& strain) const;
    void forces(const Atoms&, Vec3* gradient) const;
    void atom_strains(const Atoms&, Mat3* atom_strain) const;
    void strain_jacobian(const Atoms&, double* strain);
    void contract_strain(const Atoms&, int begin, int end, int a, int b, double* out) const;
    Range block(std::size_t k) const;
    double harmonic_derivative(std::size_t k, int axis, int lm) const {
        return harmonics_gradient_[(k * 3 + static_cast<std::size_t>(axis)) * n_lm_ + static_cast<std::size_t>(lm)];
    }

    PotentialDescription description_;
    Channels channels_;
    CoefficientShape shape_;
    SmearedPower power_;
    Harmonics solid_;
    Communicator* communicator_;
    double k_cutoff_;
    std::vector<std::array<int, 3>> integers_;  ///< one of each pair k, -k, ordered so that runs share (n1, n2)
    std::array<int, 3> largest_{};
    std::size_t n_lm_, n_q_, n_columns_;

    // of the present cell
    Lattice lattice_;
    std::vector<Vec3> k_;
    std::vector<double> radial_;  ///< [k][2][l][n]: 8 pi / Vol g_p(k) F_nl(k) and its k derivative over k
    std::vector<double> harmonics_, harmonics_gradient_;  ///< S_lm(k) [k][lm], gradient [k][axis][lm]

    // of the present configuration
    std::vector<double> structure_;          ///< [channel][2][k] C + i S = sum_j u_J(j) e^(ik.r_j), then N_J
    std::vector<double> structure_adjoint_;  ///< [channel][2][k]
    mutable AlignedVector<double> phases_, matrix_, compact_, product_;
};

}  // namespace mlcalc
