// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <mpi.h>

#include <type_traits>

#include "find_symbol.h"
#include "lmptype.h"

// The version of LAMMPS whose headers this file is compiled with, as lammps_version() counts: 20250722.
#ifndef MLCALC_LAMMPS_VERSION
#error "define MLCALC_LAMMPS_VERSION as the date of the LAMMPS headers, for example 20250722"
#endif

namespace mlcalc_lammps {

namespace {

std::string quoted(int number) {
    return std::to_string(number);
}

std::string wrong_version(void* lammps) {
    auto* version = find<int(void*)>("lammps_version");
    if (version == nullptr) return "the program exports no lammps_version(), so it is not LAMMPS or is too old";
    const int found = version(lammps);
    if (found == MLCALC_LAMMPS_VERSION) return {};
    return "this LAMMPS has version " + quoted(found) + " and the plugin was built for " +
           quoted(MLCALC_LAMMPS_VERSION) + "; build the plugin for this LAMMPS (cmake -S lammps_plugin)";
}

std::string wrong_integers(void* lammps) {
    auto* setting = find<int(void*, const char*)>("lammps_extract_setting");
    if (setting == nullptr) return "the program exports no lammps_extract_setting()";
    const int tagint = setting(lammps, "tagint");
    const int bigint = setting(lammps, "bigint");
    constexpr int our_tagint = sizeof(LAMMPS_NS::tagint);
    constexpr int our_bigint = sizeof(LAMMPS_NS::bigint);
    if (tagint == our_tagint && bigint == our_bigint) return {};
    return "this LAMMPS has tagint and bigint of " + quoted(tagint) + " and " + quoted(bigint) +
           " bytes and the plugin was built for " + quoted(our_tagint) + " and " + quoted(our_bigint) +
           "; build the plugin with the same LAMMPS_SIZES";
}

/// MPI_Comm is an integer in MPICH and its relatives, a pointer in Open MPI; the mangled name of LAMMPS's constructor
/// tells which one the library was compiled with.
std::string wrong_mpi() {
#ifdef MPI_STUBS
    constexpr bool stubs = true;
#else
    constexpr bool stubs = false;
#endif
    auto* has_mpi = find<int()>("lammps_config_has_mpi_support");
    if (has_mpi != nullptr && (has_mpi() == 0) != stubs)
        return std::string("this LAMMPS was built ") + (stubs ? "with" : "without") + " MPI and the plugin " +
               (stubs ? "without" : "with") + "; they must agree";
    const bool takes_int = find<void()>("_ZN9LAMMPS_NS6LAMMPSC1EiPPci") != nullptr;
    const bool takes_pointer = find<void()>("_ZN9LAMMPS_NS6LAMMPSC1EiPPcP19ompi_communicator_t") != nullptr;
    constexpr bool we_take_int = std::is_same_v<MPI_Comm, int>;
    if ((we_take_int && takes_int) || (!we_take_int && takes_pointer)) return {};
    const char* found = takes_int ? "MPICH or a relative" : takes_pointer ? "Open MPI" : "an unknown MPI";
    return std::string("this LAMMPS was built with ") + found + " and the plugin with " +
           (we_take_int ? "MPICH" : "Open MPI") + "; build the plugin with the mpi.h of this LAMMPS";
}

}  // namespace

std::string why_unfit(void* lammps) {
    std::string reason = wrong_version(lammps);
    if (reason.empty()) reason = wrong_integers(lammps);
    if (reason.empty()) reason = wrong_mpi();
    return reason;
}

}  // namespace mlcalc_lammps
