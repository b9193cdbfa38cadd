// SPDX-License-Identifier: BSD-3-Clause
/// A pair potential and a layer of a stranger, each one class, run through the interfaces as the evaluator does, and
/// held against finite differences. Prints the largest relative error.
#include <cmath>
#include <cstdio>
#include <vector>

#include "layers/layer.hpp"
#include "pairs/pair_potential.hpp"

namespace {

using mlcalc::CoefficientShape;
using mlcalc::ColumnChange;
using mlcalc::Vec3;

/// A spring between unlike species, cut off smoothly.
class Spring : public mlcalc::PairPotential {
public:
    double cutoff() const override { return 3.0; }
    void pair(int a, int b, double r, double& energy, double& slope) const override {
        const double strength = a == b ? 0.5 : 2.0, x = 3.0 - r;
        energy = strength * x * x * x;
        slope = -3.0 * strength * x * x;
    }
};

/// out_q,00 = sum_lm c_q,lm^2: norms of the columns of a set.
class Norms : public mlcalc::Layer {
public:
    Norms(int input, CoefficientShape shape) : inputs_{input}, in_(shape), out_{shape.n_channels, shape.n_max, 0} {}
    const std::vector<int>& inputs() const override { return inputs_; }
    CoefficientShape shape() const override { return out_; }
    void compute(int, const double* const* in, double* out) const override {
        for (int q = 0; q < out_.stride(); ++q) out[q] = 0.0;
        for (int lm = 0; lm < in_.n_lm(); ++lm)
            for (int q = 0; q < in_.n_q(); ++q) out[q] += in[0][lm * in_.stride() + q] * in[0][lm * in_.stride() + q];
    }
    void backward(int, const double* const* in, const double* out_adj, double* const* in_adj) const override {
        for (int lm = 0; lm < in_.n_lm(); ++lm)
            for (int q = 0; q < in_.n_q(); ++q)
                in_adj[0][lm * in_.stride() + q] += 2.0 * in[0][lm * in_.stride() + q] * out_adj[q];
    }
    void tangent(int, const double* const* in, int, const ColumnChange& c, double* out_dot) const override {
        for (int lm = 0; lm < in_.n_lm(); ++lm)
            for (int q = 0; q < c.n; ++q)
                out_dot[c.first + q] += 2.0 * in[0][lm * in_.stride() + c.first + q] * c.change[lm * c.ld + q];
    }
    void parameter_adjoint(int, const double* const*, const double*, double*) const override {}
    std::size_t n_parameters() const override { return 0; }
    void set_parameters(const std::vector<double>&) override {}
    std::string summary() const override { return "norms"; }

private:
    std::vector<int> inputs_;
    CoefficientShape in_, out_;
};

struct Meshes;

double spring_error() {
    const double r0[4][3] = {{0, 0, 0}, {1.4, 0.3, 0.1}, {-0.5, 1.7, 0.4}, {2.9, 1.0, 2.0}};
    const int species[] = {0, 1, 1, 0};
    const Spring spring;
    const auto evaluate = [&](const std::vector<Vec3>& r, std::vector<Vec3>* forces) {
        std::vector<int> first{0}, j;
        std::vector<Vec3> r_ij;
        for (int i = 0; i < 4; ++i) {
            for (int k = 0; k < 4; ++k) {
                if (k == i) continue;
                j.push_back(k);
                r_ij.push_back({r[k][0] - r[i][0], r[k][1] - r[i][1], r[k][2] - r[i][2]});
            }
            first.push_back(static_cast<int>(j.size()));
        }
        mlcalc::Atoms atoms;
        atoms.n_local = atoms.n_all = 4;
        atoms.species = species;
        atoms.positions = r.data();
        const mlcalc::NeighborList list{first.data(), j.data(), r_ij.data()};
        mlcalc::Communicator ranks;
        const mlcalc::System system{atoms, list, ranks, reinterpret_cast<mlcalc::MeshBackendFactory&>(ranks)};
        mlcalc::PairGeometry geometry({spring.cutoff(), 4.0}, 2);
        double energies[4] = {};
        std::vector<Vec3> gradient(4, Vec3{});
        mlcalc::Mat3 strain{};
        const mlcalc::Gradient to{gradient.data(), &strain, nullptr};
        for (const mlcalc::Block block : {mlcalc::Block{0, 3}, mlcalc::Block{3, 4}}) {
            geometry.fill(system, block);
            mlcalc::add_pairs(spring, system, geometry, block, energies + block.begin, &to);
        }
        if (forces != nullptr) *forces = gradient;
        return energies[0] + energies[1] + energies[2] + energies[3];
    };
    std::vector<Vec3> r(4), gradient;
    for (int i = 0; i < 4; ++i) r[i] = {r0[i][0], r0[i][1], r0[i][2]};
    evaluate(r, &gradient);
    double error = 0.0;
    for (int i = 0; i < 4; ++i) {
        for (int x = 0; x < 3; ++x) {
            constexpr double h = 1e-5;
            std::vector<Vec3> up = r, down = r;
            up[i][x] += h;
            down[i][x] -= h;
            const double expected = (evaluate(up, nullptr) - evaluate(down, nullptr)) / (2 * h);
            error = std::fmax(error, std::fabs(expected - gradient[i][x]) / 10.0);
        }
    }
    return error;
}

double layer_error() {
    const CoefficientShape shape{2, 2, 2};
    const Norms layer(0, shape);
    std::vector<double> c(shape.size()), c_dot(shape.size()), c_adj(shape.size());
    for (int lm = 0; lm < shape.n_lm(); ++lm) {
        for (int q = 0; q < shape.n_q(); ++q) {
            c[lm * shape.stride() + q] = std::sin(1.0 + lm + 3.1 * q);
            c_dot[lm * shape.stride() + q] = std::cos(0.3 * lm + q);
        }
    }
    std::vector<double> out(layer.shape().size()), up(out), down(out), dot(out.size(), 0.0), adj{1.0, -2.0, 0.5, 3.0};
    adj.resize(out.size());
    const double* in = c.data();
    double* in_adj = c_adj.data();
    layer.compute(0, &in, out.data());
    layer.tangent(0, &in, 0, {0, shape.n_q(), shape.stride(), c_dot.data()}, dot.data());
    layer.backward(0, &in, adj.data(), &in_adj);
    constexpr double h = 1e-6;
    std::vector<double> moved = c;
    in = moved.data();
    for (std::size_t k = 0; k < c.size(); ++k) moved[k] = c[k] + h * c_dot[k];
    layer.compute(0, &in, up.data());
    for (std::size_t k = 0; k < c.size(); ++k) moved[k] = c[k] - h * c_dot[k];
    layer.compute(0, &in, down.data());
    double error = 0.0, along = 0.0, back = 0.0;
    for (int q = 0; q < 4; ++q) {
        error = std::fmax(error, std::fabs((up[q] - down[q]) / (2 * h) - dot[q]));
        along += adj[q] * dot[q];
    }
    for (std::size_t k = 0; k < c.size(); ++k) back += c_adj[k] * c_dot[k];
    return std::fmax(error, std::fabs(along - back));
}

}  // namespace

int main() {
    std::printf("%.3g %.3g\n", spring_error(), layer_error());
    return 0;
}
