// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/kernel.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/blas.hpp"
#include "readouts/linear.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {
namespace {

using blas::Op;

/// Sparse points that go through one pair of products: the rows and the points stay in the cache in between.
constexpr std::size_t chunk_size = 256;

/// p_hat in place, and sqrt(|p|^2 + epsilon^2). The origin stays the origin.
double normalize_row(double* p, std::size_t n, double epsilon) {
    double sum = epsilon * epsilon;
    for (std::size_t f = 0; f < n; ++f) sum += p[f] * p[f];
    const double norm = std::sqrt(sum);
    if (norm > 0.0) {
        for (std::size_t f = 0; f < n; ++f) p[f] /= norm;
    }
    return norm;
}

double power(double x, int n) {
    double result = 1.0;
    for (; n > 0; --n) result *= x;
    return result;
}

}  // namespace

KernelRegressor::KernelRegressor(const KernelDescription& description, FeatureVector features, int n_species,
                                 int n_members)
    : Regressor(std::move(features)),
      n_members_(n_members),
      zeta_(description.zeta),
      normalize_(description.normalize),
      single_precision_(description.single_precision),
      epsilon_(description.epsilon) {
    if (zeta_ < 1 || zeta_ > 6) throw std::invalid_argument("zeta must be in 1..6, got " + std::to_string(zeta_));
    for (std::size_t s = 0; s < static_cast<std::size_t>(n_species); ++s) {
        sets_.push_back(make_set(description.points.at(s), description.weights.at(s)));
        if (zeta_ == 1) collapsed_.push_back(collapsed(sets_.back()));
    }
}

KernelRegressor::SparseSet KernelRegressor::make_set(const std::vector<double>& points,
                                                     const std::vector<double>& weights) const {
    const std::size_t n_features = features_.size();
    SparseSet set;
    set.n = points.size() / n_features;
    if (set.n * n_features != points.size() || weights.size() != set.n * static_cast<std::size_t>(n_members_)) {
        throw std::invalid_argument("the sparse points and weights of a kernel regressor do not fit together");
    }
    set.points.assign(points.begin(), points.end());
    for (std::size_t m = 0; m < set.n; ++m) normalize(&set.points[m * n_features]);
    if (single_precision_) set.points_single.assign(set.points.begin(), set.points.end());
    set.members = weights;
    set.mean.assign(set.n, 0.0);
    for (std::size_t k = 0; k < weights.size(); ++k) set.mean[k % set.n] += weights[k] / n_members_;
    return set;
}

/// For zeta 1, sum_M w_M p_hat_M of each member as its only point.
KernelRegressor::SparseSet KernelRegressor::collapsed(const SparseSet& set) const {
    SparseSet result;
    if (set.n == 0) return result;
    const std::size_t n_features = features_.size();
    result.n = static_cast<std::size_t>(n_members_);
    result.points.resize(result.n * n_features);
    blas::gemm(Op::none, Op::none, result.n, n_features, set.n, 1.0, set.members.data(), set.n, set.points.data(),
               n_features, 0.0, result.points.data(), n_features);
    if (single_precision_) result.points_single.assign(result.points.begin(), result.points.end());
    result.mean.assign(result.n, 1.0 / n_members_);
    result.members.assign(result.n * result.n, 0.0);
    for (std::size_t k = 0; k < result.n; ++k) result.members[k * (result.n + 1)] = 1.0;
    return result;
}

double KernelRegressor::normalize(double* p) const {
    return normalize_ ? normalize_row(p, features_.size(), epsilon_) : 1.0;
}

std::size_t KernelRegressor::gather_normalized(const CenterBlock& block, int species, RegressorWorkspace& work) const {
    const std::size_t n = gather(block, species, work);
    work.norms.resize(n);
    for (std::size_t i = 0; i < n; ++i) work.norms[i] = normalize(&work.features[i * features_.size()]);
    return n;
}

void KernelRegressor::chunk(const SparseSet& set, std::size_t first, std::size_t n_rows, std::size_t n, const double* w,
                            bool gradient, double* member_energies, RegressorWorkspace& work, double* energies) const {
    const std::size_t n_features = features_.size();
    const double beta = first == 0 ? 0.0 : 1.0;
    work.rows.resize(n_rows * n);
    if (member_energies != nullptr) work.rows_adj.resize(n_rows * n);
    if (single_precision_) {
        work.rows_single.resize(n_rows * n);
        blas::gemm(Op::none, Op::transpose, n_rows, n, n_features, 1.0F, work.features_single.data(), n_features,
                   &set.points_single[first * n_features], n_features, 0.0F, work.rows_single.data(), n);
        std::copy(work.rows_single.begin(), work.rows_single.end(), work.rows.begin());
    } else {
        blas::gemm(Op::none, Op::transpose, n_rows, n, n_features, 1.0, work.features.data(), n_features,
                   &set.points[first * n_features], n_features, 0.0, work.rows.data(), n);
    }
    for (std::size_t i = 0; i < n_rows; ++i) {
        double* powers = member_energies == nullptr ? nullptr : &work.rows_adj[i * n];
        energies[work.centers[i]] +=
            small_products().kernel_row(zeta_, static_cast<int>(n), w + first, &work.rows[i * n], powers);
    }
    if (member_energies != nullptr) {
        const std::size_t n_members = static_cast<std::size_t>(n_members_);
        work.members.resize(n_rows * n_members);
        blas::gemm(Op::none, Op::transpose, n_rows, n_members, n, 1.0, work.rows_adj.data(), n,
                   set.members.data() + first, set.n, 0.0, work.members.data(), n_members);
        for (std::size_t i = 0; i < n_rows; ++i) {
            double* to = member_energies + static_cast<std::size_t>(work.centers[i]) * n_members;
            for (std::size_t k = 0; k < n_members; ++k) to[k] += work.members[i * n_members + k];
        }
    }
    if (!gradient) return;
    if (single_precision_) {
        std::copy(work.rows.begin(), work.rows.end(), work.rows_single.begin());
        blas::gemm(Op::none, Op::none, n_rows, n_features, n, 1.0F, work.rows_single.data(), n,
                   &set.points_single[first * n_features], n_features, static_cast<float>(beta),
                   work.features_adj_single.data(), n_features);
    } else {
        blas::gemm(Op::none, Op::none, n_rows, n_features, n, 1.0, work.rows.data(), n, &set.points[first * n_features],
                   n_features, beta, work.features_adj.data(), n_features);
    }
}

void KernelRegressor::scatter(const CenterBlock& block, std::size_t n, RegressorWorkspace& work) const {
    const std::size_t n_features = features_.size();
    if (single_precision_) {
        std::copy(work.features_adj_single.begin(), work.features_adj_single.end(), work.features_adj.begin());
    }
    for (std::size_t i = 0; i < n; ++i) {
        double* p_adj = &work.features_adj[i * n_features];
        if (normalize_) {
            const double* p = &work.features[i * n_features];
            if (work.norms[i] == 0.0) continue;
            double dot = 0.0;
            for (std::size_t f = 0; f < n_features; ++f) dot += p[f] * p_adj[f];
            for (std::size_t f = 0; f < n_features; ++f) p_adj[f] = (p_adj[f] - p[f] * dot) / work.norms[i];
        }
        block.center(work.centers[i], work.c, work.c_adj);
        features_.backward(work.c.data(), p_adj, work.c_adj.data(), work.scratch.data());
    }
}

void KernelRegressor::compute(const CenterBlock& block, int member, double* energies, double* member_energies,
                              RegressorWorkspace& work) const {
    const std::size_t n_features = features_.size();
    for (std::size_t s = 0; s < sets_.size(); ++s) {
        const SparseSet& set = zeta_ == 1 ? collapsed_[s] : sets_[s];
        if (set.n == 0) continue;
        const std::size_t n = gather_normalized(block, static_cast<int>(s), work);
        if (n == 0) continue;
        if (block.gradient) work.features_adj.resize(n * n_features);
        if (single_precision_) {
            work.features_single.assign(work.features.begin(), work.features.end());
            if (block.gradient) work.features_adj_single.resize(n * n_features);
        }
        const double* w =
            member == mean ? set.mean.data() : set.members.data() + static_cast<std::size_t>(member) * set.n;
        for (std::size_t first = 0; first < set.n; first += chunk_size) {
            chunk(set, first, n, std::min(chunk_size, set.n - first), w, block.gradient, member_energies, work,
                  energies);
        }
        if (block.gradient) scatter(block, n, work);
    }
}

const std::vector<double>& KernelRegressor::cholesky(const SparseSet& set) const {
    std::call_once(*set.once, [&] {
        const std::size_t n_features = features_.size();
        std::vector<double> k(set.n * set.n);
        blas::gemm(Op::none, Op::transpose, set.n, set.n, n_features, 1.0, set.points.data(), n_features,
                   set.points.data(), n_features, 0.0, k.data(), set.n);
        double trace = 0.0;
        for (double& value : k) value = power(value, zeta_);
        for (std::size_t m = 0; m < set.n; ++m) trace += k[m * set.n + m];
        // sparse points may nearly repeat: the jitter keeps the matrix positive definite
        for (double jitter = 1e-10; jitter < 1.0; jitter *= 100.0) {
            set.cholesky = k;
            for (std::size_t m = 0; m < set.n; ++m) set.cholesky[m * set.n + m] += jitter * trace / set.n;
            const int n = static_cast<int>(set.n);
            int info = 0;
            scipy_dpotrf_("U", &n, set.cholesky.data(), &n, &info, 1);  // column-major upper is row-major lower
            if (info == 0) return;
        }
        throw std::invalid_argument("the kernel matrix of the sparse points is not positive definite");
    });
    return set.cholesky;
}

void KernelRegressor::extrapolation(const CenterBlock& block, double* measure, RegressorWorkspace& work) const {
    const std::size_t n_features = features_.size();
    for (std::size_t s = 0; s < sets_.size(); ++s) {
        const SparseSet& set = sets_[s];
        const std::size_t n = gather_normalized(block, static_cast<int>(s), work);
        if (n == 0) continue;
        work.rows.resize(n * set.n);
        if (set.n > 0) {
            blas::gemm(Op::none, Op::transpose, n, set.n, n_features, 1.0, work.features.data(), n_features,
                       set.points.data(), n_features, 0.0, work.rows.data(), set.n);
            for (double& value : work.rows) value = power(value, zeta_);
            // rows <- rows L^-T
            scipy_cblas_dtrsm(101, 142, 122, 112, 131, static_cast<int>(n), static_cast<int>(set.n), 1.0,
                              cholesky(set).data(), static_cast<int>(set.n), work.rows.data(), static_cast<int>(set.n));
        }
        for (std::size_t i = 0; i < n; ++i) {
            const double* p = &work.features[i * n_features];
            double prior = 0.0;
            for (std::size_t f = 0; f < n_features; ++f) prior += p[f] * p[f];
            prior = power(prior, zeta_);
            double explained = 0.0;
            for (std::size_t m = 0; m < set.n; ++m) explained += work.rows[i * set.n + m] * work.rows[i * set.n + m];
            const double variance = prior > 0.0 ? std::max(0.0, 1.0 - explained / prior) : 0.0;
            double& to = measure[work.centers[i]];
            to = std::max(to, variance);
        }
    }
}

std::string KernelRegressor::summary() const {
    std::size_t n = 0;
    for (const SparseSet& set : sets_) n += set.n;
    return "kernel with " + std::to_string(n) + " sparse points on " + std::to_string(features_.size()) +
           " features, zeta " + std::to_string(zeta_) + (single_precision_ ? ", products in single precision" : "");
}

}  // namespace mlcalc
