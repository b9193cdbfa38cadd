// SPDX-License-Identifier: BSD-3-Clause
#include "training/feature_tangents.hpp"

#include <algorithm>

namespace mlcalc {

/// Where the rows of an atom begin; they are made, as zeros, when first asked for.
std::size_t FeatureTangents::slot(int atom) {
    int& index = slot_[static_cast<std::size_t>(atom)];
    if (index < 0) {
        index = static_cast<int>(atoms_.size());
        atoms_.push_back(atom);
        rows_.resize(rows_.size() + 3 * n_features_, 0.0);
    }
    return 9 + 3 * static_cast<std::size_t>(index);
}

void FeatureTangents::add(std::size_t row, double factor) {
    double* to = &rows_[row * n_features_];
    for (std::size_t f = 0; f < n_features_; ++f) to[f] += factor * direction_[f];
}

void FeatureTangents::follow(const ColumnChange& change) {
    std::fill(direction_.begin(), direction_.end(), 0.0);
    const double* const* c = work_->block.c.data();
    features_->tangent(c, expansion_, change, direction_.data(), scratch_.data());
    sets_->layer_tangents(expansion_, change, *work_, changes_);
    for (std::size_t set = 0; set < changes_.size(); ++set) {
        if (changes_[set].empty()) continue;
        const CoefficientShape& shape = sets_->shapes()[set];
        features_->tangent(c, static_cast<int>(set), {0, shape.n_q(), shape.stride(), changes_[set].data()},
                           direction_.data(), scratch_.data());
    }
}

void FeatureTangents::pair(int j, const Vec3& r_ij, int x, const ColumnChange& change) {
    const std::size_t own = slot(center_), other = slot(j), axis = static_cast<std::size_t>(x);
    follow(change);
    add(other + axis, 1.0);
    add(own + axis, -1.0);
    for (std::size_t a = 0; a < 3; ++a) add(3 * a + axis, r_ij[a]);
}

void FeatureTangents::atom(int j, int x, const ColumnChange& change) {
    const std::size_t row = slot(j) + static_cast<std::size_t>(x);
    follow(change);
    add(row, 1.0);
}

void FeatureTangents::strain(int a, int b, const ColumnChange& change) {
    follow(change);
    add(static_cast<std::size_t>(3 * a + b), 1.0);
}

void FeatureTangents::compute(const System& system, const CoefficientSets& sets, const std::vector<int>& expansions,
                              const FeatureVector& features, int i, CoefficientSets::Workspace& work) {
    n_features_ = features.size();
    atoms_.clear();
    slot_.assign(static_cast<std::size_t>(system.atoms.n_all), -1);
    scratch_.resize(features.scratch_size());
    direction_.resize(n_features_);
    // the strain goes first and is moved to the end when the number of atoms is known
    rows_.assign(9 * n_features_, 0.0);
    sets_ = &sets;
    features_ = &features;
    work_ = &work;
    center_ = i;
    for (const int e : expansions) {
        expansion_ = e;
        sets.expansion(e).tangents(system, *work.pairs, i, *work.scratch[static_cast<std::size_t>(e)], *this);
    }
    std::rotate(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(9 * n_features_), rows_.end());
}

}  // namespace mlcalc
