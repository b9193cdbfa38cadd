// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/pair_product.hpp"

#include <algorithm>
#include <cmath>

#include "readouts/low_rank.hpp"

namespace mlcalc {
namespace {

/// Larger matrices than this take too long to factor when a model is loaded.
constexpr int largest_factored = 256;

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

double* adjoint_at(double* const* c_adj, int set, int offset) {
    return c_adj == nullptr || c_adj[set] == nullptr ? nullptr : c_adj[set] + offset;
}

}  // namespace

/// E = sum_l tr(a_l^T W_l b_l) with W_l made once from the weights.
class FoldedPairs : public FoldedProduct {
public:
    FoldedPairs(const PairProduct& product, const double* w);
    std::size_t scratch_size() const override { return scratch_size_; }
    double apply(const double* const* c, double* const* c_adj, double* scratch) const override;

private:
    const PairProduct product_;
    AlignedVector<double> g_, g_t_;
    std::vector<LowRank> factors_;  ///< per l, for a product of a set with itself
    std::size_t scratch_size_ = 0;
};

FoldedPairs::FoldedPairs(const PairProduct& product, const double* w)
    : product_(product), g_(product.n_l() * product.matrix_size()), g_t_(product.n_l() * product.transpose_size()) {
    product_.fill_matrices(w, g_.data(), g_t_.data());
    // the matrices of a product of two sets are not square, and one side is small where the other is large
    const int n = product_.a_.n_q();
    for (std::size_t l = 0; l < product_.n_l() && product_.same() && n <= largest_factored; ++l) {
        factors_.emplace_back(g_.data() + l * product_.matrix_size(), n, product_.a_.stride());
        scratch_size_ = std::max(scratch_size_, size(factors_.back().scratch_size(static_cast<int>(2 * l) + 1)));
    }
}

double FoldedPairs::apply(const double* const* c, double* const* c_adj, double* scratch) const {
    double energy = 0.0;
    const double *g = g_.data(), *g_t = g_t_.data();
    for (int l = 0; l <= product_.l_max_; ++l, g += product_.matrix_size(), g_t += product_.transpose_size()) {
        if (!factors_.empty() && factors_[size(l)].worthwhile()) {
            const int set = product_.set_a_, offset = l * l * product_.a_.stride();
            energy += factors_[size(l)].apply(2 * l + 1, c[set] + offset, adjoint_at(c_adj, set, offset), scratch);
        } else {
            energy += product_.apply_matrix(l, c, g, g_t, c_adj);
        }
    }
    return energy;
}

PairProduct::PairProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes)
    : Product(invariant, n_full_features(invariant, shapes)),
      set_a_(invariant.a),
      set_b_(invariant.b),
      products_(&small_products()),
      a_(shapes[size(invariant.a)]),
      b_(shapes[size(invariant.b)]),
      l_max_(std::min(a_.l_max, b_.l_max)) {
    for (int l = 0; l <= l_max_; ++l) {
        factor_.push_back(invariant.scale * (l % 2 == 0 ? 1.0 : -1.0) / std::sqrt(2.0 * l + 1.0));
    }
}

void PairProduct::compute_all(const double* const* c, double* p, double* scratch) const {
    const double *a = c[set_a_], *b = c[set_b_];
    const int n_a = a_.n_q(), n_b = b_.n_q();
    for (int l = 0; l <= l_max_; ++l) {
        products_->gram(2 * l + 1, a + l * l * a_.stride(), a_.stride(), n_a, b + l * l * b_.stride(), b_.stride(),
                        b_.stride(), scratch, b_.stride(), same());
        const double f = factor_[size(l)];
        for (int q = 0; q < n_a; ++q) {
            const double* row = scratch + q * b_.stride();
            int first = 0;
            double off_diagonal = f;
            if (same()) {
                *p++ = f * row[q];
                first = q + 1;
                off_diagonal = f * std::sqrt(2.0);
            }
            for (int k = first; k < n_b; ++k) *p++ = off_diagonal * row[k];
        }
    }
}

void PairProduct::fill_matrices(const double* p_adj, double* g, double* g_t) const {
    const std::size_t n_a = size(a_.n_q());
    const std::size_t n_b = size(b_.n_q());
    const std::size_t ld_a = size(a_.stride());
    const std::size_t ld_b = size(b_.stride());
    for (int l = 0; l <= l_max_; ++l, g += matrix_size(), g_t += transpose_size()) {
        const double f = factor_[size(l)];
        for (std::size_t q = 0; q < n_a; ++q) {
            double* row = g + q * ld_b;
            std::fill(row + n_b, row + ld_b, 0.0);
            if (same()) {
                row[q] = 2.0 * f * *p_adj++;
                for (std::size_t k = q + 1; k < n_b; ++k) row[k] = g[k * ld_b + q] = std::sqrt(2.0) * f * *p_adj++;
            } else {
                for (std::size_t k = 0; k < n_b; ++k) row[k] = g_t[k * ld_a + q] = f * *p_adj++;
            }
        }
        if (!same()) {
            for (std::size_t k = 0; k < n_b; ++k) std::fill(g_t + k * ld_a + n_a, g_t + (k + 1) * ld_a, 0.0);
        }
    }
}

double PairProduct::apply_matrix(int l, const double* const* c, const double* g, const double* g_t,
                                 double* const* c_adj) const {
    const int ld_a = a_.stride();
    const int ld_b = b_.stride();
    const double* a = c[set_a_] + l * l * ld_a;
    const double* b = c[set_b_] + l * l * ld_b;
    double* a_adj = adjoint_at(c_adj, set_a_, l * l * ld_a);
    double* b_adj = adjoint_at(c_adj, set_b_, l * l * ld_b);
    const double sum = products_->multiply(2 * l + 1, a, ld_a, a_.n_q(), g, ld_b, ld_b, b, ld_b, b_adj, ld_b);
    if (!same() && a_adj != nullptr) {
        products_->multiply(2 * l + 1, b, ld_b, b_.n_q(), g_t, ld_a, ld_a, nullptr, 0, a_adj, ld_a);
    }
    return same() ? 0.5 * sum : sum;
}

void PairProduct::backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                               double* scratch) const {
    double *g = scratch, *g_t = g + n_l() * matrix_size();
    fill_matrices(p_adj, g, g_t);
    for (int l = 0; l <= l_max_; ++l, g += matrix_size(), g_t += transpose_size()) apply_matrix(l, c, g, g_t, c_adj);
}

/// h (n, n_q of the other expansion) are the products of the changed columns with the other factor; for e = b and
/// b != a its transpose (n_q of a, n).
void PairProduct::add_tangent(const double* h, std::size_t ld, int l, int set, int first, int n, double* p) const {
    const std::size_t n_a = size(a_.n_q());
    const std::size_t n_b = size(b_.n_q());
    const double f = factor_[size(l)];
    const std::size_t changed = size(n);
    const std::size_t start = size(first);
    if (!same()) {
        p += size(l) * n_a * n_b;
        const std::size_t q0 = set == set_a_ ? start : 0, q1 = set == set_a_ ? start + changed : n_a;
        const std::size_t k0 = set == set_a_ ? 0 : start, k1 = set == set_a_ ? n_b : start + changed;
        for (std::size_t q = q0; q < q1; ++q) {
            for (std::size_t k = k0; k < k1; ++k) p[q * n_b + k] += f * h[(q - q0) * ld + k - k0];
        }
        return;
    }
    p += size(l) * n_a * (n_a + 1) / 2;
    const auto row = [&](std::size_t q) { return p + q * n_a - q * (q + 1) / 2; };  // row(q)[k] is the pair q <= k
    for (std::size_t q = start; q < start + changed; ++q) {
        const double* hq = h + (q - start) * ld;
        for (std::size_t k = 0; k < q; ++k) row(k)[q] += std::sqrt(2.0) * f * hq[k];
        row(q)[q] += 2.0 * f * hq[q];
        double* to = row(q);
        for (std::size_t k = q + 1; k < n_a; ++k) to[k] += std::sqrt(2.0) * f * hq[k];
    }
}

void PairProduct::tangent_all(const double* const* c, int set, const ColumnChange& change, double* dp,
                              double* scratch) const {
    const int ld_a = a_.stride(), ld_b = b_.stride(), ld = change.ld;
    for (int l = 0; l <= l_max_; ++l) {
        const double* d = change.change + l * l * ld;
        if (set == set_a_) {
            products_->gram(2 * l + 1, d, ld, change.n, c[set_b_] + l * l * ld_b, ld_b, ld_b, scratch, ld_b, false);
            add_tangent(scratch, size(ld_b), l, set, change.first, change.n, dp);
        } else {
            products_->gram(2 * l + 1, c[set_a_] + l * l * ld_a, ld_a, a_.n_q(), d, ld, (change.n + 7) / 8 * 8, scratch,
                            ld, false);
            add_tangent(scratch, size(ld), l, set, change.first, change.n, dp);
        }
    }
}

/// p is bilinear: its change along c_dot has the derivative of p at c with respect to c_dot, and that at c_dot with
/// respect to c.
void PairProduct::backward_tangent_all(const double* const* c, const double* const* c_dot, double e,
                                       const double* p_adj, double* const* c_adj, double* const* dot_adj,
                                       double* scratch) const {
    double *g = scratch, *g_t = g + n_l() * matrix_size();
    const std::size_t n = n_l() * (matrix_size() + transpose_size());
    fill_matrices(p_adj, g, g_t);
    double *g_l = g, *g_t_l = g_t;
    for (int l = 0; l <= l_max_; ++l, g_l += matrix_size(), g_t_l += transpose_size()) {
        apply_matrix(l, c, g_l, g_t_l, dot_adj);
        apply_matrix(l, c_dot, g_l, g_t_l, c_adj);
    }
    for (std::size_t k = 0; k < n; ++k) g[k] *= e;
    for (int l = 0; l <= l_max_; ++l, g += matrix_size(), g_t += transpose_size()) apply_matrix(l, c, g, g_t, c_adj);
}

std::unique_ptr<FoldedProduct> PairProduct::fold_all(const double* w) const {
    return std::make_unique<FoldedPairs>(*this, w);
}

}  // namespace mlcalc
