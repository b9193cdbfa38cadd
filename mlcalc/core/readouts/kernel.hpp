// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mutex>
#include <vector>

#include "base/aligned.hpp"
#include "readouts/readout.hpp"

namespace mlcalc {

/// E_i = sum_M w_M (p_hat_i . p_hat_M)^zeta with the sparse points M of the centre's species, p_hat = p / sqrt(|p|^2 +
/// epsilon^2) or p itself [Bartok, Csanyi, IJQC 115, 1051 (2015)]. Atoms of one species go through matrix products
/// together. With `single_precision` the two products are done in floats.
class KernelRegressor : public Regressor {
public:
    KernelRegressor(const KernelDescription& description, FeatureVector features, int n_species, int n_members);

    void compute(const CenterBlock& block, int member, double* energies, double* member_energies,
                 RegressorWorkspace& workspace) const override;
    bool has_extrapolation() const override { return true; }
    void extrapolation(const CenterBlock& block, double* measure, RegressorWorkspace& workspace) const override;
    std::string summary() const override;

    int zeta() const { return zeta_; }
    std::size_t n_points(int species) const { return sets_[static_cast<std::size_t>(species)].n; }
    /// (n_points, n_features), normalised if the kernel is
    const double* points(int species) const { return sets_[static_cast<std::size_t>(species)].points.data(); }
    bool normalizes() const { return normalize_; }
    /// p becomes p_hat if the kernel is normalised; returns sqrt(|p|^2 + epsilon^2), or 1.
    double normalize(double* p) const;

private:
    /// Sparse points of one centre species as they enter the products, and their weights.
    struct SparseSet {
        std::size_t n = 0;
        AlignedVector<double> points;  ///< (n, n_features), normalised if the kernel is
        AlignedVector<float> points_single;
        std::vector<double> mean;              ///< (n)
        std::vector<double> members;           ///< (n_members, n)
        mutable std::vector<double> cholesky;  ///< lower triangle of k(M, M), made when first asked for
        std::unique_ptr<std::once_flag> once = std::make_unique<std::once_flag>();
    };
    SparseSet make_set(const std::vector<double>& points, const std::vector<double>& weights) const;
    SparseSet collapsed(const SparseSet& set) const;
    std::size_t gather_normalized(const CenterBlock& block, int species, RegressorWorkspace& work) const;
    void chunk(const SparseSet& set, std::size_t first, std::size_t n_rows, std::size_t n, const double* w,
               bool gradient, double* member_energies, RegressorWorkspace& work, double* energies) const;
    void scatter(const CenterBlock& block, std::size_t n, RegressorWorkspace& work) const;
    const std::vector<double>& cholesky(const SparseSet& set) const;

    int n_members_;
    int zeta_;
    bool normalize_;
    bool single_precision_;
    double epsilon_;
    std::vector<SparseSet> sets_;
    std::vector<SparseSet> collapsed_;  ///< zeta 1: the energy is linear in p_hat, one point per member is enough
};

}  // namespace mlcalc
