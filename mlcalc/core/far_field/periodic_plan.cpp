// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/periodic_plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>

#include "base/number.hpp"
#include "far_field/ksum/ksum.hpp"
#include "simd/mesh_kernels.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
/// Largest wave number of the tables that a list may use, so that a compressed cell stays inside.
constexpr double table_margin = 0.9;
/// The k-sum is taken where it costs up to this multiple of the mesh: it conserves momentum to rounding, and
/// distributed transforms cost more than those of one process.
constexpr double ksum_margin = 1.2;
/// Fewer atoms always have the k-sum: the estimate of the mesh is for liquids and leaves out the force of an atom on
/// itself, the only one that a lone atom in a large cell has.
constexpr double few_atoms = 16.0;
/// A near part has to save this much of the cost, which is an estimate, before it is taken.
constexpr double split_margin = 0.9;
/// As for meshes; of a list behind a near part.
constexpr double split_safety = 3.0;

/// Half of the points of a sphere.
double wave_vectors(double cutoff, double volume) {
    return volume * std::pow(cutoff, 3) / (12.0 * pi * pi);
}

std::string mebibytes(double bytes) {
    return std::to_string(static_cast<long long>(std::ceil(bytes / 1048576.0))) + " MiB";
}

}  // namespace

PeriodicPlanner::PeriodicPlanner(const FieldDescription& description, const FarFieldOptions& options, int n_ranks,
                                 const MeshBackendFactory& factory)
    : description_(description), options_(options), n_ranks_(n_ranks), factory_(factory), spectrum_(description) {
    // a sharp cutoff is that of the whole field
    const double radius = options.k_cutoff > 0.0 && options.split < 0.0 ? 0.0 : split_radius(options);
    if (radius == 0.0 || options.split < 0.0) add_candidate(0.0);
    if (radius > 0.0) add_candidate(radius);
}

void PeriodicPlanner::add_candidate(double radius) {
    Candidate out{MeshPlanner(description_, options_, spectrum_, radius), 0.0};
    const double limit = ksum_limit();
    double cutoff = converged_cutoff(description_, options_.accuracy);
    if (radius > 0.0 && options_.split > 0.0) {
        double low = 0.05 * cutoff, high = std::min(2.0 * cutoff, limit);
        for (int step = 0; step < 12; ++step) {
            const double middle = 0.5 * (low + high);
            const bool enough =
                split_safety * std::sqrt(out.meshes.error().ksum(middle, options_.accuracy)) <= options_.accuracy;
            (enough ? high : low) = middle;
        }
        cutoff = high;
    }
    out.k_cutoff = options_.k_cutoff > 0.0 ? options_.k_cutoff : std::min(limit, drift_margin * cutoff);
    candidates_.push_back(std::move(out));
}

/// What each of n_ranks ranks holds: spectra, filters and grids of its own points, its halo, its atoms.
double PeriodicPlanner::bytes(const std::vector<Mesh::Settings>& meshes, double n_atoms, int n_ranks) const {
    const FieldDescription& d = description_;
    const double n_jobs = Mesh::n_jobs(d.n_channels());
    const double edge = factory_.divides_halo() ? std::cbrt(static_cast<double>(n_ranks)) : 1.0;
    double out = 0.0;
    for (const Mesh::Settings& mesh : meshes) {
        const double n = static_cast<double>(mesh.filters.size());
        double points = 1.0 / n_ranks, ghosted = 1.0;
        for (const int m : mesh.grid.shape) {
            points *= m;
            ghosted *= m / edge + mesh.grid.order + 1.0;
        }
        out += points * (16.0 * ((n > 1.0 ? 2.0 : 1.0) * n_jobs + 1.0 + n) + factory_.bytes_per_point());
        out += ghosted * 16.0 * (n_ranks > 1 && !factory_.divides_halo() ? 3.0 : 1.0);
        out += n_atoms / n_ranks * 8.0 * (n * d.n_channels() * tensor_size(d.l_max + 1) + 30.0);
    }
    return out;
}

/// The least number of ranks on which the memory suffices; 0: it does on none.
int PeriodicPlanner::enough_ranks(const std::vector<Mesh::Settings>& meshes, double n_atoms) const {
    const auto suffice = [&](int n) { return bytes(meshes, n_atoms, n) <= static_cast<double>(options_.memory_limit); };
    int too_few = n_ranks_, enough = 2 * n_ranks_;
    for (; !suffice(enough); enough *= 2) {
        if (enough > 1 << 20) return 0;
        too_few = enough;
    }
    while (enough - too_few > 1) {
        const int middle = too_few + (enough - too_few) / 2;
        (suffice(middle) ? enough : too_few) = middle;
    }
    return enough;
}

void PeriodicPlanner::check_memory(const std::vector<Mesh::Settings>& meshes, double n_atoms) const {
    const double needed = bytes(meshes, n_atoms, n_ranks_);
    if (needed <= static_cast<double>(options_.memory_limit)) return;
    const std::array<int, 3>& shape = meshes.front().grid.shape;
    const int enough = enough_ranks(meshes, n_atoms);
    throw std::invalid_argument(
        "smearing " + number(description_.smearing) + " Angstrom at this accuracy needs a mesh of " +
        std::to_string(shape[0]) + " x " + std::to_string(shape[1]) + " x " + std::to_string(shape[2]) +
        " points, about " + mebibytes(needed) +
        (n_ranks_ > 1 ? " on each of " + std::to_string(n_ranks_) + " ranks" : std::string()) +
        ", more than the memory limit of " + mebibytes(static_cast<double>(options_.memory_limit)) +
        " of each rank (keyword memory of pair_style, memory_limit of the calculator); use a higher limit, a larger "
        "smearing, a lower accuracy" +
        (enough > 0 ? " or at least " + std::to_string(enough) + " ranks" : std::string()));
}

double PeriodicPlanner::ksum_limit() const {
    return table_margin * description_.reciprocal.x_max();
}

/// Throws std::invalid_argument if this k-sum cannot be.
void PeriodicPlanner::check_ksum(double cutoff, const Lattice& lattice, double n_atoms) const {
    if (!(cutoff <= ksum_limit())) {
        throw std::invalid_argument("k_cutoff must be at most " + std::to_string(ksum_limit()) +
                                    " / Angstrom for this smearing, got " + std::to_string(cutoff));
    }
    const double n_k = wave_vectors(cutoff, lattice.volume);
    const CoefficientShape shape = description_.shape();
    const double per_k = 8.0 * shape.n_lm() + 4.0 * shape.n_channels + 4.0 * shape.n_max * (shape.l_max + 1);
    const double needed = 8.0 * n_k * per_k + n_atoms / n_ranks_ * shape.n_lm() * shape.n_q() * 16.0;
    if (!(needed <= static_cast<double>(options_.memory_limit))) {
        throw std::invalid_argument(
            "the k-sum would need " + std::to_string(static_cast<long long>(n_k)) + " wave vectors and " +
            mebibytes(needed) + ", more than the memory limit of " +
            mebibytes(static_cast<double>(options_.memory_limit)) +
            " of each rank; use the mesh, a larger smearing, a lower accuracy or a higher limit");
    }
}

/// Meshes behind this near part; none if the k-sum is asked for or, automatically, faster.
std::vector<Mesh::Settings> PeriodicPlanner::meshes(Candidate& candidate, const Lattice& lattice,
                                                    const FarFieldCost& cost) const {
    const bool automatic = options_.method == FarFieldMethod::automatic;
    const bool possible = description_.l_max + 1 <= max_mesh_degree;
    if (options_.method == FarFieldMethod::ksum || (automatic && (options_.k_cutoff > 0.0 || !possible))) return {};
    const double ksum = cost.ksum(wave_vectors(candidate.k_cutoff, lattice.volume));
    if (automatic && (cost.n_atoms < few_atoms || ksum < FarFieldCost::least_mesh)) return {};
    std::vector<Mesh::Settings> out = candidate.meshes.meshes(lattice, cost);
    if (automatic && !out.empty() && ksum < ksum_margin * cost.mesh(spectrum_.bank(), out)) out.clear();
    if (!automatic && out.empty()) {
        throw std::invalid_argument("no mesh reaches the accuracy " + std::to_string(options_.accuracy) +
                                    " for this expansion; ask for a lower one or use the k-sum");
    }
    return out;
}

PeriodicPlan PeriodicPlanner::plan(const Lattice& mesh_lattice, const Lattice& ksum_lattice, double n_atoms,
                                   double filled) {
    const FarFieldCost cost{description_, n_atoms};
    Candidate* best = nullptr;
    PeriodicPlan out;
    double least = std::numeric_limits<double>::infinity();
    for (Candidate& candidate : candidates_) {
        std::vector<Mesh::Settings> found = meshes(candidate, mesh_lattice, cost);
        // training rows come from the whole k-sum: it is divided on request only, so that they fit to rounding
        if (found.empty() && candidate.meshes.radius() > 0.0 && options_.split < 0.0) continue;
        double total = found.empty() ? cost.ksum(wave_vectors(candidate.k_cutoff, ksum_lattice.volume))
                                     : cost.mesh(spectrum_.bank(), found);
        total += cost.near(candidate.meshes.radius(), n_atoms / (filled * ksum_lattice.volume));
        if (best != nullptr && total > split_margin * least) continue;
        least = total;
        best = &candidate;
        out.meshes.meshes = std::move(found);
    }
    out.radius = best->meshes.radius();
    FieldError::Series* near = out.radius > 0.0 ? &out.near : nullptr;
    if (out.meshes.meshes.empty()) {
        out.k_cutoff = best->k_cutoff;
        check_ksum(out.k_cutoff, ksum_lattice, n_atoms);
        if (near != nullptr) best->meshes.error().ksum(out.k_cutoff, options_.accuracy, near);
        return out;
    }
    check_memory(out.meshes.meshes, n_atoms);
    out.meshes.n_threads = options_.n_threads;
    out.meshes.estimate = best->meshes.estimate(out.meshes.meshes, mesh_lattice, near);
    if (!std::isfinite(out.meshes.estimate)) {
        throw std::invalid_argument("the error of the mesh of expansion '" + description_.name +
                                    "' cannot be estimated, its radial functions are out of range; use the k-sum");
    }
    return out;
}

}  // namespace mlcalc
