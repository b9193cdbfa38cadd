// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

namespace mlcalc_lammps {

/// Why the mesh cannot be distributed with LAMMPS's own grids, empty if it can.
std::string why_no_distributed_mesh();

}  // namespace mlcalc_lammps
