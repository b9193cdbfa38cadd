// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>

#include "far_field.hpp"

namespace mlcalc {

/// Cutoff of the k-sum whose relative force error is below `accuracy`: structure factors are taken as those of
/// independent atoms, each coefficient counts in units of its own spread. At most the k of the tables.
double converged_cutoff(const PotentialDescription&, double accuracy);

/// Relative force error of an interlaced mesh, in the same terms: aliases of gathering and spreading, and what lies
/// beyond the mesh.
double mesh_error(const PotentialDescription&, int order, double spacing);

/// The k-sum or the mesh for a periodic cell, with the integers that the accuracy asks for. Throws
/// std::invalid_argument if they would exceed the memory limit.
std::unique_ptr<FarField> make_periodic(const PotentialDescription&, const FarFieldOptions&, const Mat3& cell,
                                        double n_atoms, Communicator&, MeshBackendFactory&);

}  // namespace mlcalc
