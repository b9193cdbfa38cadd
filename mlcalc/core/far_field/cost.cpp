// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/cost.hpp"

namespace mlcalc {

/// The matrix of each wave vector; phases and multiplications for each atom.
double FarFieldCost::ksum(double n_wave_vectors) const {
    const CoefficientShape shape = description.shape();
    const double columns = shape.n_lm() * shape.n_q();
    return 45.0 + n_wave_vectors * (0.02 * columns + n_atoms * (0.026 + 0.00022 * columns));
}

/// Transforms, and the stencils that atoms spread and gather with: degree 0 and 1 for the sources, l + 1 and l for each
/// filter.
double FarFieldCost::mesh(const FilterBank& bank, const std::vector<Mesh::Settings>& meshes) const {
    double cost = 0.0;
    for (const Mesh::Settings& mesh : meshes) {
        const int order = mesh.grid.order, n_jobs = Mesh::n_jobs(description.n_channels());
        double points = 1.0, ghosted = 1.0, degrees = 3.0;
        for (const int m : mesh.grid.shape) {
            points *= m;
            ghosted *= m + order;
        }
        for (const std::size_t q : mesh.filters) degrees += 2.0 * bank.l_max(q) + 3.0;
        const double n_filters = static_cast<double>(mesh.filters.size());
        cost += n_jobs * (2.0 + 2.0 * n_filters) * (5.0 + 0.0075 * points + 0.0025 * ghosted);
        // the rows of vectors of 4 for all: the choice must not depend on the processor
        const double weights = order * order * (order <= 8 ? 8 : order <= 10 ? 10 : 12);
        cost += n_atoms * n_jobs * (0.2 * n_filters + 0.0003 * weights * degrees);
    }
    return cost;
}

/// Two passes over the pairs: geometry and harmonics, and each radial function.
double FarFieldCost::near(double radius, double density) const {
    const double pairs = 4.18879 * radius * radius * radius * density;
    return n_atoms * pairs * (0.08 + 0.012 * (description.n_max - 1));
}

}  // namespace mlcalc
