// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/types.hpp"
#include "model/description.hpp"

namespace mlcalc {

/// Throws std::invalid_argument for species that the model does not have and, with a far field, for positions that are
/// not finite.
void check_atoms(const Model& model, const Atoms& atoms);

}  // namespace mlcalc
