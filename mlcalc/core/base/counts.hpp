// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>

namespace mlcalc {

/// Atoms and pairs of one rank are counted with int, as LAMMPS and neighbor lists do; a test builds with fewer.
#ifndef MLCALC_LARGEST_COUNT
constexpr std::size_t largest_count = std::numeric_limits<int>::max();
#else
constexpr std::size_t largest_count = MLCALC_LARGEST_COUNT;
#endif

/// The number as int. Throws std::length_error, which says what there is too much of.
inline int counted(std::size_t n, const char* what) {
    if (n > largest_count) {
        throw std::length_error("one rank has more than " + std::to_string(largest_count) + " " + what +
                                "; use more ranks");
    }
    return static_cast<int>(n);
}

}  // namespace mlcalc
