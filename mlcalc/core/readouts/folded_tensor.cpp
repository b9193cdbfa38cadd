// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/folded_tensor.hpp"

#include <algorithm>

#include "base/aligned.hpp"
#include "base/clebsch_gordan.hpp"
#include "readouts/product.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

double dot(const double* a, const double* b, int n) {
    double sum = 0.0;
    for (int k = 0; k < n; ++k) sum += a[k] * b[k];
    return sum;
}

void add(double factor, const double* from, int n, double* to) {
    for (int k = 0; k < n; ++k) to[k] += factor * from[k];
}

/// nu = 1: T^mu = sum_q w_q c_q,lambda mu.
class FoldedComponents : public FoldedTensor {
public:
    FoldedComponents(const Invariant& equivariant, const CoefficientShape& shape, std::vector<double> w)
        : set_(equivariant.a), type_(*equivariant.type), stride_(shape.stride()), w_(std::move(w)) {}
    void compute(const double* const* c, double* y, double*) const override {
        for (int mu = 0; mu < type_.n_components(); ++mu) y[mu] += dot(w_.data(), c[set_] + row(mu), n());
    }
    void backward(const double* const*, const double* y_adj, double* const* c_adj, double*) const override {
        for (int mu = 0; mu < type_.n_components(); ++mu) add(y_adj[mu], w_.data(), n(), c_adj[set_] + row(mu));
    }

private:
    int n() const { return static_cast<int>(w_.size()); }
    int row(int mu) const { return (type_.lambda * type_.lambda + mu) * stride_; }
    int set_;
    SphericalType type_;
    int stride_;
    std::vector<double> w_;
};

/// nu = 2: T^mu = sum_(l1 l2) sum_(m1 m2) C^mu_m1m2 (a_m1 W) . b_m2 with a matrix W of weights for each block.
class FoldedCoupling : public FoldedTensor {
public:
    FoldedCoupling(const Invariant& equivariant, const CoefficientShape& a, const CoefficientShape& b, const double* w);
    std::size_t scratch_size() const override { return 2 * (2 * size(a_.l_max) + 1) * size(b_.stride()); }
    void compute(const double* const* c, double* y, double* scratch) const override;
    void backward(const double* const* c, const double* y_adj, double* const* c_adj, double* scratch) const override;

private:
    struct Block {
        int l_1, l_2;
        AlignedVector<double> w, w_t;  ///< (n_q of a, stride of b), (n_q of b, stride of a)
        std::vector<CoupledRows> entries;
    };
    /// v_m1 = a_m1 W
    void fold(const Block& block, const double* a, double* v) const;

    int set_a_, set_b_;
    CoefficientShape a_, b_;
    std::vector<Block> blocks_;
    const SmallProducts* products_;
};

FoldedCoupling::FoldedCoupling(const Invariant& equivariant, const CoefficientShape& a, const CoefficientShape& b,
                               const double* w)
    : set_a_(equivariant.a), set_b_(equivariant.b), a_(a), b_(b), products_(&small_products()) {
    const SphericalType& type = *equivariant.type;
    for (const CoupledBlock& block : coupled_blocks(type, a_.l_max, b_.l_max, set_a_ == set_b_)) {
        Block folded{block.l_1, block.l_2, {}, {}, {}};
        folded.w.resize(size(a_.n_q()) * size(b_.stride()));
        folded.w_t.resize(size(b_.n_q()) * size(a_.stride()));
        for (int q = 0; q < a_.n_q(); ++q) {
            for (int k = block.first(q); k < b_.n_q(); ++k) {
                const double weight = block.factor(q, k) * *w++;
                folded.w[size(q * b_.stride() + k)] = folded.w_t[size(k * a_.stride() + q)] = weight;
            }
        }
        for (const CouplingTerm& term : real_clebsch_gordan(block.l_1, block.l_2, type.lambda)) {
            folded.entries.push_back({(block.l_1 + term.m1) * b_.stride(), (block.l_2 + term.m2) * b_.stride(),
                                      type.lambda + term.m, term.value});
        }
        blocks_.push_back(std::move(folded));
    }
}

void FoldedCoupling::fold(const Block& block, const double* a, double* v) const {
    const int n_m = 2 * block.l_1 + 1, ld = b_.stride();
    std::fill_n(v, n_m * ld, 0.0);
    products_->multiply(n_m, a, a_.stride(), a_.n_q(), block.w.data(), ld, ld, nullptr, 0, v, ld);
}

void FoldedCoupling::compute(const double* const* c, double* y, double* v) const {
    const int ld = b_.stride();
    for (const Block& block : blocks_) {
        fold(block, c[set_a_] + block.l_1 * block.l_1 * a_.stride(), v);
        products_->coupled_dot(block.entries.data(), static_cast<int>(block.entries.size()), ld, v,
                               c[set_b_] + block.l_2 * block.l_2 * ld, y);
    }
}

void FoldedCoupling::backward(const double* const* c, const double* y_adj, double* const* c_adj, double* v) const {
    const int ld = b_.stride();
    for (const Block& block : blocks_) {
        const int n_m = 2 * block.l_1 + 1, at_a = block.l_1 * block.l_1 * a_.stride();
        const double* b = c[set_b_] + block.l_2 * block.l_2 * ld;
        double *v_adj = v + n_m * ld, *b_adj = c_adj[set_b_] + block.l_2 * block.l_2 * ld;
        fold(block, c[set_a_] + at_a, v);
        std::fill_n(v_adj, n_m * ld, 0.0);
        for (const CoupledRows& entry : block.entries) {
            const double product_adj = entry.value * y_adj[entry.component];
            if (product_adj == 0.0) continue;  // of one Cartesian component there are few
            add(product_adj, v + entry.a_row, ld, b_adj + entry.b_row);
            add(product_adj, b + entry.b_row, ld, v_adj + entry.a_row);
        }
        products_->multiply(n_m, v_adj, ld, b_.n_q(), block.w_t.data(), a_.stride(), a_.stride(), nullptr, 0,
                            c_adj[set_a_] + at_a, a_.stride());
    }
}

/// Products within channels: T^mu = w . p^mu of the equivariants, whose components share what is coupled.
class FormedTensor : public FoldedTensor {
public:
    FormedTensor(const Invariant& equivariant, const std::vector<CoefficientShape>& shapes, const double* w)
        : product_(make_product(equivariant, shapes)),
          n_mu_(size(equivariant.n_components())),
          w_(w, w + product_->n_features() / n_mu_) {}
    std::size_t scratch_size() const override { return padded() + product_->scratch_size(); }
    void compute(const double* const* c, double* y, double* scratch) const override {
        product_->compute(c, scratch, scratch + padded());
        for (std::size_t mu = 0; mu < n_mu_; ++mu) y[mu] += dot(w_.data(), scratch + mu * w_.size(), n());
    }
    void backward(const double* const* c, const double* y_adj, double* const* c_adj, double* scratch) const override {
        std::fill_n(scratch, product_->n_features(), 0.0);
        for (std::size_t mu = 0; mu < n_mu_; ++mu) add(y_adj[mu], w_.data(), n(), scratch + mu * w_.size());
        product_->backward(c, scratch, c_adj, scratch + padded());
    }

private:
    int n() const { return static_cast<int>(w_.size()); }
    std::size_t padded() const { return (product_->n_features() + 7) / 8 * 8; }
    std::unique_ptr<const Product> product_;
    std::size_t n_mu_;
    std::vector<double> w_;
};

}  // namespace

std::unique_ptr<FoldedTensor> fold_tensor(const Invariant& equivariant, const std::vector<CoefficientShape>& shapes,
                                          const double* w) {
    if (equivariant.table != nullptr) return std::make_unique<FormedTensor>(equivariant, shapes, w);
    std::vector<double> all(n_full_features(equivariant, shapes), 0.0);
    if (equivariant.selection.empty()) std::copy_n(w, all.size(), all.begin());
    for (std::size_t k = 0; k < equivariant.selection.size(); ++k) all[size(equivariant.selection[k])] = w[k];
    for (double& value : all) value *= equivariant.scale;
    const CoefficientShape& a = shapes[size(equivariant.a)];
    if (equivariant.nu == 1) return std::make_unique<FoldedComponents>(equivariant, a, std::move(all));
    return std::make_unique<FoldedCoupling>(equivariant, a, shapes[size(equivariant.b)], all.data());
}

}  // namespace mlcalc
