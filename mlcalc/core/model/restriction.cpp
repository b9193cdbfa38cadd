// SPDX-License-Identifier: BSD-3-Clause
#include "model/restriction.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace mlcalc {
namespace {

using Indices = std::vector<std::size_t>;

/// The columns of a row-major matrix with `width` columns.
template <class Vector>
Vector columns(const Vector& matrix, std::size_t width, const Indices& kept) {
    Vector out;
    for (std::size_t row = 0; row < (width == 0 ? 0 : matrix.size() / width); ++row) {
        for (const std::size_t k : kept) out.push_back(matrix[row * width + k]);
    }
    return out;
}

template <class Vector>
Vector elements(const Vector& values, const std::vector<int>& kept) {
    Vector out;
    for (const int s : kept) out.push_back(values[static_cast<std::size_t>(s)]);
    return out;
}

std::vector<double> identity(std::size_t n) {
    std::vector<double> out(n * n, 0.0);
    for (std::size_t k = 0; k < n; ++k) out[k * n + k] = 1.0;
    return out;
}

/// The columns q of an expansion whose channels stay.
Indices kept_columns(const ExpansionDescription& description, const std::vector<int>& kept) {
    const ExpansionBase& expansion = base_of(description);
    const auto* density = std::get_if<DensityDescription>(&description);
    const bool of_species = expansion.mixing.empty() && (density == nullptr || density->center_weights.empty());
    Indices out;
    for (int channel = 0; channel < expansion.n_channels(); ++channel) {
        if (of_species && !std::binary_search(kept.begin(), kept.end(), channel)) continue;
        for (int n = 0; n < expansion.n_max; ++n)
            out.push_back(static_cast<std::size_t>(channel * expansion.n_max + n));
    }
    return out;
}

Indices all(int n) {
    Indices out(static_cast<std::size_t>(n));
    std::iota(out.begin(), out.end(), std::size_t{0});
    return out;
}

/// The features before selection, in the order of Invariant, whose columns stay.
Indices kept_features(const Invariant& invariant, const std::vector<CoefficientShape>& shapes,
                      const std::vector<Indices>& kept) {
    const auto a = static_cast<std::size_t>(invariant.a), b = static_cast<std::size_t>(invariant.b);
    if (invariant.table != nullptr) return all(static_cast<int>(n_full_features(invariant, shapes)));
    if (invariant.nu == 1) return kept[a];
    Indices out;
    const auto n_a = static_cast<std::size_t>(shapes[a].n_q()), n_b = static_cast<std::size_t>(shapes[b].n_q());
    if (invariant.type) {
        std::size_t first = 0;  // of row q of a block
        for (const CoupledBlock& block : coupled_blocks(*invariant.type, shapes[a].l_max, shapes[b].l_max, a == b)) {
            for (std::size_t q = 0; q < n_a; ++q) {
                const auto lowest = static_cast<std::size_t>(block.first(static_cast<int>(q)));
                for (const std::size_t k : kept[b]) {
                    if (k >= lowest && std::binary_search(kept[a].begin(), kept[a].end(), q)) {
                        out.push_back(first + k - lowest);
                    }
                }
                first += n_b - lowest;
            }
        }
        return out;
    }
    const auto n_l = static_cast<std::size_t>(std::min(shapes[a].l_max, shapes[b].l_max)) + 1;
    for (std::size_t l = 0; l < n_l; ++l) {
        for (const std::size_t q : kept[a]) {
            for (const std::size_t k : kept[b]) {
                if (a != b) out.push_back((l * n_a + q) * n_b + k);
                if (a == b && k >= q) out.push_back(l * (n_a * (n_a + 1) / 2) + q * n_a - q * (q + 1) / 2 + k);
            }
        }
    }
    return out;
}

class Restriction {
public:
    Restriction(const std::shared_ptr<const Model>& model, const std::vector<int>& kept)
        : model_(*model), kept_(kept), shapes_(model->shapes()) {
        for (const ExpansionDescription& expansion : model_.expansions) {
            columns_.push_back(kept_columns(expansion, kept_));
        }
        for (const MixingDescription& layer : model_.layers) columns_.push_back(all(layer.shape().n_q()));
    }

    Model make() const {
        Model out;
        out.source = model_.source;
        out.checksum = model_.checksum;
        out.species = elements(model_.species, kept_);
        out.reference_energies = elements(model_.reference_energies, kept_);
        if (model_.zbl) out.zbl = ZblDescription{pairs(model_.zbl->inner), pairs(model_.zbl->outer)};
        for (const PairTableDescription& entry : model_.pairs) add_tables(entry, out);
        for (const TripleDescription& triple : model_.triples) add_triple(triple, out);
        out.n_members = model_.n_members;
        out.has_committee = model_.has_committee;
        out.committee_scale = model_.committee_scale;
        out.boundaries = model_.boundaries;
        out.outermost = model_.outermost;
        for (const ExpansionDescription& expansion : model_.expansions) {
            out.expansions.push_back(
                std::visit([&](auto e) { return ExpansionDescription(mixed(std::move(e))); }, expansion));
        }
        for (const MixingDescription& layer : model_.layers) out.layers.push_back(narrow(layer));
        for (const Term& term : model_.terms) add_term(term, out);
        out.has_energy = model_.has_energy;
        for (const TensorOutput& output : model_.outputs) out.outputs.push_back(narrow(output));
        return out;
    }

private:
    /// The kept rows and columns of a matrix (n_species, n_species).
    std::vector<double> pairs(const std::vector<double>& matrix) const {
        std::vector<double> out;
        for (const int a : kept_) {
            for (const int b : kept_)
                out.push_back(
                    matrix[static_cast<std::size_t>(a) * model_.species.size() + static_cast<std::size_t>(b)]);
        }
        return out;
    }

    FieldDescription mixed(FieldDescription field) const { return with_species(std::move(field)); }

    DensityDescription mixed(DensityDescription density) const {
        if (!density.center_weights.empty()) {
            // a center may be in the channel of a species that is not there: all channels stay
            if (density.mixing.empty()) density.mixing = identity(model_.species.size());
            density.center_weights =
                columns(density.center_weights, model_.species.size(), Indices(kept_.begin(), kept_.end()));
        }
        return with_species(std::move(density));
    }

    template <class Description>
    Description with_species(Description expansion) const {
        if (!expansion.mixing.empty()) {
            const Indices species(kept_.begin(), kept_.end());
            expansion.mixing = columns(expansion.mixing, model_.species.size(), species);
        }
        expansion.n_species = static_cast<int>(kept_.size());
        return expansion;
    }

    /// A term of triples if all of its species stay.
    void add_triple(TripleDescription triple, Model& out) const {
        for (int* species : {&triple.center, &triple.neighbors[0], &triple.neighbors[1]}) {
            if (*species < 0) continue;
            const auto found = std::lower_bound(kept_.begin(), kept_.end(), *species);
            if (found == kept_.end() || *found != *species) return;
            *species = static_cast<int>(found - kept_.begin());
        }
        out.triples.push_back(std::move(triple));
    }

    /// The tables between species that stay.
    void add_tables(const PairTableDescription& entry, Model& out) const {
        PairTableDescription narrowed{entry.name, {}};
        for (TableOfPair table : entry.tables) {
            const auto a = std::lower_bound(kept_.begin(), kept_.end(), table.a);
            const auto b = std::lower_bound(kept_.begin(), kept_.end(), table.b);
            if (a == kept_.end() || *a != table.a || b == kept_.end() || *b != table.b) continue;
            table.a = static_cast<int>(a - kept_.begin());
            table.b = static_cast<int>(b - kept_.begin());
            narrowed.tables.push_back(std::move(table));
        }
        if (!narrowed.tables.empty()) out.pairs.push_back(std::move(narrowed));
    }

    MixingDescription narrow(const MixingDescription& layer) const {
        MixingDescription out = layer;
        Indices kept;
        std::size_t offset = 0;
        for (const int input : layer.inputs) {
            const auto set = static_cast<std::size_t>(input);
            for (const std::size_t q : columns_[set]) kept.push_back(offset + q);
            offset += static_cast<std::size_t>(shapes_[set].n_q());
        }
        out.matrices = columns(layer.matrices, offset, kept);
        if (layer.n_centers == 1) return out;
        out.n_centers = static_cast<int>(kept_.size());
        const std::size_t rows = out.matrices.size() / static_cast<std::size_t>(layer.n_centers);
        std::vector<double> of_kept;
        for (const int s : kept_) {
            const auto first = out.matrices.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(s) * rows);
            of_kept.insert(of_kept.end(), first, first + static_cast<std::ptrdiff_t>(rows));
        }
        out.matrices = std::move(of_kept);
        return out;
    }

    void add_term(const Term& term, Model& out) const {
        Term result;
        result.name = term.name;
        Indices kept;
        result.invariants = narrow(term.invariants, kept);
        if (kept.empty()) return;  // every feature is zero
        result.n_features = kept.size();
        if (const auto* linear = std::get_if<LinearDescription>(&term.regressor)) {
            result.regressor = narrow(*linear, term.n_features, kept);
        } else if (const auto* kernel = std::get_if<KernelDescription>(&term.regressor)) {
            result.regressor = narrow(*kernel, term, kept);
        }
        out.terms.push_back(std::move(result));
    }

    /// The invariants with the features that stay, whose indices in the concatenation (of one component) go to `kept`.
    std::vector<Invariant> narrow(const std::vector<Invariant>& invariants, Indices& kept) const {
        std::vector<Invariant> out;
        std::size_t offset = 0;
        for (const Invariant& invariant : invariants) {
            Invariant narrowed = invariant;
            const Indices all = kept_features(invariant, shapes_, columns_);
            narrowed.selection.clear();
            for (std::size_t k = 0; k < all.size(); ++k) {
                const auto& selection = invariant.selection;
                const auto found = std::lower_bound(selection.begin(), selection.end(), static_cast<int>(all[k]));
                if (selection.empty()) {
                    kept.push_back(offset + all[k]);
                } else if (found != selection.end() && *found == static_cast<int>(all[k])) {
                    narrowed.selection.push_back(static_cast<int>(k));
                    kept.push_back(offset + static_cast<std::size_t>(found - selection.begin()));
                }
            }
            offset += n_features(invariant, shapes_);
            const bool none = invariant.selection.empty() ? all.empty() : narrowed.selection.empty();
            if (!none) out.push_back(std::move(narrowed));
        }
        return out;
    }

    TensorOutput narrow(const TensorOutput& output) const {
        TensorOutput out = output;
        out.parts.clear();
        if (!output.baseline.empty()) out.baseline = elements(output.baseline, kept_);
        for (const TensorPart& part : output.parts) {
            TensorPart narrowed;
            Indices kept;
            narrowed.type = part.type;
            narrowed.equivariants = narrow(part.equivariants, kept);
            narrowed.n_features = kept.size();
            if (kept.empty()) continue;  // every feature is zero
            const auto* kernel = std::get_if<TensorKernelDescription>(&part.regressor);
            Indices of_kernel;
            if (kernel != nullptr && narrow(kernel->invariants, of_kernel).empty()) continue;
            if (const auto* linear = std::get_if<LinearDescription>(&part.regressor)) {
                narrowed.regressor = narrow(*linear, part.n_features, kept);
            } else {
                narrowed.regressor = narrow(*kernel, part, kept);
            }
            out.parts.push_back(std::move(narrowed));
        }
        return out;
    }

    TensorKernelDescription narrow(const TensorKernelDescription& kernel, const TensorPart& part,
                                   const Indices& kept) const {
        TensorKernelDescription out;
        Indices invariants;
        out.zeta = kernel.zeta;
        out.epsilon = kernel.epsilon;
        out.invariants = narrow(kernel.invariants, invariants);
        out.n_invariants = invariants.size();
        for (const int s : kept_) {
            out.points.push_back(columns(kernel.points[static_cast<std::size_t>(s)], kernel.n_invariants, invariants));
            out.folded.push_back(columns(kernel.folded[static_cast<std::size_t>(s)], part.n_features, kept));
        }
        return out;
    }

    LinearDescription narrow(const LinearDescription& linear, std::size_t n_features, const Indices& kept) const {
        LinearDescription out;
        Indices weights;  // columns (species, feature)
        for (const int s : kept_) {
            for (const std::size_t f : kept) weights.push_back(static_cast<std::size_t>(s) * n_features + f);
        }
        out.weights = columns(linear.weights, model_.species.size() * n_features, weights);
        if (linear.leverage.empty()) return out;
        const bool all_columns = linear.leverage_columns.empty();
        const std::size_t n_columns = all_columns ? n_features : linear.leverage_columns.size();
        Indices seen;  // of the columns of the leverage
        for (std::size_t k = 0; k < kept.size(); ++k) {
            const auto& old = linear.leverage_columns;
            const auto found = std::lower_bound(old.begin(), old.end(), static_cast<int>(kept[k]));
            if (all_columns) {
                seen.push_back(kept[k]);
            } else if (found != old.end() && *found == static_cast<int>(kept[k])) {
                seen.push_back(static_cast<std::size_t>(found - old.begin()));
                out.leverage_columns.push_back(static_cast<int>(k));
            }
        }
        for (const auto& l : elements(linear.leverage, kept_)) out.leverage.push_back(columns(l, n_columns, seen));
        if (seen.empty()) {  // what the measure looks at is zero
            out.leverage_columns = {0};
            out.leverage.assign(kept_.size(), {0.0});
        }
        return out;
    }

    KernelDescription narrow(const KernelDescription& kernel, const Term& term, const Indices& kept) const {
        KernelDescription out;
        out.zeta = kernel.zeta;
        out.normalize = kernel.normalize;
        out.epsilon = kernel.epsilon;
        out.single_precision = kernel.single_precision;
        if (!kernel.edges.empty()) out.edges = elements(kernel.edges, kept_);
        auto complete = std::make_shared<std::vector<const AlignedVector<double>*>>();
        for (const int s : kept_) {
            const AlignedVector<double>& points = kernel.points[static_cast<std::size_t>(s)];
            out.points.push_back(columns(points, term.n_features, kept));
            complete->push_back(&points);
        }
        out.complete = std::move(complete);
        out.weights = elements(kernel.weights, kept_);
        return out;
    }

    const Model& model_;
    std::vector<int> kept_;
    std::vector<CoefficientShape> shapes_;
    std::vector<Indices> columns_;
};

}  // namespace

std::shared_ptr<const Model> restricted(const std::shared_ptr<const Model>& model, const std::vector<int>& kept) {
    // the restricted kernels point into the original
    struct Both {
        std::shared_ptr<const Model> original;
        Model narrowed;
    };
    auto both = std::make_shared<Both>(Both{model, Restriction(model, kept).make()});
    return {both, &both->narrowed};
}

}  // namespace mlcalc
