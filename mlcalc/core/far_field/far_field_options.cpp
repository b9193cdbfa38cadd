// SPDX-License-Identifier: BSD-3-Clause
/// Options of far fields, and how long what was chosen by them serves.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "base/boundaries.hpp"
#include "base/lattice.hpp"
#include "base/number.hpp"
#include "base/slab.hpp"
#include "far_field/far_field.hpp"
#include "far_field/mesh/window.hpp"
#include "simd/mesh_kernels.hpp"

namespace mlcalc {

double split_radius(const FarFieldOptions& options) {
    return options.split < 0.0 ? options.densities_cutoff : options.split;
}

void check_options(const FarFieldOptions& options) {
    if (!(options.accuracy >= 1e-12 && options.accuracy <= 0.1)) {
        throw std::invalid_argument("the accuracy of the far field must be from 1e-12 to 0.1, got " +
                                    number(options.accuracy));
    }
    const auto& m = options.mesh;
    const bool given = std::any_of(m.begin(), m.end(), [](int points) { return points != 0; });
    if (given && (*std::min_element(m.begin(), m.end()) < 1 || *std::max_element(m.begin(), m.end()) > 1000000)) {
        throw std::invalid_argument(
            "mesh needs three positive integers, at most 10^6, or three zeros to have them chosen, got " +
            std::to_string(m[0]) + " " + std::to_string(m[1]) + " " + std::to_string(m[2]));
    }
    if (options.order != 0 && (options.order < 4 || options.order > Window::largest_order)) {
        throw std::invalid_argument("the order of the mesh windows must be from 4 to 12, or 0 to have it chosen, got " +
                                    std::to_string(options.order));
    }
    if (!std::isfinite(options.split) || options.split > 1000.0 || (options.split > 0.0 && options.split < 1.0)) {
        throw std::invalid_argument("split must be from 1 to 1000 Angstrom, got " + number(options.split));
    }
    if (!(options.k_cutoff >= 0.0 && std::isfinite(options.k_cutoff))) {
        throw std::invalid_argument("k_cutoff must be a number of at least 0, got " + number(options.k_cutoff));
    }
    if (options.memory_limit < 1) throw std::invalid_argument("memory_limit must be a positive number of bytes, got 0");
}

void check_options(const FarFieldOptions& options, const FieldDescription& d) {
    check_options(options);
    const bool meshes = options.method == FarFieldMethod::automatic || options.method == FarFieldMethod::mesh;
    const int least = Window::least_order(d.l_max);
    if (meshes && options.order != 0 && options.order < least && d.l_max < max_mesh_degree) {
        throw std::invalid_argument("the order of the mesh windows must be at least " + std::to_string(least) +
                                    " for l_max " + std::to_string(d.l_max) + " of expansion '" + d.name + "', got " +
                                    std::to_string(options.order) + "; forces need " + std::to_string(d.l_max + 1) +
                                    " continuous derivatives");
    }
    if (options.method == FarFieldMethod::mesh && d.l_max >= max_mesh_degree) {
        throw std::invalid_argument("the mesh serves l_max up to " + std::to_string(max_mesh_degree - 1) + ", got " +
                                    std::to_string(d.l_max) + "; use the k-sum");
    }
}

bool spacing_fits(const Mat3& chosen_for, const Mat3& cell) {
    const Lattice before(chosen_for), now(cell);
    if (!before.valid() || !now.valid()) return false;
    for (int a = 0; a < 3; ++a) {
        if (std::abs(now.length(a) / before.length(a) - 1.0) > 0.1) return false;
        if (std::abs(now.height(a) / before.height(a) - 1.0) > 0.1) return false;
    }
    return true;
}

bool spacing_fits(const Mat3& chosen_for, const Atoms& atoms) {
    if (boundaries_of(atoms.pbc) != Boundaries::slab) return spacing_fits(chosen_for, atoms.cell);
    const OpenDirection open = open_direction(atoms);
    const Vec3& vector = chosen_for[static_cast<std::size_t>(open.axis)];
    return spacing_fits(chosen_for, padded(atoms.cell, open, std::sqrt(dot(vector, vector))));
}

}  // namespace mlcalc
