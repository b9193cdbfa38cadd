// SPDX-License-Identifier: BSD-3-Clause
#include "mesh_plan.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "ksum.hpp"
#include "lattice.hpp"
#include "smeared_power.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
/// The list is kept while the cell drifts; a cell that grows by this factor still meets the accuracy.
constexpr double drift_margin = 1.05;
/// Largest wave number of the tables that a list may use, so that a compressed cell stays inside.
constexpr double table_margin = 0.9;

std::unique_ptr<FarField> make_ksum(const PotentialDescription& description, const FarFieldOptions& options,
                                    const Mat3& cell, double n_atoms, Communicator& communicator) {
    const double limit = table_margin * description.reciprocal.x_max();
    double cutoff = options.k_cutoff;
    if (cutoff > limit) {
        throw std::invalid_argument("k_cutoff must be at most " + std::to_string(limit) +
                                    " / Angstrom for this smearing, got " + std::to_string(cutoff));
    }
    if (cutoff <= 0.0) cutoff = std::min(limit, drift_margin * converged_cutoff(description, options.accuracy));
    const double volume = Lattice(cell).volume, n_k = volume * std::pow(cutoff, 3) / (12.0 * pi * pi);
    const CoefficientShape shape = description.shape();
    const double bytes =
        n_k * 8.0 * (8.0 * shape.n_lm() + 4.0 * shape.n_channels + 4.0 * shape.n_max * (shape.l_max + 1)) +
        n_atoms * shape.n_lm() * shape.n_q() * 16.0;
    if (bytes > static_cast<double>(options.memory_limit)) {
        throw std::invalid_argument("the k-sum would need " + std::to_string(static_cast<long long>(n_k)) +
                                    " wave vectors and " + std::to_string(static_cast<long long>(bytes / 1048576.0)) +
                                    " MiB, more than the memory limit; use the mesh, a larger smearing, a lower "
                                    "accuracy or a higher limit");
    }
    return std::make_unique<KSum>(description, cutoff, cell, communicator);
}

}  // namespace

double converged_cutoff(const PotentialDescription& d, double accuracy) {
    const SmearedPower power(d.exponent, d.smearing);
    const std::size_t n_radial = d.reciprocal.n_functions, n_max = static_cast<std::size_t>(d.n_max);
    const int n_steps = 600;
    const double dk = d.reciprocal.x_max() / n_steps;
    std::vector<double> f(n_radial), slope(n_radial), tail(n_radial, 0.0), total(n_radial, 0.0);
    std::vector<std::vector<double>> weights(static_cast<std::size_t>(n_steps), std::vector<double>(n_radial));
    for (int step = 0; step < n_steps; ++step) {
        const double k = (step + 0.5) * dk;
        double g, dg;
        power.evaluate(k, g, dg);
        d.reciprocal.evaluate(k, f.data(), slope.data());
        for (std::size_t q = 0; q < n_radial; ++q) {
            const double term = g * f[q] * std::pow(k, static_cast<double>(q / n_max) + 2.0);
            weights[static_cast<std::size_t>(step)][q] = term * term;
            total[q] += term * term;
        }
    }
    const double safety = 0.3;
    for (int step = n_steps - 1; step >= 0; --step) {
        double error = 0.0;
        for (std::size_t q = 0; q < n_radial; ++q) {
            tail[q] += weights[static_cast<std::size_t>(step)][q];
            error += tail[q] / total[q] / static_cast<double>(n_radial);
        }
        if (std::sqrt(error) > safety * accuracy) return (step + 1) * dk;
    }
    return dk;
}

std::unique_ptr<FarField> make_periodic(const PotentialDescription& description, const FarFieldOptions& options,
                                        const Mat3& cell, double n_atoms, Communicator& communicator,
                                        MeshBackendFactory&) {
    return make_ksum(description, options, cell, n_atoms, communicator);
}

}  // namespace mlcalc
