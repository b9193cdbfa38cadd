// SPDX-License-Identifier: BSD-3-Clause
/// Derivatives of a loss with respect to the parameters of a layer.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "training/descriptor.hpp"

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

/// The change of the coefficients of one center along a displacement of all atoms and a strain.
class DirectionalChange : public TangentSink {
public:
    DirectionalChange(const Vec3* displacements, const Mat3& strain, int center, int n_lm, int ld, double* c_dot)
        : displacements_(displacements), strain_(strain), center_(center), n_lm_(n_lm), ld_(ld), c_dot_(c_dot) {}

    void pair(int j, const Vec3& r_ij, int x, const ColumnChange& change) override {
        const auto axis = size(x);
        double step = displacements_[j][axis] - displacements_[center_][axis];
        for (std::size_t a = 0; a < 3; ++a) step += r_ij[a] * strain_[a][axis];
        add(step, change);
    }
    void atom(int j, int x, const ColumnChange& change) override { add(displacements_[j][size(x)], change); }
    void strain(int a, int b, const ColumnChange& change) override { add(strain_[size(a)][size(b)], change); }

private:
    void add(double step, const ColumnChange& change) {
        for (int lm = 0; lm < n_lm_; ++lm) {
            double* to = c_dot_ + lm * ld_ + change.first;
            const double* from = change.change + lm * change.ld;
            for (int q = 0; q < change.n; ++q) to[q] += step * from[q];
        }
    }
    const Vec3* displacements_;
    const Mat3& strain_;
    int center_, n_lm_, ld_;
    double* c_dot_;
};

}  // namespace

std::size_t Descriptor::n_parameters(int layer) const {
    if (layer < 0 || layer >= sets_.n_layers()) {
        throw std::invalid_argument("the model has " + std::to_string(sets_.n_layers()) + " layers, got index " +
                                    std::to_string(layer));
    }
    return sets_.layer(layer).n_parameters();
}

void Descriptor::set_parameters(int layer, const std::vector<double>& parameters) {
    n_parameters(layer);
    sets_.layer(layer).set_parameters(parameters);
}

void Descriptor::parameter_gradient(const System& s, int index, int layer_index, const double* w, double e,
                                    const Vec3* displacements, const Mat3& strain, double* parameters_adj) {
    const TermData& data = term(index);
    n_parameters(layer_index);
    const Layer& layer = sets_.layer(layer_index);
    const int set = sets_.n_expansions() + layer_index;
    start(s);
    start_tangents(s, data);
    const std::size_t n_sets = sets_.shapes().size();
    std::vector<AlignedVector<double>> dot(n_sets), adj(n_sets), dot_adj(n_sets);
    std::vector<const double*> c_dot(n_sets);
    std::vector<double*> to_adj(n_sets), to_dot_adj(n_sets);
    scratch_.resize(data.features.scratch_size());
    for (int i = 0; i < s.atoms.n_local; ++i) {
        const int species = s.atoms.species[i];
        if (species < 0) continue;
        center(s, i, true);
        for (std::size_t k = 0; k < n_sets; ++k) {
            for (AlignedVector<double>* v : {&dot[k], &adj[k], &dot_adj[k]}) v->assign(sets_.shapes()[k].size(), 0.0);
            c_dot[k] = dot[k].data();
            to_adj[k] = adj[k].data();
            to_dot_adj[k] = dot_adj[k].data();
        }
        for (const int expansion : data.expansions()) {
            const CoefficientShape& shape = sets_.shapes()[size(expansion)];
            DirectionalChange sink(displacements, strain, i, shape.n_lm(), shape.stride(), dot[size(expansion)].data());
            sets_.expansion(expansion).tangents(s, *work_.pairs, i, *work_.scratch[size(expansion)], sink);
        }
        std::vector<const double*> in, in_dot;
        for (std::size_t k = 0; k < layer.inputs().size(); ++k) {
            const std::size_t input = size(layer.inputs()[k]);
            const CoefficientShape& shape = sets_.shapes()[input];
            in.push_back(c_[input]);
            in_dot.push_back(c_dot[input]);
            layer.tangent(species, c_.data(), static_cast<int>(k), {0, shape.n_q(), shape.stride(), c_dot[input]},
                          dot[size(set)].data());
        }
        data.features.backward_tangent(c_.data(), c_dot.data(), e, w + size(species) * data.features.size(),
                                       to_adj.data(), to_dot_adj.data(), scratch_.data());
        layer.parameter_adjoint(species, in.data(), adj[size(set)].data(), parameters_adj);
        layer.parameter_adjoint(species, in_dot.data(), dot_adj[size(set)].data(), parameters_adj);
    }
}

}  // namespace mlcalc
