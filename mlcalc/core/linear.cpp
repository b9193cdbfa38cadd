// SPDX-License-Identifier: BSD-3-Clause
#include "linear.hpp"

#include <algorithm>
#include <stdexcept>

#include "blas.hpp"

namespace mlcalc {

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
    std::vector<double> scratch(features_.scratch_size());
    for (int species = 0; species < n_species; ++species) {
        const double* w = weights(mean, species);
        std::vector<Operator> operators;
        for (const InvariantKernel& kernel : features_.kernels()) {
            Operator op;
            if (kernel.invariant().nu == 1) {
                op.w.assign(w, w + kernel.n_features());
            } else {
                const std::size_t n_l = static_cast<std::size_t>(kernel.l_max()) + 1;
                op.g.resize(n_l * kernel.matrix_size());
                op.g_t.resize(n_l * kernel.transpose_size());
                kernel.fill_matrices(w, op.g.data(), op.g_t.data(), scratch.data());
            }
            operators.push_back(std::move(op));
            w += kernel.n_features();
        }
        operators_.push_back(std::move(operators));
    }
}

const double* LinearRegressor::weights(int member, int species) const {
    const std::size_t offset = static_cast<std::size_t>(species) * features_.size();
    if (member == mean) return mean_.data() + offset;
    return weights_.data() + static_cast<std::size_t>(member) * mean_.size() + offset;
}

double LinearRegressor::energy_of(int species, const double* const* c, double* const* c_adj) const {
    double energy = 0.0;
    const std::vector<Operator>& operators = operators_[static_cast<std::size_t>(species)];
    for (std::size_t k = 0; k < operators.size(); ++k) {
        const InvariantKernel& kernel = features_.kernels()[k];
        if (kernel.invariant().nu == 1) {
            energy += kernel.apply_weights(c, operators[k].w.data(), c_adj);
        } else {
            energy += kernel.apply_matrices(c, operators[k].g.data(), operators[k].g_t.data(), c_adj);
        }
    }
    return energy;
}

void LinearRegressor::compute(const CenterBlock& block, int member, double* energies, double* member_energies,
                              RegressorWorkspace& work) const {
    const std::size_t n_features = features_.size();
    const bool form = member != mean || member_energies != nullptr;
    if (form) {
        work.features.resize(n_features);
        work.scratch.resize(features_.scratch_size());
    }
    for (int i = 0; i < block.n; ++i) {
        const int species = block.species[i];
        if (species < 0) continue;
        block.center(i, work.c, work.c_adj);
        double* const* c_adj = block.gradient ? work.c_adj.data() : nullptr;
        if (member == mean) energies[i] += energy_of(species, work.c.data(), c_adj);
        if (!form) continue;
        features_.compute(work.c.data(), work.features.data(), work.scratch.data());
        for (int k = 0; k < n_members_; ++k) {
            if (member_energies == nullptr && k != member) continue;
            const double* w = weights(k, species);
            double energy = 0.0;
            for (std::size_t f = 0; f < n_features; ++f) energy += w[f] * work.features[f];
            if (k == member) energies[i] += energy;
            if (member_energies != nullptr) member_energies[i * n_members_ + k] += energy;
        }
        if (member != mean && block.gradient) {
            features_.backward(work.c.data(), weights(member, species), c_adj, work.scratch.data());
        }
    }
}

bool LinearRegressor::has_extrapolation() const {
    return !leverage_.empty();
}

void LinearRegressor::extrapolation(const CenterBlock& block, double* measure, RegressorWorkspace& work) const {
    if (!has_extrapolation()) return;
    const std::size_t n_features = features_.size();
    work.features.resize(n_features);
    work.scratch.resize(features_.scratch_size());
    for (int i = 0; i < block.n; ++i) {
        const int species = block.species[i];
        if (species < 0) continue;
        block.center(i, work.c, work.c_adj);
        features_.compute(work.c.data(), work.features.data(), work.scratch.data());
        const std::vector<double>& l = leverage_[static_cast<std::size_t>(species)];
        double sum = 0.0;
        for (std::size_t row = 0; row < l.size() / n_features; ++row) {
            double dot = 0.0;
            for (std::size_t f = 0; f < n_features; ++f) dot += l[row * n_features + f] * work.features[f];
            sum += dot * dot;
        }
        measure[i] = std::max(measure[i], sum);
    }
}

std::string LinearRegressor::summary() const {
    return "linear in " + std::to_string(features_.size()) + " features";
}

}  // namespace mlcalc
