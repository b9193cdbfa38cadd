// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/aligned.hpp"
#include "base/system.hpp"
#include "coefficient_sets.hpp"
#include "readouts/product.hpp"

namespace mlcalc {

/// Derivatives of the features of one center with respect to the atoms it feels and the strain: three rows of
/// n_features (x, y, z) for each atom of `atoms`, then nine of the strain (3 a + b). Each neighbor changes only its
/// own channel of a density, which is what makes this forward sweep cheap.
class FeatureTangents : private TangentSink {
public:
    /// Rows of center i from these expansions, after `compute` of the sets for it alone, with gradients.
    void compute(const System&, const CoefficientSets&, const std::vector<int>& expansions, const FeatureVector&, int i,
                 CoefficientSets::Workspace&);

    const std::vector<int>& atoms() const { return atoms_; }
    std::size_t n_rows() const { return 3 * atoms_.size() + 9; }
    const double* row(std::size_t r) const { return &rows_[r * n_features_]; }
    const double* rows() const { return rows_.data(); }

private:
    void pair(int j, const Vec3& r_ij, int x, const ColumnChange&) override;
    void atom(int j, int x, const ColumnChange&) override;
    void strain(int a, int b, const ColumnChange&) override;
    /// direction_ = the change of the features with columns of the present expansion.
    void follow(const ColumnChange&);
    std::size_t slot(int atom);
    void add(std::size_t row, double factor);

    std::size_t n_features_ = 0;
    std::vector<int> atoms_;
    std::vector<int> slot_;  ///< (n_all) index into atoms_, or -1
    AlignedVector<double> rows_, direction_, scratch_;
    std::vector<AlignedVector<double>> changes_;  ///< of the layers
    // of the present center and expansion
    const CoefficientSets* sets_ = nullptr;
    const FeatureVector* features_ = nullptr;
    CoefficientSets::Workspace* work_ = nullptr;
    int center_ = 0, expansion_ = 0;
};

}  // namespace mlcalc
