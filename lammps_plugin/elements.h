// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

namespace mlcalc_lammps {

/// Atomic number of a chemical symbol, 0 if there is no such element.
int atomic_number(const std::string& symbol);

/// Chemical symbol of an atomic number, "?" if out of range.
const char* chemical_symbol(int number);

}  // namespace mlcalc_lammps
