// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <vector>

#include "model/description.hpp"

namespace mlcalc {

/// The model of a system that has only some species, `kept` (ascending indices of model->species): channels, features,
/// weights and sparse points of the others are left out, since they multiply zeros. Energies and derivatives of the
/// system are those of the whole model. The result keeps the model alive.
std::shared_ptr<const Model> restricted(const std::shared_ptr<const Model>& model, const std::vector<int>& kept);

}  // namespace mlcalc
