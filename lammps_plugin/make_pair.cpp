// SPDX-License-Identifier: GPL-2.0-only
/// What the loader asks this library for, a function per style.
#include "compute_mlcalc_tensor.h"
#include "lammps.h"
#include "pair_mlcalc.h"

extern "C" __attribute__((visibility("default"))) void* mlcalc_make_pair(void* lammps) {
    return static_cast<LAMMPS_NS::Pair*>(new LAMMPS_NS::PairMLCalc(static_cast<LAMMPS_NS::LAMMPS*>(lammps)));
}

extern "C" __attribute__((visibility("default"))) void* mlcalc_make_compute(void* lammps, int narg, char** arg) {
    auto* instance = static_cast<LAMMPS_NS::LAMMPS*>(lammps);
    return static_cast<LAMMPS_NS::Compute*>(new LAMMPS_NS::ComputeMLCalcTensor(instance, narg, arg));
}
