// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh_plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace mlcalc {
namespace {

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

/// How much more of an alias reaches the forces in a cell that is skewed beyond what LAMMPS holds to be so: a window
/// errs by waves along the reciprocal vectors, which are longer by length / height than the mesh along them is fine,
/// and l + 1 derivatives are taken. benchmarks/validation/far_field_accuracy.py has no such cells;
/// tests/test_lammps_mesh.py.
double skew_allowance(const Lattice& lattice, int l_max) {
    constexpr double harmless = 1.5;
    double skew = 1.0;
    for (int a = 0; a < 3; ++a) skew = std::max(skew, lattice.length(a) / lattice.height(a));
    return std::pow(std::max(1.0, skew / harmless), l_max + 1);
}

}  // namespace

MeshPlanner::MeshPlanner(const FieldDescription& description, const FarFieldOptions& options,
                         const FieldSpectrum& spectrum, double radius)
    : description_(&description), options_(&options), spectrum_(&spectrum), error_(description, spectrum, radius) {}

/// The widest spacing with which a window meets the accuracy for these filters; 0: it does with none.
double MeshPlanner::widest_spacing(const std::vector<std::size_t>& filters, int order, double beta, double accuracy) {
    const double target = accuracy * accuracy;
    double low = 0.02 * description_->smearing, high = 6.0 * description_->smearing;
    // written so that what is not a number meets no accuracy
    if (!(error_.mesh(filters, order, beta, low) <= target)) return 0.0;
    for (int step = 0; step < 10; ++step) {
        const double middle = std::sqrt(low * high);
        (error_.mesh(filters, order, beta, middle) <= target ? low : high) = middle;
    }
    return low;
}

/// The same with the best window of this order.
MeshPlanner::Group MeshPlanner::widest_group(const std::vector<std::size_t>& filters, int order, double accuracy) {
    Group best{filters, 0.0, betas[0]};
    for (const double beta : betas) {
        const double spacing = widest_spacing(filters, order, beta, accuracy);
        if (spacing > best.spacing) best = {filters, spacing, beta};
    }
    return best;
}

/// Filters that need about the same spacing share a mesh: one more filter on a mesh costs half of what it costs on its
/// own, so its own must have half of the points. Empty if windows of this order do not meet the accuracy.
std::vector<MeshPlanner::Group> MeshPlanner::group_filters(int order) {
    const double accuracy = options_->accuracy / mesh_safety / allowance_;
    const double share = accuracy / std::sqrt(static_cast<double>(spectrum_->bank().size()));
    std::vector<Group> alone;
    for (std::size_t q = 0; q < spectrum_->bank().size(); ++q) {
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

const std::vector<MeshPlanner::Group>& MeshPlanner::groups(int order) {
    const auto found = of_order_.find(order);
    return found != of_order_.end() ? found->second : of_order_.emplace(order, group_filters(order)).first->second;
}

/// Integers for the spacing of each group, so many at least that no stencil wraps around; groups that come to the same
/// ones become one mesh.
std::vector<Mesh::Settings> MeshPlanner::make_shapes(int order, const Lattice& lattice) {
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
std::vector<Mesh::Settings> MeshPlanner::meshes(const Lattice& lattice, const FarFieldCost& cost) {
    const double allowance = skew_allowance(lattice, description_->l_max);
    if (allowance != allowance_) of_order_.clear();
    allowance_ = allowance;
    if (options_->mesh[0] > 0) return given(lattice);
    if (options_->order != 0) return make_shapes(options_->order, lattice);
    const int least = least_order(*description_);
    std::vector<Mesh::Settings> best;
    double least_cost = std::numeric_limits<double>::infinity();
    for (int order = least; order <= std::min(least + 4, Window::largest_order); ++order) {
        auto meshes = make_shapes(order, lattice);
        const double its_cost = cost.mesh(spectrum_->bank(), meshes);
        if (meshes.empty() || its_cost >= least_cost) continue;
        best = std::move(meshes);
        least_cost = its_cost;
    }
    return best;
}

/// The mesh asked for, one for all filters, with the window that suits it.
std::vector<Mesh::Settings> MeshPlanner::given(const Lattice& lattice) {
    Mesh::Settings mesh;
    mesh.grid.shape = options_->mesh;
    mesh.grid.order =
        options_->order != 0 ? options_->order : std::min(least_order(*description_) + 2, Window::largest_order);
    for (std::size_t q = 0; q < spectrum_->bank().size(); ++q) mesh.filters.push_back(q);
    double least = std::numeric_limits<double>::infinity();
    mesh.grid.beta = betas[0];
    for (const double beta : betas) {
        const double error = error_.mesh(mesh.filters, mesh.grid.order, beta, widest(mesh, lattice));
        if (error < least) mesh.grid.beta = beta;
        least = std::min(least, error);
    }
    return {mesh};
}

double MeshPlanner::estimate(const std::vector<Mesh::Settings>& meshes, const Lattice& lattice,
                             FieldError::Series* near) {
    double squared = 0.0;
    for (const Mesh::Settings& mesh : meshes) {
        squared += error_.mesh(mesh.filters, mesh.grid.order, mesh.grid.beta, widest(mesh, lattice), near);
    }
    return mesh_safety * skew_allowance(lattice, description_->l_max) * std::sqrt(squared);
}

}  // namespace mlcalc
