// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "model/model_reader.hpp"

namespace mlcalc {

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
    const Field energies = document_["reference_energies"];
    model.has_energy = version_ < 4 || !energies.is_null();
    if (!model.has_energy) model.reference_energies.assign(model.species.size(), 0.0);
    for (std::size_t s = 0; s < model.species.size() && model.has_energy; ++s) {
        model.reference_energies.push_back(
            energies.array(model.species.size(), model.species.size())[s].number(-max_number, max_number));
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

}  // namespace mlcalc
