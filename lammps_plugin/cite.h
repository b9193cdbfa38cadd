// SPDX-License-Identifier: GPL-2.0-only
#pragma once

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// Tells LAMMPS's list of citations what the methods of this style are.
void cite(LAMMPS_NS::LAMMPS*);

}  // namespace mlcalc_lammps
