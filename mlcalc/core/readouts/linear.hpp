// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "readouts/low_rank.hpp"
#include "readouts/readout.hpp"

namespace mlcalc {

/// E_i = w[Z_i] . p_i. For one weight set the invariants are never formed: E = sum_l tr(C_l^T W_l D_l), with W_l made
/// once from the weights.
class LinearRegressor : public Regressor {
public:
    LinearRegressor(const LinearDescription& description, FeatureVector features, int n_species, int n_members);

    void compute(const CenterBlock& block, int member, double* energies, double* member_energies,
                 RegressorWorkspace& workspace) const override;
    bool has_extrapolation() const override;
    void extrapolation(const CenterBlock& block, double* measure, RegressorWorkspace& workspace) const override;
    std::string summary() const override;

private:
    /// The mean weights of one centre species for one invariant.
    struct Operator {
        std::vector<double> w;         ///< nu = 1, selected features only
        AlignedVector<double> g, g_t;  ///< nu = 2: see InvariantKernel::fill_matrices
        std::vector<LowRank> factors;  ///< per l, for a product of an expansion with itself
    };
    Operator make_operator(const InvariantKernel& kernel, const double* w) const;
    const double* weights(int member, int species) const;
    double energy_of(int species, const double* const* c, double* const* c_adj, double* scratch) const;

    int n_species_;
    int n_members_;
    std::vector<double> weights_;
    std::vector<double> mean_;
    std::vector<std::vector<double>> leverage_;
    std::vector<std::vector<Operator>> operators_;  ///< [species][invariant]
};

}  // namespace mlcalc
