// SPDX-License-Identifier: GPL-2.0-only
#include "host_grids.h"

#include "find_symbol.h"

namespace mlcalc_lammps {

std::string why_no_distributed_mesh() {
    if (find<void()>("_ZN9LAMMPS_NS6Grid3d8get_sizeERiS1_S1_") == nullptr)
        return "this LAMMPS has no distributed grids of the kind that is needed";
    return {};
}

}  // namespace mlcalc_lammps
