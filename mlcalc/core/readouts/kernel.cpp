// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/kernel.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/blas.hpp"
#include "base/normalize.hpp"
#include "base/power.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {
namespace {

using blas::Op;

/// Sparse points that go through one pair of products: the rows and the points stay in the cache in between.
constexpr std::size_t chunk_size = 256;

}  // namespace

KernelReadout::KernelReadout(const KernelDescription& description, FeatureVector features, int n_species, int n_members)
    : Readout(std::move(features)),
      description_(description),
      n_members_(n_members),
      cholesky_(new Cholesky[static_cast<std::size_t>(n_species)]) {
    const int zeta = description.zeta;
    if (zeta < 1 || zeta > 6) throw std::invalid_argument("zeta must be in 1..6, got " + std::to_string(zeta));
    for (std::size_t s = 0; s < static_cast<std::size_t>(n_species); ++s) {
        SparseSet set;
        const AlignedVector<double>& points = description.points.at(s);
        const std::vector<double>& weights = description.weights.at(s);
        set.n = points.size() / features_.size();
        if (set.n * features_.size() != points.size() ||
            weights.size() != set.n * static_cast<std::size_t>(n_members)) {
            throw std::invalid_argument("the sparse points and weights of a kernel regressor do not fit together");
        }
        set.points = points.data();
        set.members = weights.data();
        if (zeta > 1) finish(set);
        sets_.push_back(std::move(set));
        if (zeta == 1) collapsed_.push_back(collapsed(static_cast<int>(s)));
    }
}

/// The mean of the weights and the points in single precision.
void KernelReadout::finish(SparseSet& set) const {
    set.mean.assign(set.n, 0.0);
    for (std::size_t k = 0; k < set.n * static_cast<std::size_t>(n_members_); ++k) {
        set.mean[k % set.n] += set.members[k] / n_members_;
    }
    if (description_.single_precision) set.single.assign(set.points, set.points + set.n * features_.size());
}

void KernelReadout::collapse(int species, double* to, std::size_t stride) const {
    const SparseSet& set = complete(species);
    for (int k = 0; k < n_members_; ++k) std::fill_n(to + static_cast<std::size_t>(k) * stride, features_.size(), 0.0);
    if (set.n == 0) return;
    blas::gemm(Op::none, Op::none, static_cast<std::size_t>(n_members_), features_.size(), set.n, 1.0, set.members,
               set.n, set.points, features_.size(), 0.0, to, stride);
}

/// Each member's weighted sum of the points as its only point.
KernelReadout::SparseSet KernelReadout::collapsed(int species) const {
    SparseSet result;
    if (complete(species).n == 0) return result;
    result.n = static_cast<std::size_t>(n_members_);
    result.own_points.resize(result.n * features_.size());
    collapse(species, result.own_points.data(), features_.size());
    result.own_members.assign(result.n * result.n, 0.0);
    for (std::size_t k = 0; k < result.n; ++k) result.own_members[k * (result.n + 1)] = 1.0;
    result.points = result.own_points.data();
    result.members = result.own_members.data();
    finish(result);
    return result;
}

double KernelReadout::normalize(double* p) const {
    return description_.normalize ? mlcalc::normalize(p, features_.size(), description_.epsilon) : 1.0;
}

SpeciesFeatures& KernelReadout::gather_normalized(const CenterBlock& block, int species, Scratch& scratch) const {
    SpeciesFeatures& p = gather(block, species, scratch);
    p.norms.resize(p.centers.size());
    for (std::size_t i = 0; i < p.centers.size(); ++i) p.norms[i] = normalize(&p.features[i * features_.size()]);
    return p;
}

void KernelReadout::overlaps(const SparseSet& set, std::size_t first, std::size_t n, const SpeciesFeatures& p,
                             double* rows, std::size_t stride, Scratch& work) const {
    const std::size_t n_features = features_.size(), n_rows = p.centers.size();
    if (!description_.single_precision) {
        blas::gemm(Op::none, Op::transpose, n_rows, n, n_features, 1.0, p.features.data(), n_features,
                   set.points + first * n_features, n_features, 0.0, rows, stride);
        return;
    }
    work.rows_single.resize(n_rows * n);
    blas::gemm(Op::none, Op::transpose, n_rows, n, n_features, 1.0F, work.features_single.data(), n_features,
               &set.single[first * n_features], n_features, 0.0F, work.rows_single.data(), n);
    for (std::size_t i = 0; i < n_rows; ++i) {
        std::copy_n(&work.rows_single[i * n], n, rows + i * stride);
    }
}

void KernelReadout::add_adjoint(const SparseSet& set, std::size_t first, std::size_t n, std::size_t n_rows,
                                const double* rows, std::size_t stride, Scratch& work) const {
    const std::size_t n_features = features_.size();
    const double beta = first == 0 ? 0.0 : 1.0;
    if (!description_.single_precision) {
        blas::gemm(Op::none, Op::none, n_rows, n_features, n, 1.0, rows, stride, set.points + first * n_features,
                   n_features, beta, work.features_adj.data(), n_features);
        return;
    }
    work.rows_single.resize(n_rows * n);
    for (std::size_t i = 0; i < n_rows; ++i) std::copy_n(rows + i * stride, n, &work.rows_single[i * n]);
    blas::gemm(Op::none, Op::none, n_rows, n_features, n, 1.0F, work.rows_single.data(), n,
               &set.single[first * n_features], n_features, static_cast<float>(beta), work.features_adj_single.data(),
               n_features);
}

void KernelReadout::start_adjoint(std::size_t n_rows, const SpeciesFeatures& p, bool gradient, Scratch& work) const {
    if (gradient) work.features_adj.resize(n_rows * features_.size());
    if (!description_.single_precision) return;
    work.features_single.assign(p.features.begin(), p.features.end());
    if (gradient) work.features_adj_single.resize(n_rows * features_.size());
}

void KernelReadout::scatter(const CenterBlock& block, const SpeciesFeatures& p, Scratch& work) const {
    const std::size_t n_features = features_.size();
    if (description_.single_precision) {
        std::copy(work.features_adj_single.begin(), work.features_adj_single.end(), work.features_adj.begin());
    }
    for (std::size_t i = 0; i < p.centers.size(); ++i) {
        double* p_adj = &work.features_adj[i * n_features];
        if (description_.normalize) {
            const double* p_hat = &p.features[i * n_features];
            if (p.norms[i] == 0.0) continue;
            double along = 0.0;
            for (std::size_t f = 0; f < n_features; ++f) along += p_hat[f] * p_adj[f];
            for (std::size_t f = 0; f < n_features; ++f) p_adj[f] = (p_adj[f] - p_hat[f] * along) / p.norms[i];
        }
        block.center(p.centers[i], work.c, work.c_adj);
        features_.backward(work.c.data(), p_adj, work.c_adj.data(), work.scratch.data());
    }
}

/// Energies of all members from the powers of the overlaps in rows_adj.
void KernelReadout::add_members(const SparseSet& set, std::size_t first, std::size_t n, const SpeciesFeatures& p,
                                double* members, Scratch& work) const {
    const std::size_t n_members = static_cast<std::size_t>(n_members_), n_rows = p.centers.size();
    work.members.resize(n_rows * n_members);
    blas::gemm(Op::none, Op::transpose, n_rows, n_members, n, 1.0, work.rows_adj.data(), n, set.members + first, set.n,
               0.0, work.members.data(), n_members);
    for (std::size_t i = 0; i < n_rows; ++i) {
        double* to = members + static_cast<std::size_t>(p.centers[i]) * n_members;
        for (std::size_t k = 0; k < n_members; ++k) to[k] += work.members[i * n_members + k];
    }
}

void KernelReadout::sweep(const CenterBlock& block, double* energies, double* members, bool gradient, bool keep,
                          Scratch& work) const {
    for (std::size_t s = 0; s < sets_.size(); ++s) {
        const SparseSet& set = evaluated(s);
        if (set.n == 0) continue;
        SpeciesFeatures& p = gather_normalized(block, static_cast<int>(s), work);
        const std::size_t n_rows = p.centers.size();
        if (n_rows == 0) continue;
        start_adjoint(n_rows, p, gradient, work);
        if (keep) p.rows.resize(n_rows * set.n);
        for (std::size_t first = 0; first < set.n; first += chunk_size) {
            const std::size_t n = std::min(chunk_size, set.n - first);
            work.rows.resize(n_rows * n);
            if (members != nullptr) work.rows_adj.resize(n_rows * n);
            overlaps(set, first, n, p, work.rows.data(), n, work);
            for (std::size_t i = 0; i < n_rows; ++i) {
                double* row = &work.rows[i * n];
                if (keep) std::copy_n(row, n, &p.rows[i * set.n + first]);
                double* powers = members == nullptr ? nullptr : &work.rows_adj[i * n];
                energies[p.centers[i]] += small_products().kernel_row(description_.zeta, static_cast<int>(n),
                                                                      set.mean.data() + first, row, powers);
            }
            if (members != nullptr) add_members(set, first, n, p, members, work);
            if (gradient) add_adjoint(set, first, n, n_rows, work.rows.data(), n, work);
        }
        if (gradient) scatter(block, p, work);
    }
}

void KernelReadout::compute(const CenterBlock& block, double* energies, double* members, Scratch& scratch) const {
    sweep(block, energies, members, false, block.gradient, scratch);
}

void KernelReadout::compute_and_backward(const CenterBlock& block, double* energies, double* members, bool keep,
                                         Scratch& scratch) const {
    sweep(block, energies, members, true, keep, scratch);
}

void KernelReadout::backward(const CenterBlock& block, int member, const double* y_adj, double* energies, int stride,
                             Scratch& work) const {
    for (std::size_t s = 0; s < sets_.size(); ++s) {
        const SparseSet& set = evaluated(s);
        if (set.n == 0 || work.species[s].centers.empty()) continue;
        const SpeciesFeatures& p = work.species[s];
        const std::size_t n_rows = p.centers.size();
        const double* w = member == mean ? set.mean.data() : set.members + static_cast<std::size_t>(member) * set.n;
        start_adjoint(n_rows, p, true, work);
        work.rows.assign(p.rows.begin(), p.rows.end());
        for (std::size_t i = 0; i < n_rows; ++i) {
            double* row = &work.rows[i * set.n];
            const double energy =
                small_products().kernel_row(description_.zeta, static_cast<int>(set.n), w, row, nullptr);
            if (energies != nullptr) energies[p.centers[i] * stride] += energy;
            for (std::size_t m = 0; m < set.n && y_adj != nullptr; ++m) row[m] *= y_adj[p.centers[i]];
        }
        for (std::size_t first = 0; first < set.n; first += chunk_size) {
            add_adjoint(set, first, std::min(chunk_size, set.n - first), n_rows, work.rows.data() + first, set.n, work);
        }
        scatter(block, p, work);
    }
}

const std::vector<double>& KernelReadout::cholesky(std::size_t species) const {
    Cholesky& out = cholesky_[species];
    std::call_once(out.once, [&] {
        // of all features, also those that the present atoms do not have
        const AlignedVector<double>& points =
            description_.complete == nullptr ? description_.points[species] : *(*description_.complete)[species];
        const std::size_t n_points = sets_[species].n, n_features = points.size() / n_points;
        std::vector<double> k(n_points * n_points);
        blas::gemm(Op::none, Op::transpose, n_points, n_points, n_features, 1.0, points.data(), n_features,
                   points.data(), n_features, 0.0, k.data(), n_points);
        double trace = 0.0;
        for (double& value : k) value = power(value, description_.zeta);
        for (std::size_t m = 0; m < n_points; ++m) trace += k[m * n_points + m];
        // sparse points may nearly repeat: the jitter keeps the matrix positive definite
        for (double jitter = 1e-10; jitter < 1.0; jitter *= 100.0) {
            out.triangle = k;
            for (std::size_t m = 0; m < n_points; ++m) out.triangle[m * n_points + m] += jitter * trace / n_points;
            const int n = static_cast<int>(n_points);
            int info = 0;
            scipy_dpotrf_("U", &n, out.triangle.data(), &n, &info, 1);  // column-major upper is row-major lower
            if (info == 0) return;
        }
        throw std::invalid_argument("the kernel matrix of the sparse points is not positive definite");
    });
    return out.triangle;
}

void KernelReadout::extrapolation(const CenterBlock& block, double* measure, Scratch& work) const {
    const std::size_t n_features = features_.size();
    for (std::size_t s = 0; s < sets_.size(); ++s) {
        const SparseSet& set = sets_[s];
        const SpeciesFeatures& p = gather_normalized(block, static_cast<int>(s), work);
        const std::size_t n = p.centers.size();
        if (n == 0 || set.n == 0) continue;
        const double edge = description_.edges.empty() ? 1.0 : description_.edges[s];
        work.rows.resize(n * set.n);
        blas::gemm(Op::none, Op::transpose, n, set.n, n_features, 1.0, p.features.data(), n_features, set.points,
                   n_features, 0.0, work.rows.data(), set.n);
        for (double& value : work.rows) value = power(value, description_.zeta);
        // rows <- rows L^-T
        scipy_cblas_dtrsm(101, 142, 122, 112, 131, static_cast<int>(n), static_cast<int>(set.n), 1.0,
                          cholesky(s).data(), static_cast<int>(set.n), work.rows.data(), static_cast<int>(set.n));
        for (std::size_t i = 0; i < n; ++i) {
            const double* p_hat = &p.features[i * n_features];
            double prior = 0.0;
            for (std::size_t f = 0; f < n_features; ++f) prior += p_hat[f] * p_hat[f];
            prior = power(prior, description_.zeta);
            double explained = 0.0;
            for (std::size_t m = 0; m < set.n; ++m) explained += work.rows[i * set.n + m] * work.rows[i * set.n + m];
            const double variance = prior > 0.0 ? std::max(0.0, 1.0 - explained / prior) : 0.0;
            double& to = measure[p.centers[i]];
            to = std::max(to, variance / edge);
        }
    }
}

std::string KernelReadout::summary() const {
    std::size_t n = 0;
    for (const SparseSet& set : sets_) n += set.n;
    return "kernel with " + std::to_string(n) + " sparse points on " + std::to_string(features_.size()) +
           " features, zeta " + std::to_string(description_.zeta) +
           (description_.single_precision ? ", products in single precision" : "");
}

}  // namespace mlcalc
