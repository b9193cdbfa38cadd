// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/coefficient_product.hpp"

namespace mlcalc {
namespace {

class FoldedCoefficients : public FoldedProduct {
public:
    FoldedCoefficients(int set, std::vector<double> w) : set_(set), w_(std::move(w)) {}
    double apply(const double* const* c, double* const* c_adj, double*) const override {
        double sum = 0.0;
        for (std::size_t q = 0; q < w_.size(); ++q) sum += w_[q] * c[set_][q];
        for (std::size_t q = 0; q < w_.size() && c_adj != nullptr; ++q) c_adj[set_][q] += w_[q];
        return sum;
    }

private:
    int set_;
    std::vector<double> w_;
};

}  // namespace

CoefficientProduct::CoefficientProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes)
    : Product(invariant, n_full_features(invariant, shapes)),
      set_(invariant.a),
      n_(shapes[static_cast<std::size_t>(invariant.a)].n_q()),
      stride_(shapes[static_cast<std::size_t>(invariant.a)].stride()),
      first_(invariant.type ? invariant.type->lambda * invariant.type->lambda : 0),
      n_components_(invariant.n_components()),
      scale_(invariant.scale) {}

void CoefficientProduct::compute_all(const double* const* c, double* p, double*) const {
    for (int mu = 0; mu < n_components_; ++mu) {
        for (int q = 0; q < n_; ++q) *p++ = scale_ * c[set_][row(mu) + q];
    }
}

void CoefficientProduct::backward_all(const double* const*, const double* p_adj, double* const* c_adj, double*) const {
    if (c_adj[set_] == nullptr) return;
    for (int mu = 0; mu < n_components_; ++mu) {
        for (int q = 0; q < n_; ++q) c_adj[set_][row(mu) + q] += scale_ * *p_adj++;
    }
}

void CoefficientProduct::tangent_all(const double* const*, int, const ColumnChange& change, double* dp, double*) const {
    for (int mu = 0; mu < n_components_; ++mu, dp += n_) {
        const double* from = change.change + (first_ + mu) * change.ld;
        for (int q = 0; q < change.n; ++q) dp[change.first + q] += scale_ * from[q];
    }
}

void CoefficientProduct::backward_tangent_all(const double* const*, const double* const*, double e, const double* p_adj,
                                              double* const* c_adj, double* const* dot_adj, double*) const {
    for (int mu = 0; mu < n_components_; ++mu, p_adj += n_) {
        for (int q = 0; q < n_; ++q) {
            c_adj[set_][row(mu) + q] += e * scale_ * p_adj[q];
            dot_adj[set_][row(mu) + q] += scale_ * p_adj[q];
        }
    }
}

std::unique_ptr<FoldedProduct> CoefficientProduct::fold_all(const double* w) const {
    if (n_components_ > 1) return Product::fold_all(w);
    std::vector<double> scaled(w, w + n_);
    for (double& value : scaled) value *= scale_;
    return std::make_unique<FoldedCoefficients>(set_, std::move(scaled));
}

}  // namespace mlcalc
