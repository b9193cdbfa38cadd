// SPDX-License-Identifier: BSD-3-Clause
#include "base/limits.hpp"
#include "model/model_reader.hpp"

namespace mlcalc {

ExpansionDescription ModelReader::read_expansion(const Field& field, const Model& model) {
    const std::string name = field["name"].name();
    for (const auto& other : model.expansions) {
        if (base_of(other).name == name) field["name"].refuse("'" + name + "' is there twice");
    }
    if (field["type"].one_of({"density", "potential"}) == "density") return read_density(field, model);
    return read_potential(field, model);
}

static void read_common(const Field& field, const Model& model, ExpansionBase& out) {
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

}  // namespace mlcalc
