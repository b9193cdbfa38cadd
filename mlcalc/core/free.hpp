// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "channels.hpp"
#include "far_field.hpp"
#include "harmonics.hpp"

namespace mlcalc {

/// V of a finite system: V^a_i,nlm = sum_(j in a) G_nl(r_ij) S_lm(r_ij), G_nl(r) = F_nl(r) / r^l, the projection of the
/// smeared potential of an atom at distance r: a table near the atom, the multipole series beyond. Right at any
/// distance, O(N^2). Ranks share positions and gradients as sums.
class FreeSum : public FarField {
public:
    FreeSum(const PotentialDescription&, int n_threads, Communicator&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    void jacobian(const Atoms&, double* jacobian, double* strain) override;
    std::string summary() const override;
    Memory memory() const override;

    /// G_nl(r) and dG_nl/dr / r, index l * n_max + n, for r > 0.
    void radial(double r, double* value, double* slope) const;

private:
    /// Buffers of one thread.
    struct Work {
        std::vector<double> value, slope;  ///< G_nl, dG_nl/dr / r
        std::vector<double> y, dy;         ///< S_lm, [axis][lm]
        std::vector<double> of_species;    ///< [species][lm][n] fields at one atom, or dE/d(field)
        std::vector<double> gradient;      ///< (n_total, 3)
        Mat3 strain{};
    };
    void gather(const Atoms&);
    Vec3 separation(std::size_t i, std::size_t j) const;
    int species_of(std::size_t j) const { return static_cast<int>(all_[4 * j + 3]); }
    /// Radial functions and harmonics of a source at `r`.
    void source(const Vec3& r, bool gradient, Work&) const;
    void field_at(std::size_t i, double* v_i, Work&) const;
    void mix_adjoint(const double* v_adj_i, Work&) const;
    Vec3 pair_gradient(const Vec3& r, int species, Work&) const;
    void jacobian_at(const Atoms&, std::size_t i, double* jacobian, double* strain, Work&) const;
    Work& work(std::size_t thread);

    PotentialDescription description_;
    Channels channels_;
    CoefficientShape shape_;
    Harmonics solid_;
    int n_threads_;
    Communicator* communicator_;
    std::size_t n_lm_, n_max_, n_radial_;
    std::size_t first_ = 0;    ///< index of this rank's first atom among all
    std::vector<double> all_;  ///< (n_total, 4): position, species
    std::vector<Work> work_;   ///< one per thread
};

}  // namespace mlcalc
