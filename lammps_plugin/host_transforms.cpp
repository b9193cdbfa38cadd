// SPDX-License-Identifier: GPL-2.0-only
#include "host_transforms.h"

#include "find_symbol.h"

namespace mlcalc_lammps {

std::string why_no_distributed_mesh() {
    auto* single = find<bool()>("_ZN9LAMMPS_NS4Info22has_fft_single_supportEv");
    if (single != nullptr && single()) return "this LAMMPS has single-precision FFTs and double is needed";
    if (find<void()>("fft_3d_create_plan") == nullptr || find<void()>("fft_3d") == nullptr)
        return "this LAMMPS has no FFTs (the KSPACE package is missing)";
    if (find<void()>("_ZN9LAMMPS_NS6Grid3d8get_sizeERiS1_S1_") == nullptr)
        return "this LAMMPS has no distributed grids of the kind that is needed";
    return {};
}

bool plans_can_be_destroyed() {
    static const bool can = [] {
        if (find<void()>("fftw_cleanup_threads") != nullptr) return false;
        auto* description = find<std::string()>("_ZN9LAMMPS_NS4Info12get_fft_infoB5cxx11Ev");
        return description == nullptr || description().find("with threads") == std::string::npos;
    }();
    return can;
}

}  // namespace mlcalc_lammps
