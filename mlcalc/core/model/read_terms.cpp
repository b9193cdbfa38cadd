// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <stdexcept>

#include "base/limits.hpp"
#include "base/normalize.hpp"
#include "model/model_reader.hpp"

namespace mlcalc {

Term ModelReader::read_term(const Field& field, const Model& model) {
    field.only({"name", "invariants", "regressor"});
    Term term;
    term.name = field["name"].name();
    for (const Term& other : model.terms) {
        if (other.name == term.name) field["name"].refuse("'" + term.name + "' is there twice");
    }
    term.invariants = read_invariants(field["invariants"], model, "terms." + term.name + ".", term.n_features);
    const Field regressor = field["regressor"];
    if (regressor.is_null()) return term;
    for (const Invariant& invariant : term.invariants) {
        if (invariant.type && (invariant.type->lambda > 0 || invariant.type->sigma < 0)) {
            field["invariants"].refuse("must turn and invert like a scalar (o3_lambda 0, o3_sigma 1) in an energy");
        }
    }
    if (regressor["type"].one_of({"linear", "kernel"}) == "linear") {
        term.regressor = read_linear(regressor, term, model);
    } else {
        term.regressor = read_kernel(regressor, term, model);
    }
    return term;
}

/// A list of invariants and equivariants; the number of their features, all components, is added to n_features.
std::vector<Invariant> ModelReader::read_invariants(const Field& list, const Model& model, const std::string& prefix,
                                                    std::size_t& n_features) {
    std::vector<Invariant> invariants;
    const std::vector<CoefficientShape> shapes = model.shapes();
    for (const Field& entry : list.array(1, max_list)) {
        const std::string index = std::to_string(invariants.size());
        Invariant invariant = read_invariant(entry, model, prefix + "table." + index);
        std::size_t n = n_full_features(invariant, shapes);
        if (n > max_features) {
            entry.refuse("has " + std::to_string(n) + " features; at most " + std::to_string(max_features) +
                         " are possible");
        }
        if (entry["selection"].boolean()) {
            invariant.selection = read_selection(prefix + "selection." + index, n);
            n = invariant.selection.size();
        }
        n_features += static_cast<std::size_t>(invariant.n_components()) * n;
        invariants.push_back(std::move(invariant));
    }
    return invariants;
}

/// The index of the coefficient set that a field names.
int ModelReader::read_set(const Field& field, const Model& model) const {
    const std::string name = field.name();
    for (std::size_t e = 0; e < model.expansions.size(); ++e) {
        if (base_of(model.expansions[e]).name == name) return static_cast<int>(e);
    }
    for (std::size_t k = 0; k < model.layers.size(); ++k) {
        if (model.layers[k].name == name) return static_cast<int>(model.expansions.size() + k);
    }
    field.refuse("'" + name + "' is no expansion of this model");
}

Invariant ModelReader::read_invariant(const Field& field, const Model& model, const std::string& prefix) {
    Invariant invariant;
    std::vector<const char*> keys = {"a", "scale", "selection"};
    const bool channels = version_ >= 3 && field.has("within_channels") && field["within_channels"].boolean();
    if (channels) {
        invariant.a = read_set(field["a"], model);
        if (static_cast<std::size_t>(invariant.a) < model.expansions.size()) {
            field["a"].refuse("must be a layer: products within channels need mixed channels");
        }
        const int l_max = model.shapes()[static_cast<std::size_t>(invariant.a)].l_max;
        if (version_ >= 4 && field.has("o3_lambda")) invariant.type = read_type(field);
        invariant.table = read_table(field, prefix, invariant.type.value_or(SphericalType{}), l_max, invariant.nu);
        invariant.b = invariant.a;
        keys.push_back("within_channels");
    } else {
        invariant.nu = static_cast<int>(field["nu"].integer(1, 2));
        invariant.a = read_set(field["a"], model);
        invariant.b = invariant.nu == 1 ? invariant.a : read_set(field["b"], model);
        if (version_ >= 4 && field.has("o3_lambda")) {
            invariant.type = read_type(field);
            check_type(field, invariant, model);
        }
        keys.push_back("nu");
        if (invariant.nu == 2) keys.push_back("b");
    }
    if (invariant.type) keys.insert(keys.end(), {"o3_lambda", "o3_sigma"});
    field.only(keys);
    invariant.scale = field["scale"].above(0, max_number);
    return invariant;
}

/// How an equivariant turns.
SphericalType ModelReader::read_type(const Field& field) {
    SphericalType type;
    type.lambda = static_cast<int>(field["o3_lambda"].integer(0, largest_l));
    type.sigma = static_cast<int>(field["o3_sigma"].integer(-1, 1));
    if (type.sigma == 0) field["o3_sigma"].refuse("must be 1 or -1");
    return type;
}

/// Refused if no angular momenta couple to the type.
void ModelReader::check_type(const Field& field, const Invariant& invariant, const Model& model) {
    const SphericalType type = *invariant.type;
    const std::vector<CoefficientShape> shapes = model.shapes();
    const int l_a = shapes[static_cast<std::size_t>(invariant.a)].l_max;
    const int l_b = shapes[static_cast<std::size_t>(invariant.b)].l_max;
    const bool one = invariant.nu == 1 && type.sigma == 1 && type.lambda <= l_a;
    const bool two = invariant.nu == 2 && !coupled_blocks(type, l_a, l_b, invariant.a == invariant.b).empty();
    if (!one && !two) field.refuse("has no features: its angular momenta do not couple to o3_lambda and o3_sigma");
}

/// The integers of a table of products within channels; its couplings are checked by making them.
std::shared_ptr<const ChannelTable> ModelReader::read_table(const Field& field, const std::string& prefix,
                                                            const SphericalType& type, int l_max, int& nu) {
    constexpr std::size_t max_nodes = 4096;
    const std::vector<int> nodes = tensors_.integers(prefix + ".nodes"), paths = tensors_.integers(prefix + ".paths");
    if (nodes.size() % 3 != 0 || nodes.size() / 3 > max_nodes) {
        refuse(tensors_.source(), "tensor '" + prefix + ".nodes'", "must hold (l, x, y) of at most 4096 nodes");
    }
    if (paths.empty() || paths.size() % 2 != 0 || paths.size() / 2 > max_nodes) {
        refuse(tensors_.source(), "tensor '" + prefix + ".paths'", "must hold (x, y) of 1 to 4096 paths");
    }
    auto table = std::make_shared<ChannelTable>();
    for (std::size_t k = 0; k < nodes.size(); k += 3) table->nodes.push_back({nodes[k], nodes[k + 1], nodes[k + 2]});
    for (std::size_t k = 0; k < paths.size(); k += 2) table->paths.push_back({paths[k], paths[k + 1]});
    try {
        nu = body_order(*table, type, l_max);
    } catch (const std::invalid_argument& error) {
        field.refuse(error.what());
    }
    return table;
}

MixingDescription ModelReader::read_layer(const Field& field, const Model& model) {
    field.only({"name", "type", "inputs", "n_channels", "l_max", "per_center"});
    MixingDescription out;
    out.name = field["name"].name();
    for (const auto& expansion : model.expansions) {
        if (base_of(expansion).name == out.name) field["name"].refuse("'" + out.name + "' is there twice");
    }
    for (const MixingDescription& layer : model.layers) {
        if (layer.name == out.name) field["name"].refuse("'" + out.name + "' is there twice");
    }
    field["type"].one_of({"mixing"});
    out.n_channels = static_cast<int>(field["n_channels"].integer(1, max_channels));
    out.l_max = static_cast<int>(field["l_max"].integer(0, largest_l));
    out.n_centers = field["per_center"].boolean() ? static_cast<int>(model.species.size()) : 1;
    const std::vector<CoefficientShape> shapes = model.shapes();
    std::size_t n_columns = 0;
    int l_max = 0;
    for (const Field& input : field["inputs"].array(1, max_list)) {
        const int set = read_set(input, model);
        if (std::find(out.inputs.begin(), out.inputs.end(), set) != out.inputs.end()) input.refuse("is there twice");
        out.inputs.push_back(set);
        n_columns += static_cast<std::size_t>(shapes[static_cast<std::size_t>(set)].n_q());
        l_max = std::max(l_max, shapes[static_cast<std::size_t>(set)].l_max);
    }
    if (out.l_max > l_max) field["l_max"].refuse("must be at most " + std::to_string(l_max) + ", that of the inputs");
    out.matrices = tensors_.doubles("layers." + out.name + ".mixing",
                                    {static_cast<std::size_t>(out.n_centers), static_cast<std::size_t>(out.l_max) + 1,
                                     static_cast<std::size_t>(out.n_channels), n_columns});
    return out;
}

std::vector<int> ModelReader::read_selection(const std::string& name, std::size_t n_features) {
    std::vector<int> selection = tensors_.integers(name);
    if (selection.empty()) refuse(tensors_.source(), "tensor '" + name + "'", "selects nothing");
    long long previous = -1;
    for (const int index : selection) {
        if (index <= previous || static_cast<std::size_t>(index) >= n_features) {
            refuse(
                tensors_.source(), "tensor '" + name + "'",
                "must hold ascending indices below " + std::to_string(n_features) + ", got " + std::to_string(index));
        }
        previous = index;
    }
    return selection;
}

LinearDescription ModelReader::read_linear(const Field& field, const Term& term, const Model& model) {
    if (version_ == 1) {
        field.only({"type"});
    } else if (version_ < 4) {
        field.only({"type", "leverage"});
    } else {
        field.only({"type", "leverage", "leverage_columns"});
    }
    const auto n_members = static_cast<std::size_t>(model.n_members);
    LinearDescription linear;
    linear.weights =
        tensors_.doubles("terms." + term.name + ".weights", {n_members, model.species.size(), term.n_features});
    if (version_ == 1 || !field["leverage"].boolean()) return linear;
    const std::string prefix = "terms." + term.name + ".leverage.";
    std::size_t n_columns = term.n_features;
    if (version_ >= 4 && field.has("leverage_columns") && field["leverage_columns"].boolean()) {
        linear.leverage_columns = read_selection(prefix + "columns", term.n_features);
        n_columns = linear.leverage_columns.size();
    }
    for (const int number : model.species) {
        const std::string name = prefix + std::to_string(number);
        linear.leverage.push_back(tensors_.doubles(name, {tensors_.shape(name, 2)[0], n_columns}));
    }
    return linear;
}

KernelDescription ModelReader::read_kernel(const Field& field, const Term& term, const Model& model) {
    if (version_ < 4) {
        field.only({"type", "zeta", "normalize", "epsilon", "precision"});
    } else {
        field.only({"type", "zeta", "normalize", "epsilon", "precision", "edges"});
    }
    KernelDescription kernel;
    kernel.zeta = static_cast<int>(field["zeta"].integer(1, 6));
    kernel.normalize = field["normalize"].boolean();
    kernel.epsilon = field["epsilon"].number(0, max_number);
    kernel.single_precision = field["precision"].one_of({"double", "single"}) == "single";
    if (kernel.normalize && kernel.epsilon == 0) require_smooth_normalization(field, term, model);
    std::size_t n_points = 0;
    for (const int number : model.species) {
        const std::string points = "terms." + term.name + ".points." + std::to_string(number);
        const std::string weights = "terms." + term.name + ".weights." + std::to_string(number);
        const std::size_t n = tensors_.shape(points, 2)[0];
        const std::vector<double> p = tensors_.doubles(points, {n, term.n_features});
        kernel.points.emplace_back(p.begin(), p.end());
        for (std::size_t m = 0; m < n && kernel.normalize; ++m) {
            normalize(&kernel.points.back()[m * term.n_features], term.n_features, kernel.epsilon);
        }
        kernel.weights.push_back(tensors_.doubles(weights, {static_cast<std::size_t>(model.n_members), n}));
        n_points += n;
    }
    if (n_points == 0) field.refuse("has no sparse points for any species");
    if (version_ >= 4 && field.has("edges") && !field["edges"].is_null()) {
        for (const Field& edge : field["edges"].array(model.species.size(), model.species.size()))
            kernel.edges.push_back(edge.above(0, max_number));
    }
    return kernel;
}

void ModelReader::require_smooth_normalization(const Field& field, const Term& term, const Model& model) const {
    for (const Invariant& invariant : term.invariants) {
        const auto set = static_cast<std::size_t>(invariant.a);
        if (set >= model.expansions.size()) continue;  // a layer may mix the center away
        const auto* density = std::get_if<DensityDescription>(&model.expansions[set]);
        if (density && invariant.a == invariant.b && density->center_atom_weight != 0) return;
    }
    field["epsilon"].refuse(
        "must be above 0: without the center atom in an invariant of a density, a normalized kernel has no smooth "
        "limit "
        "for an isolated atom");
}

}  // namespace mlcalc
