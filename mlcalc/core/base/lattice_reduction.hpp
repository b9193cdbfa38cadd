// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>

#include "base/types.hpp"

namespace mlcalc {

/// Another basis of the same lattice: rows of integers, of determinant 1 or -1.
using BasisChange = std::array<std::array<double, 3>, 3>;

/// The change to short, nearly orthogonal vectors, so that loops over wave vectors and meshes stay as small as the
/// volume allows [Semaev, Lect. Notes Comput. Sci. 2146, 181 (2001)]. The identity for cells that are not much skewed.
/// Throws std::invalid_argument if the vectors are so skewed that rounding hides their shortest combination.
BasisChange reduced_basis(const Mat3& cell);

Mat3 changed(const Mat3& cell, const BasisChange&);

}  // namespace mlcalc
