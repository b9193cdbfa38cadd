// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>

#include "far_field.hpp"

namespace mlcalc {

/// Is the mesh asked for, or chosen automatically as the faster one?
bool wants_mesh(const PotentialDescription&, const FarFieldOptions&, double volume, double n_atoms);

/// The k-sum or the mesh for a periodic cell, with the integers that the accuracy asks for. Throws
/// std::invalid_argument if they would exceed the memory limit.
std::unique_ptr<FarField> make_periodic(const PotentialDescription&, const FarFieldOptions&, const Mat3& cell,
                                        double n_atoms, Communicator&, MeshBackendFactory&);

}  // namespace mlcalc
