// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/product.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

#include "readouts/channel_product.hpp"
#include "readouts/coefficient_product.hpp"
#include "readouts/coupled_product.hpp"
#include "readouts/pair_product.hpp"

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

/// w . p of the features.
class Product::Formed : public FoldedProduct {
public:
    Formed(const Product& product, const double* w) : product_(product), w_(w, w + product.n_full()) {}
    std::size_t scratch_size() const override { return padded() + product_.full_scratch_size(); }
    double apply(const double* const* c, double* const* c_adj, double* scratch) const override {
        product_.compute_all(c, scratch, scratch + padded());
        const double sum = std::inner_product(w_.begin(), w_.end(), scratch, 0.0);
        if (c_adj != nullptr) product_.backward_all(c, w_.data(), c_adj, scratch + padded());
        return sum;
    }

private:
    std::size_t padded() const { return (w_.size() + 7) / 8 * 8; }
    const Product& product_;
    AlignedVector<double> w_;
};

Product::Product(const Invariant& invariant, std::size_t n_full) {
    const std::size_t n_components = size(invariant.n_components());
    for (const int k : invariant.selection) {
        if (k < 0 || size(k) >= n_full) {
            throw std::invalid_argument("a selected feature must be in 0.." + std::to_string(n_full - 1) + ", got " +
                                        std::to_string(k));
        }
    }
    for (std::size_t mu = 0; mu < n_components; ++mu) {
        for (const int k : invariant.selection) selection_.push_back(static_cast<int>(mu * n_full) + k);
    }
    n_full_ = n_components * n_full;
    n_features_ = selection_.empty() ? n_full_ : selection_.size();
}

std::unique_ptr<FoldedProduct> Product::fold_all(const double* w) const {
    return std::make_unique<Formed>(*this, w);
}

void Product::compute(const double* const* c, double* p, double* scratch) const {
    if (selection_.empty()) return compute_all(c, p, scratch);
    compute_all(c, scratch, scratch + padded_full());
    for (std::size_t k = 0; k < n_features_; ++k) p[k] = scratch[selection_[k]];
}

void Product::backward(const double* const* c, const double* p_adj, double* const* c_adj, double* scratch) const {
    if (selection_.empty()) return backward_all(c, p_adj, c_adj, scratch);
    std::fill_n(scratch, n_full_, 0.0);
    for (std::size_t k = 0; k < n_features_; ++k) scratch[selection_[k]] = p_adj[k];
    backward_all(c, scratch, c_adj, scratch + padded_full());
}

void Product::tangent(const double* const* c, int set, const ColumnChange& change, double* dp, double* scratch) const {
    if (!uses(set)) return;
    if (selection_.empty()) return tangent_all(c, set, change, dp, scratch);
    std::fill_n(scratch, n_full_, 0.0);
    tangent_all(c, set, change, scratch, scratch + padded_full());
    for (std::size_t k = 0; k < n_features_; ++k) dp[k] += scratch[selection_[k]];
}

std::unique_ptr<FoldedProduct> Product::fold(const double* w) const {
    if (selection_.empty()) return fold_all(w);
    std::vector<double> all(n_full_, 0.0);
    for (std::size_t k = 0; k < n_features_; ++k) all[size(selection_[k])] = w[k];
    return fold_all(all.data());
}

void Product::backward_tangent(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                               double* const* c_adj, double* const* dot_adj, double* scratch) const {
    if (selection_.empty()) return backward_tangent_all(c, c_dot, e, p_adj, c_adj, dot_adj, scratch);
    std::fill_n(scratch, n_full_, 0.0);
    for (std::size_t k = 0; k < n_features_; ++k) scratch[selection_[k]] = p_adj[k];
    backward_tangent_all(c, c_dot, e, scratch, c_adj, dot_adj, scratch + padded_full());
}

std::unique_ptr<Product> make_product(const Invariant& invariant, const std::vector<CoefficientShape>& shapes) {
    for (const int set : invariant.sets()) {
        if (set < 0 || size(set) >= shapes.size()) {
            throw std::invalid_argument("an invariant refers to coefficient set " + std::to_string(set) +
                                        ", there are " + std::to_string(shapes.size()));
        }
    }
    if (invariant.table != nullptr) return std::make_unique<ChannelProduct>(invariant, shapes);
    switch (invariant.nu) {
        case 1:
            return std::make_unique<CoefficientProduct>(invariant, shapes);
        case 2:
            if (invariant.type) return std::make_unique<CoupledProduct>(invariant, shapes);
            return std::make_unique<PairProduct>(invariant, shapes);
        default:
            throw std::invalid_argument("nu of an invariant must be 1 or 2, got " + std::to_string(invariant.nu));
    }
}

FeatureVector::FeatureVector(const std::vector<Invariant>& invariants, const std::vector<CoefficientShape>& shapes) {
    for (const Invariant& invariant : invariants) {
        products_.push_back(make_product(invariant, shapes));
        size_ += products_.back()->n_features();
        scratch_size_ = std::max(scratch_size_, products_.back()->scratch_size());
    }
}

bool FeatureVector::uses(int set) const {
    return std::any_of(products_.begin(), products_.end(), [&](const auto& product) { return product->uses(set); });
}

void FeatureVector::compute(const double* const* c, double* p, double* scratch) const {
    for (const auto& product : products_) {
        product->compute(c, p, scratch);
        p += product->n_features();
    }
}

void FeatureVector::backward(const double* const* c, const double* p_adj, double* const* c_adj, double* scratch) const {
    for (const auto& product : products_) {
        product->backward(c, p_adj, c_adj, scratch);
        p_adj += product->n_features();
    }
}

void FeatureVector::tangent(const double* const* c, int set, const ColumnChange& change, double* dp,
                            double* scratch) const {
    for (const auto& product : products_) {
        product->tangent(c, set, change, dp, scratch);
        dp += product->n_features();
    }
}

void FeatureVector::backward_tangent(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                                     double* const* c_adj, double* const* dot_adj, double* scratch) const {
    for (const auto& product : products_) {
        product->backward_tangent(c, c_dot, e, p_adj, c_adj, dot_adj, scratch);
        p_adj += product->n_features();
    }
}

std::vector<std::unique_ptr<FoldedProduct>> FeatureVector::fold(const double* w) const {
    std::vector<std::unique_ptr<FoldedProduct>> folded;
    for (const auto& product : products_) {
        folded.push_back(product->fold(w));
        w += product->n_features();
    }
    return folded;
}

}  // namespace mlcalc
