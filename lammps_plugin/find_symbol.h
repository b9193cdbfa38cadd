// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <dlfcn.h>

namespace mlcalc_lammps {

/// A function of the process that has loaded this library, null if it has none of this (mangled) name.
template <typename Function>
Function* find(const char* symbol) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, symbol));
}

}  // namespace mlcalc_lammps
