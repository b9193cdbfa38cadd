// SPDX-License-Identifier: BSD-3-Clause
#include "model/reader.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/limits.hpp"
#include "base/normalize.hpp"
#include "model/checked_json.hpp"
#include "model/safetensors.hpp"

namespace mlcalc {

namespace {

constexpr int format_version = 3;
// generous bounds for what any model needs; they keep every size far from overflow
constexpr long long max_n = 64, max_channels = 512, max_members = 1024, max_list = 64;
constexpr std::size_t max_features = std::size_t{1} << 24;  // of an invariant: what an evaluation forms per atom
constexpr double min_length = 1e-6, max_length = 1000.0;    // Angstrom
constexpr double max_number = 1e12;

/// Reads the description of one model; the tensors it asks for must be there in the right shape.
class ModelReader {
public:
    ModelReader(TensorFile& tensors, const Field& document) : tensors_(tensors), document_(document) {}
    void read(Model& model);

private:
    void read_species(Model& model) const;
    void read_baseline(Model& model) const;
    void read_pair_tables(Model& model);
    void read_triples(Model& model);
    int any_species(const Field& field, const Model& model) const;
    TableOfPair read_pair_table(const Field& field, const std::string& tensor, const Model& model);
    int species_index(const Field& field, const Model& model) const;
    /// A value per pair of species (n, n), in the file a number for all or, since version 3, a symmetric matrix.
    template <class Read>
    std::vector<double> read_pairs(const Field& field, std::size_t n, Read read) const;
    void read_committee(Model& model) const;
    void read_boundaries(Model& model) const;
    ExpansionDescription read_expansion(const Field& field, const Model& model);
    DensityDescription read_density(const Field& field, const Model& model);
    void read_density_basis(const Field& basis) const;
    FieldDescription read_potential(const Field& field, const Model& model);
    void read_free_boundaries(const std::string& prefix, FieldDescription& out);
    void read_filters(const std::string& prefix, FieldDescription& out);
    SplineTable read_table(const std::string& name, double x_max, int n_max, int l_max);
    CutoffFunction read_smoothing(const Field& field) const;
    std::vector<double> read_mixing(const Field& field, const std::string& name, int n_species);
    MixingDescription read_layer(const Field& field, const Model& model);
    Term read_term(const Field& field, const Model& model);
    Invariant read_invariant(const Field& field, const Model& model, const std::string& prefix);
    int read_set(const Field& field, const Model& model) const;
    std::shared_ptr<const ChannelTable> read_table(const Field& field, const std::string& prefix, int l_max, int& nu);
    std::vector<int> read_selection(const std::string& name, std::size_t n_features);
    LinearDescription read_linear(const Field& field, const Term& term, const Model& model);
    KernelDescription read_kernel(const Field& field, const Term& term, const Model& model);
    void require_smooth_normalization(const Field& field, const Term& term, const Model& model) const;

    TensorFile& tensors_;
    Field document_;
    long long version_ = format_version;
};

void ModelReader::read(Model& model) {
    version_ = document_["format_version"].integer(1, std::numeric_limits<int>::max());
    if (version_ > format_version) {
        document_["format_version"].refuse("is " + std::to_string(version_) + ", this mlcalc reads up to " +
                                           std::to_string(format_version) + "; a newer mlcalc is needed");
    }
    if (version_ >= 3) {
        document_.only({"format_version", "species", "units", "reference_energies", "zbl", "pairs", "triples",
                        "expansions", "layers", "terms", "committee", "boundaries", "provenance"});
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
    tensors_.require_all_used();
}

void ModelReader::read_species(Model& model) const {
    for (const Field& field : document_["species"].array(1, 118)) {
        const auto number = static_cast<int>(field.integer(1, 118));
        if (!model.species.empty() && number <= model.species.back()) field.refuse("must be above the one before it");
        model.species.push_back(number);
    }
}

template <class Read>
std::vector<double> ModelReader::read_pairs(const Field& field, std::size_t n, Read read) const {
    if (field.is_number() || version_ < 3) return std::vector<double>(n * n, read(field));
    std::vector<double> values;
    for (const Field& row : field.array(n, n)) {
        for (const Field& value : row.array(n, n)) values.push_back(read(value));
    }
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (values[i * n + j] != values[j * n + i]) field.refuse("must be symmetric");
        }
    }
    return values;
}

void ModelReader::read_baseline(Model& model) const {
    for (const Field& field : document_["reference_energies"].array(model.species.size(), model.species.size())) {
        model.reference_energies.push_back(field.number(-max_number, max_number));
    }
    const Field zbl = document_["zbl"];
    if (zbl.is_null()) return;
    zbl.only({"inner", "outer"});
    model.zbl = ZblDescription{
        read_pairs(zbl["inner"], model.species.size(), [](const Field& f) { return f.number(0, max_length); }),
        read_pairs(zbl["outer"], model.species.size(),
                   [](const Field& f) { return f.length(min_length, max_length); })};
    for (std::size_t k = 0; k < model.zbl->inner.size(); ++k) {
        if (model.zbl->inner[k] >= model.zbl->outer[k]) zbl["inner"].refuse("must be below zbl.outer");
    }
}

void ModelReader::read_pair_tables(Model& model) {
    for (const Field& field : document_["pairs"].array(0, max_list)) {
        field.only({"name", "type", "tables"});
        PairTableDescription out;
        out.name = field["name"].name();
        for (const PairTableDescription& other : model.pairs) {
            if (other.name == out.name) field["name"].refuse("'" + out.name + "' is there twice");
        }
        field["type"].one_of({"table"});
        const std::size_t n = model.species.size();
        for (const Field& entry : field["tables"].array(1, n * (n + 1) / 2)) {
            const std::string tensor = "pairs." + out.name + ".table." + std::to_string(out.tables.size());
            TableOfPair table = read_pair_table(entry, tensor, model);
            for (const TableOfPair& other : out.tables) {
                if (other.a == table.a && other.b == table.b) entry["species"].refuse("has two tables");
            }
            out.tables.push_back(std::move(table));
        }
        model.pairs.push_back(std::move(out));
    }
}

TableOfPair ModelReader::read_pair_table(const Field& field, const std::string& tensor, const Model& model) {
    field.only({"species", "inner", "cutoff", "smoothing"});
    TableOfPair out;
    const std::vector<Field> species = field["species"].array(2, 2);
    out.a = species_index(species[0], model);
    out.b = species_index(species[1], model);
    if (out.a > out.b) field["species"].refuse("must be in ascending order");
    out.smoothing = read_smoothing(field);
    out.inner = field["inner"].number(0, max_length);
    if (out.inner > out.smoothing.cutoff - min_length) field["inner"].refuse("must be below the cutoff");
    out.energy.n_knots = tensors_.shape(tensor, 2)[0];
    if (out.energy.n_knots < 2)
        refuse(tensors_.source(), "tensor '" + tensor + "'.shape", "must have at least 2 knots");
    out.energy.n_functions = 1;
    out.energy.dx = (out.smoothing.cutoff - out.inner) / static_cast<double>(out.energy.n_knots - 1);
    out.energy.data = tensors_.doubles(tensor, {out.energy.n_knots, 3});
    return out;
}

void ModelReader::read_triples(Model& model) {
    for (const Field& field : document_["triples"].array(0, max_list)) {
        field.only({"name", "type", "coordinates", "kernel", "center", "neighbors", "cutoff", "smoothing", "widths",
                    "constant"});
        TripleDescription out;
        out.name = field["name"].name();
        for (const TripleDescription& other : model.triples) {
            if (other.name == out.name) field["name"].refuse("'" + out.name + "' is there twice");
        }
        field["type"].one_of({"kernel"});
        out.sides = field["coordinates"].one_of({"angle", "sides"}) == "sides";
        out.shape = field["kernel"].one_of({"gaussian", "wendland"}) == "gaussian" ? TripleDescription::Shape::gaussian
                                                                                   : TripleDescription::Shape::wendland;
        out.center = any_species(field["center"], model);
        const std::vector<Field> neighbors = field["neighbors"].array(2, 2), widths = field["widths"].array(3, 3);
        for (std::size_t k = 0; k < 2; ++k) out.neighbors[k] = any_species(neighbors[k], model);
        out.smoothing = read_smoothing(field);
        for (std::size_t k = 0; k < 3; ++k) out.widths[k] = widths[k].length(min_length, max_number);
        if (out.sides && (out.widths[1] != out.widths[0] || out.widths[2] != out.widths[0]))
            field["widths"].refuse("must be equal: the kernel of sides is symmetric in them");
        out.constant = field["constant"].number(-max_number, max_number);
        const std::string prefix = "triples." + out.name + ".";
        const std::size_t n = tensors_.shape(prefix + "points", 2)[0];
        out.points = tensors_.doubles(prefix + "points", {n, 3});
        out.weights = tensors_.doubles(prefix + "weights", {n});
        model.triples.push_back(std::move(out));
    }
}

/// The index of the species of an atomic number, -1 for null.
int ModelReader::any_species(const Field& field, const Model& model) const {
    return field.is_null() ? -1 : species_index(field, model);
}

/// The index of the species of an atomic number.
int ModelReader::species_index(const Field& field, const Model& model) const {
    const auto number = static_cast<int>(field.integer(1, 118));
    const auto found = std::lower_bound(model.species.begin(), model.species.end(), number);
    if (found == model.species.end() || *found != number) field.refuse("is no species of this model");
    return static_cast<int>(found - model.species.begin());
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
    for (const Field& field : document_["boundaries"].array(1, 2)) {
        const Boundaries boundary =
            field.one_of({"periodic", "free"}) == "free" ? Boundaries::free : Boundaries::periodic;
        if (!model.boundaries.empty() && model.boundaries[0] == boundary) field.refuse("is there twice");
        model.boundaries.push_back(boundary);
    }
}

ExpansionDescription ModelReader::read_expansion(const Field& field, const Model& model) {
    const std::string name = field["name"].name();
    for (const auto& other : model.expansions) {
        if (base_of(other).name == name) field["name"].refuse("'" + name + "' is there twice");
    }
    if (field["type"].one_of({"density", "potential"}) == "density") return read_density(field, model);
    return read_potential(field, model);
}

void read_common(const Field& field, const Model& model, ExpansionBase& out) {
    out.name = field["name"].name();
    out.n_max = static_cast<int>(field["n_max"].integer(1, max_n));
    out.l_max = static_cast<int>(field["l_max"].integer(0, largest_l));
    out.center_atom_weight = field["center_atom_weight"].number(-max_number, max_number);
    out.n_species = static_cast<int>(model.species.size());
    field["accuracy"].above(0, 1);
}

void ModelReader::read_density_basis(const Field& basis) const {
    const std::string type = version_ >= 3
                                 ? basis["type"].one_of({"gto", "laplacian_eigenstates", "legendre", "tabulated"})
                                 : basis["type"].one_of({"gto", "laplacian_eigenstates", "tabulated"});
    if (type != "legendre") return basis.only({"type"});
    basis.only({"type", "scale", "exponent"});
    basis["scale"].above(0, max_number);
    basis["exponent"].above(0, max_number);
}

/// The members "cutoff" and "smoothing" of an object.
CutoffFunction ModelReader::read_smoothing(const Field& field) const {
    CutoffFunction out{field["cutoff"].length(min_length, max_length), 0.0};
    const Field smoothing = field["smoothing"];
    if (smoothing["type"].one_of({"shifted_cosine", "step"}) == "shifted_cosine") {
        smoothing.only({"type", "width"});
        out.width = smoothing["width"].length(min_length, out.cutoff);
    } else {
        smoothing.only({"type"});
    }
    return out;
}

DensityDescription ModelReader::read_density(const Field& field, const Model& model) {
    if (version_ >= 3) {
        field.only({"name", "type", "n_max", "l_max", "cutoff", "smoothing", "density", "scaling", "basis",
                    "center_atom_weight", "center_weights", "mixing", "accuracy"});
    } else {
        field.only({"name", "type", "n_max", "l_max", "cutoff", "smoothing", "density", "scaling", "basis",
                    "center_atom_weight", "mixing", "accuracy"});
    }
    DensityDescription out;
    read_common(field, model, out);
    const CutoffFunction f_c = read_smoothing(field);
    out.cutoff = f_c.cutoff;
    out.smoothing_width = f_c.width;
    const Field density = field["density"];
    if (density["type"].one_of({"gaussian", "delta"}) == "gaussian") {
        density.only({"type", "width"});
        density["width"].length(min_length, max_length);
    } else {
        density.only({"type"});
    }
    const Field scaling = field["scaling"];
    if (!scaling.is_null()) {
        scaling.only({"rate", "scale", "exponent"});
        scaling["rate"].above(0, max_number);
        scaling["scale"].length(min_length, max_length);
        scaling["exponent"].number(0, 100);
    }
    read_density_basis(field["basis"]);
    out.radial = read_table("expansions." + out.name + ".radial", out.cutoff, out.n_max, out.l_max);
    out.mixing = read_mixing(field, out.name, out.n_species);
    if (field.has("center_weights") && field["center_weights"].boolean()) {
        out.center_weights =
            tensors_.doubles("expansions." + out.name + ".center_weights",
                             {static_cast<std::size_t>(out.n_channels()), static_cast<std::size_t>(out.n_species)});
    }
    return out;
}

FieldDescription ModelReader::read_potential(const Field& field, const Model& model) {
    field.only({"name", "type", "n_max", "l_max", "exponent", "smearing", "basis", "center_atom_weight", "mixing",
                "accuracy"});
    FieldDescription out;
    read_common(field, model, out);
    out.exponent = static_cast<int>(field["exponent"].integer(0, 12));
    out.smearing = field["smearing"].length(min_length, max_length);
    const Field basis = field["basis"];
    const std::string type = basis["type"].one_of({"gto", "multi_width", "tabulated"});
    if (type == "gto") {
        basis.only({"type", "radius"});
        basis["radius"].length(min_length, max_length);
    } else if (type == "multi_width") {
        basis.only({"type", "widths"});
        const auto n = static_cast<std::size_t>(out.n_max);
        for (const Field& width : basis["widths"].array(n, n)) width.length(min_length, max_length);
    } else {
        basis.only({"type"});
    }
    const std::string prefix = "expansions." + out.name + ".";
    const double k_max = tensors_.doubles(prefix + "reciprocal_k_max", {1})[0];
    // in 1/Angstrom; the tables need no more, and nothing that is computed with them may overflow
    if (!(k_max >= 1.0 / max_length && k_max <= 1e3 / min_length)) {
        refuse(field.source(), "tensor '" + prefix + "reciprocal_k_max'", "must be above 0, from 0.001 to 10^9");
    }
    out.reciprocal = read_table(prefix + "reciprocal", k_max, out.n_max, out.l_max);
    out.center = tensors_.doubles(prefix + "center", {static_cast<std::size_t>(out.n_max)});
    read_free_boundaries(prefix, out);
    if (type == "multi_width") read_filters(prefix, out);
    out.mixing = read_mixing(field, out.name, out.n_species);
    return out;
}

void ModelReader::read_free_boundaries(const std::string& prefix, FieldDescription& out) {
    const double r_max = tensors_.doubles(prefix + "real_r_max", {1})[0];
    if (!(r_max >= min_length && r_max <= max_number)) {
        refuse(tensors_.source(), "tensor '" + prefix + "real_r_max'", "must be above 0, from 10^-6 to 10^12");
    }
    out.real = read_table(prefix + "real", r_max, out.n_max, out.l_max);
    const std::size_t n_far = tensors_.shape(prefix + "far", 3)[0];
    if (n_far < 1 || n_far > max_list) refuse(tensors_.source(), "tensor '" + prefix + "far'.shape", "has no terms");
    out.n_far = static_cast<int>(n_far);
    const auto n_l = static_cast<std::size_t>(out.l_max) + 1;
    out.far = tensors_.doubles(prefix + "far", {n_far, n_l, static_cast<std::size_t>(out.n_max)});
}

void ModelReader::read_filters(const std::string& prefix, FieldDescription& out) {
    const auto n = static_cast<std::size_t>(out.n_max);
    const auto n_l = static_cast<std::size_t>(out.l_max) + 1;
    out.filters = out.reciprocal;
    out.filters.n_functions = n;
    out.filters.data = tensors_.doubles(prefix + "filters", {out.filters.n_knots, 3, n});
    out.filter_weights = tensors_.doubles(prefix + "filter_weights", {n_l, n, n});
}

SplineTable ModelReader::read_table(const std::string& name, double x_max, int n_max, int l_max) {
    SplineTable table;
    const auto n = static_cast<std::size_t>(n_max);
    const auto n_l = static_cast<std::size_t>(l_max) + 1;
    table.n_knots = tensors_.shape(name, 4)[0];
    if (table.n_knots < 2) refuse(tensors_.source(), "tensor '" + name + "'.shape", "must have at least 2 knots");
    table.n_functions = n * n_l;
    table.dx = x_max / static_cast<double>(table.n_knots - 1);
    table.data = tensors_.doubles(name, {table.n_knots, 3, n_l, n});
    return table;
}

std::vector<double> ModelReader::read_mixing(const Field& field, const std::string& name, int n_species) {
    if (!field["mixing"].boolean()) return {};
    const std::string tensor = "expansions." + name + ".mixing";
    const std::size_t n_channels = tensors_.shape(tensor, 2)[0];
    if (n_channels < 1 || n_channels > 118) {
        refuse(tensors_.source(), "tensor '" + tensor + "'.shape", "must have 1 to 118 channels");
    }
    return tensors_.doubles(tensor, {n_channels, static_cast<std::size_t>(n_species)});
}

Term ModelReader::read_term(const Field& field, const Model& model) {
    field.only({"name", "invariants", "regressor"});
    Term term;
    term.name = field["name"].name();
    for (const Term& other : model.terms) {
        if (other.name == term.name) field["name"].refuse("'" + term.name + "' is there twice");
    }
    const std::vector<CoefficientShape> shapes = model.shapes();
    for (const Field& entry : field["invariants"].array(1, max_list)) {
        const std::string index = std::to_string(term.invariants.size());
        Invariant invariant = read_invariant(entry, model, "terms." + term.name + ".table." + index);
        std::size_t n_features = n_full_features(invariant, shapes);
        if (n_features > max_features) {
            entry.refuse("has " + std::to_string(n_features) + " features; at most " + std::to_string(max_features) +
                         " are possible");
        }
        if (entry["selection"].boolean()) {
            invariant.selection = read_selection("terms." + term.name + ".selection." + index, n_features);
            n_features = invariant.selection.size();
        }
        term.n_features += n_features;
        term.invariants.push_back(std::move(invariant));
    }
    const Field regressor = field["regressor"];
    if (regressor.is_null()) return term;
    if (regressor["type"].one_of({"linear", "kernel"}) == "linear") {
        term.regressor = read_linear(regressor, term, model);
    } else {
        term.regressor = read_kernel(regressor, term, model);
    }
    return term;
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
    const bool channels = version_ >= 3 && field.has("within_channels") && field["within_channels"].boolean();
    if (channels) {
        field.only({"within_channels", "a", "scale", "selection"});
        invariant.a = read_set(field["a"], model);
        if (static_cast<std::size_t>(invariant.a) < model.expansions.size()) {
            field["a"].refuse("must be a layer: products within channels need mixed channels");
        }
        const int l_max = model.shapes()[static_cast<std::size_t>(invariant.a)].l_max;
        invariant.table = read_table(field, prefix, l_max, invariant.nu);
        invariant.b = invariant.a;
    } else {
        invariant.nu = static_cast<int>(field["nu"].integer(1, 2));
        invariant.a = read_set(field["a"], model);
        if (invariant.nu == 1) {
            field.only({"nu", "a", "scale", "selection"});
            invariant.b = invariant.a;
        } else {
            field.only({"nu", "a", "b", "scale", "selection"});
            invariant.b = read_set(field["b"], model);
        }
    }
    invariant.scale = field["scale"].above(0, max_number);
    return invariant;
}

/// The integers of a table of products within channels; its couplings are checked by making them.
std::shared_ptr<const ChannelTable> ModelReader::read_table(const Field& field, const std::string& prefix, int l_max,
                                                            int& nu) {
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
        nu = body_order(*table, l_max);
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
    } else {
        field.only({"type", "leverage"});
    }
    const auto n_members = static_cast<std::size_t>(model.n_members);
    LinearDescription linear;
    linear.weights =
        tensors_.doubles("terms." + term.name + ".weights", {n_members, model.species.size(), term.n_features});
    if (version_ == 1 || !field["leverage"].boolean()) return linear;
    for (const int number : model.species) {
        const std::string name = "terms." + term.name + ".leverage." + std::to_string(number);
        linear.leverage.push_back(tensors_.doubles(name, {tensors_.shape(name, 2)[0], term.n_features}));
    }
    return linear;
}

KernelDescription ModelReader::read_kernel(const Field& field, const Term& term, const Model& model) {
    field.only({"type", "zeta", "normalize", "epsilon", "precision"});
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
    return kernel;
}

void ModelReader::require_smooth_normalization(const Field& field, const Term& term, const Model& model) const {
    for (const Invariant& invariant : term.invariants) {
        const auto* density = std::get_if<DensityDescription>(&model.expansions[static_cast<std::size_t>(invariant.a)]);
        if (density && invariant.a == invariant.b && density->center_atom_weight != 0) return;
    }
    field["epsilon"].refuse(
        "must be above 0: without the center atom in an invariant of a density, a normalized kernel has no smooth "
        "limit "
        "for an isolated atom");
}

}  // namespace

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
