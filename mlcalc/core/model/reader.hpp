// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>

#include "model/description.hpp"

namespace mlcalc {

/// Reads a model from memory. Throws std::runtime_error with one sentence naming the file and the field.
std::shared_ptr<const Model> parse_model(const void* bytes, std::size_t size, const std::string& source);

}  // namespace mlcalc
