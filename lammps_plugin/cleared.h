// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <vector>

namespace mlcalc_lammps {

/// Zeros, and a pointer that is not null on a rank without atoms: null would mean "not wanted", and the ranks would no
/// longer do the same.
template <typename T>
T* cleared(std::vector<T>& values, std::size_t n) {
    values.reserve(n + 1);
    values.assign(n, T{});
    return values.data();
}

}  // namespace mlcalc_lammps
