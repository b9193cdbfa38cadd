// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/channels.hpp"
#include "base/harmonics.hpp"
#include "base/lattice.hpp"
#include "base/threads.hpp"
#include "far_field/far_field.hpp"
#include "far_field/spectrum.hpp"

namespace mlcalc {

/// V of a periodic cell as a sum over a fixed list of reciprocal lattice vectors:
///   V^a_i,nlm = 4 pi / Vol sum_k g_p(k) F_nl(k) S_lm(k) Re[i^l e^(ik.r_i) sum_(j in a) e^(-ik.r_j)]
/// [Grisafi & Ceriotti, JCP 151, 204105 (2019)]. Only structure factors and their adjoints are summed over ranks.
class KSum : public FieldEvaluator, public FieldJacobian {
public:
    using WaveVectors = std::vector<std::array<int, 3>>;
    /// Integers of all |k| < k_cutoff in `cell`, one of each pair k, -k, ordered so that runs share (n1, n2).
    static WaveVectors wave_vectors(double k_cutoff, const Mat3& cell);
    /// Behind a near part, if not null; in the padded cell of a slab, if there is one.
    KSum(const FieldDescription&, std::shared_ptr<const NearPart>, SlabPadding, double k_cutoff, WaveVectors,
         int n_threads, Communicator&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    void jacobian(const Atoms&, double* jacobian, double* strain) override;
    std::string summary() const override;
    Memory memory() const override;

    static constexpr int atom_block = 96;
    static constexpr std::size_t k_block = 512;

private:
    struct Range {
        std::size_t begin, size;
    };
    /// Buffers of one thread: (atom_block, 2 k_block) phases, (2 k_block, n_columns) matrix, and a product.
    struct Work {
        AlignedVector<double> phases, matrix, product;
    };
    // ksum.cpp
    void set_cell(const Mat3& cell);
    void set_wave_vectors(std::size_t begin, std::size_t end);
    void set_zero_wave_vector();
    void phases(const Atoms&, int begin, int end, Range k, double* out) const;
    void structure_factors(const Atoms&);
    void field_matrix(Range k, double* matrix) const;
    void field_rows(Range k, std::size_t begin, std::size_t end, double* matrix) const;
    void add_zero_wave_vector(const Atoms&, double* v) const;
    Range block(std::size_t b) const;
    std::size_t n_blocks() const { return (integers_.size() + k_block - 1) / k_block; }
    Work& work(std::size_t thread);
    // ksum_backward.cpp
    void strain_matrix(Range k, int a, int b, double* matrix) const;
    void zero_wave_vector_strain(const Atoms&, const double* v_adj, Mat3& strain, Mat3* atom_strain) const;
    void adjoint_of_structure(const Atoms&, const double* v_adj, Mat3& strain);
    void adjoint_of_block(const Atoms&, const double* v_adj, Range k, Work&, Mat3& strain);
    void structure_strain(Range k, const double* sums, Mat3& strain) const;
    void source_adjoint(Range k, double* source) const;
    void forces(const Atoms&, const double* v_adj, Vec3* gradient);
    void atom_strains(const Atoms&, const double* v_adj, Mat3* atom_strain);
    void contract_strain(const Atoms&, int begin, int end, int a, int b, Work&, double* out) const;
    // ksum_jacobian.cpp
    void jacobian_rows(const Atoms&, const double* phases, std::size_t begin, std::size_t end, double* jacobian) const;
    void slope_matrix(Range k, const double* phases, std::size_t begin, std::size_t end, double* matrix) const;
    void scatter_slopes(const Atoms&, std::size_t i, std::size_t j, const double* slope, double* jacobian) const;
    void strain_jacobian(const Atoms&, double* strain);

    /// function(begin, end, buffers) for every block of atoms.
    template <class Function>
    void for_atom_blocks(int n_atoms, Function function) {
        const auto n = static_cast<std::size_t>((n_atoms + atom_block - 1) / atom_block);
        for_shares(n_threads_, n, [&](std::size_t begin, std::size_t end, std::size_t share) {
            for (std::size_t b = begin; b < end; ++b) {
                const int first = static_cast<int>(b) * atom_block;
                function(first, std::min(first + atom_block, n_atoms), work(share));
            }
        });
    }
    /// i^l = sign_of(l) for even l, i sign_of(l) for odd l
    static double sign_of(int l) { return l % 4 < 2 ? 1.0 : -1.0; }
    double harmonic_derivative(std::size_t k, int axis, int lm) const {
        return harmonics_gradient_[(k * 3 + static_cast<std::size_t>(axis)) * n_lm_ + static_cast<std::size_t>(lm)];
    }

    FieldDescription description_;
    FieldSpectrum spectrum_;
    Channels channels_;
    CoefficientShape shape_;
    Harmonics solid_;
    Communicator* communicator_;
    double k_cutoff_;
    int n_threads_;
    WaveVectors integers_;
    std::array<int, 3> largest_{};
    std::size_t n_lm_, n_q_, n_columns_;

    // of the present cell
    Lattice lattice_;
    std::vector<double> zero_;  ///< [n] of the term of k = 0, then its turn (FieldSpectrum)
    std::vector<Mat3> turned_;  ///< [k] p (x) p - n (x) n in the padded cell of a slab
    Mat3 turned_zero_{};        ///< the same at k = 0
    std::vector<Vec3> k_;
    std::vector<double>
        radial_;  ///< [k][3][l][n]: 8 pi / Vol of the sum of its filters: value, slope and turn of FieldSpectrum
    std::vector<double> harmonics_, harmonics_gradient_;  ///< S_lm(k) [k][lm], gradient [k][axis][lm]

    // of the present configuration
    std::vector<double> structure_;          ///< [channel][2][k] C + i S = sum_j u_J(j) e^(ik.r_j), then N_J
    std::vector<double> structure_adjoint_;  ///< [channel][2][k]
    AlignedVector<double> matrix_;
    std::vector<Work> work_;  ///< one per thread
};

}  // namespace mlcalc
