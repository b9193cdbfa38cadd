// SPDX-License-Identifier: BSD-3-Clause
#include "model/reader.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/limits.hpp"
#include "model/model_reader.hpp"

namespace mlcalc {

namespace {

/// Weights of one member.
std::size_t n_weights(const Term& term, std::size_t n_species) {
    if (std::holds_alternative<LinearDescription>(term.regressor)) return n_species * term.n_features;
    std::size_t n = 0;
    if (const auto* kernel = std::get_if<KernelDescription>(&term.regressor)) {
        for (const auto& points : kernel->points) n += points.size() / term.n_features;
    }
    return n;
}

}  // namespace

void ModelReader::read(Model& model) {
    version_ = document_["format_version"].integer(1, std::numeric_limits<int>::max());
    if (version_ > format_version) {
        document_["format_version"].refuse("is " + std::to_string(version_) + ", this mlcalc reads up to " +
                                           std::to_string(format_version) + "; a newer mlcalc is needed");
    }
    if (version_ >= 4) {
        document_.only({"format_version", "species", "units", "reference_energies", "zbl", "pairs", "triples",
                        "expansions", "layers", "terms", "outputs", "committee", "information", "outermost",
                        "boundaries", "provenance"});
    } else if (version_ >= 3) {
        document_.only({"format_version", "species", "units", "reference_energies", "zbl", "pairs", "triples",
                        "expansions", "layers", "terms", "committee", "information", "boundaries", "provenance"});
    } else {
        document_.only({"format_version", "species", "units", "reference_energies", "zbl", "expansions", "terms",
                        "committee", "boundaries", "provenance"});
    }
    document_["provenance"].keys();
    document_["units"].only({"energy", "length"});
    document_["units"]["energy"].one_of({"eV"});
    document_["units"]["length"].one_of({"Angstrom"});
    read_species(model);
    read_baseline(model);
    if (version_ >= 3 && document_.has("pairs")) read_pair_tables(model);
    if (version_ >= 3 && document_.has("triples")) read_triples(model);
    read_committee(model);
    read_boundaries(model);
    for (const Field& field : document_["expansions"].array(0, max_list)) {
        model.expansions.push_back(read_expansion(field, model));
    }
    if (version_ >= 3) {
        for (const Field& field : document_["layers"].array(0, max_list)) {
            model.layers.push_back(read_layer(field, model));
        }
    }
    for (const Field& field : document_["terms"].array(0, max_list)) {
        model.terms.push_back(read_term(field, model));
    }
    if (version_ >= 4) {
        for (const Field& field : document_["outputs"].array(0, max_list)) {
            model.outputs.push_back(read_output(field, model));
        }
        require_something(model);
    }
    if (version_ >= 3 && document_.has("information")) check_information(model);
    if (version_ >= 4 && document_.has("outermost")) {
        const Field outermost = document_["outermost"];
        outermost.only({"mean", "atoms"});
        model.outermost = {outermost["mean"].above(0, max_number),
                           outermost["atoms"].integer(1, std::numeric_limits<int>::max())};
    }
    tensors_.require_all_used();
}

/// A file without an energy has tensors and nothing that only an energy has.
void ModelReader::require_something(const Model& model) const {
    if (model.has_energy) return;
    const bool parts = model.zbl || !model.pairs.empty() || !model.triples.empty();
    if (parts || !model.terms.empty()) {
        document_["reference_energies"].refuse("may be null only in a model without terms, zbl, pairs and triples");
    }
    if (model.outputs.empty()) document_["reference_energies"].refuse("may be null only in a model with outputs");
}

/// What a fit knew of the weights: nothing that the core computes with, but of the right size.
void ModelReader::check_information(const Model& model) {
    const Field information = document_["information"];
    information.only({"terms", "sigmas"});
    information["sigmas"].only({"energy", "forces", "virial"});
    for (const char* kind : {"energy", "forces", "virial"}) information["sigmas"][kind].above(0, max_number);
    std::size_t n = 0;
    std::vector<std::string> named;
    for (const Field& field : information["terms"].array(1, max_list)) {
        const std::string name = field.name();
        if (std::find(named.begin(), named.end(), name) != named.end()) field.refuse("is there twice");
        named.push_back(name);
        const auto term = std::find_if(model.terms.begin(), model.terms.end(),
                                       [&](const Term& candidate) { return candidate.name == name; });
        if (term == model.terms.end()) field.refuse("'" + name + "' is no term of this model");
        n += n_weights(*term, model.species.size());
    }
    tensors_.doubles("information", {n * (n + 1) / 2});
}

void ModelReader::read_species(Model& model) const {
    for (const Field& field : document_["species"].array(1, 118)) {
        const auto number = static_cast<int>(field.integer(1, 118));
        if (!model.species.empty() && number <= model.species.back()) field.refuse("must be above the one before it");
        model.species.push_back(number);
    }
}

void ModelReader::read_committee(Model& model) const {
    const Field committee = document_["committee"];
    if (committee.is_null()) return;
    committee.only({"n_members", "scale"});
    model.has_committee = true;
    model.n_members = static_cast<int>(committee["n_members"].integer(1, max_members));
    model.committee_scale = committee["scale"].above(0, max_number);
}

void ModelReader::read_boundaries(Model& model) const {
    for (const Field& field : document_["boundaries"].array(1, 3)) {
        const std::string name = field.one_of({"periodic", "slab", "free"});
        const Boundaries boundary = name == "free"   ? Boundaries::free
                                    : name == "slab" ? Boundaries::slab
                                                     : Boundaries::periodic;
        if (std::count(model.boundaries.begin(), model.boundaries.end(), boundary) > 0) field.refuse("is there twice");
        model.boundaries.push_back(boundary);
    }
}

std::shared_ptr<const Model> parse_model(const void* bytes, std::size_t size, const std::string& source) {
    TensorFile tensors(bytes, size, source);
    const nlohmann::json json = parse_json(tensors.document().data(), tensors.document().size(), source, "description");
    auto model = std::make_shared<Model>();
    model->source = source;
    model->checksum = tensors.checksum();
    ModelReader(tensors, Field(json, source, "description")).read(*model);
    return model;
}

}  // namespace mlcalc
