// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/output_readout.hpp"

#include <algorithm>

#include "base/clebsch_gordan.hpp"

namespace mlcalc {
namespace {

using Kind = TensorOutput::Kind;

/// The axis of the harmonic m of l = 1: Y_1 = sqrt(3 / 4 pi) (y, z, x).
std::size_t axis(int m) {
    constexpr std::size_t axes[] = {1, 2, 0};
    return axes[m + 1];
}

/// Orthonormal: the components of a tensor have the norm of its matrix.
std::vector<double> cartesian(Kind kind, int lambda, std::size_t n_components) {
    const std::size_t n_mu = 2 * static_cast<std::size_t>(lambda) + 1;
    std::vector<double> out(n_components * n_mu, 0.0);
    if (kind == Kind::scalar) out[0] = 1.0;
    for (int m = -1; m <= 1 && kind == Kind::vector; ++m) out[axis(m) * n_mu + static_cast<std::size_t>(m + 1)] = 1.0;
    if (kind != Kind::symmetric) return out;
    for (const CouplingTerm& term : real_clebsch_gordan(1, 1, lambda)) {
        const std::size_t c = 3 * axis(term.m1) + axis(term.m2);
        out[c * n_mu + static_cast<std::size_t>(lambda + term.m)] = term.value;
    }
    return out;
}

std::unique_ptr<TensorReadout> make_readout(const TensorPart& part, const std::vector<CoefficientShape>& shapes,
                                            int n_species, int n_members) {
    if (std::holds_alternative<LinearDescription>(part.regressor)) {
        return std::make_unique<LinearTensor>(part, shapes, n_species, n_members);
    }
    return std::make_unique<KernelTensor>(part, shapes, n_species, n_members);
}

}  // namespace

OutputReadout::OutputReadout(const TensorOutput& output, const std::vector<CoefficientShape>& shapes, int n_species,
                             int n_members)
    : output_(output) {
    for (const TensorPart& part : output.parts) {
        const auto n_c = static_cast<std::size_t>(n_components());
        parts_.push_back({make_readout(part, shapes, n_species, n_members),
                          cartesian(output.kind, part.type.lambda, n_c),
                          static_cast<std::size_t>(part.type.n_components())});
    }
}

bool OutputReadout::uses(int set) const {
    const auto reads = [&](const std::vector<Invariant>& invariants) {
        return std::any_of(invariants.begin(), invariants.end(), [&](const Invariant& invariant) {
            const std::vector<int> sets = invariant.sets();
            return std::find(sets.begin(), sets.end(), set) != sets.end();
        });
    };
    return std::any_of(output_.parts.begin(), output_.parts.end(), [&](const TensorPart& part) {
        const auto* kernel = std::get_if<TensorKernelDescription>(&part.regressor);
        return reads(part.equivariants) || (kernel != nullptr && reads(kernel->invariants));
    });
}

void OutputReadout::prepare_members() {
    for (const Part& part : parts_) part.readout->prepare_members();
}

void OutputReadout::compute(const System& system, Block block, const CenterBlock& centers, int member, double* t,
                            std::size_t stride, Scratch& scratch) const {
    const auto n_c = static_cast<std::size_t>(n_components()), n = static_cast<std::size_t>(centers.n);
    for (const Part& part : parts_) {
        scratch.spherical.assign(n * part.n_mu, 0.0);
        part.readout->compute(centers, member, scratch.spherical.data(), scratch.of_parts);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = 0; k < n_c * part.n_mu; ++k) {
                t[i * stride + k / part.n_mu] += part.cartesian[k] * scratch.spherical[i * part.n_mu + k % part.n_mu];
            }
        }
    }
    for (std::size_t i = 0; i < n && !output_.baseline.empty(); ++i) {
        if (centers.species[i] < 0) continue;
        const double value = output_.baseline[static_cast<std::size_t>(centers.species[i])];
        const Vec3& r = system.atoms.positions[block.begin + static_cast<int>(i)];
        for (std::size_t c = 0; c < n_c; ++c) {
            // a charge at r, a constant, or a constant on the diagonal
            t[i * stride + c] += value * (output_.kind == Kind::vector ? r[c] : (c % 4 == 0 ? 1.0 : 0.0));
        }
    }
}

void OutputReadout::backward(const System& system, Block block, const CenterBlock& centers, int member,
                             const double* t_adj, const Gradient& gradient, Scratch& scratch) const {
    const auto n_c = static_cast<std::size_t>(n_components());
    for (const Part& part : parts_) {
        scratch.spherical_adj.assign(part.n_mu, 0.0);
        for (std::size_t k = 0; k < n_c * part.n_mu; ++k) {
            scratch.spherical_adj[k % part.n_mu] += part.cartesian[k] * t_adj[k / part.n_mu];
        }
        part.readout->backward(centers, member, scratch.spherical_adj.data(), scratch.of_parts);
    }
    for (int i = 0; i < centers.n && output_.needs_positions(); ++i) {
        if (centers.species[i] < 0) continue;
        const double charge = output_.baseline[static_cast<std::size_t>(centers.species[i])];
        const Vec3 slope = charge * Vec3{t_adj[0], t_adj[1], t_adj[2]};
        const Mat3 share = outer(system.atoms.positions[block.begin + i], slope);
        gradient.atoms[block.begin + i] += slope;
        *gradient.strain += share;
        if (gradient.atom_strain != nullptr) gradient.atom_strain[block.begin + i] += share;
    }
}

std::string OutputReadout::summary() const {
    std::string text = output_.name + " (" + output_.unit + "):";
    for (const Part& part : parts_) text += " " + part.readout->summary() + ";";
    return text.substr(0, text.size() - 1);
}

}  // namespace mlcalc
