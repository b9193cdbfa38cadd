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
    FreeSum(const PotentialDescription&, Communicator&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    void jacobian(const Atoms&, double* jacobian, double* strain) override;
    std::string summary() const override;

    /// G_nl(r) and dG_nl/dr / r, index l * n_max + n, for r > 0.
    void radial(double r, double* value, double* slope) const;

private:
    void gather(const Atoms&);
    /// T_nlm = G_nl S_lm and its gradient with respect to r, [lm][n] and [axis][lm][n], for one source at `r`.
    void source(const Vec3& r, double* t, double* gradient) const;

    PotentialDescription description_;
    Channels channels_;
    CoefficientShape shape_;
    Harmonics solid_;
    Communicator* communicator_;
    std::size_t n_lm_, n_max_, n_radial_;
    std::size_t first_ = 0;         ///< index of this rank's first atom among all
    std::vector<double> all_;       ///< (n_total, 4): position, species
    std::vector<double> gradient_;  ///< (n_total, 3)
    mutable std::vector<double> radial_, harmonics_, t_;
};

}  // namespace mlcalc
