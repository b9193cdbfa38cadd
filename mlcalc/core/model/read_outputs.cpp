// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "base/normalize.hpp"
#include "model/model_reader.hpp"

namespace mlcalc {
namespace {

using Kind = TensorOutput::Kind;

/// Degrees of the parts that a tensor may have.
bool fits(Kind kind, int lambda) {
    return kind == Kind::scalar ? lambda == 0 : (kind == Kind::vector ? lambda == 1 : lambda == 0 || lambda == 2);
}

}  // namespace

TensorOutput ModelReader::read_output(const Field& field, const Model& model) {
    field.only({"name", "type", "unit", "baseline", "origin", "committee_scale", "parts"});
    TensorOutput out;
    out.name = field["name"].name();
    if (model.output(out.name) >= 0) field["name"].refuse("'" + out.name + "' is there twice");
    const std::string type = field["type"].one_of({"scalar", "vector", "symmetric"});
    out.kind = type == "scalar" ? Kind::scalar : (type == "vector" ? Kind::vector : Kind::symmetric);
    out.unit = field["unit"].string();
    out.committee_scale = field["committee_scale"].above(0, max_number);
    const std::size_t n = model.species.size();
    for (std::size_t s = 0; s < n && !field["baseline"].is_null(); ++s) {
        out.baseline.push_back(field["baseline"].array(n, n)[s].number(-max_number, max_number));
    }
    if (!field["origin"].is_null()) field["origin"].one_of({"center_of_mass"});  // a convention of the data
    for (const Field& part : field["parts"].array(1, 2)) out.parts.push_back(read_part(part, out, model));
    return out;
}

TensorPart ModelReader::read_part(const Field& field, const TensorOutput& output, const Model& model) {
    field.only({"equivariants", "regressor"});
    const std::string prefix = "outputs." + output.name + "." + std::to_string(output.parts.size()) + ".";
    TensorPart part;
    std::size_t n_all = 0;
    part.equivariants = read_invariants(field["equivariants"], model, prefix, n_all);
    const SphericalType first = part.equivariants[0].type.value_or(SphericalType{-1, 0});
    for (const Invariant& equivariant : part.equivariants) {
        const SphericalType type = equivariant.type.value_or(SphericalType{-1, 0});
        if (!fits(output.kind, type.lambda) || type.lambda != first.lambda || type.sigma != first.sigma) {
            field["equivariants"].refuse(
                "must all have one o3_lambda and o3_sigma, those of the tensor: o3_lambda 0 for a scalar, 1 for a "
                "vector, 0 or 2 for a symmetric matrix");
        }
    }
    part.type = first;
    for (const TensorPart& other : output.parts) {
        if (other.type.lambda == first.lambda || other.type.sigma != first.sigma) {
            field["equivariants"].refuse("must have another o3_lambda than the other part, and the same o3_sigma");
        }
    }
    part.n_features = n_all / static_cast<std::size_t>(part.type.n_components());
    const Field regressor = field["regressor"];
    if (regressor["type"].one_of({"linear", "kernel"}) == "kernel") {
        part.regressor = read_tensor_kernel(regressor, part, prefix, model);
        return part;
    }
    regressor.only({"type"});
    LinearDescription linear;
    linear.weights = tensors_.doubles(
        prefix + "weights", {static_cast<std::size_t>(model.n_members), model.species.size(), part.n_features});
    part.regressor = std::move(linear);
    return part;
}

TensorKernelDescription ModelReader::read_tensor_kernel(const Field& field, const TensorPart& part,
                                                        const std::string& prefix, const Model& model) {
    field.only({"type", "zeta", "epsilon", "invariants"});
    TensorKernelDescription kernel;
    kernel.zeta = static_cast<int>(field["zeta"].integer(2, 6));
    kernel.epsilon = field["epsilon"].above(0, max_number);
    kernel.invariants = read_invariants(field["invariants"], model, prefix + "scalar.", kernel.n_invariants);
    for (const Invariant& invariant : kernel.invariants) {
        if (invariant.type) field["invariants"].refuse("must be invariants, without o3_lambda");
    }
    const auto n_members = static_cast<std::size_t>(model.n_members);
    const auto n_mu = static_cast<std::size_t>(part.type.n_components());
    std::size_t n_points = 0;
    for (const int number : model.species) {
        const std::string species = std::to_string(number);
        const std::size_t n = tensors_.shape(prefix + "points." + species, 2)[0];
        const std::vector<double> p = tensors_.doubles(prefix + "points." + species, {n, kernel.n_invariants});
        const std::vector<double> tensors = tensors_.doubles(prefix + "tensors." + species, {n, n_mu, part.n_features});
        const std::vector<double> weights = tensors_.doubles(prefix + "weights." + species, {n_members, n, n_mu});
        AlignedVector<double> points(p.begin(), p.end()), folded(n_members * n * part.n_features, 0.0);
        for (std::size_t m = 0; m < n; ++m) {
            const double norm = normalize(&points[m * kernel.n_invariants], kernel.n_invariants, kernel.epsilon);
            for (std::size_t member = 0; member < n_members; ++member) {
                double* to = &folded[(member * n + m) * part.n_features];
                for (std::size_t k = 0; k < n_mu * part.n_features; ++k) {
                    const double weight = weights[(member * n + m) * n_mu + k / part.n_features];
                    to[k % part.n_features] += weight * tensors[m * n_mu * part.n_features + k] / norm;
                }
            }
        }
        kernel.points.push_back(std::move(points));
        kernel.folded.push_back(std::move(folded));
        n_points += n;
    }
    if (n_points == 0) field.refuse("has no sparse points for any species");
    return kernel;
}

}  // namespace mlcalc
