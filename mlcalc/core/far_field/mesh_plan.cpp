// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh_plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/lattice.hpp"
#include "far_field/ksum/ksum.hpp"
#include "simd/mesh_kernels.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
/// Integers are kept while the cell drifts; a cell that grows by this factor still meets the accuracy.
constexpr double drift_margin = 1.04;
/// Largest wave number of the tables that a list may use, so that a compressed cell stays inside.
constexpr double table_margin = 0.9;
/// The k-sum is taken where it costs up to this multiple of the mesh: it conserves momentum to rounding, and
/// distributed transforms cost more than those of one process.
constexpr double ksum_margin = 1.2;
/// Fewer atoms always have the k-sum: the estimate of the mesh is for liquids and leaves out the force of an atom on
/// itself, the only one that a lone atom in a large cell has.
constexpr double few_atoms = 16.0;
/// Melts and water show up to this multiple of the error for independent atoms,
/// benchmarks/validation/far_field_accuracy.py.
constexpr double mesh_safety = 3.0;
/// Of the windows that are compared, in units of pi (order - boxes): larger ones leave smaller aliases of waves that
/// are long, smaller ones keep those that are short.
constexpr double betas[] = {0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85};

/// Narrower windows than this save nothing.
int least_order(const FieldDescription& d) {
    return std::min(Window::least_order(d.l_max) + 1, Window::largest_order);
}

int smooth_integer(int at_least) {
    for (int m = std::max(at_least, 2);; ++m) {
        int rest = m;
        for (int factor : {2, 3, 5}) {
            while (rest % factor == 0) rest /= factor;
        }
        if (rest == 1) return m;
    }
}

/// The widest spacing of a mesh.
double widest(const Mesh::Settings& mesh, const Lattice& lattice) {
    double out = 0.0;
    for (std::size_t a = 0; a < 3; ++a) {
        out = std::max(out, lattice.length(static_cast<int>(a)) / mesh.grid.shape[a]);
    }
    return out;
}

/// Half of the points of a sphere.
double wave_vectors(double cutoff, double volume) {
    return volume * std::pow(cutoff, 3) / (12.0 * pi * pi);
}

}  // namespace

PeriodicPlanner::PeriodicPlanner(const FieldDescription& description, const FarFieldOptions& options, int n_ranks,
                                 const MeshBackendFactory& factory)
    : description_(description),
      options_(options),
      n_ranks_(n_ranks),
      factory_(factory),
      spectrum_(description),
      error_(description, spectrum_),
      ksum_cutoff_(options.k_cutoff > 0.0
                       ? options.k_cutoff
                       : std::min(ksum_limit(), drift_margin * converged_cutoff(description, options.accuracy))) {}

/// The widest spacing with which a window meets the accuracy for these filters; 0: it does with none.
double PeriodicPlanner::widest_spacing(const std::vector<std::size_t>& filters, int order, double beta,
                                       double accuracy) {
    const double target = accuracy * accuracy;
    double low = 0.02 * description_.smearing, high = 6.0 * description_.smearing;
    // written so that what is not a number meets no accuracy
    if (!(error_.squared(filters, order, beta, low) <= target)) return 0.0;
    for (int step = 0; step < 10; ++step) {
        const double middle = std::sqrt(low * high);
        (error_.squared(filters, order, beta, middle) <= target ? low : high) = middle;
    }
    return low;
}

/// The same with the best window of this order.
PeriodicPlanner::Group PeriodicPlanner::widest_group(const std::vector<std::size_t>& filters, int order,
                                                     double accuracy) {
    Group best{filters, 0.0, betas[0]};
    for (const double beta : betas) {
        const double spacing = widest_spacing(filters, order, beta, accuracy);
        if (spacing > best.spacing) best = {filters, spacing, beta};
    }
    return best;
}

/// Filters that need about the same spacing share a mesh: one more filter on a mesh costs half of what it costs on its
/// own, so its own must have half of the points. Empty if windows of this order do not meet the accuracy.
std::vector<PeriodicPlanner::Group> PeriodicPlanner::group_filters(int order) {
    const double accuracy = options_.accuracy / mesh_safety;
    const double share = accuracy / std::sqrt(static_cast<double>(spectrum_.bank().size()));
    std::vector<Group> alone;
    for (std::size_t q = 0; q < spectrum_.bank().size(); ++q) {
        alone.push_back(widest_group({q}, order, share));
        if (alone.back().spacing == 0.0) return {};
    }
    std::stable_sort(alone.begin(), alone.end(), [](const Group& a, const Group& b) { return a.spacing < b.spacing; });
    std::vector<Group> out;
    for (const Group& one : alone) {
        if (!out.empty() && one.spacing < 1.2 * out.back().spacing) {
            out.back().filters.push_back(one.filters[0]);
        } else {
            out.push_back(one);
        }
    }
    for (Group& group : out) {
        std::sort(group.filters.begin(), group.filters.end());
        group = widest_group(group.filters, order, accuracy / std::sqrt(static_cast<double>(out.size())));
        if (group.spacing == 0.0) return {};
    }
    return out;
}

const std::vector<PeriodicPlanner::Group>& PeriodicPlanner::groups(int order) {
    const auto found = of_order_.find(order);
    return found != of_order_.end() ? found->second : of_order_.emplace(order, group_filters(order)).first->second;
}

/// Integers for the spacing of each group, so many at least that no stencil wraps around; groups that come to the same
/// ones become one mesh.
std::vector<Mesh::Settings> PeriodicPlanner::make_shapes(int order, const Lattice& lattice) {
    std::vector<Mesh::Settings> out;
    for (const Group& group : groups(order)) {
        Mesh::Settings mesh;
        mesh.grid.order = order;
        mesh.grid.beta = group.beta;
        mesh.filters = group.filters;
        for (int a = 0; a < 3; ++a) {
            const double wanted = std::ceil(lattice.length(a) * drift_margin / group.spacing);
            if (wanted > 1e6) throw std::invalid_argument("the mesh would have more than 10^6 points along one axis");
            mesh.grid.shape[static_cast<std::size_t>(a)] = smooth_integer(std::max(static_cast<int>(wanted), order));
        }
        if (!out.empty() && out.back().grid.shape == mesh.grid.shape) {
            out.back().filters.insert(out.back().filters.end(), mesh.filters.begin(), mesh.filters.end());
        } else {
            out.push_back(std::move(mesh));
        }
    }
    return out;
}

/// The cheapest meshes that meet the accuracy; none if no order does.
std::vector<Mesh::Settings> PeriodicPlanner::cheapest(const Lattice& lattice, const FarFieldCost& cost) {
    if (options_.order != 0) return make_shapes(options_.order, lattice);
    const int least = least_order(description_);
    std::vector<Mesh::Settings> best;
    double least_cost = std::numeric_limits<double>::infinity();
    for (int order = least; order <= std::min(least + 4, Window::largest_order); ++order) {
        auto meshes = make_shapes(order, lattice);
        const double its_cost = cost.mesh(spectrum_.bank(), meshes);
        if (meshes.empty() || its_cost >= least_cost) continue;
        best = std::move(meshes);
        least_cost = its_cost;
    }
    return best;
}

/// The mesh asked for, one for all filters, with the window that suits it.
std::vector<Mesh::Settings> PeriodicPlanner::given(const Lattice& lattice) {
    Mesh::Settings mesh;
    mesh.grid.shape = options_.mesh;
    mesh.grid.order =
        options_.order != 0 ? options_.order : std::min(least_order(description_) + 2, Window::largest_order);
    for (std::size_t q = 0; q < spectrum_.bank().size(); ++q) mesh.filters.push_back(q);
    double least = std::numeric_limits<double>::infinity();
    mesh.grid.beta = betas[0];
    for (const double beta : betas) {
        const double error = error_.squared(mesh.filters, mesh.grid.order, beta, widest(mesh, lattice));
        if (error < least) mesh.grid.beta = beta;
        least = std::min(least, error);
    }
    return {mesh};
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

namespace {

std::string mebibytes(double bytes) {
    return std::to_string(static_cast<long long>(std::ceil(bytes / 1048576.0))) + " MiB";
}

}  // namespace

void PeriodicPlanner::check_memory(const std::vector<Mesh::Settings>& meshes, double n_atoms) const {
    const double needed = bytes(meshes, n_atoms, n_ranks_);
    if (needed <= static_cast<double>(options_.memory_limit)) return;
    const std::array<int, 3>& shape = meshes.front().grid.shape;
    const int enough = enough_ranks(meshes, n_atoms);
    char smearing[32];
    std::snprintf(smearing, sizeof smearing, "%.6g", description_.smearing);
    throw std::invalid_argument(
        std::string("smearing ") + smearing + " Angstrom at this accuracy needs a mesh of " + std::to_string(shape[0]) +
        " x " + std::to_string(shape[1]) + " x " + std::to_string(shape[2]) + " points, about " + mebibytes(needed) +
        (n_ranks_ > 1 ? " on each of " + std::to_string(n_ranks_) + " ranks" : std::string()) +
        ", more than the memory limit of " + mebibytes(static_cast<double>(options_.memory_limit)) +
        " of each rank (keyword memory of pair_style, memory_limit of the calculator); use a higher limit, a larger "
        "smearing, a lower accuracy" +
        (enough > 0 ? " or at least " + std::to_string(enough) + " ranks" : std::string()));
}

double PeriodicPlanner::estimate(const std::vector<Mesh::Settings>& meshes, const Lattice& lattice) {
    double squared = 0.0;
    for (const Mesh::Settings& mesh : meshes) {
        squared += error_.squared(mesh.filters, mesh.grid.order, mesh.grid.beta, widest(mesh, lattice));
    }
    return mesh_safety * std::sqrt(squared);
}

double PeriodicPlanner::ksum_limit() const {
    return table_margin * description_.reciprocal.x_max();
}

double PeriodicPlanner::ksum_cutoff(const Mat3& cell, double n_atoms) const {
    if (!(ksum_cutoff_ <= ksum_limit())) {
        throw std::invalid_argument("k_cutoff must be at most " + std::to_string(ksum_limit()) +
                                    " / Angstrom for this smearing, got " + std::to_string(ksum_cutoff_));
    }
    const double n_k = wave_vectors(ksum_cutoff_, Lattice(cell).volume);
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
    return ksum_cutoff_;
}

std::optional<MeshSet::Settings> PeriodicPlanner::meshes(const Mat3& cell, double n_atoms) {
    const bool automatic = options_.method == FarFieldMethod::automatic;
    const bool possible = description_.l_max + 1 <= max_mesh_degree;
    if (options_.method == FarFieldMethod::ksum || (automatic && (options_.k_cutoff > 0.0 || !possible))) return {};
    const Lattice lattice(cell);
    const FarFieldCost cost{description_, n_atoms};
    const double ksum = cost.ksum(wave_vectors(ksum_cutoff_, lattice.volume));
    if (automatic && (n_atoms < few_atoms || ksum < FarFieldCost::least_mesh)) return {};
    MeshSet::Settings settings;
    settings.accuracy = options_.accuracy;
    settings.n_threads = options_.n_threads;
    settings.meshes = options_.mesh[0] > 0 ? given(lattice) : cheapest(lattice, cost);
    if (automatic && (settings.meshes.empty() || ksum < ksum_margin * cost.mesh(spectrum_.bank(), settings.meshes)))
        return {};
    if (settings.meshes.empty()) {
        throw std::invalid_argument("no mesh reaches the accuracy " + std::to_string(options_.accuracy) +
                                    " for this expansion; ask for a lower one or use the k-sum");
    }
    check_memory(settings.meshes, n_atoms);
    settings.estimate = estimate(settings.meshes, lattice);
    if (!std::isfinite(settings.estimate)) {
        throw std::invalid_argument("the error of the mesh of expansion '" + description_.name +
                                    "' cannot be estimated, its radial functions are out of range; use the k-sum");
    }
    return settings;
}

}  // namespace mlcalc
