// SPDX-License-Identifier: BSD-3-Clause
#include "coefficient_sets.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace mlcalc {
ExpansionSet::ExpansionSet(const Model& model, FarFieldOptions options)
    : n_species_(static_cast<int>(model.species.size())), options_(options) {
    for (const ExpansionDescription& description : model.expansions) {
        Item item;
        if (const auto* density = std::get_if<DensityDescription>(&description)) {
            item.density = std::make_unique<DensityExpansion>(*density);
            shapes_.push_back(item.density->shape());
        } else {
            item.potential = &std::get<PotentialDescription>(description);
            shapes_.push_back({item.potential->n_channels(), item.potential->n_max, item.potential->l_max});
        }
        items_.push_back(std::move(item));
    }
}

bool ExpansionSet::has_far() const {
    return std::any_of(items_.begin(), items_.end(), [](const Item& item) { return item.potential != nullptr; });
}

double ExpansionSet::cutoff() const {
    double cutoff = 0.0;
    for (const Item& item : items_) {
        if (item.density != nullptr) cutoff = std::max(cutoff, item.density->description().cutoff);
    }
    return cutoff;
}

/// What grows with the cell, and what with the atoms: the evaluator's own, V and dE/dV.
std::string ExpansionSet::memory(const Item& item) {
    const FarField::Memory bytes = item.far->memory();
    const std::size_t atoms = bytes.atoms + 8 * (item.v.capacity() + item.v_adj.capacity());
    char text[80];
    std::snprintf(text, sizeof text, "; grids %.1f MB, atoms %.1f MB", 1e-6 * static_cast<double>(bytes.mesh),
                  1e-6 * static_cast<double>(atoms));
    return text;
}

std::string ExpansionSet::summary() const {
    std::string text;
    for (const Item& item : items_) {
        if (item.density != nullptr) {
            const DensityDescription& d = item.density->description();
            text +=
                d.name + ": density, n_max " + std::to_string(d.n_max) + ", l_max " + std::to_string(d.l_max) + "\n";
        } else {
            text += item.potential->name + ": " +
                    (item.far == nullptr ? "potential, evaluator not chosen yet" : item.far->summary() + memory(item)) +
                    "\n";
        }
    }
    return text;
}

void ExpansionSet::reset() {
    for (Item& item : items_) item.far.reset();
}

Mat3 ExpansionSet::reference_cell() const {
    for (const Item& item : items_) {
        if (item.far != nullptr) return item.far->reference_cell();
    }
    return {};
}

void ExpansionSet::check(const Atoms& atoms) const {
    for (int i = 0; i < atoms.n_all; ++i) {
        if (atoms.species[i] >= n_species_) {
            throw std::invalid_argument("atom " + std::to_string(i) + " has species index " +
                                        std::to_string(atoms.species[i]) + ", the model has " +
                                        std::to_string(n_species_) + " species");
        }
    }
    if (!has_far()) return;
    for (int i = 0; i < atoms.n_local; ++i) {
        const Vec3& r = atoms.positions[i];
        if (!std::isfinite(r[0]) || !std::isfinite(r[1]) || !std::isfinite(r[2])) {
            throw std::invalid_argument("the position of atom " + std::to_string(i) + " is not finite");
        }
    }
}

void ExpansionSet::compute_far(const Atoms& atoms, Communicator& communicator, MeshBackendFactory& factory) {
    // an evaluator keeps references to the two
    if (&communicator != communicator_ || &factory != factory_) reset();
    communicator_ = &communicator;
    factory_ = &factory;
    for (Item& item : items_) {
        if (item.potential == nullptr) continue;
        item.v.resize(static_cast<std::size_t>(atoms.n_local) * item.potential->shape().size());
        item.v_adj.resize(item.v.size());
        if (item.far == nullptr) item.far = make_far_field(*item.potential, options_, atoms, communicator, factory);
        item.far->compute(atoms, item.v.data());
    }
}

void ExpansionSet::backward_far(const Atoms& atoms, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    for (Item& item : items_) {
        if (item.potential != nullptr) item.far->backward(atoms, item.v_adj.data(), gradient, strain, atom_strain);
    }
}

void ExpansionSet::compute(const Atoms& atoms, const NeighborList& list, int begin, int end, bool gradient,
                           Workspace& work) {
    const std::size_t n_expansions = items_.size();
    work.c.resize(n_expansions);
    work.c_adj.resize(n_expansions);
    work.density.resize(n_expansions);
    CenterBlock& block = work.block;
    block.n = end - begin;
    block.species = atoms.species + begin;
    block.gradient = gradient;
    block.c.assign(n_expansions, nullptr);
    block.c_adj.assign(n_expansions, nullptr);
    block.size.resize(n_expansions);
    for (std::size_t e = 0; e < n_expansions; ++e) {
        Item& item = items_[e];
        block.size[e] = shapes_[e].size();
        const std::size_t n_centers = static_cast<std::size_t>(block.n), n = n_centers * block.size[e];
        if (gradient) work.c_adj[e].assign(n, 0.0);
        if (item.density != nullptr) {
            work.c[e].resize(n);
            item.density->compute(atoms, list, begin, end, work.c[e].data(), work.density[e], gradient);
        } else {
            const CoefficientShape shape = shapes_[e].compact();
            work.c[e].assign(n, 0.0);
            copy_coefficients(shape, item.v.data() + static_cast<std::size_t>(begin) * shape.size(), n_centers,
                              shapes_[e], work.c[e].data());
        }
        block.c[e] = work.c[e].data();
        block.c_adj[e] = gradient ? work.c_adj[e].data() : nullptr;
    }
}

void ExpansionSet::backward(const Atoms& atoms, const NeighborList& list, int begin, int end, Vec3* gradient,
                            Mat3& strain, Mat3* atom_strain, Workspace& work) {
    for (std::size_t e = 0; e < items_.size(); ++e) {
        Item& item = items_[e];
        if (item.density != nullptr) {
            item.density->backward(atoms, list, begin, end, work.c_adj[e].data(), work.density[e], gradient, strain,
                                   atom_strain);
            continue;
        }
        const CoefficientShape shape = shapes_[e].compact();
        copy_coefficients(shapes_[e], work.c_adj[e].data(), static_cast<std::size_t>(end - begin), shape,
                          item.v_adj.data() + static_cast<std::size_t>(begin) * shape.size());
    }
}

}  // namespace mlcalc
