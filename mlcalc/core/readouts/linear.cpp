// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/linear.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/blas.hpp"

namespace mlcalc {
namespace {

using blas::Op;

/// Larger matrices than this take too long to factor when a model is loaded.
constexpr int largest_factored = 256;

}  // namespace

LinearRegressor::LinearRegressor(const LinearDescription& description, FeatureVector features, int n_species,
                                 int n_members)
    : Regressor(std::move(features)),
      n_species_(n_species),
      n_members_(n_members),
      weights_(description.weights),
      leverage_(description.leverage) {
    const std::size_t n_set = static_cast<std::size_t>(n_species) * features_.size();
    if (weights_.size() != static_cast<std::size_t>(n_members) * n_set) {
        throw std::invalid_argument("a linear regressor needs " + std::to_string(n_members * n_set) + " weights, got " +
                                    std::to_string(weights_.size()));
    }
    mean_.assign(n_set, 0.0);
    for (std::size_t k = 0; k < weights_.size(); ++k) mean_[k % n_set] += weights_[k] / n_members;
    for (int species = 0; species < n_species; ++species) {
        const double* w = weights(mean, species);
        std::vector<Operator> operators;
        for (const InvariantKernel& kernel : features_.kernels()) {
            operators.push_back(make_operator(kernel, w));
            w += kernel.n_features();
        }
        operators_.push_back(std::move(operators));
    }
}

LinearRegressor::Operator LinearRegressor::make_operator(const InvariantKernel& kernel, const double* w) const {
    Operator op;
    if (kernel.invariant().nu == 1) {
        op.w.assign(w, w + kernel.n_features());
        return op;
    }
    const std::size_t n_l = static_cast<std::size_t>(kernel.l_max()) + 1;
    op.g.resize(n_l * kernel.matrix_size());
    op.g_t.resize(n_l * kernel.transpose_size());
    std::vector<double> scratch(features_.scratch_size());
    kernel.fill_matrices(w, op.g.data(), op.g_t.data(), scratch.data());
    // the matrices of a product of two expansions are not square, and one side is small where the other is large
    const int n = kernel.shape().n_q();
    for (std::size_t l = 0; l < n_l && kernel.same() && n <= largest_factored; ++l) {
        op.factors.emplace_back(op.g.data() + l * kernel.matrix_size(), n, kernel.shape().stride());
    }
    return op;
}

const double* LinearRegressor::weights(int member, int species) const {
    const std::size_t offset = static_cast<std::size_t>(species) * features_.size();
    if (member == mean) return mean_.data() + offset;
    return weights_.data() + static_cast<std::size_t>(member) * mean_.size() + offset;
}

double LinearRegressor::energy_of(int species, const double* const* c, double* const* c_adj, double* scratch) const {
    double energy = 0.0;
    const std::vector<Operator>& operators = operators_[static_cast<std::size_t>(species)];
    for (std::size_t k = 0; k < operators.size(); ++k) {
        const InvariantKernel& kernel = features_.kernels()[k];
        const Operator& op = operators[k];
        if (kernel.invariant().nu == 1) {
            energy += kernel.apply_weights(c, op.w.data(), c_adj);
            continue;
        }
        const double* g = op.g.data();
        const double* g_t = op.g_t.data();
        for (int l = 0; l <= kernel.l_max(); ++l, g += kernel.matrix_size(), g_t += kernel.transpose_size()) {
            const LowRank* factors = op.factors.empty() ? nullptr : &op.factors[static_cast<std::size_t>(l)];
            if (factors != nullptr && factors->worthwhile()) {
                const int e = kernel.invariant().a;
                const int offset = l * l * kernel.shape().stride();
                energy +=
                    factors->apply(2 * l + 1, c[e] + offset, c_adj == nullptr ? nullptr : c_adj[e] + offset, scratch);
            } else {
                energy += kernel.apply_matrix(l, c, g, g_t, c_adj);
            }
        }
    }
    return energy;
}

void LinearRegressor::compute(const CenterBlock& block, int member, double* energies, double* member_energies,
                              RegressorWorkspace& work) const {
    work.scratch.resize(features_.scratch_size());
    for (int i = 0; i < block.n && member == mean; ++i) {
        if (block.species[i] < 0) continue;
        block.center(i, work.c, work.c_adj);
        energies[i] += energy_of(block.species[i], work.c.data(), block.gradient ? work.c_adj.data() : nullptr,
                                 work.scratch.data());
    }
    const std::size_t n_features = features_.size();
    const auto add_energies = [&](std::size_t n, int species, int first, std::size_t n_sets, double* to) {
        work.members.resize(n * n_sets);
        blas::gemm(Op::none, Op::transpose, n, n_sets, n_features, 1.0, work.features.data(), n_features,
                   weights(first, species), mean_.size(), 0.0, work.members.data(), n_sets);
        for (std::size_t i = 0; i < n; ++i) {
            double* row = to + static_cast<std::size_t>(work.centers[i]) * n_sets;
            for (std::size_t k = 0; k < n_sets; ++k) row[k] += work.members[i * n_sets + k];
        }
    };
    for (int species = 0; species < n_species_ && (member != mean || member_energies != nullptr); ++species) {
        const std::size_t n = gather(block, species, work);
        if (n == 0) continue;
        if (member_energies != nullptr) {
            add_energies(n, species, 0, static_cast<std::size_t>(n_members_), member_energies);
        }
        if (member != mean) add_energies(n, species, member, 1, energies);
        for (std::size_t i = 0; i < n && member != mean && block.gradient; ++i) {
            block.center(work.centers[i], work.c, work.c_adj);
            features_.backward(work.c.data(), weights(member, species), work.c_adj.data(), work.scratch.data());
        }
    }
}

bool LinearRegressor::has_extrapolation() const {
    return !leverage_.empty();
}

void LinearRegressor::extrapolation(const CenterBlock& block, double* measure, RegressorWorkspace& work) const {
    const std::size_t n_features = features_.size();
    for (std::size_t species = 0; species < leverage_.size(); ++species) {
        const std::vector<double>& l = leverage_[species];
        const std::size_t n = gather(block, static_cast<int>(species), work);
        const std::size_t n_rows = l.size() / n_features;
        if (n == 0 || n_rows == 0) continue;
        work.rows.resize(n * n_rows);
        blas::gemm(Op::none, Op::transpose, n, n_rows, n_features, 1.0, work.features.data(), n_features, l.data(),
                   n_features, 0.0, work.rows.data(), n_rows);
        for (std::size_t i = 0; i < n; ++i) {
            double sum = 0.0;
            for (std::size_t r = 0; r < n_rows; ++r) sum += work.rows[i * n_rows + r] * work.rows[i * n_rows + r];
            double& to = measure[work.centers[i]];
            to = std::max(to, sum);
        }
    }
}

std::string LinearRegressor::summary() const {
    return "linear in " + std::to_string(features_.size()) + " features";
}

}  // namespace mlcalc
