// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/aligned.hpp"
#include "base/types.hpp"
#include "coefficient_sets.hpp"
#include "readouts/product.hpp"

namespace mlcalc {

/// One structure: what `Potential::compute` takes.
struct Structure {
    const Atoms& atoms;
    const NeighborList& list;
    Communicator& communicator;
    MeshBackendFactory& factory;
};

/// Derivatives of the features of one centre with respect to the atoms it feels and the strain: three rows of
/// n_features (x, y, z) for each atom of `atoms`, then nine of the strain (3 a + b). Each neighbour changes only its
/// own channel of a density, which is what makes this forward sweep cheap.
class FeatureTangents {
public:
    /// Jacobians of the potentials among `expansions`, for all centres; must precede `compute` with far = true.
    void start(const Structure&, ExpansionSet& set, const std::vector<int>& expansions);
    /// Rows of centre i from the densities, and with `far` from the potentials, among `expansions`. `c` points to the
    /// coefficients of this centre.
    void compute(const Structure&, const ExpansionSet& set, const std::vector<int>& expansions,
                 const FeatureVector& features, int i, const double* const* c, bool far);

    const std::vector<int>& atoms() const { return atoms_; }
    std::size_t n_rows() const { return 3 * atoms_.size() + 9; }
    const double* row(std::size_t r) const { return &rows_[r * n_features_]; }
    const double* rows() const { return rows_.data(); }
    /// dV_i/dr_j, (n_all * 3, size), and dV_i/d eps, (9, size), of expansion e
    const double* far_rows(int e, int i) const;
    const double* far_strain_rows(int e, int i) const;

private:
    std::size_t slot(int atom);
    void density(const Structure&, const DensityExpansion&, int e, const FeatureVector&, int i, const double* const* c);
    void potential(const Structure&, const CoefficientShape&, int e, const FeatureVector&, int i,
                   const double* const* c);
    void add(std::size_t row, double factor);

    std::size_t n_features_ = 0;
    std::vector<int> atoms_;
    std::vector<int> slot_;  ///< (n_all) index into atoms_, or -1
    AlignedVector<double> rows_, change_, direction_, scratch_, coefficients_;
    std::vector<double> derivative_;
    DensityExpansion::Workspace workspace_;
    std::vector<AlignedVector<double>> far_, far_strain_;  ///< per expansion
    std::vector<std::size_t> far_stride_;                  ///< doubles per centre in far_
    std::vector<std::size_t> far_size_;                    ///< doubles per coefficient set
};

}  // namespace mlcalc
