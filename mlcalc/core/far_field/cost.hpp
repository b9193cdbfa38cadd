// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "far_field/far_field.hpp"
#include "far_field/mesh/mesh.hpp"

namespace mlcalc {

/// What an evaluator costs for V, forces and virial, in microseconds of one process, to choose between them; fitted to
/// 8 to 1000 ions of molten salt, benchmarks/far_field.py --tables crossover. Front-ends whose transforms are slower
/// use the same numbers: the energy of a system must not depend on where it is computed and by how many ranks.
struct FarFieldCost {
    const FieldDescription& description;
    double n_atoms;

    double ksum(double n_wave_vectors) const;
    double mesh(const FilterBank&, const std::vector<Mesh::Settings>&) const;
    /// Of a near part, its pairs included, in atoms of this density (1/Angstrom^3).
    double near(double radius, double density) const;
    /// No mesh costs less.
    static constexpr double least_mesh = 50.0;
};

}  // namespace mlcalc
