// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/linear.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/blas.hpp"

namespace mlcalc {

using blas::Op;

LinearReadout::LinearReadout(const LinearDescription& description, FeatureVector features, int n_species, int n_members)
    : Readout(std::move(features)), description_(description), n_species_(n_species), n_members_(n_members) {
    const std::size_t n_set = static_cast<std::size_t>(n_species) * features_.size();
    if (description.weights.size() != static_cast<std::size_t>(n_members) * n_set) {
        throw std::invalid_argument("a linear regressor needs " + std::to_string(n_members * n_set) + " weights, got " +
                                    std::to_string(description.weights.size()));
    }
    mean_.assign(n_set, 0.0);
    for (std::size_t k = 0; k < description.weights.size(); ++k) mean_[k % n_set] += description.weights[k] / n_members;
    folded_ = fold(mean);
}

std::vector<LinearReadout::Folded> LinearReadout::fold(int member) {
    std::vector<Folded> folded;
    for (int species = 0; species < n_species_; ++species) {
        folded.push_back(features_.fold(weights(member, species)));
        for (const auto& product : folded.back()) scratch_size_ = std::max(scratch_size_, product->scratch_size());
    }
    return folded;
}

void LinearReadout::prepare_members() {
    for (int k = static_cast<int>(of_members_.size()); k < n_members_; ++k) of_members_.push_back(fold(k));
}

const double* LinearReadout::weights(int member, int species) const {
    const std::size_t offset = static_cast<std::size_t>(species) * features_.size();
    return member == mean ? &mean_[offset]
                          : &description_.weights[static_cast<std::size_t>(member) * mean_.size() + offset];
}

void LinearReadout::apply(const std::vector<Folded>& folded, const CenterBlock& block, double* energies, int stride,
                          bool gradient, Scratch& scratch) const {
    scratch.scratch.resize(scratch_size_);
    for (int i = 0; i < block.n; ++i) {
        if (block.species[i] < 0) continue;
        block.center(i, scratch.c, scratch.c_adj);
        double energy = 0.0;
        for (const auto& product : folded[static_cast<std::size_t>(block.species[i])]) {
            energy +=
                product->apply(scratch.c.data(), gradient ? scratch.c_adj.data() : nullptr, scratch.scratch.data());
        }
        if (energies != nullptr) energies[i * stride] += energy;
    }
}

void LinearReadout::add_members(const CenterBlock& block, double* members, Scratch& scratch) const {
    const std::size_t n_features = features_.size(), n_members = static_cast<std::size_t>(n_members_);
    for (int species = 0; species < n_species_; ++species) {
        const SpeciesFeatures& of_species = gather(block, species, scratch);
        const std::size_t n = of_species.centers.size();
        if (n == 0) continue;
        scratch.members.resize(n * n_members);
        blas::gemm(Op::none, Op::transpose, n, n_members, n_features, 1.0, of_species.features.data(), n_features,
                   weights(0, species), mean_.size(), 0.0, scratch.members.data(), n_members);
        for (std::size_t i = 0; i < n; ++i) {
            double* row = members + static_cast<std::size_t>(of_species.centers[i]) * n_members;
            for (std::size_t k = 0; k < n_members; ++k) row[k] += scratch.members[i * n_members + k];
        }
    }
}

void LinearReadout::compute(const CenterBlock& block, double* energies, double* members, Scratch& scratch) const {
    apply(folded_, block, energies, 1, false, scratch);
    if (members != nullptr) add_members(block, members, scratch);
}

void LinearReadout::compute_and_backward(const CenterBlock& block, double* energies, double* members, bool,
                                         Scratch& scratch) const {
    apply(folded_, block, energies, 1, true, scratch);
    if (members != nullptr) add_members(block, members, scratch);
}

void LinearReadout::backward(const CenterBlock& block, int member, const double* y_adj, double* energies, int stride,
                             Scratch& scratch) const {
    const auto& folded = member == mean ? folded_ : of_members_.at(static_cast<std::size_t>(member));
    if (y_adj == nullptr) return apply(folded, block, energies, stride, true, scratch);
    if (energies != nullptr) apply(folded, block, energies, stride, false, scratch);
    scratch.scratch.resize(features_.scratch_size());
    scratch.rows.resize(features_.size());
    for (int i = 0; i < block.n; ++i) {
        if (block.species[i] < 0) continue;
        const double* w = weights(member, block.species[i]);
        for (std::size_t f = 0; f < features_.size(); ++f) scratch.rows[f] = y_adj[i] * w[f];
        block.center(i, scratch.c, scratch.c_adj);
        features_.backward(scratch.c.data(), scratch.rows.data(), scratch.c_adj.data(), scratch.scratch.data());
    }
}

void LinearReadout::extrapolation(const CenterBlock& block, double* measure, Scratch& scratch) const {
    const std::size_t n_features = features_.size();
    const std::vector<int>& columns = description_.leverage_columns;
    const std::size_t n_columns = columns.empty() ? n_features : columns.size();
    for (std::size_t species = 0; species < description_.leverage.size(); ++species) {
        const std::vector<double>& l = description_.leverage[species];
        const std::size_t n_rows = l.size() / n_columns;
        const SpeciesFeatures& of_species = gather(block, static_cast<int>(species), scratch);
        const std::size_t n = of_species.centers.size();
        if (n == 0 || n_rows == 0) continue;
        scratch.rows.resize(n * (n_rows + columns.size()));
        const double* p = of_species.features.data();
        if (!columns.empty()) {
            double* seen = &scratch.rows[n * n_rows];
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t k = 0; k < n_columns; ++k)
                    seen[i * n_columns + k] = p[i * n_features + static_cast<std::size_t>(columns[k])];
            }
            p = seen;
        }
        blas::gemm(Op::none, Op::transpose, n, n_rows, n_columns, 1.0, p, n_columns, l.data(), n_columns, 0.0,
                   scratch.rows.data(), n_rows);
        for (std::size_t i = 0; i < n; ++i) {
            const double* row = &scratch.rows[i * n_rows];
            double sum = 0.0;
            for (std::size_t r = 0; r < n_rows; ++r) sum += row[r] * row[r];
            double& to = measure[of_species.centers[i]];
            to = std::max(to, sum);
        }
    }
}

std::string LinearReadout::summary() const {
    return "linear in " + std::to_string(features_.size()) + " features";
}

}  // namespace mlcalc
