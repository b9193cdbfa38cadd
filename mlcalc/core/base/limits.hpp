// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace mlcalc {

/// The largest angular momentum of an expansion; arrays on the stack have room for it.
constexpr int largest_l = 20;

}  // namespace mlcalc
