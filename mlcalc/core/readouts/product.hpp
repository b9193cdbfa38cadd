// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/coefficients.hpp"
#include "model/description.hpp"

namespace mlcalc {

/// w . p of one center as a function of its coefficients, for fixed weights: what a linear readout evaluates instead of
/// the features where that is faster.
class FoldedProduct {
public:
    virtual ~FoldedProduct() = default;
    /// Doubles of scratch that `apply` needs.
    virtual std::size_t scratch_size() const { return 0; }
    /// w . p; its derivative is added to c_adj[set] if c_adj is not null.
    virtual double apply(const double* const* c, double* const* c_adj, double* scratch) const = 0;
};

/// Features p of one center from its coefficient sets, c[set], and their adjoint: invariants, or the components of
/// equivariants, [mu][feature]. A derived class makes all features; scale and selection are applied here.
class Product {
public:
    virtual ~Product() = default;
    std::size_t n_features() const { return n_features_; }
    /// Does it read this coefficient set?
    virtual bool uses(int set) const = 0;

    /// Doubles of scratch, aligned to 64 bytes as all coefficients are, that the functions below need.
    std::size_t scratch_size() const { return padded_full() + full_scratch_size(); }
    void compute(const double* const* c, double* p, double* scratch) const;
    /// c_adj[set] += (dp/dc)^T p_adj; a null c_adj[set] is left out.
    void backward(const double* const* c, const double* p_adj, double* const* c_adj, double* scratch) const;
    /// dp += (dp/dc) change, where some columns of one set change.
    void tangent(const double* const* c, int set, const ColumnChange& change, double* dp, double* scratch) const;
    std::unique_ptr<FoldedProduct> fold(const double* w) const;
    /// For the optimization of what makes the coefficients: with p_dot the change of the features for c_dot, adds the
    /// derivatives of p_adj . (e p + p_dot) with respect to c and c_dot. The tangent of `backward`.
    void backward_tangent(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                          double* const* c_adj, double* const* dot_adj, double* scratch) const;

protected:
    /// The invariant must have n_full features, or n_full of each component, before its selection. Throws
    /// std::invalid_argument for a selection outside.
    Product(const Invariant& invariant, std::size_t n_full);
    /// Of all components.
    std::size_t n_full() const { return n_full_; }
    virtual std::size_t full_scratch_size() const = 0;
    virtual void compute_all(const double* const* c, double* p, double* scratch) const = 0;
    virtual void backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                              double* scratch) const = 0;
    virtual void tangent_all(const double* const* c, int set, const ColumnChange& change, double* dp,
                             double* scratch) const = 0;
    /// By default the features are formed.
    virtual std::unique_ptr<FoldedProduct> fold_all(const double* w) const;
    virtual void backward_tangent_all(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                                      double* const* c_adj, double* const* dot_adj, double* scratch) const = 0;

private:
    class Formed;
    /// Rounded up to a cache line: what follows in a scratch array is aligned.
    std::size_t padded_full() const { return selection_.empty() ? 0 : (n_full_ + 7) / 8 * 8; }

    std::vector<int> selection_;
    std::size_t n_full_, n_features_;
};

/// The product of an invariant. Throws std::invalid_argument if it does not fit the shapes of the coefficient sets.
std::unique_ptr<Product> make_product(const Invariant& invariant, const std::vector<CoefficientShape>& shapes);

/// The concatenated invariants of a term.
class FeatureVector {
public:
    FeatureVector() = default;
    FeatureVector(const std::vector<Invariant>& invariants, const std::vector<CoefficientShape>& shapes);
    std::size_t size() const { return size_; }
    std::size_t scratch_size() const { return scratch_size_; }
    bool uses(int set) const;
    void compute(const double* const* c, double* p, double* scratch) const;
    void backward(const double* const* c, const double* p_adj, double* const* c_adj, double* scratch) const;
    void tangent(const double* const* c, int set, const ColumnChange& change, double* dp, double* scratch) const;
    void backward_tangent(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                          double* const* c_adj, double* const* dot_adj, double* scratch) const;
    /// One per invariant.
    std::vector<std::unique_ptr<FoldedProduct>> fold(const double* w) const;

private:
    std::vector<std::shared_ptr<const Product>> products_;
    std::size_t size_ = 0;
    std::size_t scratch_size_ = 0;
};

}  // namespace mlcalc
