// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "readouts/product.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {

/// nu = 2: p_l,qq' = scale (-1)^l / sqrt(2l+1) sum_m a_q,lm b_q',lm, see Invariant.
class PairProduct : public Product {
public:
    PairProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes);
    bool uses(int set) const override { return set == set_a_ || set == set_b_; }

protected:
    std::size_t full_scratch_size() const override { return n_l() * (matrix_size() + transpose_size()); }
    void compute_all(const double* const* c, double* p, double* scratch) const override;
    void backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                      double* scratch) const override;
    void tangent_all(const double* const* c, int set, const ColumnChange& change, double* dp,
                     double* scratch) const override;
    std::unique_ptr<FoldedProduct> fold_all(const double* w) const override;
    void backward_tangent_all(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                              double* const* c_adj, double* const* dot_adj, double* scratch) const override;

private:
    friend class FoldedPairs;
    bool same() const { return set_a_ == set_b_; }
    std::size_t n_l() const { return static_cast<std::size_t>(l_max_) + 1; }
    /// Doubles per l of the matrices that `fill_matrices` writes.
    std::size_t matrix_size() const {
        return static_cast<std::size_t>(a_.n_q()) * static_cast<std::size_t>(b_.stride());
    }
    std::size_t transpose_size() const {
        return same() ? 0 : static_cast<std::size_t>(b_.n_q()) * static_cast<std::size_t>(a_.stride());
    }
    /// The matrices G_l with dE/db_l = a_l G_l and dE/da_l = b_l G_l^T (rows m, columns q) for p_adj = dE/dp. For a
    /// product of a set with itself G_l is symmetric and dE/dc_l = c_l G_l is the whole derivative. `g` has n_l
    /// matrices (n_q of a, stride of b), `g_t` the transposes (n_q of b, stride of a), not used if a and b are the
    /// same.
    void fill_matrices(const double* p_adj, double* g, double* g_t) const;
    /// c_adj of one l for its matrices; returns their energy, which is linear in the matrices.
    double apply_matrix(int l, const double* const* c, const double* g, const double* g_t, double* const* c_adj) const;
    void add_tangent(const double* h, std::size_t ld, int l, int set, int first, int n, double* p) const;

    int set_a_, set_b_;
    const SmallProducts* products_;
    CoefficientShape a_, b_;
    int l_max_ = 0;
    std::vector<double> factor_;  ///< scale (-1)^l / sqrt(2l+1)
};

}  // namespace mlcalc
