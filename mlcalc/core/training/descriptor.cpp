// SPDX-License-Identifier: BSD-3-Clause
#include "training/descriptor.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/agreement.hpp"
#include "base/blas.hpp"
#include "model/check_atoms.hpp"

namespace mlcalc {
namespace {

constexpr int block_size = 16;

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

Descriptor::Descriptor(std::shared_ptr<const Model> model, const FarFieldOptions& options)
    : model_(std::move(model)), sets_(*model_, options) {
    blas::use_one_thread();
    for (const Term& term : model_->terms) {
        TermData data;
        data.features = FeatureVector(term.invariants, sets_.shapes());
        for (const int e : sets_.expansions_behind([&](int set) { return data.features.uses(set); })) {
            (sets_.far(e) ? data.far : data.near).push_back(e);
        }
        if (const auto* kernel = std::get_if<KernelDescription>(&term.regressor)) {
            data.kernel = std::make_unique<KernelReadout>(*kernel, data.features,
                                                          static_cast<int>(model_->species.size()), model_->n_members);
        }
        terms_.push_back(std::move(data));
    }
}

std::vector<int> Descriptor::TermData::expansions() const {
    std::vector<int> all = near;
    all.insert(all.end(), far.begin(), far.end());
    return all;
}

int Descriptor::find(const std::string& set) const {
    std::vector<std::string> names;
    for (const ExpansionDescription& expansion : model_->expansions) names.push_back(base_of(expansion).name);
    for (const MixingDescription& layer : model_->layers) names.push_back(layer.name);
    std::string known;
    for (std::size_t e = 0; e < names.size(); ++e) {
        if (names[e] == set) return static_cast<int>(e);
        known += (e == 0 ? "'" : ", '") + names[e] + "'";
    }
    throw std::invalid_argument("there is no expansion '" + set + "' in this model, only " + known);
}

CoefficientShape Descriptor::shape(int set) const {
    if (set < 0 || size(set) >= sets_.shapes().size()) {
        throw std::invalid_argument("the model has " + std::to_string(sets_.shapes().size()) +
                                    " expansions, got index " + std::to_string(set));
    }
    return sets_.shapes()[size(set)];
}

const Descriptor::TermData& Descriptor::term(int index) const {
    if (index < 0 || size(index) >= terms_.size()) {
        throw std::invalid_argument("the model has " + std::to_string(terms_.size()) + " terms, got index " +
                                    std::to_string(index));
    }
    return terms_[size(index)];
}

std::size_t Descriptor::n_features(int index) const {
    return term(index).features.size();
}

std::size_t Descriptor::n_basis(int index) const {
    const TermData& data = term(index);
    const int n_species = static_cast<int>(model_->species.size());
    if (data.kernel == nullptr) return size(n_species) * data.features.size();
    std::size_t n = 0;
    for (int s = 0; s < n_species; ++s) n += data.kernel->n_points(s);
    return n;
}

/// The far fields, after the checks; collective.
void Descriptor::start(const System& s) {
    std::exception_ptr failure;
    try {
        check_atoms(*model_, s.atoms);
    } catch (...) {
        failure = std::current_exception();
    }
    agree(s.ranks, model_->has_far_field(), failure);
    sets_.begin(s, 1);
}

void Descriptor::start_tangents(const System& s, const TermData& data) {
    if (s.ranks.size() > 1) throw std::invalid_argument("derivatives of features are stored in one process only");
    for (const int e : data.expansions()) sets_.expansion(e).begin_tangents(s);
}

void Descriptor::center(const System& s, int i, bool gradient) {
    sets_.compute(s, {i, i + 1}, gradient, work_);
    work_.block.center(0, c_, c_adj_);
}

void Descriptor::expansion(const System& s, int index, double* out) {
    const CoefficientShape shape = this->shape(index);
    start(s);
    const std::size_t n_lm = size(shape.n_lm());
    for (int i = 0; i < s.atoms.n_local; ++i) {
        center(s, i, false);
        const double* c = c_[size(index)];
        for (std::size_t q = 0; q < size(shape.n_q()); ++q) {
            for (std::size_t lm = 0; lm < n_lm; ++lm) *out++ = c[lm * size(shape.stride()) + q];
        }
    }
}

void Descriptor::features(const System& s, int index, double* p) {
    const TermData& data = term(index);
    start(s);
    const std::size_t n_features = data.features.size();
    scratch_.resize(data.features.scratch_size());
    std::fill(p, p + size(s.atoms.n_local) * n_features, 0.0);
    for (int begin = 0; begin < s.atoms.n_local; begin += block_size) {
        const int end = std::min(begin + block_size, s.atoms.n_local);
        sets_.compute(s, {begin, end}, false, work_);
        for (int i = begin; i < end; ++i) {
            if (s.atoms.species[i] < 0) continue;
            work_.block.center(i - begin, c_, c_adj_);
            data.features.compute(c_.data(), p + size(i) * n_features, scratch_.data());
        }
    }
}

void Descriptor::features_backward(const System& s, int index, const double* p_adj, Vec3* gradient, Mat3& strain) {
    const TermData& data = term(index);
    start(s);
    scratch_.resize(data.features.scratch_size());
    for (int begin = 0; begin < s.atoms.n_local; begin += block_size) {
        const int end = std::min(begin + block_size, s.atoms.n_local);
        sets_.compute(s, {begin, end}, true, work_);
        for (int i = begin; i < end; ++i) {
            if (s.atoms.species[i] < 0) continue;
            work_.block.center(i - begin, c_, c_adj_);
            data.features.backward(c_.data(), p_adj + size(i) * data.features.size(), c_adj_.data(), scratch_.data());
        }
        sets_.backward(s, {begin, end}, 0, {gradient, &strain, nullptr}, work_);
    }
    sets_.end(s, 0, {gradient, &strain, nullptr});
}

void Descriptor::feature_gradients(const System& s, int index, double* dp, double* strain) {
    const TermData& data = term(index);
    start(s);
    start_tangents(s, data);
    const std::size_t n_features = data.features.size();
    const std::size_t n_all = size(s.atoms.n_all);
    std::fill(dp, dp + size(s.atoms.n_local) * n_features * n_all * 3, 0.0);
    std::fill(strain, strain + size(s.atoms.n_local) * n_features * 9, 0.0);
    for (int i = 0; i < s.atoms.n_local; ++i) {
        if (s.atoms.species[i] < 0) continue;
        center(s, i, true);
        tangents_.compute(s, sets_, data.expansions(), data.features, i, work_);
        const std::size_t n_rows = tangents_.n_rows();
        for (std::size_t r = 0; r < n_rows; ++r) {
            const double* from = tangents_.row(r);
            const bool last = r + 9 >= n_rows;
            const std::size_t width = last ? 9 : 3 * n_all;
            const std::size_t at = last ? r + 9 - n_rows : 3 * size(tangents_.atoms()[r / 3]) + r % 3;
            double* to = (last ? strain : dp) + size(i) * n_features * width + at;
            for (std::size_t f = 0; f < n_features; ++f) to[f * width] += from[f];
        }
    }
}

}  // namespace mlcalc
