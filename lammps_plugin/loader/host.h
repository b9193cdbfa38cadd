// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

namespace mlcalc_lammps {

/// Why this plugin cannot work inside the LAMMPS that loaded it: one sentence with what was found and what is needed,
/// empty if it fits. Asks only through C functions of the LAMMPS library, whose meaning does not depend on the version.
std::string why_unfit(void* lammps);

}  // namespace mlcalc_lammps
