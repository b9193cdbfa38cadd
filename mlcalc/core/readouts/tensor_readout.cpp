// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/tensor_readout.hpp"

#include <algorithm>
#include <cmath>

#include "base/blas.hpp"
#include "base/normalize.hpp"
#include "base/power.hpp"

namespace mlcalc {
namespace {

using blas::Op;

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

LinearTensor::LinearTensor(const TensorPart& part, std::vector<CoefficientShape> shapes, int n_species, int n_members)
    : part_(part),
      description_(std::get<LinearDescription>(part.regressor)),
      shapes_(std::move(shapes)),
      n_species_(n_species),
      n_members_(n_members) {
    const std::size_t n = size(n_species) * part.n_features;
    std::vector<double> weights(n, 0.0);
    for (std::size_t k = 0; k < description_.weights.size(); ++k) weights[k % n] += description_.weights[k] / n_members;
    mean_ = fold(weights.data());
}

LinearTensor::Folded LinearTensor::fold(const double* weights) {
    Folded folded(size(n_species_));
    for (auto& of_species : folded) {
        for (const Invariant& equivariant : part_.equivariants) {
            of_species.push_back(fold_tensor(equivariant, shapes_, weights));
            weights += n_features(equivariant, shapes_);
            scratch_size_ = std::max(scratch_size_, of_species.back()->scratch_size());
        }
    }
    return folded;
}

void LinearTensor::prepare_members() {
    const std::size_t n = size(n_species_) * part_.n_features;
    for (std::size_t k = members_.size(); k < size(n_members_); ++k) {
        members_.push_back(fold(&description_.weights[k * n]));
    }
}

const LinearTensor::Folded& LinearTensor::of(int member) const {
    return member == mean ? mean_ : members_.at(size(member));
}

void LinearTensor::compute(const CenterBlock& block, int member, double* y, Scratch& scratch) const {
    scratch.scratch.resize(scratch_size_);
    for (int i = 0; i < block.n; ++i, y += part_.type.n_components()) {
        if (block.species[i] < 0) continue;
        block.center(i, scratch.c, scratch.c_adj);
        for (const auto& folded : of(member)[size(block.species[i])]) {
            folded->compute(scratch.c.data(), y, scratch.scratch.data());
        }
    }
}

void LinearTensor::backward(const CenterBlock& block, int member, const double* y_adj, Scratch& scratch) const {
    scratch.scratch.resize(scratch_size_);
    for (int i = 0; i < block.n; ++i) {
        if (block.species[i] < 0) continue;
        block.center(i, scratch.c, scratch.c_adj);
        for (const auto& folded : of(member)[size(block.species[i])]) {
            folded->backward(scratch.c.data(), y_adj, scratch.c_adj.data(), scratch.scratch.data());
        }
    }
}

std::string LinearTensor::summary() const {
    return "linear in " + std::to_string(part_.n_features) + " equivariants of lambda " +
           std::to_string(part_.type.lambda);
}

KernelTensor::KernelTensor(const TensorPart& part, const std::vector<CoefficientShape>& shapes, int n_species,
                           int n_members)
    : part_(part),
      description_(std::get<TensorKernelDescription>(part.regressor)),
      invariants_(description_.invariants, shapes),
      equivariants_(part.equivariants, shapes) {
    for (const Invariant& equivariant : part.equivariants) segments_.push_back(n_features(equivariant, shapes));
    for (std::size_t s = 0; s < size(n_species); ++s) {
        const AlignedVector<double>& folded = description_.folded.at(s);
        const std::size_t n = folded.size() / size(n_members);
        n_points_.push_back(description_.points.at(s).size() / invariants_.size());
        mean_.emplace_back(n, 0.0);
        for (std::size_t k = 0; k < folded.size() && n > 0; ++k) mean_.back()[k % n] += folded[k] / n_members;
    }
}

const double* KernelTensor::folded_points(int member, std::size_t species) const {
    if (member == mean) return mean_[species].data();
    return description_.folded[species].data() + size(member) * mean_[species].size();
}

template <class Use>
void KernelTensor::for_segments(Use use) const {
    std::size_t at = 0, first = 0;
    for (const std::size_t n : segments_) {
        use(at, first, n);
        at += size(part_.type.n_components()) * n;
        first += n;
    }
}

std::size_t KernelTensor::forward(const CenterBlock& block, int member, std::size_t species, Scratch& work) const {
    work.centers.clear();
    for (int i = 0; i < block.n; ++i) {
        if (block.species[i] == static_cast<int>(species)) work.centers.push_back(i);
    }
    const std::size_t n = work.centers.size(), n_points = n_points_[species], n_inv = invariants_.size();
    if (n == 0 || n_points == 0) return 0;
    work.scratch.resize(std::max(invariants_.scratch_size(), equivariants_.scratch_size()));
    work.invariants.resize(n * n_inv);
    work.equivariants.resize(n * equivariants_.size());
    work.norms.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        double* p = &work.invariants[i * n_inv];
        block.center(work.centers[i], work.c, work.c_adj);
        invariants_.compute(work.c.data(), p, work.scratch.data());
        equivariants_.compute(work.c.data(), &work.equivariants[i * equivariants_.size()], work.scratch.data());
        work.norms[i] = normalize(p, n_inv, description_.epsilon);
    }
    work.overlaps.resize(n * n_points);
    blas::gemm(Op::none, Op::transpose, n, n_points, n_inv, 1.0, work.invariants.data(), n_inv,
               description_.points[species].data(), n_inv, 0.0, work.overlaps.data(), n_points);
    work.powers.resize(n * n_points);
    for (std::size_t k = 0; k < n * n_points; ++k) work.powers[k] = power(work.overlaps[k], description_.zeta - 1);
    work.folded.resize(n * part_.n_features);
    blas::gemm(Op::none, Op::none, n, part_.n_features, n_points, 1.0, work.powers.data(), n_points,
               folded_points(member, species), part_.n_features, 0.0, work.folded.data(), part_.n_features);
    return n;
}

void KernelTensor::compute(const CenterBlock& block, int member, double* y, Scratch& work) const {
    const std::size_t n_mu = size(part_.type.n_components());
    for (std::size_t s = 0; s < n_points_.size(); ++s) {
        const std::size_t n = forward(block, member, s, work);
        for (std::size_t i = 0; i < n; ++i) {
            const double *p = &work.equivariants[i * equivariants_.size()], *h = &work.folded[i * part_.n_features];
            double* to = y + size(work.centers[i]) * n_mu;
            for_segments([&](std::size_t at, std::size_t first, std::size_t n_f) {
                for (std::size_t k = 0; k < n_mu * n_f; ++k) {
                    to[k / n_f] += p[at + k] * h[first + k % n_f] / work.norms[i];
                }
            });
        }
    }
}

/// With N the norm of the invariants and T = P . h / N: P_adj = y_adj h / N, h_adj = y_adj P / N; N and h depend on the
/// invariants.
void KernelTensor::backward(const CenterBlock& block, int member, const double* y_adj, Scratch& work) const {
    const std::size_t n_mu = size(part_.type.n_components()), n_inv = invariants_.size(), n_eq = equivariants_.size();
    for (std::size_t s = 0; s < n_points_.size(); ++s) {
        const std::size_t n = forward(block, member, s, work), n_points = n_points_[s];
        if (n == 0) continue;
        work.equivariants_adj.assign(n * n_eq, 0.0);
        work.folded_adj.assign(n * part_.n_features, 0.0);
        work.components.assign(n, 0.0);  // y_adj . T
        for (std::size_t i = 0; i < n; ++i) {
            const double *p = &work.equivariants[i * n_eq], *h = &work.folded[i * part_.n_features];
            double *p_adj = &work.equivariants_adj[i * n_eq], *h_adj = &work.folded_adj[i * part_.n_features];
            for_segments([&](std::size_t at, std::size_t first, std::size_t n_f) {
                for (std::size_t k = 0; k < n_mu * n_f; ++k) {
                    const double factor = y_adj[k / n_f] / work.norms[i];
                    p_adj[at + k] = factor * h[first + k % n_f];
                    h_adj[first + k % n_f] += factor * p[at + k];
                    work.components[i] += p_adj[at + k] * p[at + k];
                }
            });
        }
        blas::gemm(Op::none, Op::transpose, n, n_points, part_.n_features, 1.0, work.folded_adj.data(),
                   part_.n_features, folded_points(member, s), part_.n_features, 0.0, work.powers.data(), n_points);
        for (std::size_t k = 0; k < n * n_points; ++k) {
            work.powers[k] *= (description_.zeta - 1) * power(work.overlaps[k], description_.zeta - 2);
        }
        work.invariants_adj.resize(n * n_inv);
        blas::gemm(Op::none, Op::none, n, n_inv, n_points, 1.0, work.powers.data(), n_points,
                   description_.points[s].data(), n_inv, 0.0, work.invariants_adj.data(), n_inv);
        for (std::size_t i = 0; i < n; ++i) {
            const double* p_hat = &work.invariants[i * n_inv];
            double* p_adj = &work.invariants_adj[i * n_inv];
            double along = work.components[i];
            for (std::size_t f = 0; f < n_inv; ++f) along += p_hat[f] * p_adj[f];
            for (std::size_t f = 0; f < n_inv; ++f) p_adj[f] = (p_adj[f] - p_hat[f] * along) / work.norms[i];
            block.center(work.centers[i], work.c, work.c_adj);
            invariants_.backward(work.c.data(), p_adj, work.c_adj.data(), work.scratch.data());
            equivariants_.backward(work.c.data(), &work.equivariants_adj[i * n_eq], work.c_adj.data(),
                                   work.scratch.data());
        }
    }
}

std::string KernelTensor::summary() const {
    std::size_t n = 0;
    for (const std::size_t of_species : n_points_) n += of_species;
    return "kernel with " + std::to_string(n) + " sparse points of lambda " + std::to_string(part_.type.lambda) +
           ", zeta " + std::to_string(description_.zeta);
}

}  // namespace mlcalc
