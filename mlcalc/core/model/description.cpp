// SPDX-License-Identifier: BSD-3-Clause
#include "model/description.hpp"

#include <algorithm>
#include <stdexcept>

namespace mlcalc {

const ExpansionBase& base_of(const ExpansionDescription& expansion) {
    return std::visit([](const auto& e) -> const ExpansionBase& { return e; }, expansion);
}

std::size_t n_full_features(const Invariant& invariant, const std::vector<CoefficientShape>& shapes) {
    const CoefficientShape& a = shapes.at(static_cast<std::size_t>(invariant.a));
    const auto n_a = static_cast<std::size_t>(a.n_q());
    if (invariant.table != nullptr) return invariant.table->paths.size() * n_a;
    if (invariant.nu == 1) return n_a;
    const CoefficientShape& b = shapes.at(static_cast<std::size_t>(invariant.b));
    if (invariant.type) {
        std::size_t n = 0;
        for (const CoupledBlock& block :
             coupled_blocks(*invariant.type, a.l_max, b.l_max, invariant.a == invariant.b)) {
            for (int q = 0; q < a.n_q(); ++q) n += static_cast<std::size_t>(b.n_q() - block.first(q));
        }
        return n;
    }
    const auto n_l = static_cast<std::size_t>(std::min(a.l_max, b.l_max)) + 1;
    if (invariant.a == invariant.b) return n_l * (n_a * (n_a + 1) / 2);
    return n_l * n_a * static_cast<std::size_t>(b.n_q());
}

std::size_t n_features(const Invariant& invariant, const std::vector<CoefficientShape>& shapes) {
    return invariant.selection.empty() ? n_full_features(invariant, shapes) : invariant.selection.size();
}

bool Model::has_far_field() const {
    return std::any_of(expansions.begin(), expansions.end(),
                       [](const auto& e) { return std::holds_alternative<FieldDescription>(e); });
}

double Model::cutoff() const {
    double cutoff = zbl ? *std::max_element(zbl->outer.begin(), zbl->outer.end()) : 0.0;
    for (const PairTableDescription& entry : pairs) {
        for (const TableOfPair& table : entry.tables) cutoff = std::max(cutoff, table.smoothing.cutoff);
    }
    for (const TripleDescription& triple : triples) cutoff = std::max(cutoff, triple.smoothing.cutoff);
    for (const ExpansionDescription& expansion : expansions) {
        if (const auto* density = std::get_if<DensityDescription>(&expansion))
            cutoff = std::max(cutoff, density->cutoff);
    }
    return cutoff;
}

bool Model::has_extrapolation() const {
    return std::any_of(terms.begin(), terms.end(), [](const Term& term) {
        const auto* linear = std::get_if<LinearDescription>(&term.regressor);
        return std::holds_alternative<KernelDescription>(term.regressor) || (linear && !linear->leverage.empty());
    });
}

double extrapolation_bound(double before) {
    return before > extrapolation_limit ? extrapolation_limit : extrapolation_alarm;
}

bool Model::knows_its_edge() const {
    return std::any_of(terms.begin(), terms.end(), [](const Term& term) {
        const auto* linear = std::get_if<LinearDescription>(&term.regressor);
        const auto* kernel = std::get_if<KernelDescription>(&term.regressor);
        return (linear && !linear->leverage.empty()) || (kernel && !kernel->edges.empty());
    });
}

int Model::output(const std::string& name) const {
    const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name == name; });
    return found == outputs.end() ? -1 : static_cast<int>(found - outputs.begin());
}

int Model::dipole() const {
    const int index = output("dipole");
    if (index < 0 || outputs[static_cast<std::size_t>(index)].kind != TensorOutput::Kind::vector) {
        throw std::invalid_argument("an electric field needs a model with a vector output named dipole, which " +
                                    source + " has not");
    }
    return index;
}

std::vector<CoefficientShape> Model::shapes() const {
    std::vector<CoefficientShape> shapes;
    for (const ExpansionDescription& expansion : expansions) shapes.push_back(base_of(expansion).shape());
    for (const MixingDescription& layer : layers) shapes.push_back(layer.shape());
    return shapes;
}

}  // namespace mlcalc
