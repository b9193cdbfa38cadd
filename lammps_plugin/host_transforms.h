// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

namespace mlcalc_lammps {

/// Why the mesh cannot be distributed with LAMMPS's own grids and FFTs, empty if it can.
std::string why_no_distributed_mesh();

/// May a plan of LAMMPS's FFT be destroyed while others live? With FFTW3 and its threads LAMMPS (up to 4Jul2026 at
/// least) ends each destruction with fftw_cleanup_threads(), after which all other plans are undefined.
bool plans_can_be_destroyed();

}  // namespace mlcalc_lammps
