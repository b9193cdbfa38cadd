// SPDX-License-Identifier: GPL-2.0-only
/// The function that LAMMPS calls after it has loaded this library.
#include "error.h"
#include "host.h"
#include "lammps.h"
#include "pair_mlcalc.h"
#include "utils.h"

namespace {

/// LAMMPS's lammpsplugin_t, which its installed headers do not contain.
struct LammpsPlugin {
    const char* version;
    const char* style;
    const char* name;
    const char* info;
    const char* author;
    union {
        void* (*without_arguments)(void*);
        void* (*with_arguments)(void*, int, char**);
    } creator;
    void* handle;
};

using Register = void (*)(LammpsPlugin*, void*);

std::string reason_to_refuse;

void* make_pair_mlcalc(void* lammps) {
    return static_cast<LAMMPS_NS::Pair*>(new LAMMPS_NS::PairMLCalc(static_cast<LAMMPS_NS::LAMMPS*>(lammps)));
}

void* refuse_pair_mlcalc(void* lammps) {
    static_cast<LAMMPS_NS::LAMMPS*>(lammps)->error->all(FLERR, "pair_style mlcalc cannot be used: " + reason_to_refuse);
}

}  // namespace

/// A plugin that does not fit must not break runs that never ask for it: it registers a style that explains itself.
extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void* lammps, void* handle, void* regfunc) {
    static LammpsPlugin plugin;
    auto* instance = static_cast<LAMMPS_NS::LAMMPS*>(lammps);
    reason_to_refuse = mlcalc_lammps::why_unfit(lammps);
    plugin.version = instance->version;
    plugin.style = "pair";
    plugin.name = "mlcalc";
    plugin.info = "SOAP and LODE machine-learned potentials (mlcalc)";
    plugin.author = "the mlcalc developers";
    plugin.creator.without_arguments = reason_to_refuse.empty() ? make_pair_mlcalc : refuse_pair_mlcalc;
    plugin.handle = handle;
    if (!reason_to_refuse.empty())
        LAMMPS_NS::utils::logmesg(instance, "WARNING: pair_style mlcalc cannot be used: {}\n", reason_to_refuse);
    reinterpret_cast<Register>(regfunc)(&plugin, lammps);
}
