// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

#include "base/coefficients.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {

/// nu = 1: p_q = c_q,00.
/// nu = 2: p_l,qq' = (-1)^l / sqrt(2l+1) sum_m a_q,lm b_q',lm, l up to the smaller l_max. If a and b are the same
/// expansion only q <= q' is kept, times sqrt(2) for q < q': the dot products, and so every kernel, equal those of the
/// full set. Feature order: nu=1 q; nu=2 [l][q][q'] [Bartok, Kondor, Csanyi, PRB 87, 184115 (2013)].
struct Invariant {
    int nu = 2;
    int a = 0;                   ///< index of the expansion
    int b = 0;                   ///< for nu = 2
    double scale = 1.0;          ///< multiplies the features
    std::vector<int> selection;  ///< indices of the features kept; empty: all
};

/// An invariant of expansions with known shapes: features of one atom and their adjoint.
class InvariantKernel {
public:
    /// `shapes` of all expansions of the model. Throws std::invalid_argument for an index outside.
    InvariantKernel(Invariant invariant, const std::vector<CoefficientShape>& shapes);

    const Invariant& invariant() const { return invariant_; }
    std::size_t n_features() const { return n_features_; }
    bool same() const { return invariant_.a == invariant_.b; }
    int l_max() const { return l_max_; }
    const CoefficientShape& shape() const { return a_; }  ///< of expansion a
    /// Doubles per l of the matrices that `fill_matrices` writes.
    std::size_t matrix_size() const {
        return static_cast<std::size_t>(a_.n_q()) * static_cast<std::size_t>(b_.stride());
    }
    std::size_t transpose_size() const {
        return same() ? 0 : static_cast<std::size_t>(b_.n_q()) * static_cast<std::size_t>(a_.stride());
    }

    /// Doubles of scratch, aligned to 64 bytes as all coefficients are, that compute and backward need.
    std::size_t scratch_size() const;
    /// p of one atom; c[e] points to its coefficients of expansion e.
    void compute(const double* const* c, double* p, double* scratch) const;
    /// c_adj[e] += (dp/dc_e)^T p_adj; a null c_adj[e] is left out
    void backward(const double* const* c, const double* p_adj, double* const* c_adj, double* scratch) const;

    /// dp += (dp/dc_e) change, where only the columns first <= q < first + n of expansion e change, by
    /// change[lm * ld + q - first]; its rows are padded to a multiple of 8 columns.
    void tangent(const double* const* c, int e, const double* change, int ld, int first, int n, double* dp,
                 double* scratch) const;

    /// For nu = 2, the matrices G_l with dE/db_l = a_l G_l and dE/da_l = b_l G_l^T (rows m, columns q) for p_adj =
    /// dE/dp. For a product of an expansion with itself G_l is symmetric and dE/dc_l = c_l G_l is the whole derivative.
    /// `g` has l_max + 1 matrices (n_q of a, stride of b), `g_t` the transposes (n_q of b, stride of a), not used if
    /// a and b are the same. Also `scratch`.
    void fill_matrices(const double* p_adj, double* g, double* g_t, double* scratch) const;
    /// For nu = 1: w . p, and c_adj += w dp/dc if c_adj is not null.
    double apply_weights(const double* const* c, const double* w, double* const* c_adj) const;
    /// c_adj of one l for its matrices; returns their energy, which is linear in the matrices.
    double apply_matrix(int l, const double* const* c, const double* g, const double* g_t, double* const* c_adj) const;

private:
    /// Features before selection, rounded up to a cache line: what follows in a scratch array is aligned.
    std::size_t padded_full() const { return (n_full_ + 7) / 8 * 8; }
    void add_tangent(const double* h, std::size_t ld, int l, int e, int first, int n, double* full) const;

    Invariant invariant_;
    const SmallProducts* products_;
    CoefficientShape a_, b_;
    int l_max_ = 0;
    std::size_t n_full_ = 0;
    std::size_t n_features_ = 0;
    std::vector<double> factor_;  ///< scale (-1)^l / sqrt(2l+1)
};

/// The concatenated invariants of a term.
class FeatureVector {
public:
    FeatureVector() = default;
    FeatureVector(const std::vector<Invariant>& invariants, const std::vector<CoefficientShape>& shapes);
    std::size_t size() const { return size_; }
    std::size_t scratch_size() const { return scratch_size_; }
    const std::vector<InvariantKernel>& kernels() const { return kernels_; }
    void compute(const double* const* c, double* p, double* scratch) const;
    void backward(const double* const* c, const double* p_adj, double* const* c_adj, double* scratch) const;
    void tangent(const double* const* c, int e, const double* change, int ld, int first, int n, double* dp,
                 double* scratch) const;

private:
    std::vector<InvariantKernel> kernels_;
    std::size_t size_ = 0;
    std::size_t scratch_size_ = 0;
};

}  // namespace mlcalc
