// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/coupled_product.hpp"

#include <algorithm>

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

const double* rows_of(const double* c, int l, int ld) {
    return c + l * l * ld;
}

}  // namespace

CoupledProduct::CoupledProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes)
    : Product(invariant, n_full_features(invariant, shapes)),
      set_a_(invariant.a),
      set_b_(invariant.b),
      scale_(invariant.scale),
      a_(shapes[size(invariant.a)]),
      b_(shapes[size(invariant.b)]),
      products_(&small_products()) {
    const SphericalType& type = *invariant.type;
    for (const CoupledBlock& block : coupled_blocks(type, a_.l_max, b_.l_max, set_a_ == set_b_)) {
        Block full{block, std::vector<std::vector<CouplingTerm>>(size(type.n_components()))};
        for (const CouplingTerm& term : real_clebsch_gordan(block.l_1, block.l_2, type.lambda)) {
            full.terms[size(type.lambda + term.m)].push_back(term);
        }
        blocks_.push_back(std::move(full));
    }
}

/// Coupled rows of b and their adjoint, and two matrices of pairs.
std::size_t CoupledProduct::full_scratch_size() const {
    const std::size_t rows = 2 * size(a_.l_max) + 1, ld_a = size(a_.stride()), ld_b = size(b_.stride());
    return 2 * rows * std::max(ld_a, ld_b) + 2 * std::max(ld_a, ld_b) * std::max(ld_a, ld_b);
}

std::size_t CoupledProduct::n_pairs(const Block& block) const {
    std::size_t n = 0;
    for (int q = 0; q < a_.n_q(); ++q) n += size(b_.n_q() - block.first(q));
    return n;
}

void CoupledProduct::for_blocks(const std::function<void(const Block&, std::size_t, std::size_t)>& use) const {
    std::size_t first = 0;
    for (std::size_t mu = 0; !blocks_.empty() && mu < blocks_[0].terms.size(); ++mu) {
        for (const Block& block : blocks_) {
            use(block, mu, first);
            first += n_pairs(block);
        }
    }
}

void CoupledProduct::couple(const Block& block, std::size_t mu, const double* b, int ld_b, int columns, double* to,
                            int ld) {
    std::fill_n(to, (2 * block.l_1 + 1) * ld, 0.0);
    for (const CouplingTerm& term : block.terms[mu]) {
        const double* from = b + (block.l_2 + term.m2) * ld_b;
        double* row = to + (block.l_1 + term.m1) * ld;
        for (int k = 0; k < columns; ++k) row[k] += term.value * from[k];
    }
}

void CoupledProduct::couple_back(const Block& block, std::size_t mu, const double* from, int ld, double* b_adj,
                                 int ld_b) {
    for (const CouplingTerm& term : block.terms[mu]) {
        const double* row = from + (block.l_1 + term.m1) * ld;
        double* to = b_adj + (block.l_2 + term.m2) * ld_b;
        for (int k = 0; k < ld; ++k) to[k] += term.value * row[k];
    }
}

void CoupledProduct::compute_all(const double* const* c, double* p, double* scratch) const {
    const int ld_a = a_.stride(), ld_b = b_.stride();
    for_blocks([&](const Block& block, std::size_t mu, std::size_t first) {
        const int n_m = 2 * block.l_1 + 1;
        double *coupled = scratch, *pairs = scratch + n_m * ld_b, *to = p + first;
        couple(block, mu, rows_of(c[set_b_], block.l_2, ld_b), ld_b, ld_b, coupled, ld_b);
        products_->gram(n_m, rows_of(c[set_a_], block.l_1, ld_a), ld_a, a_.n_q(), coupled, ld_b, ld_b, pairs, ld_b,
                        false);
        for (int q = 0; q < a_.n_q(); ++q) {
            for (int k = block.first(q); k < b_.n_q(); ++k) *to++ = factor(block, q, k) * pairs[q * ld_b + k];
        }
    });
}

/// With G the adjoint of the pairs: a_adj_m1 += G b'_m1, b'_adj_m1 = a_m1 G for the coupled rows b'.
void CoupledProduct::backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                                  double* scratch) const {
    const int ld_a = a_.stride(), ld_b = b_.stride(), n_a = a_.n_q(), n_b = b_.n_q();
    for_blocks([&](const Block& block, std::size_t mu, std::size_t first) {
        const int n_m = 2 * block.l_1 + 1;
        double *coupled = scratch, *coupled_adj = coupled + n_m * ld_b, *g = coupled_adj + n_m * ld_b;
        double* g_t = g + n_a * ld_b;
        std::fill_n(coupled_adj, n_m * ld_b + n_a * ld_b + n_b * ld_a, 0.0);
        const double* from = p_adj + first;
        for (int q = 0; q < n_a; ++q) {
            for (int k = block.first(q); k < n_b; ++k) {
                g[q * ld_b + k] = g_t[k * ld_a + q] = factor(block, q, k) * *from++;
            }
        }
        if (c_adj[set_a_] != nullptr) {
            couple(block, mu, rows_of(c[set_b_], block.l_2, ld_b), ld_b, ld_b, coupled, ld_b);
            products_->multiply(n_m, coupled, ld_b, n_b, g_t, ld_a, ld_a, nullptr, 0,
                                c_adj[set_a_] + block.l_1 * block.l_1 * ld_a, ld_a);
        }
        if (c_adj[set_b_] != nullptr) {
            products_->multiply(n_m, rows_of(c[set_a_], block.l_1, ld_a), ld_a, n_a, g, ld_b, ld_b, nullptr, 0,
                                coupled_adj, ld_b);
            couple_back(block, mu, coupled_adj, ld_b, c_adj[set_b_] + block.l_2 * block.l_2 * ld_b, ld_b);
        }
    });
}

void CoupledProduct::tangent_all(const double* const* c, int set, const ColumnChange& change, double* dp,
                                 double* scratch) const {
    const int ld_a = a_.stride(), ld_b = b_.stride(), n_a = a_.n_q(), n_b = b_.n_q();
    const int columns = (change.n + 7) / 8 * 8, end = change.first + change.n;
    for_blocks([&](const Block& block, std::size_t mu, std::size_t first) {
        const int n_m = 2 * block.l_1 + 1;
        double *coupled = scratch, *pairs = scratch + n_m * std::max(ld_a, ld_b);
        std::size_t row = first;  // of the pairs (q, first(q)), ..
        if (set == set_a_) {
            couple(block, mu, rows_of(c[set_b_], block.l_2, ld_b), ld_b, ld_b, coupled, ld_b);
            products_->gram(n_m, rows_of(change.change, block.l_1, change.ld), change.ld, change.n, coupled, ld_b, ld_b,
                            pairs, ld_b, false);
            for (int q = 0; q < n_a; row += size(n_b - block.first(q)), ++q) {
                if (q < change.first || q >= end) continue;
                const double* from = pairs + (q - change.first) * ld_b;
                for (int k = block.first(q); k < n_b; ++k) {
                    dp[row + size(k - block.first(q))] += factor(block, q, k) * from[k];
                }
            }
        }
        if (set != set_b_) return;
        couple(block, mu, rows_of(change.change, block.l_2, change.ld), change.ld, change.n, coupled, columns);
        products_->gram(n_m, rows_of(c[set_a_], block.l_1, ld_a), ld_a, n_a, coupled, columns, columns, pairs, columns,
                        false);
        row = first;
        for (int q = 0; q < n_a; row += size(n_b - block.first(q)), ++q) {
            for (int k = std::max(change.first, block.first(q)); k < end; ++k) {
                dp[row + size(k - block.first(q))] += factor(block, q, k) * pairs[q * columns + k - change.first];
            }
        }
    });
}

/// Bilinear, as PairProduct.
void CoupledProduct::backward_tangent_all(const double* const* c, const double* const* c_dot, double e,
                                          const double* p_adj, double* const* c_adj, double* const* dot_adj,
                                          double* scratch) const {
    backward_all(c, p_adj, dot_adj, scratch);
    backward_all(c_dot, p_adj, c_adj, scratch);
    std::vector<double> scaled(p_adj, p_adj + n_full());
    for (double& value : scaled) value *= e;
    backward_all(c, scaled.data(), c_adj, scratch);
}

}  // namespace mlcalc
