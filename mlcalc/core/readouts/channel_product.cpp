// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/channel_product.hpp"

#include <algorithm>

#include "base/aligned.hpp"

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

class FoldedChannels : public FoldedProduct {
public:
    FoldedChannels(const ChannelProduct& product, const double* w) : product_(product), w_(product.padded_features()) {
        product_.pad(w, w_.data());
    }
    std::size_t scratch_size() const override {
        return static_cast<std::size_t>(channel_scratch(product_.couplings_->program()));
    }
    double apply(const double* const* c, double* const* c_adj, double* scratch) const override {
        const int ld = product_.shape_.stride(), set = product_.set_;
        return product_.products_->fold(product_.couplings_->program(), ld, c[set], ld, w_.data(), ld,
                                        c_adj == nullptr ? nullptr : c_adj[set], ld, scratch);
    }

private:
    const ChannelProduct product_;
    AlignedVector<double> w_;
};

ChannelProduct::ChannelProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes)
    : Product(invariant, n_full_features(invariant, shapes)),
      set_(invariant.a),
      scale_(invariant.scale),
      shape_(shapes[size(invariant.a)]),
      couplings_(
          std::make_shared<ChannelCouplings>(*invariant.table, invariant.type.value_or(SphericalType{}), shape_.l_max)),
      products_(&channel_products()) {}

std::size_t ChannelProduct::padded_features() const {
    return size(couplings_->program().n_features) * size(shape_.stride());
}

std::size_t ChannelProduct::full_scratch_size() const {
    return padded_features() + shape_.size() + static_cast<std::size_t>(channel_scratch(couplings_->program()));
}

void ChannelProduct::pad(const double* p, double* rows) const {
    const int n_k = shape_.n_q(), ld = shape_.stride();
    for (int f = 0; f < couplings_->program().n_features; ++f, p += n_k, rows += ld) {
        for (int k = 0; k < n_k; ++k) rows[k] = scale_ * p[k];
        std::fill(rows + n_k, rows + ld, 0.0);
    }
}

void ChannelProduct::compute_all(const double* const* c, double* p, double* scratch) const {
    const int n_k = shape_.n_q(), ld = shape_.stride();
    const ChannelProgram program = couplings_->program();
    double* rows = scratch;
    products_->features(program, ld, c[set_], ld, rows, ld, rows + padded_features());
    for (int f = 0; f < program.n_features; ++f, p += n_k, rows += ld) {
        for (int k = 0; k < n_k; ++k) p[k] = scale_ * rows[k];
    }
}

void ChannelProduct::backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                                  double* scratch) const {
    if (c_adj[set_] == nullptr) return;
    const int ld = shape_.stride();
    pad(p_adj, scratch);
    products_->fold(couplings_->program(), ld, c[set_], ld, scratch, ld, c_adj[set_], ld, scratch + padded_features());
}

void ChannelProduct::tangent_all(const double* const* c, int, const ColumnChange& change, double* dp,
                                 double* scratch) const {
    const int n_k = shape_.n_q(), ld = shape_.stride();
    double *rows = scratch, *c_dot = scratch + padded_features(), *work = c_dot + shape_.size();
    std::fill_n(c_dot, shape_.size(), 0.0);
    for (int lm = 0; lm < shape_.n_lm(); ++lm) {
        std::copy_n(change.change + lm * change.ld, change.n, c_dot + lm * ld + change.first);
    }
    const ChannelProgram program = couplings_->program();
    products_->tangent(program, ld, c[set_], ld, c_dot, ld, rows, ld, work);
    for (int f = 0; f < program.n_features; ++f, dp += n_k, rows += ld) {
        for (int k = 0; k < n_k; ++k) dp[k] += scale_ * rows[k];
    }
}

void ChannelProduct::backward_tangent_all(const double* const* c, const double* const* c_dot, double e,
                                          const double* p_adj, double* const* c_adj, double* const* dot_adj,
                                          double* scratch) const {
    const int ld = shape_.stride();
    pad(p_adj, scratch);
    products_->fold_tangent(couplings_->program(), ld, c[set_], ld, c_dot[set_], ld, e, scratch, ld, c_adj[set_],
                            dot_adj[set_], ld, scratch + padded_features());
}

std::unique_ptr<FoldedProduct> ChannelProduct::fold_all(const double* w) const {
    return std::make_unique<FoldedChannels>(*this, w);
}

}  // namespace mlcalc
