// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/product.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "simd/small_products.hpp"

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

const CoefficientShape& shape_of(int expansion, const std::vector<CoefficientShape>& shapes) {
    if (expansion < 0 || size(expansion) >= shapes.size()) {
        throw std::invalid_argument("an invariant refers to expansion " + std::to_string(expansion) + ", there are " +
                                    std::to_string(shapes.size()));
    }
    return shapes[size(expansion)];
}

double* adjoint_at(double* const* c_adj, int e, int offset) {
    return c_adj == nullptr || c_adj[e] == nullptr ? nullptr : c_adj[e] + offset;
}

}  // namespace

InvariantKernel::InvariantKernel(Invariant invariant, const std::vector<CoefficientShape>& shapes)
    : invariant_(std::move(invariant)), products_(&small_products()) {
    if (invariant_.nu != 1 && invariant_.nu != 2) {
        throw std::invalid_argument("nu of an invariant must be 1 or 2, got " + std::to_string(invariant_.nu));
    }
    if (invariant_.nu == 1) invariant_.b = invariant_.a;
    a_ = shape_of(invariant_.a, shapes);
    b_ = shape_of(invariant_.b, shapes);
    l_max_ = invariant_.nu == 1 ? 0 : std::min(a_.l_max, b_.l_max);
    const std::size_t n_a = size(a_.n_q());
    n_full_ = invariant_.nu == 1 ? n_a : size(l_max_ + 1) * (same() ? n_a * (n_a + 1) / 2 : n_a * size(b_.n_q()));
    for (const int k : invariant_.selection) {
        if (k < 0 || size(k) >= n_full_) {
            throw std::invalid_argument("a selected feature must be in 0.." + std::to_string(n_full_ - 1) + ", got " +
                                        std::to_string(k));
        }
    }
    n_features_ = invariant_.selection.empty() ? n_full_ : invariant_.selection.size();
    for (int l = 0; l <= l_max_; ++l) {
        factor_.push_back(invariant_.scale * (l % 2 == 0 ? 1.0 : -1.0) / std::sqrt(2.0 * l + 1.0));
    }
    if (invariant_.nu == 1) factor_[0] = invariant_.scale;
}

std::size_t InvariantKernel::scratch_size() const {
    return padded_full() + size(l_max_ + 1) * (matrix_size() + transpose_size());
}

void InvariantKernel::compute(const double* const* c, double* p, double* scratch) const {
    const double* a = c[invariant_.a];
    const double* b = c[invariant_.b];
    const bool select = !invariant_.selection.empty();
    double* full = select ? scratch : p;
    double* g = scratch + padded_full();
    const int n_a = a_.n_q();
    const int n_b = b_.n_q();
    if (invariant_.nu == 1) {
        for (int q = 0; q < n_a; ++q) full[q] = factor_[0] * a[q];
    } else {
        const std::size_t ldg = size(b_.stride());
        double* out = full;
        for (int l = 0; l <= l_max_; ++l) {
            products_->gram(2 * l + 1, a + l * l * a_.stride(), a_.stride(), n_a, b + l * l * b_.stride(), b_.stride(),
                            b_.stride(), g, b_.stride(), same());
            const double f = factor_[size(l)];
            for (int q = 0; q < n_a; ++q) {
                const double* row = g + size(q) * ldg;
                int first = 0;
                double off_diagonal = f;
                if (same()) {
                    *out++ = f * row[q];
                    first = q + 1;
                    off_diagonal = f * std::sqrt(2.0);
                }
                for (int k = first; k < n_b; ++k) *out++ = off_diagonal * row[k];
            }
        }
    }
    if (select) {
        for (std::size_t k = 0; k < n_features_; ++k) p[k] = full[invariant_.selection[k]];
    }
}

void InvariantKernel::fill_matrices(const double* p_adj, double* g, double* g_t, double* scratch) const {
    const double* full = p_adj;
    if (!invariant_.selection.empty()) {
        std::fill(scratch, scratch + n_full_, 0.0);
        for (std::size_t k = 0; k < n_features_; ++k) scratch[invariant_.selection[k]] += p_adj[k];
        full = scratch;
    }
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
                row[q] = 2.0 * f * *full++;
                for (std::size_t k = q + 1; k < n_b; ++k) row[k] = g[k * ld_b + q] = std::sqrt(2.0) * f * *full++;
            } else {
                for (std::size_t k = 0; k < n_b; ++k) row[k] = g_t[k * ld_a + q] = f * *full++;
            }
        }
        if (!same()) {
            for (std::size_t k = 0; k < n_b; ++k) std::fill(g_t + k * ld_a + n_a, g_t + (k + 1) * ld_a, 0.0);
        }
    }
}

double InvariantKernel::apply_matrix(int l, const double* const* c, const double* g, const double* g_t,
                                     double* const* c_adj) const {
    const int ld_a = a_.stride();
    const int ld_b = b_.stride();
    const double* a = c[invariant_.a] + l * l * ld_a;
    const double* b = c[invariant_.b] + l * l * ld_b;
    double* a_adj = adjoint_at(c_adj, invariant_.a, l * l * ld_a);
    double* b_adj = adjoint_at(c_adj, invariant_.b, l * l * ld_b);
    const double sum = products_->multiply(2 * l + 1, a, ld_a, a_.n_q(), g, ld_b, ld_b, b, ld_b, b_adj, ld_b);
    if (!same() && a_adj != nullptr) {
        products_->multiply(2 * l + 1, b, ld_b, b_.n_q(), g_t, ld_a, ld_a, nullptr, 0, a_adj, ld_a);
    }
    return same() ? 0.5 * sum : sum;
}

double InvariantKernel::apply_weights(const double* const* c, const double* w, double* const* c_adj) const {
    const double* a = c[invariant_.a];
    double* a_adj = adjoint_at(c_adj, invariant_.a, 0);
    double energy = 0.0;
    for (std::size_t k = 0; k < n_features_; ++k) {
        const std::size_t q = invariant_.selection.empty() ? k : size(invariant_.selection[k]);
        energy += factor_[0] * w[k] * a[q];
        if (a_adj != nullptr) a_adj[q] += factor_[0] * w[k];
    }
    return energy;
}

void InvariantKernel::backward(const double* const* c, const double* p_adj, double* const* c_adj,
                               double* scratch) const {
    if (invariant_.nu == 1) {
        apply_weights(c, p_adj, c_adj);
        return;
    }
    double* g = scratch + padded_full();
    double* g_t = g + size(l_max_ + 1) * matrix_size();
    fill_matrices(p_adj, g, g_t, scratch);
    for (int l = 0; l <= l_max_; ++l, g += matrix_size(), g_t += transpose_size()) apply_matrix(l, c, g, g_t, c_adj);
}

/// h (n, n_q of the other expansion) are the products of the changed columns with the other factor; for e = b and
/// b != a its transpose (n_q of a, n).
void InvariantKernel::add_tangent(const double* h, std::size_t ld, int l, int e, int first, int n, double* full) const {
    const std::size_t n_a = size(a_.n_q());
    const std::size_t n_b = size(b_.n_q());
    const double f = factor_[size(l)];
    const std::size_t changed = size(n);
    const std::size_t start = size(first);
    if (!same()) {
        full += size(l) * n_a * n_b;
        const std::size_t q0 = e == invariant_.a ? start : 0, q1 = e == invariant_.a ? start + changed : n_a;
        const std::size_t k0 = e == invariant_.a ? 0 : start, k1 = e == invariant_.a ? n_b : start + changed;
        for (std::size_t q = q0; q < q1; ++q) {
            for (std::size_t k = k0; k < k1; ++k) full[q * n_b + k] += f * h[(q - q0) * ld + k - k0];
        }
        return;
    }
    full += size(l) * n_a * (n_a + 1) / 2;
    const auto row = [&](std::size_t q) { return full + q * n_a - q * (q + 1) / 2; };  // row(q)[k] is the pair q <= k
    for (std::size_t q = start; q < start + changed; ++q) {
        const double* hq = h + (q - start) * ld;
        for (std::size_t k = 0; k < q; ++k) row(k)[q] += std::sqrt(2.0) * f * hq[k];
        row(q)[q] += 2.0 * f * hq[q];
        double* to = row(q);
        for (std::size_t k = q + 1; k < n_a; ++k) to[k] += std::sqrt(2.0) * f * hq[k];
    }
}

void InvariantKernel::tangent(const double* const* c, int e, const double* change, int ld, int first, int n, double* dp,
                              double* scratch) const {
    if (e != invariant_.a && e != invariant_.b) return;
    const bool select = !invariant_.selection.empty();
    double* full = select ? scratch : dp;
    double* h = scratch + padded_full();
    if (select) std::fill(full, full + n_full_, 0.0);
    if (invariant_.nu == 1) {
        for (int q = 0; q < n; ++q) full[first + q] += factor_[0] * change[q];
    } else {
        const int ld_a = a_.stride(), ld_b = b_.stride();
        for (int l = 0; l <= l_max_; ++l) {
            const double* d = change + l * l * ld;
            if (e == invariant_.a) {
                products_->gram(2 * l + 1, d, ld, n, c[invariant_.b] + l * l * ld_b, ld_b, ld_b, h, ld_b, false);
                add_tangent(h, size(ld_b), l, e, first, n, full);
            } else {
                products_->gram(2 * l + 1, c[invariant_.a] + l * l * ld_a, ld_a, a_.n_q(), d, ld, (n + 7) / 8 * 8, h,
                                ld, false);
                add_tangent(h, size(ld), l, e, first, n, full);
            }
        }
    }
    if (select) {
        for (std::size_t k = 0; k < n_features_; ++k) dp[k] += full[invariant_.selection[k]];
    }
}

FeatureVector::FeatureVector(const std::vector<Invariant>& invariants, const std::vector<CoefficientShape>& shapes) {
    for (const Invariant& invariant : invariants) {
        kernels_.emplace_back(invariant, shapes);
        size_ += kernels_.back().n_features();
        scratch_size_ = std::max(scratch_size_, kernels_.back().scratch_size());
    }
}

void FeatureVector::compute(const double* const* c, double* p, double* scratch) const {
    for (const InvariantKernel& kernel : kernels_) {
        kernel.compute(c, p, scratch);
        p += kernel.n_features();
    }
}

void FeatureVector::backward(const double* const* c, const double* p_adj, double* const* c_adj, double* scratch) const {
    for (const InvariantKernel& kernel : kernels_) {
        kernel.backward(c, p_adj, c_adj, scratch);
        p_adj += kernel.n_features();
    }
}

void FeatureVector::tangent(const double* const* c, int e, const double* change, int ld, int first, int n, double* dp,
                            double* scratch) const {
    for (const InvariantKernel& kernel : kernels_) {
        kernel.tangent(c, e, change, ld, first, n, dp, scratch);
        dp += kernel.n_features();
    }
}

}  // namespace mlcalc
