// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "readouts/product.hpp"

namespace mlcalc {

/// nu = 1: p_q = scale c_q,00, or p_mu,q = scale c_q,lambda mu of a SphericalType.
class CoefficientProduct : public Product {
public:
    CoefficientProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes);
    bool uses(int set) const override { return set == set_; }

protected:
    std::size_t full_scratch_size() const override { return 0; }
    void compute_all(const double* const* c, double* p, double* scratch) const override;
    void backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                      double* scratch) const override;
    void tangent_all(const double* const* c, int set, const ColumnChange& change, double* dp,
                     double* scratch) const override;
    std::unique_ptr<FoldedProduct> fold_all(const double* w) const override;
    void backward_tangent_all(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                              double* const* c_adj, double* const* dot_adj, double* scratch) const override;

private:
    /// The row of component mu.
    int row(int mu) const { return (first_ + mu) * stride_; }

    int set_, n_, stride_;
    int first_, n_components_;  ///< lm of the components
    double scale_;
};

}  // namespace mlcalc
