// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/mesh_set.hpp"

#include <algorithm>
#include <cstdio>

namespace mlcalc {

MeshSet::MeshSet(const FieldDescription& description, std::shared_ptr<const NearPart> near, const Settings& settings,
                 Communicator& communicator, MeshBackendFactory& factory)
    : description_(description), spectrum_(description_, std::move(near), settings.padding), settings_(settings) {
    for (const Mesh::Settings& mesh : settings.meshes) {
        meshes_.push_back(
            std::make_unique<Mesh>(description_, spectrum_, mesh, settings.n_threads, communicator, factory));
    }
}

void MeshSet::compute(const Atoms& atoms, double* v) {
    std::fill_n(v, static_cast<std::size_t>(atoms.n_local) * description_.shape().size(), 0.0);
    for (const auto& mesh : meshes_) mesh->compute(atoms, v);
}

void MeshSet::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    for (const auto& mesh : meshes_) mesh->backward(atoms, v_adj, gradient, strain, atom_strain);
}

FieldEvaluator::Memory MeshSet::memory() const {
    Memory out;
    for (const auto& mesh : meshes_) {
        out.mesh += mesh->mesh_bytes();
        out.atoms += mesh->atom_bytes();
    }
    return out;
}

std::string MeshSet::summary() const {
    std::string text = "particle mesh ";
    for (const auto& mesh : meshes_) {
        const auto& m = mesh->settings().grid.shape;
        if (mesh != meshes_.front()) text += mesh == meshes_.back() ? " and " : ", ";
        text += std::to_string(m[0]) + " x " + std::to_string(m[1]) + " x " + std::to_string(m[2]);
    }
    text += ", windows of order " + std::to_string(meshes_.front()->settings().grid.order);
    if (settings_.estimate < 0.0) return text;
    char estimate[64];
    std::snprintf(estimate, sizeof estimate, ", estimated relative force error %.1e", settings_.estimate);
    return text + estimate;
}

}  // namespace mlcalc
