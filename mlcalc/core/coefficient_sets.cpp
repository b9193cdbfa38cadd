// SPDX-License-Identifier: BSD-3-Clause
#include "coefficient_sets.hpp"

#include <algorithm>

#include "expansions/density.hpp"
#include "expansions/field.hpp"
#include "layers/mixing.hpp"

namespace mlcalc {
namespace {

std::unique_ptr<Expansion> make_expansion(const ExpansionDescription& description, const FarFieldOptions& options) {
    if (const auto* density = std::get_if<DensityDescription>(&description)) {
        return std::make_unique<DensityExpansion>(*density);
    }
    return std::make_unique<FieldExpansion>(std::get<FieldDescription>(description), options);
}

FarFieldOptions beside_densities(const FarFieldOptions& options, const Model& model) {
    FarFieldOptions out = options;
    for (const ExpansionDescription& description : model.expansions) {
        const auto* density = std::get_if<DensityDescription>(&description);
        if (density != nullptr) out.densities_cutoff = std::max(out.densities_cutoff, density->cutoff);
    }
    return out;
}

}  // namespace

CoefficientSets::CoefficientSets(const Model& model, const FarFieldOptions& options,
                                 const std::vector<double>& other_cutoffs)
    : n_species_(static_cast<int>(model.species.size())), cutoffs_(other_cutoffs) {
    const FarFieldOptions with_neighbors = beside_densities(options, model);
    for (const ExpansionDescription& description : model.expansions) {
        expansions_.push_back(make_expansion(description, with_neighbors));
        shapes_.push_back(expansions_.back()->shape());
        far_.push_back(expansions_.back()->far());
        cutoffs_.push_back(expansions_.back()->cutoff());
    }
    for (const MixingDescription& description : model.layers) {
        layers_.push_back(std::make_unique<Mixing>(description, shapes_));
        shapes_.push_back(layers_.back()->shape());
        const std::vector<int>& inputs = layers_.back()->inputs();
        far_.push_back(std::any_of(inputs.begin(), inputs.end(), [&](int input) { return far(input); }));
    }
}

std::vector<int> CoefficientSets::expansions_behind(const std::function<bool(int)>& used) const {
    std::vector<bool> behind(shapes_.size());
    for (std::size_t set = shapes_.size(); set-- > 0;) {
        behind[set] = behind[set] || used(static_cast<int>(set));
        if (!behind[set] || set < expansions_.size()) continue;
        for (const int input : layers_[set - expansions_.size()]->inputs())
            behind[static_cast<std::size_t>(input)] = true;
    }
    std::vector<int> out;
    for (int e = 0; e < n_expansions(); ++e) {
        if (behind[static_cast<std::size_t>(e)]) out.push_back(e);
    }
    return out;
}

std::string CoefficientSets::summary() const {
    std::string text;
    for (const auto& expansion : expansions_) text += expansion->summary() + "\n";
    for (const auto& layer : layers_) text += layer->summary() + "\n";
    return text;
}

void CoefficientSets::reset() {
    for (const auto& expansion : expansions_) expansion->reset();
}

std::vector<const FieldExpansion*> CoefficientSets::fields() const {
    std::vector<const FieldExpansion*> out;
    for (const auto& expansion : expansions_) {
        if (const auto* field = dynamic_cast<const FieldExpansion*>(expansion.get())) out.push_back(field);
    }
    return out;
}

Mat3 CoefficientSets::reference_cell() const {
    const auto all = fields();
    return all.empty() ? Mat3{} : all.front()->reference_cell();
}

std::string CoefficientSets::far_field_choice() const {
    std::string text;
    for (const FieldExpansion* field : fields()) text += field->choice() + "\n";
    return text;
}

FarField::Memory CoefficientSets::far_field_memory() const {
    FarField::Memory sum;
    for (const FieldExpansion* field : fields()) {
        const FarField::Memory bytes = field->memory();
        sum.mesh += bytes.mesh;
        sum.atoms += bytes.atoms;
    }
    return sum;
}

void CoefficientSets::begin(const System& system, int n_passes) {
    for (const auto& expansion : expansions_) expansion->begin(system, n_passes);
}

void CoefficientSets::end(const System& system, int pass, const Gradient& gradient) {
    for (const auto& expansion : expansions_) expansion->end(system, pass, gradient);
}

void CoefficientSets::prepare(Workspace& work) const {
    const std::size_t n_sets = shapes_.size();
    work.pairs = std::make_unique<PairGeometry>(cutoffs_, n_species_);
    work.c.resize(n_sets);
    work.c_adj.resize(n_sets);
    for (const auto& expansion : expansions_) work.scratch.push_back(expansion->scratch());
    work.block.c.assign(n_sets, nullptr);
    work.block.c_adj.assign(n_sets, nullptr);
    for (const CoefficientShape& shape : shapes_) work.block.size.push_back(shape.size());
}

void CoefficientSets::compute(const System& system, Block block, bool gradient, Workspace& work) const {
    if (work.pairs == nullptr) prepare(work);
    work.pairs->fill(system, block);
    CenterBlock& centers = work.block;
    centers.n = block.size();
    centers.species = system.atoms.species + block.begin;
    centers.gradient = gradient;
    for (std::size_t s = 0; s < shapes_.size(); ++s) {
        work.c[s].resize(static_cast<std::size_t>(centers.n) * shapes_[s].size());
        centers.c[s] = work.c[s].data();
    }
    for (std::size_t e = 0; e < expansions_.size(); ++e) {
        expansions_[e]->compute(system, *work.pairs, block, work.c[e].data(), *work.scratch[e], gradient);
    }
    for (std::size_t k = 0; k < layers_.size(); ++k) {
        const std::size_t set = expansions_.size() + k;
        for (int i = 0; i < centers.n; ++i) {
            double* out = work.c[set].data() + static_cast<std::size_t>(i) * centers.size[set];
            if (centers.species[i] < 0) {
                std::fill_n(out, centers.size[set], 0.0);
                continue;
            }
            work.in.clear();
            for (const int input : layers_[k]->inputs()) {
                const auto at = static_cast<std::size_t>(input);
                work.in.push_back(centers.c[at] + static_cast<std::size_t>(i) * centers.size[at]);
            }
            layers_[k]->compute(centers.species[i], work.in.data(), out);
        }
    }
    if (gradient) zero_adjoints(work);
}

void CoefficientSets::zero_adjoints(Workspace& work) const {
    for (std::size_t s = 0; s < shapes_.size(); ++s) {
        work.c_adj[s].assign(work.c[s].size(), 0.0);
        work.block.c_adj[s] = work.c_adj[s].data();
    }
}

void CoefficientSets::backward_layers(int i, Workspace& work) const {
    CenterBlock& centers = work.block;
    if (centers.species[i] < 0) return;
    for (std::size_t k = layers_.size(); k-- > 0;) {
        const std::size_t set = expansions_.size() + k;
        work.in.clear();
        work.in_adj.clear();
        for (const int input : layers_[k]->inputs()) {
            const auto s = static_cast<std::size_t>(input), at = static_cast<std::size_t>(i) * centers.size[s];
            work.in.push_back(centers.c[s] + at);
            work.in_adj.push_back(centers.c_adj[s] + at);
        }
        layers_[k]->backward(centers.species[i], work.in.data(),
                             centers.c_adj[set] + static_cast<std::size_t>(i) * centers.size[set], work.in_adj.data());
    }
}

void CoefficientSets::backward(const System& system, Block block, int pass, const Gradient& gradient,
                               Workspace& work) const {
    for (int i = 0; i < work.block.n && !layers_.empty(); ++i) backward_layers(i, work);
    for (std::size_t e = 0; e < expansions_.size(); ++e) {
        expansions_[e]->backward(system, *work.pairs, block, pass, work.c_adj[e].data(), *work.scratch[e], gradient);
    }
}

void CoefficientSets::layer_tangents(int e, const ColumnChange& change, Workspace& work,
                                     std::vector<AlignedVector<double>>& changes) const {
    changes.resize(shapes_.size());
    for (AlignedVector<double>& c : changes) c.clear();
    for (std::size_t k = 0; k < layers_.size(); ++k) {
        const std::size_t set = expansions_.size() + k;
        work.in.clear();
        for (const int input : layers_[k]->inputs()) work.in.push_back(work.block.c[static_cast<std::size_t>(input)]);
        for (std::size_t input = 0; input < layers_[k]->inputs().size(); ++input) {
            const auto from = static_cast<std::size_t>(layers_[k]->inputs()[input]);
            const bool changed = from == static_cast<std::size_t>(e);
            if (!changed && changes[from].empty()) continue;
            changes[set].resize(shapes_[set].size(), 0.0);
            const CoefficientShape& shape = shapes_[from];
            const ColumnChange c =
                changed ? change : ColumnChange{0, shape.n_q(), shape.stride(), changes[from].data()};
            layers_[k]->tangent(work.block.species[0], work.in.data(), static_cast<int>(input), c, changes[set].data());
        }
    }
}

}  // namespace mlcalc
