// SPDX-License-Identifier: BSD-3-Clause
#include "expansions/field.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

FieldExpansion::FieldExpansion(const FieldDescription& description, const FarFieldOptions& options)
    : description_(description),
      options_(options),
      shape_(description.ExpansionBase::shape()),
      compact_(description.shape()),
      channels_(description.n_species, description.mixing) {
    check_options(options, description);
}

FarField& FieldExpansion::evaluator(const System& system) {
    if (&system.ranks != ranks_ || &system.meshes != meshes_) {
        reset();
        evaluator_.reset();
    }
    ranks_ = &system.ranks;
    meshes_ = &system.meshes;
    if (evaluator_ == nullptr) {
        evaluator_ = make_far_field(description_, options_, system.atoms, system.ranks, system.meshes);
    }
    return *evaluator_;
}

/// Takes the fraction 1 - center_atom_weight of each atom's own field out of its coefficients; its periodic images
/// stay. The correction depends neither on positions nor on the cell.
void FieldExpansion::correct_centers(const Atoms& atoms) {
    const CoefficientShape radial{shape_.n_channels, shape_.n_max, 0, 1};
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        channels_.add(atoms.species[i], description_.center_atom_weight - 1.0, radial, description_.center.data(),
                      shape_.n_max, v_.data() + size(i) * compact_.size());
    }
}

void FieldExpansion::begin(const System& system, int n_passes) {
    const std::size_t n = size(system.atoms.n_local) * compact_.size();
    v_.resize(n);
    v_adj_.resize(size(n_passes));
    for (AlignedVector<double>& v_adj : v_adj_) v_adj.resize(n);
    evaluator(system).compute(system.atoms, v_.data());
    renew_near();
    correct_centers(system.atoms);
}

void FieldExpansion::renew_near() {
    if (evaluator_->near() == near_) return;
    near_ = evaluator_->near();
    neighbors_ = near_ == nullptr ? nullptr : std::make_unique<DensityExpansion>(near_->density());
}

void FieldExpansion::reset() {
    if (evaluator_ != nullptr) evaluator_->forget();
    neighbors_.reset();
    near_.reset();
}

void FieldExpansion::compute(const System& system, const PairGeometry& pairs, Block block, double* c, Scratch& scratch,
                             bool keep) {
    const std::size_t n = size(block.size());
    const double* v = v_.data() + size(block.begin) * compact_.size();
    if (neighbors_ == nullptr) {
        std::fill_n(c, n * shape_.size(), 0.0);
        copy_coefficients(compact_, v, n, shape_, c);
        return;
    }
    neighbors_->compute(system, pairs, block, c, scratch, keep);
    for (std::size_t row = 0; row < n * size(shape_.n_lm()); ++row, v += compact_.stride(), c += shape_.stride()) {
        for (int q = 0; q < shape_.n_q(); ++q) c[q] += v[q];
    }
}

void FieldExpansion::backward(const System& system, const PairGeometry& pairs, Block block, int pass,
                              const double* c_adj, Scratch& scratch, const Gradient& gradient) {
    copy_coefficients(shape_, c_adj, size(block.size()), compact_,
                      v_adj_[size(pass)].data() + size(block.begin) * compact_.size());
    if (neighbors_ != nullptr) neighbors_->backward(system, pairs, block, pass, c_adj, scratch, gradient);
}

void FieldExpansion::end(const System& system, int pass, const Gradient& gradient) {
    evaluator_->backward(system.atoms, v_adj_[size(pass)].data(), gradient.atoms, *gradient.strain,
                         gradient.atom_strain);
}

void FieldExpansion::begin_tangents(const System& system) {
    jacobian_stride_ = size(system.atoms.n_all) * 3 * compact_.size();
    const std::size_t n = size(system.atoms.n_local) * jacobian_stride_;
    if (n * sizeof(double) > options_.memory_limit) {
        throw std::invalid_argument("the derivatives of the far field of " + std::to_string(system.atoms.n_local) +
                                    " atoms need " + std::to_string(n * sizeof(double) >> 20) +
                                    " MB, more than the memory limit; use smaller structures or raise the limit");
    }
    jacobian_.resize(n);
    strain_jacobian_.resize(size(system.atoms.n_local) * 9 * compact_.size());
    evaluator_->jacobian(system.atoms, jacobian_.data(), strain_jacobian_.data());
}

void FieldExpansion::tangents(const System& system, const PairGeometry&, int i, Scratch&, TangentSink& sink) {
    AlignedVector<double> change(shape_.size(), 0.0);
    const ColumnChange columns{0, shape_.n_q(), shape_.stride(), change.data()};
    for (int j = 0; j < system.atoms.n_all; ++j) {
        if (system.atoms.species[j] < 0) continue;
        for (int x = 0; x < 3; ++x) {
            copy_coefficients(compact_, jacobian(i) + size(3 * j + x) * compact_.size(), 1, shape_, change.data());
            sink.atom(j, x, columns);
        }
    }
    for (int ab = 0; ab < 9; ++ab) {
        copy_coefficients(compact_, strain_jacobian(i) + size(ab) * compact_.size(), 1, shape_, change.data());
        sink.strain(ab / 3, ab % 3, columns);
    }
}

std::string FieldExpansion::choice() const {
    return description_.name + ": " + (evaluator_ == nullptr ? "not chosen yet" : evaluator_->summary());
}

FarField::Memory FieldExpansion::memory() const {
    FarField::Memory bytes = evaluator_ == nullptr ? FarField::Memory{} : evaluator_->memory();
    bytes.atoms += 8 * v_.capacity();
    for (const AlignedVector<double>& v_adj : v_adj_) bytes.atoms += 8 * v_adj.capacity();
    return bytes;
}

std::string FieldExpansion::summary() const {
    if (evaluator_ == nullptr) return description_.name + ": potential, evaluator not chosen yet";
    const FarField::Memory bytes = memory();
    char text[80];
    std::snprintf(text, sizeof text, "; grids %.1f MB, atoms %.1f MB", 1e-6 * static_cast<double>(bytes.mesh),
                  1e-6 * static_cast<double>(bytes.atoms));
    return choice() + text;
}

}  // namespace mlcalc
