// SPDX-License-Identifier: BSD-3-Clause
#include "mesh_plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "ksum.hpp"
#include "lattice.hpp"
#include "mesh_error.hpp"
#include "mesh_kernels.hpp"
#include "mesh_set.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
/// Integers are kept while the cell drifts; a cell that grows by this factor still meets the accuracy.
constexpr double drift_margin = 1.04;
/// Largest wave number of the tables that a list may use, so that a compressed cell stays inside.
constexpr double table_margin = 0.9;
constexpr int max_order = 12;
/// Melts and water show up to this multiple of the error for independent atoms,
/// benchmarks/validation/far_field_accuracy.py.
constexpr double mesh_safety = 4.0;

/// Splines need l_max + 2 continuous derivatives for forces, one more to be of use.
int least_order(const PotentialDescription& d) {
    return std::max(4, d.l_max + 4);
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

/// The widest spacing with which splines of this order meet the accuracy for these filters; 0: none does.
double widest_spacing(MeshError& error, const std::vector<std::size_t>& filters, int order, double smearing,
                      double accuracy) {
    const double target = accuracy * accuracy;
    double low = 0.02 * smearing, high = 6.0 * smearing;
    if (error.squared(filters, order, low) > target) return 0.0;
    for (int step = 0; step < 10; ++step) {
        const double middle = std::sqrt(low * high);
        (error.squared(filters, order, middle) > target ? high : low) = middle;
    }
    return low;
}

struct Group {
    std::vector<std::size_t> filters;
    double spacing = 0.0;
};

/// Filters that need about the same spacing share a mesh: one more filter on a mesh costs half of what it costs on its
/// own, so its own must have half of the points.
std::vector<Group> group_filters(MeshError& error, std::size_t n_filters, int order, double smearing, double accuracy) {
    const double share = accuracy / std::sqrt(static_cast<double>(n_filters));
    std::vector<Group> alone;
    for (std::size_t q = 0; q < n_filters; ++q) {
        alone.push_back({{q}, widest_spacing(error, {q}, order, smearing, share)});
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
        group.spacing = widest_spacing(error, group.filters, order, smearing,
                                       accuracy / std::sqrt(static_cast<double>(out.size())));
    }
    return out;
}

/// Microseconds per atom, about: the transforms and passes over the meshes, and the stencils.
double cost_of(const std::vector<Group>& groups, int order, double volume_per_atom) {
    const int padded = BSpline::padded(order);
    double cost = 0.0;
    for (const Group& group : groups) {
        const double points = volume_per_atom / (group.spacing * group.spacing * group.spacing);
        const double n = static_cast<double>(group.filters.size());
        cost += 0.08 * points * (1.0 + n) + 0.0034 * order * order * padded * (n + 0.4);
    }
    return cost;
}

/// The cheapest order and groups that meet the accuracy.
std::vector<Group> choose_spacings(const PotentialDescription& d, const FarFieldOptions& options, MeshError& error,
                                   std::size_t n_filters, double volume_per_atom, int& order) {
    const int least = least_order(d);
    std::vector<Group> best;
    for (int tried = least; tried <= std::min(least + 4, max_order); ++tried) {
        if (options.order != 0 && tried != least) break;
        const int now = options.order != 0 ? options.order : tried;
        std::vector<Group> groups = group_filters(error, n_filters, now, d.smearing, options.accuracy / mesh_safety);
        if (std::any_of(groups.begin(), groups.end(), [](const Group& g) { return g.spacing == 0.0; })) continue;
        if (!best.empty() && cost_of(groups, now, volume_per_atom) >= cost_of(best, order, volume_per_atom)) continue;
        best = std::move(groups);
        order = now;
    }
    if (best.empty()) {
        throw std::invalid_argument("no mesh reaches the accuracy " + std::to_string(options.accuracy) +
                                    " for this expansion; ask for a lower one or use the k-sum");
    }
    return best;
}

/// Integers for the spacing of each group; groups that come to the same ones become one mesh.
std::vector<Mesh::Settings> make_shapes(const std::vector<Group>& groups, int order, bool interlaced,
                                        const Lattice& lattice) {
    std::vector<Mesh::Settings> out;
    for (const Group& group : groups) {
        Mesh::Settings mesh;
        mesh.order = order;
        mesh.interlaced = interlaced;
        mesh.filters = group.filters;
        for (int a = 0; a < 3; ++a) {
            const double wanted = std::ceil(lattice.length(a) * drift_margin / group.spacing);
            if (wanted > 1e6) throw std::invalid_argument("the mesh would have more than 10^6 points along one axis");
            mesh.shape[static_cast<std::size_t>(a)] = smooth_integer(static_cast<int>(wanted));
        }
        if (!out.empty() && out.back().shape == mesh.shape) {
            out.back().filters.insert(out.back().filters.end(), mesh.filters.begin(), mesh.filters.end());
        } else {
            out.push_back(std::move(mesh));
        }
    }
    return out;
}

void check_memory(const PotentialDescription& d, const FarFieldOptions& options,
                  const std::vector<Mesh::Settings>& meshes, double n_atoms) {
    const int n_pairs = (d.n_channels() + 1) / 2;
    const double n_jobs = options.interlaced ? d.n_channels() : n_pairs;
    double bytes = 0.0;
    for (const Mesh::Settings& mesh : meshes) {
        const double points = static_cast<double>(mesh.shape[0]) * mesh.shape[1] * mesh.shape[2];
        const double n = static_cast<double>(mesh.filters.size());
        bytes += points * 16.0 * ((n > 1.0 ? 2.0 : 1.0) * n_jobs + 2.0 + n);
        bytes += n_atoms * 8.0 * (n * d.n_channels() * tensor_size(d.l_max + 1) + 30.0);
    }
    if (bytes <= static_cast<double>(options.memory_limit)) return;
    const auto text = [](double x) { return std::to_string(static_cast<long long>(x)); };
    const std::array<int, 3>& shape = meshes.front().shape;
    throw std::invalid_argument(
        "smearing " + std::to_string(d.smearing) + " Angstrom at this accuracy needs a mesh of " + text(shape[0]) +
        " x " + text(shape[1]) + " x " + text(shape[2]) + " points, about " + text(bytes / 1048576.0) +
        " MiB, more than the memory limit of " + text(static_cast<double>(options.memory_limit) / 1048576.0) +
        " MiB; use a larger smearing, a lower accuracy or a higher limit");
}

MeshSet::Settings plan_meshes(const PotentialDescription& d, const FarFieldOptions& options, const Lattice& lattice,
                              double n_atoms) {
    const FilterBank bank(d);
    MeshError error(d, bank, options.interlaced);
    MeshSet::Settings settings;
    settings.accuracy = options.accuracy;
    settings.n_threads = options.n_threads;
    if (options.mesh[0] > 0 && options.mesh[1] > 0 && options.mesh[2] > 0) {  // given: one mesh for all
        Mesh::Settings mesh;
        mesh.shape = options.mesh;
        mesh.interlaced = options.interlaced;
        mesh.order = options.order != 0 ? options.order : std::min(least_order(d) + 2, max_order);
        for (std::size_t q = 0; q < bank.size(); ++q) mesh.filters.push_back(q);
        settings.meshes.push_back(std::move(mesh));
    } else {
        int order = 0;
        const double volume_per_atom = lattice.volume / std::max(n_atoms, 1.0);
        const auto groups = choose_spacings(d, options, error, bank.size(), volume_per_atom, order);
        settings.meshes = make_shapes(groups, order, options.interlaced, lattice);
    }
    check_memory(d, options, settings.meshes, n_atoms);
    double squared = 0.0;
    for (const Mesh::Settings& mesh : settings.meshes) {
        double worst = 0.0;
        for (int a = 0; a < 3; ++a) {
            worst = std::max(worst, lattice.length(a) / mesh.shape[static_cast<std::size_t>(a)]);
        }
        squared += error.squared(mesh.filters, mesh.order, worst);
    }
    settings.estimate = mesh_safety * std::sqrt(squared);
    return settings;
}

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
    const double per_k = 8.0 * shape.n_lm() + 4.0 * shape.n_channels + 4.0 * shape.n_max * (shape.l_max + 1);
    const double bytes = 8.0 * n_k * per_k + n_atoms * shape.n_lm() * shape.n_q() * 16.0;
    if (bytes > static_cast<double>(options.memory_limit)) {
        throw std::invalid_argument("the k-sum would need " + std::to_string(static_cast<long long>(n_k)) +
                                    " wave vectors and " + std::to_string(static_cast<long long>(bytes / 1048576.0)) +
                                    " MiB, more than the memory limit; use the mesh, a larger smearing, a lower "
                                    "accuracy or a higher limit");
    }
    return std::make_unique<KSum>(description, cutoff, cell, options.n_threads, communicator);
}

/// Microseconds, from benchmarks/far_field.py: the k-sum costs its multiplications, the mesh a constant per atom and
/// some overhead. The mesh has to be twice as fast: the k-sum conserves momentum to rounding.
bool mesh_is_faster(const PotentialDescription& d, const FarFieldOptions& options, double volume, double n_atoms) {
    const CoefficientShape shape = d.shape();
    const double cutoff = drift_margin * converged_cutoff(d, options.accuracy);
    const double n_k = volume * std::pow(cutoff, 3) / (12.0 * pi * pi);
    const double ksum = n_atoms * n_k * (10.0 + 0.27 * shape.n_lm() * shape.n_q()) * 1e-3;
    const double n_filters =
        static_cast<double>(d.filters.n_functions > 0 ? d.filters.n_functions : d.reciprocal.n_functions);
    const double mesh = 1500.0 + n_atoms * (2.0 + 6.0 * n_filters * ((shape.n_channels + 1) / 2));
    return ksum > 2.0 * mesh;
}

}  // namespace

bool wants_mesh(const PotentialDescription& description, const FarFieldOptions& options, double volume,
                double n_atoms) {
    if (options.method != FarFieldMethod::automatic) return options.method == FarFieldMethod::mesh;
    return options.k_cutoff <= 0.0 && description.l_max + 1 <= max_mesh_degree &&
           mesh_is_faster(description, options, volume, n_atoms);
}

std::unique_ptr<FarField> make_periodic(const PotentialDescription& description, const FarFieldOptions& options,
                                        const Mat3& cell, double n_atoms, Communicator& communicator,
                                        MeshBackendFactory& factory) {
    const Lattice lattice(cell);
    if (!wants_mesh(description, options, lattice.volume, n_atoms)) {
        return make_ksum(description, options, cell, n_atoms, communicator);
    }
    if (description.l_max + 1 > max_mesh_degree) {
        throw std::invalid_argument("the mesh serves l_max up to " + std::to_string(max_mesh_degree - 1) + ", got " +
                                    std::to_string(description.l_max) + "; use the k-sum");
    }
    return std::make_unique<MeshSet>(description, plan_meshes(description, options, lattice, n_atoms), communicator,
                                     factory);
}

}  // namespace mlcalc
