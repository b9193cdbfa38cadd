// SPDX-License-Identifier: BSD-3-Clause
#include "training/feature_tangents.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

void FeatureTangents::start(const Structure& s, ExpansionSet& set, const std::vector<int>& expansions) {
    if (s.communicator.size() > 1) {
        throw std::invalid_argument("derivatives of features are stored in one process only");
    }
    far_.resize(set.shapes().size());
    far_strain_.resize(set.shapes().size());
    far_stride_.assign(set.shapes().size(), 0);
    far_size_.assign(set.shapes().size(), 0);
    for (const int e : expansions) {
        if (!set.is_far(e)) continue;
        far_size_[size(e)] = set.shapes()[size(e)].compact().size();
        far_stride_[size(e)] = size(s.atoms.n_all) * 3 * far_size_[size(e)];
        const std::size_t n = size(s.atoms.n_local) * far_stride_[size(e)];
        if (n * sizeof(double) > set.options().memory_limit) {
            throw std::invalid_argument("the derivatives of the far field of " + std::to_string(s.atoms.n_local) +
                                        " atoms need " + std::to_string(n * sizeof(double) >> 20) +
                                        " MB, more than the memory limit; use smaller structures or raise the limit");
        }
        far_[size(e)].resize(n);
        far_strain_[size(e)].resize(size(s.atoms.n_local) * 9 * far_size_[size(e)]);
        set.far_field(e)->jacobian(s.atoms, far_[size(e)].data(), far_strain_[size(e)].data());
    }
}

const double* FeatureTangents::far_rows(int e, int i) const {
    return &far_[size(e)][size(i) * far_stride_[size(e)]];
}

const double* FeatureTangents::far_strain_rows(int e, int i) const {
    return &far_strain_[size(e)][size(i) * 9 * far_size_[size(e)]];
}

/// Where the rows of an atom begin; they are made, as zeros, when first asked for.
std::size_t FeatureTangents::slot(int atom) {
    int& index = slot_[size(atom)];
    if (index < 0) {
        index = static_cast<int>(atoms_.size());
        atoms_.push_back(atom);
        rows_.resize(rows_.size() + 3 * n_features_, 0.0);
    }
    return size(index);
}

void FeatureTangents::add(std::size_t row, double factor) {
    double* to = &rows_[row * n_features_];
    for (std::size_t f = 0; f < n_features_; ++f) to[f] += factor * direction_[f];
}

void FeatureTangents::compute(const Structure& s, const ExpansionSet& set, const std::vector<int>& expansions,
                              const FeatureVector& features, int i, const double* const* c, bool far) {
    n_features_ = features.size();
    atoms_.clear();
    slot_.assign(size(s.atoms.n_all), -1);
    rows_.clear();
    scratch_.resize(features.scratch_size());
    direction_.resize(n_features_);
    // the strain goes first and is moved to the end when the number of atoms is known
    rows_.resize(9 * n_features_, 0.0);
    for (const int e : expansions) {
        if (!set.is_far(e)) density(s, set.density(e), e, features, i, c);
        if (set.is_far(e) && far) potential(s, set.shapes()[size(e)], e, features, i, c);
    }
    std::rotate(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(9 * n_features_), rows_.end());
}

void FeatureTangents::density(const Structure& s, const DensityExpansion& expansion, int e,
                              const FeatureVector& features, int i, const double* const* c) {
    const CoefficientShape shape = expansion.shape();
    const bool mixing = !expansion.description().mixing.empty();
    const std::size_t n_max = size(shape.n_max);
    const std::size_t n_lm = size(shape.n_lm());
    const int columns = mixing ? shape.n_q() : shape.n_max;
    const int ld = (columns + 7) / 8 * 8;
    change_.assign(n_lm * size(ld), 0.0);
    coefficients_.resize(shape.size());
    expansion.compute(s.atoms, s.list, i, i + 1, coefficients_.data(), workspace_);
    for (std::size_t k = 0; k < workspace_.pairs.size(); ++k) {
        if (workspace_.pairs[k] < 0) continue;
        const int j = s.list.j[workspace_.pairs[k]];
        const int species = s.atoms.species[j];
        const Vec3& r = s.list.r_ij[workspace_.pairs[k]];
        expansion.pair_derivative(workspace_, k, derivative_);
        const std::size_t own = 3 + slot(i);
        const std::size_t other = 3 + slot(j);
        for (std::size_t x = 0; x < 3; ++x) {
            const double* d = derivative_.data() + x * n_lm * n_max;
            for (std::size_t channel = 0; channel < size(columns) / n_max; ++channel) {
                const double weight = mixing ? expansion.mixing(static_cast<int>(channel), species) : 1.0;
                for (std::size_t lm = 0; lm < n_lm; ++lm) {
                    double* to = &change_[lm * size(ld) + channel * n_max];
                    for (std::size_t n = 0; n < n_max; ++n) to[n] = weight * d[lm * n_max + n];
                }
            }
            std::fill(direction_.begin(), direction_.end(), 0.0);
            features.tangent(c, e, change_.data(), ld, mixing ? 0 : species * shape.n_max, columns, direction_.data(),
                             scratch_.data());
            add(3 * other + x, 1.0);
            add(3 * own + x, -1.0);
            for (std::size_t a = 0; a < 3; ++a) add(3 * a + x, r[a]);
        }
    }
}

void FeatureTangents::potential(const Structure& s, const CoefficientShape& shape, int e, const FeatureVector& features,
                                int i, const double* const* c) {
    const std::size_t n = shape.compact().size();
    change_.assign(shape.size(), 0.0);
    const auto direction = [&](const double* row) {
        copy_coefficients(shape.compact(), row, 1, shape, change_.data());
        std::fill(direction_.begin(), direction_.end(), 0.0);
        features.tangent(c, e, change_.data(), shape.stride(), 0, shape.n_q(), direction_.data(), scratch_.data());
    };
    for (int j = 0; j < s.atoms.n_all; ++j) {
        if (s.atoms.species[j] < 0) continue;
        const std::size_t at = 3 + slot(j);
        for (std::size_t x = 0; x < 3; ++x) {
            direction(far_rows(e, i) + (3 * size(j) + x) * n);
            add(3 * at + x, 1.0);
        }
    }
    for (std::size_t ab = 0; ab < 9; ++ab) {
        direction(far_strain_rows(e, i) + ab * n);
        add(ab, 1.0);
    }
}

}  // namespace mlcalc
