// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <vector>

#include "base/clebsch_gordan.hpp"
#include "readouts/product.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {

/// nu = 2 of a SphericalType: p^mu_(l1 l2)qq' = scale sum_(m1 m2) C^(lambda mu)_(l1 m1, l2 m2) a_q,l1m1 b_q',l2m2, see
/// Invariant [Grisafi, Wilkins, Csanyi, Ceriotti, PRL 120, 036002 (2018)]. Features [mu][l1][l2][q][q'].
class CoupledProduct : public Product {
public:
    CoupledProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes);
    bool uses(int set) const override { return set == set_a_ || set == set_b_; }

protected:
    std::size_t full_scratch_size() const override;
    void compute_all(const double* const* c, double* p, double* scratch) const override;
    void backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                      double* scratch) const override;
    void tangent_all(const double* const* c, int set, const ColumnChange& change, double* dp,
                     double* scratch) const override;
    void backward_tangent_all(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                              double* const* c_adj, double* const* dot_adj, double* scratch) const override;

private:
    /// A block with its coefficients per mu.
    struct Block : CoupledBlock {
        std::vector<std::vector<CouplingTerm>> terms;
    };
    /// to_m1 = sum_m2 C_m1m2 b_m2 (2 l1 + 1 rows), from rows of `columns` doubles.
    static void couple(const Block& block, std::size_t mu, const double* b, int ld_b, int columns, double* to, int ld);
    /// b_adj_m2 += sum_m1 C_m1m2 from_m1
    static void couple_back(const Block& block, std::size_t mu, const double* from, int ld, double* b_adj, int ld_b);
    /// Calls use(block, mu, first feature) of each block and component.
    void for_blocks(const std::function<void(const Block&, std::size_t, std::size_t)>& use) const;
    double factor(const Block& block, int q, int k) const { return scale_ * block.factor(q, k); }
    std::size_t n_pairs(const Block& block) const;

    int set_a_, set_b_;
    double scale_;
    CoefficientShape a_, b_;
    std::vector<Block> blocks_;
    const SmallProducts* products_;
};

}  // namespace mlcalc
